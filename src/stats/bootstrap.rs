//! Draws that depend on what is drawn and not on when: a counter-based generator.
//!
//! The Poisson bootstrap draws every unit 0, 1, 2, … times, independently, with mean 1. A unit's weight in
//! a draw is a function of the seed, the draw's number and the unit, so any thread that meets the unit, in
//! whatever order, draws the same.
//!
//! References: Chamandy et al. (2012), Estimating uncertainty for massive data streams.

/// Mixes bits until each depends on each (SplitMix64's finaliser; Steele, Lea, Flood 2014,
/// <https://doi.org/10.1145/2714064.2660195>). Different bits give different bits.
pub fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// How often a unit is in a draw: Poisson with mean 1.
pub fn poisson_weight(seed: u64, draw: u32, unit: u64) -> u32 {
    let golden = 0x9e37_79b9_7f4a_7c15_u64;
    let bits = mixed(
        mixed(unit ^ seed.wrapping_mul(golden))
            .wrapping_add(golden.wrapping_mul(u64::from(draw) + 1)),
    );
    // 53 bits, in [0, 1).
    let uniform = (bits >> 11) as f64 / (1_u64 << 53) as f64;
    let (mut count, mut term) = (0, (-1.0_f64).exp());
    let mut sum = term;
    while uniform >= sum && count < 20 {
        count += 1;
        term /= f64::from(count);
        sum += term;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_poisson() {
        let mut counts = [0_u32; 6];
        let mut both = 0_u64;
        for unit in 0..50_000 {
            let weight = poisson_weight(7, 3, unit);
            counts[weight.min(5) as usize] += 1;
            both += u64::from(weight * poisson_weight(7, 4, unit));
        }
        let expected = [0.367_879, 0.367_879, 0.183_940, 0.061_313, 0.015_328, 0.003_660];
        for (count, share) in counts.into_iter().zip(expected) {
            let found = f64::from(count) / 50_000.0;
            assert!((found - share).abs() < 0.01, "{found} is not {share}");
        }
        // Draws are independent: the mean of the product is 1.
        assert!((both as f64 / 50_000.0 - 1.0).abs() < 0.03);
    }

    #[test]
    fn draws_are_what_they_were() {
        let weights: Vec<u32> = (0..12).map(|unit| poisson_weight(1, 0, unit)).collect();
        assert_eq!(weights, [1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 0, 2]);
        assert_ne!(weights, (0..12).map(|unit| poisson_weight(2, 0, unit)).collect::<Vec<_>>());
    }
}
