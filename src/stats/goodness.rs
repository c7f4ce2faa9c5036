//! Whether a sample has the shares of its population.

use super::chi_square_survival;
use super::survival::form;

/// Some units: how many there are, and how many of them were drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Units {
    pub population: u64,
    pub sampled: u64,
}

impl std::ops::Add for Units {
    type Output = Units;
    fn add(self, other: Units) -> Units {
        Units {
            population: self.population + other.population,
            sampled: self.sampled + other.sampled,
        }
    }
}

/// How far the weighted shares of a sample are from those of the population, and whether chance makes them so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goodness {
    /// The groups that are compared.
    pub groups: usize,
    /// Statistic, degrees of freedom and p-value; `None` where the way in which the sample is drawn leaves nothing to
    /// chance.
    pub test: Option<(f64, u32, f64)>,
    /// √Σ (p̂ − P)² / P, which is not larger for larger samples.
    pub cohens_w: f64,
}

/// The fewest units of a group that a sample is expected to have.
const LEAST_EXPECTED: f64 = 5.0;

/// The sample held against the population over some groups. `strata` has for each stratum all groups in one order; from
/// each stratum so many units were drawn without replacement, each as likely as any other. `None` if fewer than two
/// groups are left, once those of which fewer than 5 units are expected in the sample are put together (and, if those
/// are fewer than 5 together, with the next larger).
///
/// The weighted share of a group is p̂ = Σ N_h/N · n_hk/n_h over strata h, its share of the population P. The statistic
/// is that of Wald, (p̂ − P)' V⁻ (p̂ − P), with the variances V of p̂ under the design, which are known as the population
/// is: Σ (N_h/N)² (1 − n_h/N_h) N_h / (n_h (N_h − 1)) (diag P_h − P_h P_h'). It has the distribution of chi-square with
/// as many degrees of freedom as V has rank. Without strata it is Pearson's, times (N − 1)/(N − n) for a population that
/// is not infinite.
///
/// References: Pearson (1900), On the criterion that a given system of deviations…; Cochran (1954), Some methods for
/// strengthening the common χ² tests; Rao and Scott (1981), The analysis of categorical data from complex sample
/// surveys; Cohen (1988), Statistical power analysis for the behavioral sciences, chapter 7.
pub fn goodness_of_fit(strata: &[Vec<Units>]) -> Option<Goodness> {
    let pooled = pooled(strata);
    let groups = pooled.first().map_or(0, Vec::len);
    (groups > 1).then(|| tested(&pooled))
}

/// All units of some groups.
fn all(units: &[Units]) -> Units {
    units.iter().fold(Units::default(), |sum, &units| sum + units)
}

/// The strata with groups that are large enough to be tested.
fn pooled(strata: &[Vec<Units>]) -> Vec<Vec<Units>> {
    let groups = strata.first().map_or(0, Vec::len);
    let mut expected = vec![0.0; groups];
    for units in strata {
        let Units { population, sampled } = all(units);
        for (expected, units) in expected.iter_mut().zip(units) {
            *expected += sampled as f64 * units.population as f64 / population.max(1) as f64;
        }
    }
    let mut order: Vec<usize> = (0..groups).collect();
    order.sort_by(|&a, &b| expected[a].total_cmp(&expected[b]).then(a.cmp(&b)));
    let (mut few, mut sum) = (Vec::new(), 0.0);
    for group in order {
        if expected[group] >= LEAST_EXPECTED && (few.is_empty() || sum >= LEAST_EXPECTED) {
            break;
        }
        sum += expected[group];
        few.push(group);
    }
    let own = |units: &Vec<Units>| -> Vec<Units> {
        let alone = (0..groups).filter(|group| !few.contains(group)).map(|group| units[group]);
        let together: Vec<Units> = few.iter().map(|&group| units[group]).collect();
        alone.chain((!few.is_empty()).then(|| all(&together))).collect()
    };
    strata.iter().map(own).collect()
}

