//! Metrics of reviews and of what is said elsewhere: stars, and tone.
//!
//! **Invariants**
//! - The tone is a number from −1 to 1, of which ±0.05 is the border, or one of the words `positive`, `neutral` and
//!   `negative`. What has neither is not covered, and in no share.

pub mod net_sentiment;
pub mod review_positive_lower;
pub mod review_rating;
pub mod sentiment_coverage;
pub mod sentiment_negative;
pub mod sentiment_neutral;
pub mod sentiment_positive;

use crate::frame::{DataType, Value};
use crate::ir::typing::build;
use crate::ir::{Expr, Mark};
use crate::metrics::Lowering;

/// Scores within this of 0 are neutral.
const BORDER: f64 = 0.05;

/// The tone of a row, as conditions that are null where it is not known.
struct Tone {
    positive: Expr,
    neutral: Expr,
    negative: Expr,
    known: Expr,
}

/// The tone of a row; a missing role is noted.
fn tone(lowering: &mut Lowering) -> Option<Tone> {
    let tone = lowering.mark(Mark::Sentiment)?;
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
