//! Statistics of a distribution, and the words for them.

/// A statistic of a distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    Mean,
    Max,
    /// A quantile in (0, 1); the median is 0.5.
    Quantile(f64),
}

impl Statistic {
    /// Reads `mean`, `median`, `max`, `p01` to `p99`.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "mean" => Some(Statistic::Mean),
            "max" => Some(Statistic::Max),
            "median" => Some(Statistic::Quantile(0.5)),
            _ => {
                let digits = word.strip_prefix('p').filter(|digits| digits.len() == 2)?;
                let percent: u8 = digits.parse().ok().filter(|&percent| percent > 0)?;
                Some(Statistic::Quantile(f64::from(percent) / 100.0))
            }
        }
    }
}

impl std::fmt::Display for Statistic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Statistic::Mean => f.write_str("mean"),
            Statistic::Max => f.write_str("max"),
            Statistic::Quantile(0.5) => f.write_str("median"),
            Statistic::Quantile(at) => write!(f, "p{:02}", (at * 100.0).round()),
        }
    }
}
