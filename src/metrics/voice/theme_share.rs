//! # theme_share
//!
//! The share of texts that speak of something.
//!
//! What it does: divides the texts that hold one of some words by all texts.
//!
//! When to use it: what customers write about, and whether it changes. Several themes may be in one text.
//!
//! Example: `delays: {theme_share: {words: [late, delayed, courier]}}`
//!
//! Formula: texts with one of `words` / texts, with Wilson's interval. A word may be a phrase; it is found at
//! borders of words, whatever the case and the accents (see the function `mentions`). Texts that are null or have
//! no letter or digit are in neither part. Columns `m`, `m_numerator`, `m_n`, `m_low`, `m_high`; null for no
//! texts. Needs `survey.text` or `review.text`.

use super::ThemeWord;
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "theme_share",
    source: include_str!("theme_share.rs"),
    unit: "share",
    direction: Direction::Neither,
    ..MetricKind::with_options::<ThemeShare>()
};

crate::options! {
    /// What to look for.
    struct ThemeShare("`theme_share`") {
        /// The words or phrases of the theme.
        words: Vec<ThemeWord>,
    }
}

impl Metric for ThemeShare {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let text = super::text(lowering)?;
        let holds = super::mentions(lowering, text.clone(), &self.words)?;
        let among = lowering.typed(super::is_written(text))?;
        let among = lowering.with_condition(among)?;
        lowering.share_of_rows(holds, among)
    }
}