/// The test over groups as they are.
fn tested(strata: &[Vec<Units>]) -> Goodness {
    let groups = strata.first().map_or(0, Vec::len);
    let size = strata.iter().map(|units| all(units).population).sum::<u64>() as f64;
    let mut shares = vec![0.0; groups];
    let mut differences = vec![0.0; groups];
    let mut variances = vec![vec![0.0; groups]; groups];
    for units in strata {
        let Units { population, sampled } = all(units);
        if sampled == 0 {
            continue;
        }
        let (own, drawn) = (population as f64, sampled as f64);
        let part = |group: usize| units[group].population as f64 / own;
        let weight = own / size;
        // One unit is drawn as a whole.
        let spread = (own - drawn) / ((own - 1.0).max(1.0) * drawn);
        for group in 0..groups {
            shares[group] += weight * part(group);
            differences[group] += weight * (units[group].sampled as f64 / drawn - part(group));
            for (other, variance) in variances[group].iter_mut().enumerate() {
                let same = if group == other { 1.0 } else { 0.0 };
                *variance += weight * weight * spread * part(group) * (same - part(other));
            }
        }
    }
    let apart = differences.iter().zip(&shares).filter(|(_, share)| **share > 0.0);
    let cohens_w = apart.map(|(d, share)| d * d / share).sum::<f64>().sqrt();
    // The differences add up to nothing, so one group says what the others leave.
    let mut telling: Vec<usize> = (0..groups).filter(|&i| variances[i][i] > 0.0).collect();
    let test = telling.pop().map(|_| {
        let matrix = telling.iter().map(|&i| telling.iter().map(|&j| variances[i][j]).collect());
        let (statistic, degrees) =
            form(matrix.collect(), telling.iter().map(|&i| differences[i]).collect());
        (statistic, degrees, chi_square_survival(f64::from(degrees), statistic))
    });
    Goodness { groups, test: test.filter(|(_, degrees, _)| *degrees > 0), cohens_w }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(pairs: &[(u64, u64)]) -> Vec<Units> {
        pairs.iter().map(|&(population, sampled)| Units { population, sampled }).collect()
    }

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{found} is not {expected}");
    }

    #[test]
    fn without_strata_it_is_pearsons_for_a_finite_population() {
        let groups = [(500, 40), (300, 40), (200, 20)];
        let found = goodness_of_fit(&[units(&groups)]).expect("groups");
        // 10²/50 + 10²/30 + 0²/20.
        let pearson = 100.0 / 50.0 + 100.0 / 30.0;
        let (statistic, degrees, p) = found.test.expect("a test");
        close(statistic, pearson * 999.0 / 900.0);
        // Of chi-square with two degrees of freedom the tail is e^(−x/2).
        close(p, (-statistic / 2.0).exp());
        assert_eq!((degrees, found.groups), (2, 3));
        close(found.cohens_w, (pearson / 100.0).sqrt());
    }

    #[test]
    fn figures_of_the_script() {
        let table = include_str!("../../tests/expected/goodness.csv");
        let mut checked = 0;
        for line in table.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let strata: Vec<Vec<Units>> = cells[0]
                .split(';')
                .map(|stratum| {
                    let pair = |pair: &str| {
                        let (all, drawn) = pair.split_once('/').expect("a pair");
                        (all.parse().expect("a number"), drawn.parse().expect("a number"))
                    };
                    units(&stratum.split(' ').map(pair).collect::<Vec<_>>())
                })
                .collect();
            let number = |at: usize| cells[at].parse::<f64>().expect("a number");
            let found = goodness_of_fit(&strata).expect("groups");
            let (statistic, degrees, p) = found.test.expect("a test");
            assert_eq!([found.groups as f64, f64::from(degrees)], [number(1), number(3)], "{line}");
            let pairs = [(statistic, number(2)), (p, number(4)), (found.cohens_w, number(5))];
            for (found, expected) in pairs {
                assert!((found - expected).abs() <= 1e-9 * expected, "{found} in {line}");
            }
            checked += 1;
        }
        assert_eq!(checked, 7);
    }

    /// Over all samples that can be drawn the mean of the statistic is its degrees of freedom.
    #[test]
    fn the_statistic_is_right_on_average() {
        // Two strata, of 3 + 2 + 1 and 1 + 3 units, of which 3 and 2 are drawn.
        let strata: [&[usize]; 2] = [&[0, 0, 0, 1, 1, 2], &[0, 1, 1, 1]];
        let samples = |units: &[usize], drawn: u32| -> Vec<[u64; 3]> {
            let chosen = (0_u32..1 << units.len()).filter(|set| set.count_ones() == drawn);
            let counts = |set: u32| {
                let mut counts = [0; 3];
                let of = units.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1);
                of.for_each(|(_, &group)| counts[group] += 1);
                counts
            };
            chosen.map(counts).collect()
        };
        let population = |units: &[usize]| {
            [0, 1, 2].map(|group| units.iter().filter(|&&unit| unit == group).count() as u64)
        };
        let (mut sum, mut n) = (0.0, 0.0);
        for first in samples(strata[0], 3) {
            for second in samples(strata[1], 2) {
                let drawn = [first, second];
                let both: Vec<Vec<Units>> = (0..2)
                    .map(|at| {
                        let pairs = population(strata[at]).into_iter().zip(drawn[at]);
                        units(&pairs.collect::<Vec<_>>())
                    })
                    .collect();
                let (statistic, degrees, _) = tested(&both).test.expect("a test");
                assert_eq!(degrees, 2);
                (sum, n) = (sum + statistic, n + 1.0);
            }
        }
        assert_eq!(n, 120.0);
        close(sum / n, 2.0);
    }

    #[test]
    fn what_the_design_settles_is_not_tested() {
        // The groups are the strata, or all are drawn.
        let settled = goodness_of_fit(&[units(&[(40, 10), (0, 0)]), units(&[(0, 0), (60, 10)])]);
        assert_eq!(settled, Some(Goodness { groups: 2, test: None, cohens_w: 0.0 }));
        let whole = goodness_of_fit(&[units(&[(40, 40), (10, 10)])]).expect("groups");
        assert_eq!((whole.test, whole.cohens_w), (None, 0.0));
        // Of one group, and of groups too small, nothing is said.
        assert_eq!(goodness_of_fit(&[units(&[(40, 10)])]), None);
        assert_eq!(goodness_of_fit(&[units(&[(40, 3), (40, 2)])]), None);
        assert_eq!(goodness_of_fit(&[]), None);
    }

    #[test]
    fn small_groups_are_put_together() {
        // Of 20 drawn from 100 one expects 12, 4, 2 and 2: the last three are one group of 8.
        let small = [(60, 11), (20, 5), (10, 3), (10, 1)];
        let found = goodness_of_fit(&[units(&small)]).expect("groups");
        assert_eq!(Some(found), goodness_of_fit(&[units(&[(60, 11), (40, 9)])]));
        // Those that are together too few take the next larger along.
        let small = [(60, 11), (30, 7), (5, 1), (5, 1)];
        let found = goodness_of_fit(&[units(&small)]).expect("groups");
        assert_eq!(Some(found), goodness_of_fit(&[units(&[(60, 11), (40, 9)])]));
    }
}
