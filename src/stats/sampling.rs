//! Samples: how many of each stratum, and what weighted values come to.
//!
//! References: Kish (1965), Survey sampling, for the effective size of a weighted sample; Woodruff (1952), Confidence
//! intervals for medians and other position measures; Akinshin (2023), Weighted quantile estimators,
//! <https://arxiv.org/abs/2304.07265>, for the type 7 quantile with weights.

/// How many of each stratum are drawn, of `size` in all: in proportion to the strata, or equally many of each. Every
/// stratum that has anybody gets at least one, and none more than it has; so the sum may be larger than `size` where
/// there are more strata than that, and is no larger than all there are.
pub fn allocate(populations: &[u64], size: u64, equal: bool) -> Vec<u64> {
    let all: u64 = populations.iter().sum();
    let mut drawn: Vec<u64> = populations.iter().map(|&n| n.min(1)).collect();
    if size >= all {
        return populations.to_vec();
    }
    let mut left = size.saturating_sub(drawn.iter().sum());
    // What each should have; strata that are too small for it leave the rest to the others.
    let mut open: Vec<usize> =
        (0..populations.len()).filter(|&s| populations[s] > drawn[s]).collect();
    while left > 0 && !open.is_empty() {
        let room = |drawn: &[u64], stratum: usize| populations[stratum] - drawn[stratum];
        let whole: u128 =
            open.iter().map(|&s| if equal { 1 } else { u128::from(populations[s]) }).sum();
        // In proportion the one that each has already is part of what it should have.
        let total = match equal {
            true => u128::from(left),
            false => u128::from(left) + open.iter().map(|&s| u128::from(drawn[s])).sum::<u128>(),
        };
        let wish = |stratum: usize| {
            let part = if equal { 1 } else { u128::from(populations[stratum]) };
            let (share, rest) = (total * part / whole, total * part % whole);
            let had = if equal { 0 } else { drawn[stratum] };
            ((share as u64).saturating_sub(had), rest)
        };
        let wishes: Vec<(usize, u64, u128)> =
            open.iter().map(|&s| (s, wish(s).0, wish(s).1)).collect();
        let mut given = 0;
        for &(stratum, wish, _) in &wishes {
            let more = wish.min(room(&drawn, stratum)).min(left - given);
            drawn[stratum] += more;
            given += more;
        }
        left -= given;
        let before = open.len();
        open.retain(|&stratum| drawn[stratum] < populations[stratum]);
        if open.len() == before {
            // Nobody was too small: what is left goes to the largest remainders, the first of equals.
            let mut order: Vec<(u128, usize)> = wishes
                .iter()
                .filter(|(stratum, _, _)| open.contains(stratum))
                .map(|&(stratum, _, rest)| (rest, stratum))
                .collect();
            order.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
            for (_, stratum) in order {
                if left == 0 {
                    break;
                }
                drawn[stratum] += 1;
                left -= 1;
            }
            open.retain(|&stratum| drawn[stratum] < populations[stratum]);
        }
    }
    drawn
}

/// Of how many equally weighted values a weighted sample is worth: (Σ w)² / Σ w². `None` for nothing.
pub fn effective_size(sum: f64, squares: f64) -> Option<f64> {
    (sum > 0.0 && squares > 0.0).then(|| sum * sum / squares)
}

/// A weighted sample: values in order, each with the sum of the weights up to it.
pub struct Weighted {
    values: Vec<f64>,
    /// Ascending, from the first weight to the sum of all.
    sums: Vec<f64>,
    /// The effective size.
    size: f64,
}

impl Weighted {
    /// Of pairs of value and weight; weights are greater than 0. `None` for nothing.
    pub fn new(mut pairs: Vec<(f64, f64)>) -> Option<Self> {
        pairs.retain(|(_, weight)| *weight > 0.0);
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let (mut sum, mut squares) = (0.0, 0.0);
        let mut sums = Vec::with_capacity(pairs.len());
        for (_, weight) in &pairs {
            sum += weight;
            squares += weight * weight;
            sums.push(sum);
        }
        let size = effective_size(sum, squares)?;
        Some(Weighted { values: pairs.into_iter().map(|(value, _)| value).collect(), sums, size })
    }

    /// Of how many equally weighted values it is worth.
    pub fn size(&self) -> f64 {
        self.size
    }

    fn total(&self) -> f64 {
        self.sums.last().copied().unwrap_or(0.0)
    }

    /// The type 7 quantile: the mean of the values under the uniform density of width 1 / n* at (n* − 1) p / n*, n*
    /// being the effective size. With equal weights it is the plain one.
    pub fn quantile(&self, at: f64) -> f64 {
        let from = (self.size - 1.0) * at / self.size;
        let width = 1.0 / self.size;
        let below = |share: f64| ((share - from) / width).clamp(0.0, 1.0);
        let (mut before, mut mean) = (0.0, 0.0);
        for (value, sum) in self.values.iter().zip(&self.sums) {
            let upto = below(sum / self.total());
            if upto > before {
                mean += (upto - before) * value;
            }
            before = upto;
        }
        mean
    }

