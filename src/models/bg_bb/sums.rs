//! Sums over the opportunities before which customers of BG/BB may have stopped.
//!
//! The term of an opportunity depends on it and on x alone. So customers with the same x are one group: its
//! terms are computed once, and what lies between two opportunities at which some history of the group
//! begins or ends its silence is added up into the leaves of a binary tree. A history then takes a few
//! nodes of the tree, however long it is. All terms are positive, and none is ever subtracted.

use super::{ALPHA, BETA, DELTA, GAMMA};
use crate::models::Purchases;
use crate::models::purchases::LogOdds;
use crate::stats::{Derivatives, ln_rising};

/// Where a term is e^this of the scale of a sum, the sum takes it for its scale.
const RESCALE: f64 = 300.0;

/// x, t_x and n in whole opportunities, x ≤ t_x ≤ n.
fn whole(row: &Purchases) -> [f64; 3] {
    let x = row.frequency.round().max(0.0);
    let last = if x == 0.0 { 0.0 } else { row.recency.round().max(x) };
    [x, last, row.age.round().max(last)]
}

/// The silence of some customers: places among the opportunities of their group.
#[derive(Debug, Clone, Copy)]
struct Silence {
    last: usize,
    end: usize,
    customers: f64,
}

/// Customers with the same x.
#[derive(Debug, Clone)]
pub(super) struct Group {
    frequency: f64,
    /// Every t_x and n, in order.
    opportunities: Vec<f64>,
    silences: Vec<Silence>,
}

/// The groups of some rows, in the order of x, and of each row its group and its silence there.
pub(super) fn groups(rows: &[Purchases]) -> (Vec<Group>, Vec<[usize; 2]>) {
    let histories: Vec<[f64; 3]> = rows.iter().map(whole).collect();
    // Not below 0, so their bits are in their order.
    let key = |row: &usize| histories[*row].map(f64::to_bits);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(key);
    let mut groups: Vec<Group> = Vec::new();
    let mut places = vec![[0; 2]; rows.len()];
    for of_group in order.chunk_by(|a, b| key(a)[0] == key(b)[0]) {
        let mut opportunities: Vec<f64> =
            of_group.iter().flat_map(|&row| [histories[row][1], histories[row][2]]).collect();
        opportunities.sort_by(f64::total_cmp);
        opportunities.dedup();
        let place = |of: f64| opportunities.partition_point(|known| *known < of);
        let mut silences: Vec<Silence> = Vec::new();
        for alike in of_group.chunk_by(|a, b| key(a) == key(b)) {
            let [_, last, end] = histories[alike[0]];
            alike.iter().for_each(|&row| places[row] = [groups.len(), silences.len()]);
            let customers = alike.iter().map(|&row| rows[row].customers).sum();
            silences.push(Silence { last: place(last), end: place(end), customers });
        }
        let frequency = histories[of_group[0]][0];
        groups.push(Group { frequency, opportunities, silences });
    }
    (groups, places)
}

/// The first and second derivatives of ln (a)_k by a, which follow k downwards.
#[derive(Clone, Copy)]
struct Rising {
    base: f64,
    slope: f64,
    curve: f64,
}

impl Rising {
    fn new(base: f64, count: f64) -> Self {
        let [_, slope, curve] = ln_rising(base, count);
        Rising { base, slope, curve }
    }

    /// From (a)_(k+1) to (a)_k.
    fn down(&mut self, count: f64) {
        let factor = self.base + count;
        self.slope -= 1.0 / factor;
        self.curve += 1.0 / (factor * factor);
    }
}

/// A positive number by its logarithm with derivatives.
#[derive(Clone, Copy, Default)]
struct Term {
    log: f64,
    slope: [f64; 4],
    curve: [[f64; 4]; 4],
}

