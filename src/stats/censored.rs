//! Quantiles of durations of which some go on: what is open has lasted at least so long.
//!
//! A duration that has not ended stands as a negative number, [`unfinished`], so that one column holds
//! both. Where all have ended the quantile is the linear one of the durations and its bounds are order
//! statistics. Where some go on it is the first time at which Kaplan and Meier's estimate of those that last
//! longer has come down to 1 − p; bounds are where its band, symmetric in ln(−ln S), comes down there. What is
//! not reached has no value.
//!
//! References: Kaplan and Meier (1958); Brookmeyer and Crowley (1982), A confidence interval for the median
//! survival time.

use super::interval::rank_bounds;
use super::quantile::quantile_of_sorted;

/// A duration of at least 0 that has not ended.
pub fn unfinished(duration: f64) -> f64 {
    -(duration + 1.0)
}

/// Which bound of a quantile: the normal quantile of the level, and the side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CensoredBound {
    pub z: f64,
    pub upper: bool,
}

/// A quantile of durations, or a bound of it. Rearranges them. `None` where it is not reached.
pub fn censored_quantile(
    durations: &mut [f64],
    at: f64,
    bound: Option<CensoredBound>,
) -> Option<f64> {
    if durations.iter().all(|duration| *duration >= 0.0) {
        durations.sort_unstable_by(f64::total_cmp);
        let Some(CensoredBound { z, upper }) = bound else {
            return quantile_of_sorted(durations, at);
        };
        let (low, high) = rank_bounds(durations.len(), at, z);
        let rank = if upper { high } else { low }?;
        return durations.get(rank.checked_sub(1)?).copied();
    }
    // By how long they lasted; of those that lasted alike, the ended ones first.
    let length = |duration: f64| if duration < 0.0 { -duration - 1.0 } else { duration };
    durations.sort_unstable_by(|a, b| {
        length(*a).total_cmp(&length(*b)).then((*a < 0.0).cmp(&(*b < 0.0)))
    });
    let rest = 1.0 - at + 1e-12;
    let (mut survival, mut greenwood) = (1.0_f64, 0.0_f64);
    let mut at_risk = durations.len() as f64;
    for alike in durations.chunk_by(|a, b| length(*a) == length(*b)) {
        let ended = alike.iter().filter(|duration| **duration >= 0.0).count() as f64;
        if ended > 0.0 {
            survival *= 1.0 - ended / at_risk;
            greenwood += ended / (at_risk * (at_risk - ended));
            let level = match bound {
                None => survival,
                // Where nobody is left both bounds have come down.
                Some(_) if survival <= 0.0 => 0.0,
                Some(CensoredBound { z, upper }) => {
                    let log = survival.ln();
                    let spread = z * greenwood.sqrt() / -log;
                    // The upper end of the band is the last to come down.
                    (log * if upper { (-spread).exp() } else { spread.exp() }).exp()
                }
            };
            if level <= rest {
                return Some(length(alike[0]));
            }
        }
        at_risk -= alike.len() as f64;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::survival::{Spell, Transform, curve, summary};

    /// Durations of a simple rule, some of which go on: as those of [`curve`].
    #[test]
    fn quantiles_are_those_of_the_curve() {
        let z = 1.959_963_984_540_054;
        for (seed, open_every) in [(1, 2), (5, 3), (7, 10), (11, 40)] {
            let rows: Vec<(i64, bool)> = (0..80)
                .map(|row| ((row * 37 + seed) % 60, (row * seed) % open_every != 0))
                .collect();
            let spells: Vec<Spell> = rows
                .iter()
                .map(|&(exit, ended)| Spell { entry: None, exit, ended, subjects: 1 })
                .collect();
            let found = summary(&curve(&spells, z, Transform::LogLog), 60);
            let mut durations: Vec<f64> = rows
                .iter()
                .map(|&(exit, ended)| if ended { exit as f64 } else { unfinished(exit as f64) })
                .collect();
            let time = |days: Option<i64>| days.map(|days| days as f64);
            assert_eq!(censored_quantile(&mut durations, 0.5, None), time(found.median));
            for (upper, expected) in [(false, found.median_low), (true, found.median_high)] {
                let bound = Some(CensoredBound { z, upper });
                assert_eq!(censored_quantile(&mut durations, 0.5, bound), time(expected), "{seed}");
            }
        }
    }

    #[test]
    fn without_open_ones_it_is_the_plain_quantile() {
        let mut durations = vec![4.0, 1.0, 3.0, 2.0];
        assert_eq!(censored_quantile(&mut durations, 0.5, None), Some(2.5));
        assert_eq!(censored_quantile(&mut Vec::new(), 0.5, None), None);
        // Two of four go on from the start: half are never reached.
        let mut open = vec![1.0, unfinished(0.0), unfinished(0.0), unfinished(9.0)];
        assert_eq!(censored_quantile(&mut open, 0.9, None), None);
        assert_eq!(censored_quantile(&mut open, 0.5, None), Some(1.0));
    }
}