    /// A bound of the quantile's interval: the value at which the weights reach the share of the order statistic that
    /// [`rank_bounds`](super::rank_bounds) would take of the effective size. `None` outside the sample.
    pub fn bound(&self, at: f64, z: f64, upper: bool) -> Option<f64> {
        let half = z * (self.size * at * (1.0 - at)).sqrt();
        // The effective size of equal weights is a whole number but for its last digits.
        const NEAR: f64 = 1e-9;
        let rank = match upper {
            true => (self.size * at + half - NEAR).ceil() + 1.0,
            false => (self.size * at - half + NEAR).floor(),
        };
        if rank < 1.0 || rank > self.size + NEAR {
            return None;
        }
        let wanted = rank / self.size * self.total();
        let place = self.sums.iter().position(|sum| *sum >= wanted * (1.0 - NEAR))?;
        self.values.get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{quantile_of_sorted, rank_bounds};

    #[test]
    fn strata_are_drawn_in_proportion_or_alike() {
        let check = |populations: &[u64], size, equal, expected: &[u64]| {
            assert_eq!(
                allocate(populations, size, equal),
                expected,
                "{populations:?} {size} {equal}"
            );
        };
        check(&[600, 300, 100], 10, false, &[6, 3, 1]);
        check(&[600, 300, 100], 9, true, &[3, 3, 3]);
        check(&[600, 300, 100], 10, true, &[4, 3, 3]);
        // Largest remainders: 3.5, 1.75 and 1.75 of 7.
        check(&[500, 250, 250], 7, false, &[3, 2, 2]);
        // What a small stratum cannot give, the others do.
        check(&[600, 2, 398], 100, true, &[49, 2, 49]);
        // A tiny one has one all the same, and an empty one none.
        check(&[10_000, 1, 0], 100, false, &[99, 1, 0]);
        check(&[5, 5, 5], 2, false, &[1, 1, 1]);
        check(&[5, 6], 11, true, &[5, 6]);
        check(&[5, 6], 100, false, &[5, 6]);
        check(&[], 100, false, &[]);
    }

    #[test]
    fn allocations_add_up() {
        for size in 1..=60 {
            for equal in [false, true] {
                for populations in [vec![1, 2, 3, 50, 4], vec![20, 20, 20], vec![7, 1, 90]] {
                    let drawn = allocate(&populations, size, equal);
                    let all: u64 = populations.iter().sum();
                    let expected = size.max(populations.len() as u64).min(all);
                    assert_eq!(
                        drawn.iter().sum::<u64>(),
                        expected,
                        "{populations:?} {size} {equal}"
                    );
                    assert!(drawn.iter().zip(&populations).all(|(n, all)| n <= all && *n > 0));
                }
            }
        }
    }

    #[test]
    fn equal_weights_change_nothing() {
        let sorted = [1.0, 2.0, 4.0, 7.0, 11.0, 16.0, 22.0, 29.0, 37.0, 46.0, 56.0, 67.0];
        for weight in [1.0, 2.5, 1.0 / 3.0] {
            let pairs = sorted.iter().map(|&value| (value, weight)).collect();
            let weighted = Weighted::new(pairs).expect("values");
            for at in [0.0, 0.1, 0.25, 0.5, 0.9, 1.0] {
                let plain = quantile_of_sorted(&sorted, at).expect("values");
                assert!((weighted.quantile(at) - plain).abs() < 1e-9, "{at}");
                if at == 0.0 || at == 1.0 {
                    continue;
                }
                let (low, high) = rank_bounds(sorted.len(), at, 1.96);
                let value = |rank: Option<usize>| rank.map(|rank| sorted[rank - 1]);
                assert_eq!(weighted.bound(at, 1.96, false), value(low), "{weight} {at}");
                assert_eq!(weighted.bound(at, 1.96, true), value(high), "{weight} {at}");
            }
        }
    }

    #[test]
    fn a_weight_moves_the_median() {
        let weighted = |weight| Weighted::new(vec![(1.0, 1.0), (2.0, 1.0), (3.0, weight)]);
        assert_eq!(weighted(1.0).expect("values").quantile(0.5), 2.0);
        assert!(weighted(8.0).expect("values").quantile(0.5) > 2.9);
        assert!((weighted(2.0).expect("values").size() - 16.0 / 6.0).abs() < 1e-12);
        assert!(Weighted::new(vec![(1.0, 0.0)]).is_none());
    }
}
