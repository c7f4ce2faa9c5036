//! Survival curves of durations of which some have not ended: Kaplan and Meier, Nelson and Aalen, and the
//! log-rank family of tests.
//!
//! Times are whole numbers of some unit. Where events and censorings fall on one time, the events come
//! first. A subject that was already under way when observation began is at risk in `(entry, exit]`: not
//! for what happened at the time of its entry.
//!
//! References: Kaplan and Meier (1958), Nonparametric estimation from incomplete observations; Klein and
//! Moeschberger (2003), Survival analysis, chapters 4 and 7; Brookmeyer and Crowley (1982), A confidence
//! interval for the median survival time.

use std::collections::BTreeMap;

use statrs::distribution::{ChiSquared, ContinuousCDF};

/// Subjects with the same history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spell {
    /// When observation began, if that was later than the subject's own beginning.
    pub entry: Option<i64>,
    /// When it ended, or was last seen.
    pub exit: i64,
    pub ended: bool,
    pub subjects: u64,
}

/// How an interval of a survival probability is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transform {
    /// Symmetric in ln(−ln S), so that it stays within 0 and 1.
    LogLog,
    /// Symmetric around S, cut at 0 and 1.
    Plain,
}

/// The curves at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    pub time: i64,
    /// Subjects under observation just before the time.
    pub at_risk: u64,
    pub events: u64,
    /// Subjects last seen at the time.
    pub censored: u64,
    /// Kaplan and Meier's estimate of being there after the time.
    pub survival: f64,
    /// Bounds of it; `None` where nobody is left.
    pub survival_bounds: Option<(f64, f64)>,
    /// Nelson and Aalen's cumulative hazard, the sum of events over those at risk.
    pub hazard: f64,
    pub hazard_bounds: Option<(f64, f64)>,
    /// Greenwood's sum: the variance of ln S.
    greenwood: f64,
}

/// What a curve comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// The first time at which half or fewer are there, and where the bounds of the curve cross a half.
    pub median: Option<i64>,
    pub median_low: Option<i64>,
    pub median_high: Option<i64>,
    /// The area under the curve up to the horizon, with its standard error.
    pub restricted_mean: f64,
    pub restricted_mean_error: f64,
}

/// Which differences a test of several curves looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weights {
    /// All alike.
    LogRank,
    /// Early ones, by the number at risk (Gehan, Breslow).
    Wilcoxon,
    /// Early ones a little, by its root (Tarone, Ware).
    TaroneWare,
    /// Early ones, by the survival of all (Peto, Peto).
    Peto,
}

/// A test of several curves being one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    pub chi_square: f64,
    pub degrees_of_freedom: u32,
    pub p_value: f64,
}

/// What happens at each time.
fn changes(spells: &[Spell]) -> BTreeMap<i64, [u64; 3]> {
    const ENTERS: usize = 0;
    const ENDS: usize = 1;
    const LEAVES: usize = 2;
    let mut changes: BTreeMap<i64, [u64; 3]> = BTreeMap::new();
    for spell in spells {
        if let Some(entry) = spell.entry {
            changes.entry(entry).or_default()[ENTERS] += spell.subjects;
        }
        let what = if spell.ended { ENDS } else { LEAVES };
        changes.entry(spell.exit).or_default()[what] += spell.subjects;
    }
    changes
}

