//! Types of calls: which arguments a function takes, how they widen, what it gives.

use super::expression::{Expr, ExprNode};
use super::function::{Func, Part};
use crate::document::TimeUnit;
use crate::frame::{DataType, Value, pow10};

/// Why a call has no type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TypeError {
    /// A lowercase fragment.
    pub message: String,
    /// Which argument is at fault, if one is.
    pub argument: Option<usize>,
    pub help: Option<String>,
}

impl TypeError {
    fn new(message: impl Into<String>) -> Self {
        TypeError { message: message.into(), argument: None, help: None }
    }

    pub(super) fn at(argument: usize, message: impl Into<String>) -> Self {
        TypeError { message: message.into(), argument: Some(argument), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A typed call, or why there is none.
pub type Typed = Result<Expr, TypeError>;

/// Calls `func`: widens the arguments as the language does by itself and finds the result's type.
///
/// # Errors
/// Arguments of types that do not fit, or too many or too few of them.
pub fn call(func: Func, arguments: Vec<Expr>) -> Typed {
    let arguments: Vec<Expr> = arguments.into_iter().map(widen).collect();
    let (arguments, data_type) = resolve(func, arguments)?;
    Ok(Expr { node: ExprNode::Call(func, arguments), data_type })
}

/// int32 is stored, int64 is computed.
fn widen(argument: Expr) -> Expr {
    if argument.data_type == DataType::Int32 {
        return raw(Func::Cast(DataType::Int64), vec![argument], DataType::Int64);
    }
    argument
}

fn raw(func: Func, arguments: Vec<Expr>, data_type: DataType) -> Expr {
    Expr { node: ExprNode::Call(func, arguments), data_type }
}

fn resolve(func: Func, mut args: Vec<Expr>) -> Result<(Vec<Expr>, DataType), TypeError> {
    use DataType as T;
    let count = args.len();
    let need = |wanted: std::ops::RangeInclusive<usize>| {
        if wanted.contains(&count) {
            return Ok(());
        }
        let (least, most) = (*wanted.start(), *wanted.end());
        let words = if least == most {
            format!("{least}")
        } else if most == usize::MAX {
            format!("at least {least}")
        } else {
            format!("{least} to {most}")
        };
        let plural = if least == 1 && most == 1 { "" } else { "s" };
        Err(TypeError::new(format!(
            "`{}` takes {words} argument{plural}, not {count}",
            func.name()
        )))
    };
    match func {
        Func::Equal
        | Func::NotEqual
        | Func::Less
        | Func::LessEqual
        | Func::Greater
        | Func::GreaterEqual
        | Func::IsDistinct => {
            need(2..=2)?;
            unify(func, &mut args)?;
            Ok((args, T::Bool))
        }
        Func::And | Func::Or => {
            need(2..=2)?;
            expect_all(func, &mut args, T::Bool)?;
            Ok((args, T::Bool))
        }
        Func::Not => {
            need(1..=1)?;
            expect_all(func, &mut args, T::Bool)?;
            Ok((args, T::Bool))
        }
        Func::IsNull => {
            need(1..=1)?;
            Ok((args, T::Bool))
        }
        Func::In => {
            need(2..=usize::MAX)?;
            unify(func, &mut args)?;
            Ok((args, T::Bool))
        }
        Func::Case => {
            need(2..=usize::MAX)?;
            if count.is_multiple_of(2) {
                args.push(Expr::null(T::String));
            }
            let last = args.len() - 1;
            let mut values = Vec::new();
            for (index, argument) in args.iter_mut().enumerate().take(last) {
                if index % 2 == 0 {
                    *argument = expect(func, argument.clone(), T::Bool, index)?;
                } else {
                    values.push(argument.clone());
                }
            }
            values.push(args[last].clone());
            let common = unify(func, &mut values)?;
            for (place, value) in (1..last).step_by(2).chain([last]).zip(values) {
                args[place] = value;
            }
            Ok((args, common))
        }
        Func::Coalesce | Func::Least | Func::Greatest => {
            need(1..=usize::MAX)?;
            let common = unify(func, &mut args)?;
            Ok((args, common))
        }
        Func::NullIf => {
            need(2..=2)?;
            let common = unify(func, &mut args)?;
            Ok((args, common))
        }
        Func::Add | Func::Subtract | Func::Multiply | Func::Divide | Func::Modulo => {
            need(2..=2)?;
            arithmetic(func, args)
        }
        Func::Negate | Func::Abs => {
            need(1..=1)?;
            if args[0].data_type == T::Duration {
                return Ok((args, T::Duration));
            }
            numeric(func, &args)?;
            let result = args[0].data_type;
            Ok((args, result))
        }
        Func::Sign => {
            need(1..=1)?;
            numeric(func, &args)?;
            Ok((args, T::Int64))
        }
        Func::Round => {
            need(1..=2)?;
            if count == 1 {
                args.push(Expr::int(0));
            }
            let digits = match args[1].as_literal() {
                Some(Value::Int(digits)) if (0..=38).contains(digits) => *digits as u8,
                _ => {
                    return Err(TypeError::at(
                        1,
                        "`round` takes a literal number of digits, 0 to 38",
                    ));
                }
            };
            numeric(func, &args[..1])?;
            let result = match args[0].data_type {
                T::Decimal { scale, .. } => T::money(scale.min(digits)),
                other => other,
            };
            Ok((args, result))
        }
        Func::Floor | Func::Ceil => {
            need(1..=1)?;
            numeric(func, &args)?;
            let result = match args[0].data_type {
                T::Decimal { .. } => T::money(0),
                other => other,
            };
            Ok((args, result))
        }
        Func::Sqrt | Func::Exp | Func::Ln => {
            need(1..=1)?;
            numeric(func, &args)?;
            to_float(&mut args);
            Ok((args, T::Float64))
        }
        Func::Power => {
            need(2..=2)?;
            numeric(func, &args)?;
            to_float(&mut args);
            Ok((args, T::Float64))
        }
        Func::Cast(to) | Func::TryCast(to) => {
            need(1..=1)?;
            if args[0].as_literal().is_some_and(Value::is_null) {
                return Ok((vec![Expr::null(to)], to));
            }
            let from = args[0].data_type;
            if !castable(from, to) {
                return Err(TypeError::at(0, format!("a {from} cannot be cast to {to}")));
            }
            Ok((args, to))
        }
        Func::ToMoney(scale) => {
            need(1..=1)?;
            numeric(func, &args)?;
            Ok((args, T::money(scale)))
        }
        Func::Concat | Func::StartsWith | Func::EndsWith | Func::Contains | Func::Like => {
            need(2..=2)?;
            expect_all(func, &mut args, T::String)?;
            Ok((args, if func == Func::Concat { T::String } else { T::Bool }))
        }
        Func::Mentions => {
            need(2..=usize::MAX)?;
            expect_all(func, &mut args, T::String)?;
            super::words::literal(&args)?;
            Ok((args, T::Bool))
        }
        Func::Sentiment => {
            need(2..=2)?;
            expect_all(func, &mut args, T::String)?;
            Ok((args, T::Float64))
        }
        Func::RegexpMatches => {
            need(2..=2)?;
            expect_all(func, &mut args, T::String)?;
            let Some(Value::String(pattern)) = args[1].as_literal() else {
                return Err(TypeError::at(1, "the pattern must be a literal text"));
            };
            if let Err(error) = regex::Regex::new(pattern) {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or("").trim_start_matches("error: ");
                return Err(TypeError::at(1, format!("not a regular expression: {reason}")));
            }
            Ok((args, T::Bool))
        }
        Func::Lower | Func::Upper | Func::Trim | Func::Pseudonym(_) => {
            need(1..=1)?;
            expect_all(func, &mut args, T::String)?;
            Ok((args, T::String))
        }
        Func::Length => {
            need(1..=1)?;
            expect_all(func, &mut args, T::String)?;
            Ok((args, T::Int64))
        }
        Func::Substring => {
            need(2..=3)?;
            if count == 2 {
                args.push(Expr::int(i64::from(i32::MAX)));
            }
            args[0] = expect(func, args[0].clone(), T::String, 0)?;
            args[1] = expect(func, args[1].clone(), T::Int64, 1)?;
            args[2] = expect(func, args[2].clone(), T::Int64, 2)?;
            Ok((args, T::String))
        }
        Func::Replace => {
            need(3..=3)?;
            expect_all(func, &mut args, T::String)?;
            Ok((args, T::String))
        }
        Func::DateTrunc(unit) => {
            need(1..=1)?;
            if matches!(unit, TimeUnit::Hour | TimeUnit::Minute | TimeUnit::Second) {
                to_timestamp(func, &mut args)?;
                return Ok((args, T::Timestamp));
            }
            temporal(func, &args)?;
            Ok((args, T::Date))
        }
        Func::Extract(part) => {
            need(1..=1)?;
            if part == Part::Hour {
                to_timestamp(func, &mut args)?;
            } else {
                temporal(func, &args)?;
            }
            Ok((args, T::Int64))
        }
        Func::Shift(interval) => {
            need(1..=1)?;
            temporal(func, &args)?;
            if args[0].data_type == T::Date && interval.micros % crate::document::DAY_MICROS != 0 {
                to_timestamp(func, &mut args)?;
            }
            let result = args[0].data_type;
            Ok((args, result))
        }
        Func::AddDuration => {
            need(2..=2)?;
            args[1] = expect(func, args[1].clone(), T::Duration, 1)?;
            let duration = args.split_off(1);
            to_timestamp(func, &mut args)?;
            args.extend(duration);
            Ok((args, T::Timestamp))
        }
        Func::AddDays => {
            need(2..=2)?;
            args[0] = expect(func, args[0].clone(), T::Date, 0)?;
            args[1] = expect(func, args[1].clone(), T::Int64, 1)?;
            Ok((args, T::Date))
        }
        Func::Between => {
            need(2..=2)?;
            unify_times(func, &mut args)?;
            Ok((args, T::Duration))
        }
        Func::Elapsed(_) => {
            need(2..=2)?;
            unify_times(func, &mut args)?;
            Ok((args, T::Float64))
        }
        Func::OpenHours(_) => {
            need(2..=2)?;
            args[0] = expect(func, args[0].clone(), T::Timestamp, 0)?;
            args[1] = expect(func, args[1].clone(), T::Timestamp, 1)?;
            Ok((args, T::Float64))
        }
        Func::Steps(_) => {
            need(2..=2)?;
            unify_times(func, &mut args)?;
            Ok((args, T::Int64))
        }
        Func::DateDiff(unit) => {
            need(2..=2)?;
            if matches!(unit, TimeUnit::Hour | TimeUnit::Minute | TimeUnit::Second) {
                to_timestamp(func, &mut args)?;
            } else {
                temporal(func, &args)?;
            }
            Ok((args, T::Int64))
        }
        Func::PeriodOf(_) => {
            need(1..=1)?;
            temporal(func, &args)?;
            Ok((args, T::Int64))
        }
        Func::PeriodStart(_) => {
            need(1..=1)?;
            expect_all(func, &mut args, T::Int64)?;
            Ok((args, T::Date))
        }
        Func::DrawNumber(_) => {
            need(1..=1_000)?;
            Ok((args, T::Int64))
        }
        Func::WilsonLow | Func::WilsonHigh => {
            need(3..=3)?;
            numeric(func, &args)?;
            to_float(&mut args);
            Ok((args, T::Float64))
        }
        Func::MultinomialLow | Func::MultinomialHigh => {
            need(5..=5)?;
            numeric(func, &args)?;
            to_float(&mut args);
            Ok((args, T::Float64))
        }
        Func::StudentT => {
            need(2..=2)?;
            numeric(func, &args)?;
            to_float(&mut args);
            Ok((args, T::Float64))
        }
    }
}

fn arithmetic(func: Func, mut args: Vec<Expr>) -> Result<(Vec<Expr>, DataType), TypeError> {
    use DataType as T;
    numeric(func, &args)?;
    let (left, right) = (args[0].data_type, args[1].data_type);
    if func == Func::Divide {
        // Decimals divide as doubles; each side is converted by the engine that divides.
        to_float(&mut args);
        return Ok((args, T::Float64));
    }
    if left == T::Float64 || right == T::Float64 {
        to_float(&mut args);
        return Ok((args, T::Float64));
    }
    let scale = |data_type| match data_type {
        T::Decimal { scale, .. } => Some(scale),
        _ => None,
    };
    match (scale(left), scale(right)) {
        (None, None) => Ok((args, T::Int64)),
        (left, right) => {
            let (left, right) = (left.unwrap_or(0), right.unwrap_or(0));
            args = args
                .into_iter()
                .map(|argument| match argument.data_type {
                    T::Decimal { .. } => argument,
                    _ => coerce(argument, T::money(0)),
                })
                .collect();
            let scale = if func == Func::Multiply { left + right } else { left.max(right) };
            if scale > 38 {
                return Err(TypeError::new("the product has more than 38 digits after the point"));
            }
            if func != Func::Multiply {
                args = args.into_iter().map(|argument| coerce(argument, T::money(scale))).collect();
            }
            Ok((args, T::money(scale)))
        }
    }
}

/// The type that both widen to by themselves, if there is one.
pub fn common_type(left: DataType, right: DataType) -> Option<DataType> {
    use DataType as T;
    Some(match (left, right) {
        (a, b) if a == b && a != T::Int32 => a,
        (a, b) if a.is_integer() && b.is_integer() => T::Int64,
        (T::Float64, b) if b.is_numeric() => T::Float64,
        (a, T::Float64) if a.is_numeric() => T::Float64,
        (T::Decimal { scale: a, .. }, T::Decimal { scale: b, .. }) => T::money(a.max(b)),
        (T::Decimal { scale, .. }, b) if b.is_integer() => T::money(scale),
        (a, T::Decimal { scale, .. }) if a.is_integer() => T::money(scale),
        (T::Date, T::Timestamp) | (T::Timestamp, T::Date) => T::Timestamp,
        _ => return None,
    })
}

/// Widens all arguments to one type.
fn unify(func: Func, args: &mut [Expr]) -> Result<DataType, TypeError> {
    let mut common: Option<DataType> = None;
    for (index, argument) in args.iter().enumerate() {
        if argument.as_literal().is_some_and(Value::is_null) {
            continue;
        }
        common = Some(match common {
            None => argument.data_type,
            Some(so_far) => common_type(so_far, argument.data_type)
                .ok_or_else(|| mismatch(func, index, so_far, argument))?,
        });
    }
    let common = common.unwrap_or(DataType::String);
    for argument in args {
        *argument = coerce(argument.clone(), common);
    }
    Ok(common)
}

fn mismatch(func: Func, index: usize, so_far: DataType, argument: &Expr) -> TypeError {
    let found = argument.data_type;
    let error =
        TypeError::at(index, format!("`{}` cannot combine a {so_far} with a {found}", func.name()));
    match (so_far, &argument.as_literal()) {
        (DataType::Date | DataType::Timestamp, Some(Value::String(text))) => {
            error.help(format!("write `{so_far} '{text}'`"))
        }
        (other, Some(Value::String(text))) if other.is_numeric() && text.parse::<f64>().is_ok() => {
            error.help(format!("write the number without quotes: `{text}`"))
        }
        (DataType::String, _) => error.help(format!(
            "texts never convert by themselves: `cast(… as {found})`, or quote the value"
        )),
        _ => error.help(format!("convert one side: `cast(… as {so_far})`")),
    }
}

/// The expression as a type it widens to by itself; literals are converted at once.
pub fn coerce(argument: Expr, to: DataType) -> Expr {
    if argument.data_type == to {
        return argument;
    }
    let literal = match (argument.as_literal(), to) {
        (Some(Value::Null), _) => Some(Value::Null),
        (Some(Value::Int(value)), DataType::Float64) => Some(Value::Float(*value as f64)),
        (Some(Value::Int(value)), DataType::Decimal { scale, .. }) => i128::from(*value)
            .checked_mul(pow10(scale))
            .map(|minor| Value::Decimal { minor, scale }),
        (Some(Value::Decimal { minor, scale: own }), DataType::Decimal { scale, .. })
            if *own <= scale =>
        {
            minor.checked_mul(pow10(scale - own)).map(|minor| Value::Decimal { minor, scale })
        }
        (Some(value @ Value::Decimal { .. }), DataType::Float64) => {
            value.as_f64().map(Value::finite)
        }
        _ => None,
    };
    match literal {
        Some(value) => Expr::literal(value, to),
        None => raw(Func::Cast(to), vec![argument], to),
    }
}

fn to_float(args: &mut [Expr]) {
    for argument in args {
        *argument = coerce(argument.clone(), DataType::Float64);
    }
}

fn to_timestamp(func: Func, args: &mut [Expr]) -> Result<(), TypeError> {
    temporal(func, args)?;
    for argument in args {
        *argument = coerce(argument.clone(), DataType::Timestamp);
    }
    Ok(())
}

fn unify_times(func: Func, args: &mut [Expr]) -> Result<(), TypeError> {
    temporal(func, args)?;
    unify(func, args).map(|_| ())
}

fn numeric(func: Func, args: &[Expr]) -> Result<(), TypeError> {
    for (index, argument) in args.iter().enumerate() {
        let null = argument.as_literal().is_some_and(Value::is_null);
        if !argument.data_type.is_numeric() && !null {
            return Err(TypeError::at(
                index,
                format!("`{}` takes numbers, not a {}", func.name(), argument.data_type),
            ));
        }
    }
    Ok(())
}

fn temporal(func: Func, args: &[Expr]) -> Result<(), TypeError> {
    for (index, argument) in args.iter().enumerate() {
        if !matches!(argument.data_type, DataType::Date | DataType::Timestamp) {
            let error = TypeError::at(
                index,
                format!(
                    "`{}` takes dates and timestamps, not a {}",
                    func.name(),
                    argument.data_type
                ),
            );
            return Err(match argument.as_literal() {
                Some(Value::String(text)) => error.help(format!("write `date '{text}'`")),
                _ => error,
            });
        }
    }
    Ok(())
}

fn expect(func: Func, argument: Expr, wanted: DataType, index: usize) -> Typed {
    if argument.data_type == wanted || argument.as_literal().is_some_and(Value::is_null) {
        return Ok(coerce(argument, wanted));
    }
    Err(TypeError::at(
        index,
        format!("`{}` takes a {wanted} here, not a {}", func.name(), argument.data_type),
    ))
}

fn expect_all(func: Func, args: &mut [Expr], wanted: DataType) -> Result<(), TypeError> {
    for (index, argument) in args.iter_mut().enumerate() {
        *argument = expect(func, argument.clone(), wanted, index)?;
    }
    Ok(())
}

fn castable(from: DataType, to: DataType) -> bool {
    use DataType as T;
    match (from, to) {
        (a, b) if a == b => true,
        (_, T::String) | (T::String, _) => to != T::Duration && from != T::Duration,
        (a, b) if a.is_numeric() && b.is_numeric() => true,
        (T::Bool, b) if b.is_integer() => true,
        (T::Date, T::Timestamp) | (T::Timestamp, T::Date) => true,
        _ => false,
    }
}

/// Short names for the calls that stages and metrics build.
pub mod build {
    use super::{Expr, Func, Typed, call};
    use crate::document::TimeUnit;
    use crate::frame::DataType;

    macro_rules! binary {
        ($($name:ident $func:ident;)*) => {
            $(
                #[doc = concat!("Calls `", stringify!($func), "`.")]
                pub fn $name(left: Expr, right: Expr) -> Typed { call(Func::$func, vec![left, right]) }
            )*
        };
    }
    binary! {
        eq Equal; ne NotEqual; lt Less; le LessEqual; gt Greater; ge GreaterEqual;
        and And; or Or; add Add; sub Subtract; mul Multiply; div Divide; null_if NullIf;
        elapsed_between Between;
    }

    /// The opposite of a truth value.
    pub fn not(argument: Expr) -> Typed {
        call(Func::Not, vec![argument])
    }

    /// True if the argument is null.
    pub fn is_null(argument: Expr) -> Typed {
        call(Func::IsNull, vec![argument])
    }

    /// The first argument that is not null.
    pub fn coalesce(first: Expr, second: Expr) -> Typed {
        call(Func::Coalesce, vec![first, second])
    }

    /// `then` where the condition is true, else `otherwise`.
    pub fn choose(condition: Expr, then: Expr, otherwise: Expr) -> Typed {
        call(Func::Case, vec![condition, then, otherwise])
    }

    /// The argument as another type.
    pub fn cast(argument: Expr, to: DataType) -> Typed {
        if argument.data_type == to { Ok(argument) } else { call(Func::Cast(to), vec![argument]) }
    }

    /// The number of the calendar period that holds a time.
    pub fn period_of(unit: TimeUnit, time: Expr) -> Typed {
        call(Func::PeriodOf(unit), vec![time])
    }

    /// The first day of a numbered calendar period.
    pub fn period_start(unit: TimeUnit, period: Expr) -> Typed {
        call(Func::PeriodStart(unit), vec![period])
    }

    /// All of the conditions; true for none.
    pub fn all(
        conditions: impl IntoIterator<Item = Expr>,
    ) -> Result<Option<Expr>, super::TypeError> {
        let mut whole: Option<Expr> = None;
        for condition in conditions {
            whole = Some(match whole {
                None => condition,
                Some(so_far) => and(so_far, condition)?,
            });
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(data_type: DataType) -> Expr {
        Expr::column("c", data_type)
    }

    #[test]
    fn numbers_widen() {
        let money = column(DataType::money(2));
        let sum = call(Func::Add, vec![money.clone(), Expr::int(1)]).expect("decimal and int");
        assert_eq!(sum.data_type, DataType::money(2));
        let product = call(Func::Multiply, vec![money.clone(), money.clone()]).expect("decimals");
        assert_eq!(product.data_type, DataType::money(4));
        let quotient = call(Func::Divide, vec![money, Expr::int(2)]).expect("numbers");
        assert_eq!(quotient.data_type, DataType::Float64);
        let narrow = call(Func::Add, vec![column(DataType::Int32), Expr::int(1)]).expect("ints");
        assert_eq!(narrow.data_type, DataType::Int64);
    }

    #[test]
    fn texts_do_not_convert() {
        let error = call(
            Func::Less,
            vec![
                column(DataType::Date),
                Expr::literal(Value::text("1998-07-01"), DataType::String),
            ],
        )
        .expect_err("a date is not a text");
        assert_eq!(error.argument, Some(1));
        assert_eq!(error.help.as_deref(), Some("write `date '1998-07-01'`"));
    }

    #[test]
    fn null_takes_the_other_type() {
        let choice = call(
            Func::Case,
            vec![Expr::bool(true), Expr::null(DataType::String), Expr::float(1.0)],
        )
        .expect("null fits");
        assert_eq!(choice.data_type, DataType::Float64);
    }
}
