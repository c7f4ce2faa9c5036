//! What must not be read from what is published, as written.

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::document::Decoder;
use crate::stats::suppress::SmallGroups;

crate::choice! {
    /// Which groups are hidden.
    pub enum Suppress {
        /// The small ones, and others with them where a total would reveal them.
        Complementary = "complementary",
        /// The small ones only: a total less the other groups gives them away.
        Plain = "plain",
    }
}

crate::options! {
    /// The `privacy` block.
    pub struct PrivacyBlock("`privacy`") {
        /// The least number of customers of a group that is shown; absent: all groups are.
        min_group_size: Option<i64> = None,
        /// Which groups are hidden.
        suppress: Suppress = Suppress::Complementary,
    }
}

impl PrivacyBlock {
    /// Which groups are too small; a size that is none is noted.
    pub(super) fn small_groups(&self, around: Span, decoder: &mut Decoder) -> Option<SmallGroups> {
        let written = self.min_group_size.value?;
        let least = u64::try_from(written).ok().filter(|&least| least > 1);
        if least.is_none() {
            let message = format!("`min_group_size` is at least 2, not {written}");
            let place = self.min_group_size.place(around);
            decoder.report(
                Diagnostic::at(Code::InvalidValue, place, message)
                    .help("write `min_group_size: 10`, or leave it out to show every group"),
            );
        }
        let complementary = self.suppress.value == Suppress::Complementary;
        Some(SmallGroups { least: least?, complementary })
    }
}