/// The curves of some subjects: time 0, and every time at which one ends or is last seen. Bounds are `z`
/// standard errors apart from the estimate.
pub fn curve(spells: &[Spell], z: f64, transform: Transform) -> Vec<Step> {
    let from_the_start = spells.iter().filter(|spell| spell.entry.is_none());
    let mut at_risk: u64 = from_the_start.map(|spell| spell.subjects).sum();
    let (mut survival, mut hazard, mut greenwood, mut hazard_variance) = (1.0, 0.0, 0.0, 0.0);
    let mut steps = Vec::new();
    let mut changes = changes(spells);
    changes.entry(0).or_default();
    for (time, [entered, events, censored]) in changes {
        if events + censored > 0 || time == 0 {
            if events > 0 {
                let (n, d) = (at_risk as f64, events as f64);
                survival *= 1.0 - d / n;
                hazard += d / n;
                greenwood += d / (n * (n - d));
                hazard_variance += d / (n * n);
            }
            steps.push(Step {
                time,
                at_risk,
                events,
                censored,
                survival,
                survival_bounds: survival_bounds(survival, greenwood, z, transform),
                hazard,
                hazard_bounds: hazard_bounds(hazard, hazard_variance, z),
                greenwood,
            });
        }
        at_risk = at_risk + entered - events - censored;
    }
    steps
}

fn survival_bounds(
    survival: f64,
    greenwood: f64,
    z: f64,
    transform: Transform,
) -> Option<(f64, f64)> {
    if greenwood == 0.0 {
        return Some((survival, survival));
    }
    if survival <= 0.0 || !greenwood.is_finite() {
        return None;
    }
    Some(match transform {
        Transform::LogLog => {
            let log = survival.ln();
            let spread = z * greenwood.sqrt() / -log;
            ((log * spread.exp()).exp(), (log * (-spread).exp()).exp())
        }
        Transform::Plain => {
            let spread = z * survival * greenwood.sqrt();
            ((survival - spread).max(0.0), (survival + spread).min(1.0))
        }
    })
}

/// Symmetric in ln H.
fn hazard_bounds(hazard: f64, variance: f64, z: f64) -> Option<(f64, f64)> {
    if variance == 0.0 {
        return Some((hazard, hazard));
    }
    let factor = (z * variance.sqrt() / hazard).exp();
    Some((hazard / factor, hazard * factor))
}

/// A half, and a product of fractions that is one.
const HALF: f64 = 0.5 + 1e-12;

/// Median and restricted mean of a curve, up to a horizon. Behind its last step a curve stays level.
pub fn summary(steps: &[Step], horizon: i64) -> Summary {
    let first = |below: &dyn Fn(&Step) -> bool| steps.iter().find(|s| below(s)).map(|s| s.time);
    let bound = |step: &Step, of: fn(&(f64, f64)) -> f64| {
        // Where nobody is left, both bounds have come down.
        step.survival_bounds.as_ref().map_or(step.survival <= 0.0, |bounds| of(bounds) <= HALF)
    };
    let within = || steps.iter().filter(|step| step.time < horizon);
    let next = |step: &Step| {
        let after = steps.iter().map(|other| other.time).find(|time| *time > step.time);
        after.unwrap_or(horizon).min(horizon)
    };
    let areas: Vec<f64> =
        within().map(|step| (next(step) - step.time) as f64 * step.survival).collect();
    let (mut rest, mut variance): (f64, f64) = (areas.iter().sum(), 0.0);
    let restricted_mean = rest;
    let mut before = 0.0;
    for (step, area) in within().zip(&areas) {
        // The area from this step on is what an event at it puts at stake.
        let share = step.greenwood - before;
        if share > 0.0 && share.is_finite() {
            variance += rest * rest * share;
        }
        (rest, before) = (rest - area, step.greenwood);
    }
    Summary {
        median: first(&|step| step.survival <= HALF),
        median_low: first(&|step| bound(step, |bounds| bounds.0)),
        median_high: first(&|step| bound(step, |bounds| bounds.1)),
        restricted_mean,
        restricted_mean_error: variance.sqrt(),
    }
}

