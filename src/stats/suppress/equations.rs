//! Which unknowns a system of linear equations determines.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Equations are solved modulo 2⁶¹ − 1. Their coefficients are 1 and −1, so that a solution there is one
/// among the fractions, unless a determinant of them happens to be a multiple of this prime.
const PRIME: u64 = (1 << 61) - 1;

/// The coefficient −1.
pub(super) const MINUS_ONE: u64 = PRIME - 1;

fn times(a: u64, b: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(PRIME)) as u64
}

/// 1/a, as a^(p − 2).
fn inverse(a: u64) -> u64 {
    let (mut power, mut result, mut left) = (a, 1, PRIME - 2);
    while left > 0 {
        if left & 1 == 1 {
            result = times(result, power);
        }
        power = times(power, power);
        left >>= 1;
    }
    result
}

/// A linear equation: the coefficients of its unknowns.
pub(super) type Equation = BTreeMap<usize, u64>;

/// The unknowns that may have one solution only, where some `cannot_fall` below what they are. What the
/// equations are equal to does not matter for that.
///
/// Of an unknown that is not named there is another solution, in which at most one of those that cannot fall
/// has changed, and has grown. An unknown that cannot fall may be named though there is another solution, one
/// in which two of them grow.
///
/// Gaussian elimination, the short equations first, each solved for its rarest unknown: an unknown that no
/// other equation has is solved for without touching them. No equation is solved for an unknown that cannot
/// fall. An equation of such ones only holds them all fast. Any other of them can grow, if what is solved for
/// makes up for it.
pub(super) fn determined(
    mut equations: Vec<Equation>,
    cannot_fall: impl Fn(usize) -> bool,
) -> BTreeSet<usize> {
    let mut occurrences: HashMap<usize, usize> = HashMap::new();
    for &unknown in equations.iter().flat_map(Equation::keys) {
        *occurrences.entry(unknown).or_default() += 1;
    }
    equations.sort_by_key(Equation::len);
    let mut solved: Vec<(usize, Equation)> = Vec::new();
    let mut solved_for: HashMap<usize, usize> = HashMap::new();
    let mut determined = BTreeSet::new();
    for mut equation in equations {
        // An equation may bring in unknowns that later ones are solved for, never earlier ones.
        let mut open: BTreeSet<usize> =
            equation.keys().filter_map(|unknown| solved_for.get(unknown).copied()).collect();
        while let Some(place) = open.pop_first() {
            let (unknown, known) = &solved[place];
            eliminate(&mut equation, *unknown, known);
            open.extend(
                known
                    .keys()
                    .filter_map(|unknown| solved_for.get(unknown))
                    .filter(|&&at| at > place),
            );
        }
        let free = equation.iter().filter(|(unknown, _)| !cannot_fall(**unknown));
        let rarest = free.min_by_key(|(unknown, _)| (occurrences[*unknown], **unknown));
        let Some((&unknown, &coefficient)) = rarest else {
            determined.extend(equation.into_keys());
            continue;
        };
        let scale = inverse(coefficient);
        for coefficient in equation.values_mut() {
            *coefficient = times(*coefficient, scale);
        }
        solved_for.insert(unknown, solved.len());
        solved.push((unknown, equation));
    }
    // From the last one back, so that no equation has an unknown that another is solved for.
    for place in (0..solved.len()).rev() {
        let (later, known) = solved.split_at_mut(place + 1);
        let (unknown, equation) = &mut later[place];
        let others: Vec<usize> =
            equation.keys().copied().filter(|other| other != unknown).collect();
        for other in others {
            if let Some(at) = solved_for.get(&other) {
                let (other, known) = &known[at - place - 1];
                eliminate(equation, *other, known);
            }
        }
        if equation
            .keys()
            .all(|other| other == unknown || determined.contains(other) && cannot_fall(*other))
        {
            determined.insert(*unknown);
        }
    }
    determined
}

/// Takes an equation, whose coefficient of `unknown` is 1, from another until that unknown is gone.
fn eliminate(from: &mut Equation, unknown: usize, equation: &Equation) {
    let Some(&coefficient) = from.get(&unknown) else { return };
    let factor = PRIME - coefficient;
    for (&unknown, &coefficient) in equation {
        let sum = from.entry(unknown).or_default();
        *sum = (*sum + times(factor, coefficient)) % PRIME;
        if *sum == 0 {
            from.remove(&unknown);
        }
    }
}