/// The terms of a group.
///
/// ```text
/// alive_n   = B(α+x, β+n−x) / B(α, β) · B(γ, δ+n) / B(γ, δ)
/// stopped_j = B(α+x, β+j−x) / B(α, β) · B(γ+1, δ+j) / B(γ, δ)
/// ```
struct Sums {
    /// Of the stopped, n leaves behind the n − 1 nodes above them; node i has 2i and 2i + 1 below it.
    tree: Vec<Mixture>,
    /// Of those who are alive, at each opportunity of the group.
    alive: Vec<Term>,
    /// The logarithm to which those of the terms are relative.
    base: f64,
}

impl Sums {
    fn new(group: &Group, &[alpha, beta, gamma, delta]: &[f64; 4]) -> Self {
        let (x, opportunities) = (group.frequency, &group.opportunities);
        let mut place = opportunities.len() - 1;
        let (leaves, end) = (place.max(1), opportunities[place]);
        let mut tree = vec![Mixture::default(); 2 * leaves];
        let mut alive = vec![Term::default(); opportunities.len()];
        let taken = Rising::new(alpha, x);
        let mut missed = Rising::new(beta, end - x);
        let mut chances = Rising::new(alpha + beta, end);
        let mut stayed = Rising::new(delta, end);
        let mut choices = Rising::new(gamma + delta, end + 1.0);
        // As rising factorials, which keep the digits that large parameters have in common.
        let base = ln_rising(alpha, x)[0] + ln_rising(beta, end - x)[0]
            - ln_rising(alpha + beta, end)[0]
            + gamma.ln()
            + ln_rising(delta, end)[0]
            - ln_rising(gamma + delta, end + 1.0)[0];
        let term = |log: f64, [missed, chances, stayed, choices]: [&Rising; 4], stop: f64| {
            let slope = [
                taken.slope - chances.slope,
                missed.slope - chances.slope,
                stop / gamma - choices.slope,
                stayed.slope - choices.slope,
            ];
            let mut curve = [[0.0; 4]; 4];
            curve[ALPHA][ALPHA] = taken.curve - chances.curve;
            curve[ALPHA][BETA] = -chances.curve;
            curve[BETA][BETA] = missed.curve - chances.curve;
            curve[GAMMA][GAMMA] = -stop / (gamma * gamma) - choices.curve;
            curve[GAMMA][DELTA] = -choices.curve;
            curve[DELTA][DELTA] = stayed.curve - choices.curve;
            Term { log, slope, curve }
        };
        let (mut j, mut log) = (end, 0.0);
        loop {
            if j == opportunities[place] {
                let mut still = choices;
                still.down(j);
                let more = ((gamma + delta + j) / gamma).ln();
                alive[place] = term(log + more, [&missed, &chances, &stayed, &still], 0.0);
                if place == 0 {
                    break;
                }
                place -= 1;
            }
            // From one opportunity to the one before it each factor changes by one.
            j -= 1.0;
            log -= ((beta + j - x) / (alpha + beta + j)
                * ((delta + j) / (gamma + delta + j + 1.0)))
                .ln();
            missed.down(j - x);
            chances.down(j);
            stayed.down(j);
            choices.down(j + 1.0);
            tree[leaves + place].add(&term(log, [&missed, &chances, &stayed, &choices], 1.0));
        }
        for node in (1..leaves).rev() {
            let mut sum = tree[2 * node];
            sum.merge(&tree[2 * node + 1]);
            tree[node] = sum;
        }
        Sums { tree, alive, base }
    }

    /// Adds the stopped of a silence.
    fn add(&self, silence: &Silence, sum: &mut Mixture) {
        let leaves = self.tree.len() / 2;
        let (mut from, mut to) = (leaves + silence.last, leaves + silence.end);
        while from < to {
            if from % 2 == 1 {
                sum.merge(&self.tree[from]);
                from += 1;
            }
            if to % 2 == 1 {
                to -= 1;
                sum.merge(&self.tree[to]);
            }
            (from, to) = (from / 2, to / 2);
        }
    }
}

