//! Sums of doubles that do not depend on the order of their terms.

/// The exact sum of finite doubles, rounded once at the end.
///
/// The sum is held as a list of non-overlapping doubles (Shewchuk 1997, "Adaptive precision
/// floating-point arithmetic", grow-expansion), so nothing is lost when terms are added or partial
/// sums are merged: any order and any grouping give the same value, the double nearest to the true
/// sum. A total beyond the range of doubles has no value.
///
/// Terms of common sizes are whole multiples of 2⁻⁶⁴ and are summed as such, in one integer.
#[derive(Debug, Clone, Default)]
pub struct ExactSum {
    partials: Vec<f64>,
    /// In units of 2⁻⁶⁴.
    fixed: i128,
    overflowed: bool,
}

/// 2⁶⁴.
const UNIT: f64 = 18_446_744_073_709_551_616.0;

/// A double below 2³¹ in units of 2⁻⁶⁴, if it is a whole number of them. So many doubles as anybody has
/// fit into the sum.
fn in_units(term: f64) -> Option<i128> {
    const MANTISSA: u32 = f64::MANTISSA_DIGITS - 1;
    let bits = term.to_bits();
    let exponent = (bits >> MANTISSA) as i32 & 0x7ff;
    let whole = bits & ((1 << MANTISSA) - 1) | 1 << MANTISSA;
    // The unit of the last bit is 2^(exponent − 1075), that of the sum 2⁻⁶⁴.
    let shift = exponent - 1075 + 64;
    let units = match shift {
        0..=42 => i128::from(whole) << shift,
        -52..0 if whole.trailing_zeros() as i32 >= -shift => i128::from(whole >> -shift),
        _ => return (term == 0.0).then_some(0),
    };
    Some(if term < 0.0 { -units } else { units })
}

impl PartialEq for ExactSum {
    fn eq(&self, other: &Self) -> bool {
        self.value() == other.value()
    }
}

impl ExactSum {
    /// Adds a finite term.
    pub fn add(&mut self, term: f64) {
        debug_assert!(term.is_finite());
        match in_units(term) {
            Some(units) => self.add_units(units),
            None => self.add_partial(term),
        }
    }

    fn add_units(&mut self, units: i128) {
        match self.fixed.checked_add(units) {
            Some(sum) => self.fixed = sum,
            None => {
                self.flush();
                self.fixed = units;
            }
        }
    }

    /// Puts what is in units among the partial sums.
    fn flush(&mut self) {
        let mut left = std::mem::take(&mut self.fixed);
        // Each part has the upper bits of what is left, as many as a double has.
        while left != 0 {
            let cut = (i128::BITS - left.unsigned_abs().leading_zeros()).saturating_sub(53);
            let part = (left >> cut) << cut;
            self.add_partial(part as f64 / UNIT);
            left -= part;
        }
    }

    /// The partial sums with all terms in them.
    fn parts(&self) -> Vec<f64> {
        let mut all = self.clone();
        all.flush();
        all.partials
    }

    fn add_partial(&mut self, term: f64) {
        let mut x = term;
        let mut kept = 0;
        for index in 0..self.partials.len() {
            let mut y = self.partials[index];
            if x.abs() < y.abs() {
                std::mem::swap(&mut x, &mut y);
            }
            let high = x + y;
            let low = y - (high - x);
            if low != 0.0 {
                self.partials[kept] = low;
                kept += 1;
            }
            x = high;
        }
        if !x.is_finite() {
            self.overflowed = true;
            return;
        }
        self.partials.truncate(kept);
        if x != 0.0 {
            self.partials.push(x);
        }
    }

    /// Adds the terms of another sum.
    pub fn merge(&mut self, other: &ExactSum) {
        self.overflowed |= other.overflowed;
        self.add_units(other.fixed);
        for &partial in &other.partials {
            self.add_partial(partial);
        }
    }

    /// The double nearest to the sum; 0 for no terms; `None` beyond the range of doubles.
    pub fn value(&self) -> Option<f64> {
        if self.overflowed {
            return None;
        }
        let parts = self.parts();
        let mut partials = parts.iter().rev().copied();
        let Some(mut high) = partials.next() else { return Some(0.0) };
        let mut low = 0.0;
        for partial in partials.by_ref() {
            let sum = high + partial;
            low = partial - (sum - high);
            high = sum;
            if low != 0.0 {
                break;
            }
        }
        // Half-way cases round by what is left, as Python's `math.fsum` does.
        if let Some(next) = partials.next()
            && ((low < 0.0 && next < 0.0) || (low > 0.0 && next > 0.0))
        {
            let doubled = low * 2.0;
            let sum = high + doubled;
            if doubled == sum - high {
                high = sum;
            }
        }
        Some(high)
    }

    /// The sum as a pair of doubles, high and low part, good for about 32 digits.
    fn pair(&self) -> (f64, f64) {
        let high = self.value().unwrap_or(0.0);
        let mut rest = self.clone();
        rest.add(-high);
        (high, rest.value().unwrap_or(0.0))
    }
}