/// Tests whether the groups have one curve. `None` if no two of them ever have anybody at risk at an event,
/// or all who are at risk leave at once.
pub fn test(groups: &[Vec<Spell>], weights: Weights) -> Option<Test> {
    let k = groups.len();
    let mut at_risk: Vec<u64> = groups
        .iter()
        .map(|spells| spells.iter().filter(|s| s.entry.is_none()).map(|s| s.subjects).sum())
        .collect();
    let mut times: BTreeMap<i64, Vec<[u64; 3]>> = BTreeMap::new();
    for (group, spells) in groups.iter().enumerate() {
        for (time, change) in changes(spells) {
            times.entry(time).or_insert_with(|| vec![[0; 3]; k])[group] = change;
        }
    }
    let mut difference = vec![0.0; k];
    let mut variance = vec![vec![0.0; k]; k];
    let mut survival = 1.0;
    for changes in times.values() {
        let n: f64 = at_risk.iter().sum::<u64>() as f64;
        let d: f64 = changes.iter().map(|[_, events, _]| events).sum::<u64>() as f64;
        if d > 0.0 {
            survival *= 1.0 - d / (n + 1.0);
            let weight = match weights {
                Weights::LogRank => 1.0,
                Weights::Wilcoxon => n,
                Weights::TaroneWare => n.sqrt(),
                Weights::Peto => survival,
            };
            let spread = if n > 1.0 { weight * weight * d * (n - d) / (n - 1.0) } else { 0.0 };
            for i in 0..k {
                let share = at_risk[i] as f64 / n;
                difference[i] += weight * (changes[i][1] as f64 - d * share);
                for j in 0..k {
                    let other = at_risk[j] as f64 / n;
                    let own = if i == j { 1.0 } else { 0.0 };
                    variance[i][j] += spread * share * (own - other);
                }
            }
        }
        for (at_risk, [entered, events, censored]) in at_risk.iter_mut().zip(changes) {
            *at_risk = *at_risk + entered - events - censored;
        }
    }
    // Differences add up to nothing, so one group says what the others leave; so does one that never was
    // at risk of anything.
    let mut telling: Vec<usize> = (0..k).filter(|&i| variance[i][i] > 0.0).collect();
    telling.pop()?;
    let matrix: Vec<Vec<f64>> =
        telling.iter().map(|&i| telling.iter().map(|&j| variance[i][j]).collect()).collect();
    let right: Vec<f64> = telling.iter().map(|&i| difference[i]).collect();
    let (chi_square, degrees_of_freedom) = form(matrix, right);
    let distribution = ChiSquared::new(f64::from(degrees_of_freedom)).ok()?;
    Some(Test { chi_square, degrees_of_freedom, p_value: distribution.sf(chi_square) })
}

/// A pivot that is less than this share of what it was is none.
const NOTHING: f64 = 1e-10;

