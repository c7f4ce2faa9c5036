//! Linear quantiles (type 7 of Hyndman and Fan 1996).

use std::cmp::Ordering;

/// Where the quantile `at` of `n` sorted values lies: the index below and the fraction above it.
///
/// `at` is in 0..=1 and `n` at least 1.
pub fn position(n: usize, at: f64) -> (usize, f64) {
    let place = (n - 1) as f64 * at;
    let below = (place.floor() as usize).min(n - 1);
    (below, place - below as f64)
}

/// The quantile `at` of ascending values; `None` for no values.
pub fn quantile_of_sorted(values: &[f64], at: f64) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let (below, fraction) = position(values.len(), at);
    let low = values[below];
    let high = values[(below + 1).min(values.len() - 1)];
    Some(interpolate(low, high, fraction))
}

/// The quantile `at` of values in any order, which it rearranges; `None` for no values.
pub fn select_quantile(values: &mut [f64], at: f64) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let (below, fraction) = position(values.len(), at);
    let (_, low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let low = *low;
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    Some(interpolate(low, high, fraction))
}

/// Rearranges values so that those at these places, in ascending order, are where sorting would put
/// them.
pub fn select_all<T>(
    values: &mut [T],
    places: &[usize],
    order: impl Fn(&T, &T) -> Ordering + Copy,
) {
    let Some(&place) = places.get(places.len() / 2) else { return };
    if values.len() <= 64 {
        values.sort_unstable_by(order);
        return;
    }
    let (below, _, above) = values.select_nth_unstable_by(place, order);
    let (left, right) = places.split_at(places.len() / 2);
    select_all(below, left, order);
    let first = place + 1;
    let right: Vec<usize> =
        right.iter().filter(|&&place| place >= first).map(|place| place - first).collect();
    select_all(above, &right, order);
}

/// What lies a fraction of the way between two values.
pub fn interpolate(low: f64, high: f64, fraction: f64) -> f64 {
    if fraction == 0.0 || low == high { low } else { low + (high - low) * fraction }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_seven() {
        let values = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(quantile_of_sorted(&values, 0.5), Some(2.5));
        assert_eq!(quantile_of_sorted(&values, 0.25), Some(1.75));
        assert_eq!(quantile_of_sorted(&values, 1.0), Some(4.0));
        assert_eq!(quantile_of_sorted(&[], 0.5), None);
        assert_eq!(quantile_of_sorted(&[7.0], 0.9), Some(7.0));
    }

    #[test]
    fn selection_equals_sorting() {
        let values = [5.0, -1.0, 3.0, 3.0, 9.0, 0.5, 2.25];
        let mut sorted = values;
        sorted.sort_by(f64::total_cmp);
        for step in 0..=20 {
            let at = f64::from(step) / 20.0;
            assert_eq!(select_quantile(&mut values.clone(), at), quantile_of_sorted(&sorted, at));
        }
    }
}
