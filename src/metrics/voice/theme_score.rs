//! # theme_score
//!
//! The mean score of those who speak of something.
//!
//! What it does: takes the mean of the scores, or of the stars, that came with texts that hold one of some words.
//!
//! When to use it: which themes go with low scores; `theme_share` says how often they come up.
//!
//! Example: `score_of_delays: {theme_score: {words: [late, delayed, courier]}}`
//!
//! Formula: mean of `survey.score`, in a source of reviews of `review.rating`, of rows whose text holds one of
//! `words`, found as in `theme_share`; with the interval of Student's t. Rows without a score are left out. Of
//! several questions narrow the rows with `where` to one: their scales differ. Columns `m`, `m_n`, `m_low`,
//! `m_high`; null for none, the bounds for fewer than two. Needs the text and the score.

use super::ThemeWord;
use crate::frame::Unit;
use crate::ir::Mark;
use crate::metrics::{Direction, Level, Lowering, Metric, MetricKind, Statistic};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "theme_score",
    source: include_str!("theme_score.rs"),
    unit: "points",
    direction: Direction::Higher,
    ..MetricKind::with_options::<ThemeScore>()
};

crate::options! {
    /// What to look for.
    struct ThemeScore("`theme_score`") {
        /// The words or phrases of the theme.
        words: Vec<ThemeWord>,
    }
}

impl Metric for ThemeScore {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let text = super::text(lowering);
        let of_survey = lowering.subject.roles.marks.contains_key(&Mark::Score);
        let score = lowering.mark(if of_survey { Mark::Score } else { Mark::Rating });
        let holds = super::mentions(lowering, text?, &self.words)?;
        let filter = lowering.with_condition(holds)?;
        lowering.statistic(Statistic::Mean, score?, Some(filter), &Level::Rows, Unit::Points)
    }
}