/// xᵀ V⁻ x by elimination, and the rank of V. Groups that are never at risk together make V singular: each
/// set of them adds up to nothing by itself, and its last one is left out.
pub(super) fn form(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> (f64, u32) {
    let n = right.len();
    let whole: Vec<f64> = (0..n).map(|i| matrix[i][i]).collect();
    let (mut sum, mut rank) = (0.0, 0);
    for pivot in 0..n {
        if matrix[pivot][pivot] <= NOTHING * whole[pivot] {
            continue;
        }
        (sum, rank) = (sum + right[pivot] * right[pivot] / matrix[pivot][pivot], rank + 1);
        for row in pivot + 1..n {
            let (above, below) = matrix.split_at_mut(row);
            let (known, here) = (&above[pivot], &mut below[0]);
            let factor = here[pivot] / known[pivot];
            here.iter_mut().zip(known).for_each(|(here, known)| *here -= factor * known);
            right[row] -= factor * right[pivot];
        }
    }
    (sum, rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    const Z: f64 = 1.959_963_984_540_054;

    fn close(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} is not {expected}");
    }

    /// Days that fruit flies lived, by genotype: the data set `waltons` of the PyPI package lifelines 0.30.3
    /// (MIT), as exit, ended (1) or last seen (0), flies.
    const CONTROL: &str = "7 0 1;7 1 1;17 1 1;32 1 1;33 1 1;38 1 2;41 1 7;45 0 1;45 1 9;48 1 8;51 1 3;53 1 7;\
        54 1 2;56 1 18;58 1 4;60 0 1;60 1 15;61 0 2;61 1 9;63 1 9;66 1 3;68 0 1;68 1 9;69 0 1;69 1 12;75 1 1";
    const MIR_137: &str = "6 1 1;9 1 3;13 1 3;15 1 2;19 1 3;22 1 4;26 1 5;29 1 5;33 1 2;36 1 2;43 1 1;47 1 1;\
        62 1 2";

    fn spells(text: &str) -> Vec<Spell> {
        let spell = |part: &str| {
            let numbers: Vec<i64> = part.split(' ').map(|n| n.parse().expect("a number")).collect();
            Spell {
                entry: None,
                exit: numbers[0],
                ended: numbers[1] == 1,
                subjects: numbers[2] as u64,
            }
        };
        text.split(';').map(spell).collect()
    }

    fn flies() -> Vec<Spell> {
        [spells(CONTROL), spells(MIR_137)].concat()
    }

    /// Against lifelines 0.30.3.
    #[test]
    fn curves_of_the_fruit_flies() {
        let steps = curve(&flies(), Z, Transform::LogLog);
        let at = |time: i64| steps.iter().rfind(|step| step.time <= time).expect("a step");
        assert_eq!((at(0).at_risk, at(0).survival), (163, 1.0));
        for (time, survival, low, high) in [
            (6, 0.993_865_030_674_846_2, 0.957_253_659_109_065_8, 0.999_133_523_281_839_7),
            (40, 0.777_837_423_312_883_7, 0.705_673_552_165_941_5, 0.834_379_481_855_462_5),
            (56, 0.429_902_649_965_916_9, 0.352_689_004_819_362_44, 0.504_679_609_232_887_5),
            (69, 0.014_340_509_102_144_797, 0.002_854_077_704_164_473, 0.046_183_697_525_073_696),
        ] {
            let bounds = at(time).survival_bounds.expect("some are left");
            close(at(time).survival, survival);
            close(bounds.0, low);
            close(bounds.1, high);
        }
        assert!(at(75).survival == 0.0 && at(75).survival_bounds.is_none());
        let found = summary(&steps, 60);
        assert_eq!(
            (found.median, found.median_low, found.median_high),
            (Some(56), Some(53), Some(58))
        );
        close(found.restricted_mean, 48.277_494_816_518_98);
    }

    /// Against lifelines 0.30.3, and for the root of those at risk by hand of the same formula.
    #[test]
    fn tests_of_the_fruit_flies() {
        let groups = [spells(CONTROL), spells(MIR_137)];
        for (weights, chi_square, p) in [
            (Weights::LogRank, 122.249_125_573_006_2, 2.035_983_222_285_498_6e-28),
            (Weights::Wilcoxon, 139.647_866_132_020_1, 3.178_468_785_330_813_7e-32),
            (Weights::TaroneWare, 133.881_079_793_926_12, 5.800_800_593_352_08e-31),
            (Weights::Peto, 143.780_009_731_063_05, 3.969_068_956_801_599e-33),
        ] {
            let found = test(&groups, weights).expect("two groups");
            close(found.chi_square, chi_square);
            assert!((found.p_value / p - 1.0).abs() < 1e-6, "{} is not {p}", found.p_value);
            assert_eq!(found.degrees_of_freedom, 1);
        }
        assert_eq!(test(&groups[..1], Weights::LogRank), None);
        // A group that leaves before anything happens takes no degree of freedom.
        let gone = vec![Spell { entry: None, exit: 1, ended: false, subjects: 5 }];
        let three = [groups[0].clone(), gone, groups[1].clone()];
        let found = test(&three, Weights::LogRank).expect("two groups differ");
        assert_eq!(found.degrees_of_freedom, 1);
        close(found.chi_square, 122.249_125_573_006_2);
    }

    /// Two pairs of groups of which the later one comes under observation when the earlier is gone: two
    /// tests in one.
    #[test]
    fn groups_that_never_meet_are_tested_by_themselves() {
        let early = [spells(CONTROL), spells(MIR_137)];
        let late = early.clone().map(|spells| {
            let later = |spell: Spell| Spell { entry: Some(100), exit: spell.exit + 100, ..spell };
            spells.into_iter().map(later).collect::<Vec<Spell>>()
        });
        let [a, b] = early;
        let [c, d] = late;
        for groups in [[a.clone(), b.clone(), c.clone(), d.clone()], [c, a, d, b]] {
            let found = test(&groups, Weights::LogRank).expect("groups differ");
            assert_eq!(found.degrees_of_freedom, 2);
            close(found.chi_square, 2.0 * 122.249_125_573_006_2);
        }
        // All leave at once: nobody could have left instead.
        let all = |subjects| vec![Spell { entry: None, exit: 4, ended: true, subjects }];
        assert_eq!(test(&[all(2), all(3)], Weights::LogRank), None);
    }

    /// Against lifelines 0.30.3: who enters at the time of an event is not at risk of it.
    #[test]
    fn late_entries_are_at_risk_after_they_enter() {
        let rows = [(0, 5, 1), (2, 7, 1), (5, 7, 0), (7, 9, 1), (0, 12, 0), (0, 12, 1), (9, 15, 0)];
        let spells: Vec<Spell> = rows
            .into_iter()
            .map(|(entry, exit, ended)| Spell {
                entry: (entry > 0).then_some(entry),
                exit,
                ended: ended == 1,
                subjects: 1,
            })
            .collect();
        let steps = curve(&spells, Z, Transform::LogLog);
        let expected = [
            (0, 3, 1.0),
            (5, 4, 0.75),
            (7, 4, 0.5625),
            (9, 3, 0.375),
            (12, 3, 0.25),
            (15, 1, 0.25),
        ];
        assert_eq!(steps.len(), expected.len());
        for (step, (time, at_risk, survival)) in steps.iter().zip(expected) {
            assert_eq!((step.time, step.at_risk), (time, at_risk));
            close(step.survival, survival);
        }
    }

    /// Ten subjects of whom one ends each day: no censoring, so the restricted mean is a mean, and its
    /// error that of a mean.
    #[test]
    fn without_censoring_the_restricted_mean_is_a_mean() {
        let spells: Vec<Spell> =
            (1..=10).map(|exit| Spell { entry: None, exit, ended: true, subjects: 1 }).collect();
        let steps = curve(&spells, Z, Transform::Plain);
        let found = summary(&steps, 100);
        close(found.restricted_mean, 5.5);
        close(found.restricted_mean_error, (8.25_f64 / 10.0).sqrt());
        assert_eq!(found.median, Some(5));
        let (low, high) = steps[5].survival_bounds.expect("half are left");
        close(high - 0.5, Z * (0.025_f64).sqrt());
        close(0.5 - low, Z * (0.025_f64).sqrt());
        // Nelson and Aalen: 1/10 + 1/9, variance 1/100 + 1/81.
        close(steps[2].hazard, 0.1 + 1.0 / 9.0);
        let (low, high) = steps[2].hazard_bounds.expect("a hazard");
        close((high / low).ln() / (2.0 * Z), (0.01_f64 + 1.0 / 81.0).sqrt() / steps[2].hazard);
    }

    #[test]
    fn a_median_that_is_not_reached_is_none() {
        let spells = [
            Spell { entry: None, exit: 3, ended: true, subjects: 1 },
            Spell { entry: None, exit: 9, ended: false, subjects: 9 },
        ];
        let found = summary(&curve(&spells, Z, Transform::LogLog), 9);
        assert_eq!((found.median, found.median_high), (None, None));
        close(found.restricted_mean, 3.0 + 6.0 * 0.9);
    }
}
