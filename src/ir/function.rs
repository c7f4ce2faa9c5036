//! The functions of expressions: one row each.

use super::pseudonym::PseudonymKey;
use crate::document::{Interval, TimeUnit};
use crate::frame::DataType;

crate::choice! {
    /// A part of a date that `extract` gives.
    pub enum Part {
        Year = "year",
        Quarter = "quarter",
        Month = "month",
        Week = "week",
        Day = "day",
        /// 1 is Monday.
        Dow = "dow",
        Hour = "hour",
    }
}

/// What a function does when an argument is null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NullRule {
    /// Any null argument makes the result null.
    Propagates,
    /// The function says itself what a null means; its sentence tells.
    Own,
}

/// Declares [`Func`] with its table: variant, name, arguments, null rule, sentence.
macro_rules! functions {
    ($($variant:ident $(($parameter:ty))? $name:literal $arguments:literal $rule:ident $sentence:literal;)*) => {
        /// A function of expressions. Each engine gives every one of them a meaning; the names of
        /// arithmetic and comparison are their SQL signs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Func { $(#[doc = $sentence] $variant $(($parameter))?,)* }

        impl Func {
            /// The name in SQL, or the sign.
            pub fn name(&self) -> &'static str {
                match self { $(functions!(@pattern $variant $(($parameter))?) => $name,)* }
            }

            /// What happens to nulls.
            pub fn null_rule(&self) -> NullRule {
                match self { $(functions!(@pattern $variant $(($parameter))?) => NullRule::$rule,)* }
            }
        }

        /// Name, arguments, null rule and sentence of every function, in reading order.
        pub const TABLE: &[(&str, &str, NullRule, &str)] =
            &[$(($name, $arguments, NullRule::$rule, $sentence),)*];
    };
    (@pattern $variant:ident) => { Func::$variant };
    (@pattern $variant:ident ($parameter:ty)) => { Func::$variant(_) };
}

