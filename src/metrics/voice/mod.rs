//! Metrics of reviews and of what is said elsewhere: stars, and tone.
//!
//! **Invariants**
//! - The tone is a number from −1 to 1, of which ±0.05 is the border, or one of the words `positive`, `neutral` and
//!   `negative`. What has neither is not covered, and in no share.
//! - Without `review.sentiment` it is found by the words of `review.text`, in the languages that have a lexicon.

pub mod net_sentiment;
pub mod review_positive_lower;
pub mod review_rating;
pub mod review_rating_bayes;
pub mod sentiment_coverage;
pub mod sentiment_negative;
pub mod sentiment_neutral;
pub mod sentiment_positive;
pub mod theme_score;
pub mod theme_share;

use serde_json::Value as Json;

use crate::diagnostic::Code;
use crate::document::{Decode, Decoder, Node, Setting, schema};
use crate::frame::{DataType, Value};
use crate::ir::typing::{Typed, build, call};
use crate::ir::{Expr, Func, Mark};
use crate::metrics::Lowering;

/// A word of a theme, with a letter or digit.
#[derive(Debug, Clone, PartialEq)]
struct ThemeWord(String);

impl Decode for ThemeWord {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let word = String::decode(node, decoder)?;
        if !word.contains(char::is_alphanumeric) {
            decoder.wrong_type(node, &Self::expects());
            return None;
        }
        Some(ThemeWord(word))
    }
    fn expects() -> String {
        "a word with a letter or digit".into()
    }
    fn show(&self) -> String {
        self.0.show()
    }
    fn json_schema() -> Json {
        schema::matching(r"[\p{L}\p{N}]")
    }
}

/// What a customer wrote, with an answer or in a review; a missing role is noted.
fn text(lowering: &mut Lowering) -> Option<Expr> {
    let marks = &lowering.subject.roles.marks;
    let comment = marks.contains_key(&Mark::Comment) || marks.contains_key(&Mark::Score);
    lowering.mark(if comment { Mark::Comment } else { Mark::ReviewText })
}

/// Whether a text holds one of some words; their absence is noted.
fn mentions(lowering: &mut Lowering, text: Expr, words: &Setting<Vec<ThemeWord>>) -> Option<Expr> {
    if words.value.is_empty() {
        if !words.flawed {
            lowering.report(Code::InvalidValue, "a theme needs a word");
        }
        return None;
    }
    let words = words.value.iter();
    let found = found_in(text, words.map(|word| word.0.as_str()));
    lowering.typed(found)
}

/// Whether a text holds one of some words; false for no text.
fn found_in<'a>(text: Expr, words: impl Iterator<Item = &'a str>) -> Typed {
    let words = words.map(|word| Expr::literal(Value::text(word), DataType::String));
    let found = call(Func::Mentions, [text].into_iter().chain(words).collect())?;
    build::coalesce(found, Expr::bool(false))
}

/// Whether there is a letter or digit in a text.
fn is_written(text: Expr) -> Typed {
    let pattern = Expr::literal(Value::text(r"[\p{Alphabetic}\p{N}]"), DataType::String);
    build::coalesce(call(Func::RegexpMatches, vec![text, pattern])?, Expr::bool(false))
}

crate::choice! {
    /// What becomes of neutral rows.
    enum Neutral {
        /// They are in the denominator.
        Count = "count",
        /// They are left out.
        Exclude = "exclude",
    }
}

/// Scores within this of 0 are neutral.
const BORDER: f64 = 0.05;

/// The tone of a row, as conditions that are null where it is not known.
struct Tone {
    positive: Expr,
    neutral: Expr,
    negative: Expr,
    known: Expr,
}

impl Tone {
    /// The rows that are divided by.
    fn among(&self, lowering: &mut Lowering, neutral: Neutral) -> Option<Expr> {
        let known = self.known.clone();
        match neutral {
            Neutral::Count => Some(known),
            Neutral::Exclude => {
                let decided = build::or(self.positive.clone(), self.negative.clone());
                lowering.typed(decided.and_then(|decided| build::and(known, decided)))
            }
        }
    }
}

/// Text and language, where nobody has scored the rows; a missing language is noted.
fn said(lowering: &mut Lowering) -> Option<Option<(Expr, Expr)>> {
    let marks = &lowering.subject.roles.marks;
    match (marks.contains_key(&Mark::Sentiment), marks.get(&Mark::ReviewText).cloned()) {
        (true, _) | (false, None) => Some(None),
        (false, Some(text)) => Some(Some((text, lowering.mark(Mark::Language)?))),
    }
}

/// The tone of a row; a missing role is noted.
fn tone(lowering: &mut Lowering) -> Option<Tone> {
    let tone = match said(lowering)? {
        Some((text, language)) => lowering.typed(call(Func::Sentiment, vec![text, language]))?,
        None => lowering.mark(Mark::Sentiment)?,
    };
    let of_word = |lowering: &mut Lowering, word: &str| {
        let word = Expr::literal(Value::text(word), DataType::String);
        lowering.typed(build::eq(tone.clone(), word))
    };
    let (positive, neutral, negative) = match tone.data_type {
        DataType::String => (
            of_word(lowering, "positive")?,
            of_word(lowering, "neutral")?,
            of_word(lowering, "negative")?,
        ),
        _ => {
            let score = lowering.typed(build::cast(tone.clone(), DataType::Float64))?;
            let above = lowering.typed(build::ge(score.clone(), Expr::float(BORDER)))?;
            let below = lowering.typed(build::le(score, Expr::float(-BORDER)))?;
            let either = lowering.typed(build::or(above.clone(), below.clone()))?;
            (above, lowering.typed(build::not(either))?, below)
        }
    };
    let either = lowering.typed(build::or(positive.clone(), negative.clone()))?;
    let any = lowering.typed(build::or(either, neutral.clone()))?;
    let known = lowering.typed(build::coalesce(any, Expr::bool(false)))?;
    let known = lowering.with_condition(known)?;
    Some(Tone { positive, neutral, negative, known })
}