/// Count, sum and sum of squares of doubles, from which mean and variance are built.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moments {
    pub count: u64,
    pub sum: ExactSum,
    pub squares: ExactSum,
}

impl Moments {
    /// Adds a finite value.
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum.add(value);
        // The square's rounding error is kept as a term of its own, so the squares are exact too.
        let square = value * value;
        let error = value.mul_add(value, -square);
        if square.is_finite() {
            self.squares.add(square);
            if error.is_finite() {
                self.squares.add(error);
            }
        } else {
            self.squares.overflowed = true;
        }
    }

    /// Adds the values of another.
    pub fn merge(&mut self, other: &Moments) {
        self.count += other.count;
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
    }

    /// The mean; `None` for no values.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum.value().map(|sum| sum / self.count as f64)).flatten()
    }

    /// The sample variance, with n − 1 below; `None` for fewer than two values.
    ///
    /// Σx² − (Σx)²/n cancels badly in plain doubles when the mean is large beside the spread; with
    /// both sums exact and the difference taken on pairs of doubles it keeps its digits.
    pub fn variance(&self) -> Option<f64> {
        if self.count < 2 {
            return None;
        }
        self.squares.value()?;
        let n = self.count as f64;
        let (sum, sum_low) = self.sum.pair();
        let mean = sum / n;
        // What `mean` misses of the true mean, times n.
        let miss = (-mean).mul_add(n, sum) + sum_low;
        // Σ(x − mean)² = Σx² − 2·mean·Σx + n·mean² = Σx² − n·mean² − 2·mean·miss, exactly summed.
        let mut total = self.squares.clone();
        let product = |a: f64, b: f64| (a * b, a.mul_add(b, -(a * b)));
        let (square, square_low) = product(mean, mean);
        for part in [square, square_low] {
            let (high, low) = product(-n, part);
            total.add(high);
            total.add(low);
        }
        let (high, low) = product(-2.0 * mean, miss);
        total.add(high);
        total.add(low);
        // About the true mean the sum of squares is smaller by miss²/n.
        total.add(-(miss * miss) / n);
        Some((total.value()? / (n - 1.0)).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_does_not_matter() {
        let terms = [1e308, 1.0, -1e308, 1e-300, 3.5, -0.1, 1e16, 1.0, -1e16, 0.1];
        let mut forward = ExactSum::default();
        terms.iter().for_each(|&term| forward.add(term));
        for split in 0..terms.len() {
            let (mut left, mut right) = (ExactSum::default(), ExactSum::default());
            terms[..split].iter().rev().for_each(|&term| left.add(term));
            terms[split..].iter().for_each(|&term| right.add(term));
            right.merge(&left);
            assert_eq!(right.value(), forward.value());
        }
        assert_eq!(forward.value(), Some(5.5));
    }

    #[test]
    fn terms_in_units_and_others_are_one_sum() {
        // 3⁻¹ and its like have their last bit far below 1, larger ones above 2⁻⁶⁴.
        let terms = |n: u32| (1..n).flat_map(|n| [f64::from(n) / 3.0, 1e-9 / f64::from(n), 2.5e9]);
        let mut sum = ExactSum::default();
        let mut slow = ExactSum::default();
        for term in terms(4_000) {
            for term in [term, -term / 7.0] {
                sum.add(term);
                slow.add_partial(term);
            }
        }
        assert_eq!(sum.value(), slow.value());
        assert!(sum == slow);
        let mut merged = ExactSum::default();
        merged.merge(&sum);
        merged.merge(&slow);
        assert_eq!(merged.value(), slow.value().map(|value| value * 2.0));
        // What is in units is more than an integer has bits.
        let mut large = ExactSum { fixed: i128::MAX, ..ExactSum::default() };
        large.add(0.5);
        let expected = i128::MAX as f64 / UNIT;
        assert_eq!(large.value(), Some(expected));
    }

    #[test]
    fn ten_tenths_are_one() {
        let mut sum = ExactSum::default();
        (0..10).for_each(|_| sum.add(0.1));
        assert_eq!(sum.value(), Some(1.0));
        assert_eq!(ExactSum::default().value(), Some(0.0));
    }

    #[test]
    fn beyond_the_range_there_is_no_value() {
        let mut sum = ExactSum::default();
        sum.add(f64::MAX);
        sum.add(f64::MAX);
        assert_eq!(sum.value(), None);
    }

    #[test]
    fn variance_keeps_its_digits() {
        let mut moments = Moments::default();
        [1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0].iter().for_each(|&x| moments.add(x));
        assert_eq!(moments.variance(), Some(30.0));
        assert_eq!(moments.mean(), Some(1e9 + 10.0));
        let mut thirds = Moments::default();
        [0.1, 0.2, 0.4].iter().for_each(|&x| thirds.add(x));
        let variance = thirds.variance().expect("three values");
        assert!((variance - 0.07 / 3.0).abs() < 1e-17, "{variance}");
        let mut one = Moments::default();
        one.add(5.0);
        assert_eq!(one.variance(), None);
    }
}