functions! {
    Equal "=" "a, b" Propagates "True if both are equal.";
    NotEqual "<>" "a, b" Propagates "True if both differ.";
    Less "<" "a, b" Propagates "True if the first is smaller; texts compare by bytes.";
    LessEqual "<=" "a, b" Propagates "True if the first is not larger.";
    Greater ">" "a, b" Propagates "True if the first is larger.";
    GreaterEqual ">=" "a, b" Propagates "True if the first is not smaller.";
    And "and" "bool, bool" Own "Three-valued and: false if either is false, else null if either is null.";
    Or "or" "bool, bool" Own "Three-valued or: true if either is true, else null if either is null.";
    Not "not" "bool" Propagates "The opposite.";
    IsNull "is null" "a" Own "True if the value is null; never null.";
    IsDistinct "is distinct from" "a, b" Own "True if both differ, two nulls being equal; never null.";
    In "in" "a, literals" Own "True if the first equals one of the others; null if it is null, or equals none and one of them is null.";
    Case "case when" "condition, value, …, otherwise" Own "The value after the first true condition, else the last.";
    Coalesce "coalesce" "a, …" Own "The first that is not null.";
    NullIf "nullif" "a, b" Own "Null if both are equal, else the first.";
    Add "+" "numbers" Propagates "The sum; exact on whole numbers and decimals, where overflow is an error.";
    Subtract "-" "numbers" Propagates "The difference; exact on whole numbers and decimals.";
    Multiply "*" "numbers" Propagates "The product; decimal scales add up.";
    Divide "/" "numbers" Propagates "The quotient as float64; null if the divisor is 0.";
    Modulo "%" "numbers" Propagates "The remainder with the sign of the dividend; null if the divisor is 0.";
    Negate "-" "number" Propagates "The number with the other sign.";
    Abs "abs" "number" Propagates "The number without its sign.";
    Sign "sign" "number" Propagates "−1, 0 or 1 as int64.";
    Round "round" "number, digits" Propagates "Rounded to so many digits after the point, half away from zero.";
    Floor "floor" "number" Propagates "The largest whole number that is not larger.";
    Ceil "ceil" "number" Propagates "The smallest whole number that is not smaller.";
    Least "least" "a, …" Own "The smallest; nulls are skipped.";
    Greatest "greatest" "a, …" Own "The largest; nulls are skipped.";
    Sqrt "sqrt" "number" Propagates "The square root; null below 0.";
    Exp "exp" "number" Propagates "e to that power; null where it is beyond the range.";
    Ln "ln" "number" Propagates "The natural logarithm; null at or below 0.";
    Power "power" "number, number" Propagates "The first to the power of the second; null where it has no finite value.";
    Cast(DataType) "cast" "a as type" Propagates "The value as another type; a value that has none is an error.";
    TryCast(DataType) "try_cast" "a as type" Own "The value as another type; null where it has none.";
    ToMoney(u8) "to_money" "number" Propagates "A double rounded half-even to so many digits, as an exact decimal.";
    Concat "||" "string, string" Propagates "Both texts in a row.";
    Lower "lower" "string" Propagates "In lower case.";
    Upper "upper" "string" Propagates "In upper case.";
    Trim "trim" "string" Propagates "Without white space at both ends.";
    Length "length" "string" Propagates "The number of characters.";
    Substring "substring" "string, from, count" Propagates "So many characters, the first being number 1.";
    Replace "replace" "string, search, by" Propagates "Every occurrence replaced.";
    StartsWith "starts_with" "string, prefix" Propagates "True if the text begins so.";
    EndsWith "ends_with" "string, suffix" Propagates "True if the text ends so.";
    Contains "contains" "string, part" Propagates "True if the text holds the part.";
    Like "like" "string, pattern" Propagates "True if the whole text fits the pattern; `%` is any text, `_` any character.";
    Mentions "mentions" "string, 'word', …" Propagates "True if the text holds one of the words, at borders of words; case and accents do not matter.";
    Sentiment "sentiment" "string, language" Propagates "The tone of a text from −1 to 1, by the lexicon and rules of VADER; null where none of its words has a tone, or the language is not `'en'`.";
    RegexpMatches "regexp_matches" "string, 'pattern'" Propagates "True if some part of the text fits the regular expression.";
    DateTrunc(TimeUnit) "date_trunc" "'unit', time" Propagates "The start of the period: a date, or a timestamp for hour, minute and second.";
    Extract(Part) "extract" "part from time" Propagates "A part of the date or clock as int64.";
    Shift(Interval) "+ interval" "time" Propagates "The time shifted by an interval.";
    AddDuration "+ duration" "time, duration" Propagates "The time so much later.";
    AddDays "+ days" "date, int64" Propagates "The date so many days later.";
    Elapsed(TimeUnit) "elapsed" "'unit', from, to" Propagates "The time from the first to the second in units, float64.";
    Steps(i64) "steps" "from, to" Propagates "How many whole steps of so many microseconds lie between, rounded down; a date is its day.";
    Between "- time" "time, time" Propagates "The duration from the second to the first.";
    DateDiff(TimeUnit) "date_diff" "'unit', from, to" Propagates "How many borders of that calendar unit lie between.";
    PeriodOf(TimeUnit) "period_of" "time" Propagates "The number of the calendar period; consecutive periods have consecutive numbers.";
    PeriodStart(TimeUnit) "period_start" "period" Propagates "The first day of a numbered calendar period.";
    OpenHours(u8) "open_hours" "'hours', from, to" Propagates "The time between two instants within opening hours that `business_hours` names, in hours, float64.";
    DrawNumber(i64) "draw_number" "a, …" Own "A number from 0 on that follows from the values and a seed; never null.";
    Pseudonym(PseudonymKey) "pseudonym" "string" Propagates "A keyed hash that stands for the text: 32 hexadecimal digits.";
    WilsonLow "wilson_low" "successes, n, z" Propagates "The lower bound of Wilson's interval; null for n = 0.";
    WilsonHigh "wilson_high" "successes, n, z" Propagates "The upper bound of Wilson's interval; null for n = 0.";
    MultinomialLow "multinomial_low" "plus, minus, n, scale, z" Propagates "The lower bound of a balance; null for n = 0.";
    MultinomialHigh "multinomial_high" "plus, minus, n, scale, z" Propagates "The upper bound of a balance; null for n = 0.";
    StudentT "student_t" "degrees, level" Propagates "The two-sided quantile of Student's t; null for no degrees of freedom.";
}

impl Func {
    /// True for functions that hold two values against each other.
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Func::Equal
                | Func::NotEqual
                | Func::Less
                | Func::LessEqual
                | Func::Greater
                | Func::GreaterEqual
                | Func::IsDistinct
        )
    }
}

/// Functions that the language offers; the others are made by stages and metrics only.
pub fn is_public(name: &str) -> bool {
    !matches!(
        name,
        "to_money"
            | "period_of"
            | "period_start"
            | "steps"
            | "draw_number"
            | "pseudonym"
            | "wilson_low"
            | "wilson_high"
            | "multinomial_low"
            | "multinomial_high"
            | "student_t"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_a_sentence() {
        for (name, arguments, _, sentence) in TABLE {
            assert!(!arguments.is_empty(), "{name}");
            assert!(sentence.ends_with('.'), "{name}");
        }
    }
}
