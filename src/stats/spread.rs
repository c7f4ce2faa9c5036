//! Statistics of values, each of which may be there many times.

use super::quantile::{interpolate, position};

/// A statistic of values that does not follow from sums.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueStatistic {
    /// The quantile at a place from 0 to 1, linear between values (type 7).
    Quantile(f64),
    /// The share of the sum that comes from this share of the values, the largest, rounded up.
    TopShare(f64),
}

impl ValueStatistic {
    /// Of values in descending order, each with how often it is there; `None` of nothing.
    pub fn of(self, values: &[(f64, u64)]) -> Option<f64> {
        let n: u64 = values.iter().map(|(_, times)| times).sum();
        if n == 0 {
            return None;
        }
        match self {
            ValueStatistic::Quantile(at) => {
                let (below, fraction) = position(n as usize, at);
                let nth = |place: usize| {
                    let mut left = place.min(n as usize - 1) as u64;
                    let found = values.iter().rev().find(|(_, times)| {
                        let here = left < *times;
                        left = left.saturating_sub(*times);
                        here
                    });
                    found.map(|(value, _)| *value)
                };
                let (low, high) = (nth(below)?, nth(below + 1)?);
                Some(interpolate(low, high, fraction))
            }
            ValueStatistic::TopShare(share) => {
                let mut left = (n as f64 * share).ceil() as u64;
                let (mut top, mut all) = (0.0, 0.0);
                for &(value, times) in values {
                    let taken = left.min(times);
                    left -= taken;
                    top += value * taken as f64;
                    all += value * times as f64;
                }
                Some(top / all).filter(|share| share.is_finite())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::quantile_of_sorted;

    /// Values as often as they are there, ascending.
    fn spread(values: &[(f64, u64)]) -> Vec<f64> {
        let each = values.iter().rev();
        each.flat_map(|&(value, times)| vec![value; times as usize]).collect()
    }

    #[test]
    fn a_quantile_of_repeated_values_is_that_of_all_of_them() {
        let values = [(9.0, 2), (7.5, 0), (4.0, 3), (1.0, 1), (-2.0, 4)];
        for step in 0..=40 {
            let at = f64::from(step) / 40.0;
            let found = ValueStatistic::Quantile(at).of(&values);
            assert_eq!(found, quantile_of_sorted(&spread(&values), at), "at {at}");
        }
        assert_eq!(ValueStatistic::Quantile(0.5).of(&[(1.0, 0)]), None);
    }

    #[test]
    fn the_top_tenth_is_rounded_up() {
        // 11 values, of which the best two are 50 and 30.
        let values = [(50.0, 1), (30.0, 2), (5.0, 8)];
        assert_eq!(ValueStatistic::TopShare(0.1).of(&values), Some(80.0 / 150.0));
        assert_eq!(ValueStatistic::TopShare(0.1).of(&[(0.0, 3)]), None);
    }
}