/// The log-likelihood of the customers of a group with its derivatives: of each
/// ln(alive_n + Σ stopped_j over j from t_x to n−1).
pub(super) fn log_likelihood(group: &Group, parameters: &[f64; 4]) -> Derivatives<4> {
    let sums = Sums::new(group, parameters);
    let mut total = Derivatives::default();
    for silence in &group.silences {
        let mut sum = Mixture::default();
        sum.add(&sums.alive[silence.end]);
        sums.add(silence, &mut sum);
        let mut log = sum.logarithm();
        log.value += sums.base;
        total.add(&log, silence.customers);
    }
    total
}

/// The odds, for each silence of a group, of having stopped before opportunity n + 1:
/// (Σ stopped_j over j from t_x to n) / alive_(n+1).
pub(super) fn log_odds(group: &Group, parameters: &[f64; 4]) -> Vec<LogOdds> {
    let sums = Sums::new(group, parameters);
    let &[_, _, gamma, delta] = parameters;
    let odds = |silence: &Silence| {
        let (alive, n) = (&sums.alive[silence.end], group.opportunities[silence.end]);
        let choice = gamma + delta + n;
        let mut stops = *alive;
        stops.log += (gamma / choice).ln();
        stops.slope[GAMMA] += 1.0 / gamma - 1.0 / choice;
        stops.slope[DELTA] -= 1.0 / choice;
        let mut stays = *alive;
        stays.log += ((delta + n) / choice).ln();
        stays.slope[GAMMA] -= 1.0 / choice;
        stays.slope[DELTA] += 1.0 / (delta + n) - 1.0 / choice;
        let mut stopped = Mixture::default();
        stopped.add(&stops);
        sums.add(silence, &mut stopped);
        let by = |i: usize| parameters[i] * (stopped.first[i] / stopped.mass - stays.slope[i]);
        LogOdds {
            value: stopped.scale + stopped.mass.ln() - stays.log,
            gradient: std::array::from_fn(by),
        }
    };
    group.silences.iter().map(odds).collect()
}

/// A sum of positive terms, each given by its logarithm with derivatives.
#[derive(Clone, Copy, Default)]
struct Mixture {
    scale: f64,
    mass: f64,
    first: [f64; 4],
    second: [[f64; 4]; 4],
}

impl Mixture {
    /// Takes a logarithm into account, and gives the factor of what has it.
    fn scaled(&mut self, log: f64) -> f64 {
        if self.mass == 0.0 || log - self.scale > RESCALE {
            let by = if self.mass == 0.0 { 0.0 } else { (self.scale - log).exp() };
            self.mass *= by;
            self.first = self.first.map(|sum| sum * by);
            self.second = self.second.map(|row| row.map(|sum| sum * by));
            self.scale = log;
        }
        (log - self.scale).exp()
    }

    fn add(&mut self, &Term { log, slope, curve }: &Term) {
        let weight = self.scaled(log);
        self.mass += weight;
        for i in 0..4 {
            self.first[i] += weight * slope[i];
            for j in i..4 {
                self.second[i][j] += weight * (slope[i] * slope[j] + curve[i][j]);
            }
        }
    }

    fn merge(&mut self, other: &Mixture) {
        if other.mass == 0.0 {
            return;
        }
        let weight = self.scaled(other.scale);
        self.mass += weight * other.mass;
        for i in 0..4 {
            self.first[i] += weight * other.first[i];
            for j in i..4 {
                self.second[i][j] += weight * other.second[i][j];
            }
        }
    }

    /// The logarithm of the sum.
    fn logarithm(&self) -> Derivatives<4> {
        let gradient = self.first.map(|sum| sum / self.mass);
        let mut hessian = [[0.0; 4]; 4];
        for i in 0..4 {
            for j in i..4 {
                hessian[i][j] = self.second[i][j] / self.mass - gradient[i] * gradient[j];
                hessian[j][i] = hessian[i][j];
            }
        }
        Derivatives { value: self.scale + self.mass.ln(), gradient, hessian }
    }
}
