//! Numbers in few bytes: seven bits in each, the lowest first, as protocol buffers have them.

/// Packed numbers on their way out.
pub(super) struct Bytes<'a> {
    bytes: &'a [u8],
}

/// Writes a number; small ones take one byte.
pub(super) fn number(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Writes a number that may be below 0; those near 0 take one byte.
pub(super) fn signed(value: i64, bytes: &mut Vec<u8>) {
    number(((value << 1) ^ (value >> 63)) as u64, bytes);
}

impl<'a> Bytes<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Bytes { bytes }
    }

    /// The next number; 0 behind the last one.
    pub fn number(&mut self) -> u64 {
        let mut number = 0;
        let mut shift = 0;
        while let Some((&byte, rest)) = self.bytes.split_first() {
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
            shift += 7;
        }
        number
    }

    /// The next number that may be below 0.
    pub fn signed(&mut self) -> i64 {
        let number = self.number();
        (number >> 1) as i64 ^ -((number & 1) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_out_as_they_went_in() {
        let numbers = [0, 1, 127, 128, 300, 16_384, u64::from(u32::MAX), u64::MAX];
        let signs = [0, -1, 1, -64, 64, 1_000_000, i64::MAX, i64::MIN];
        let mut bytes = Vec::new();
        numbers.iter().for_each(|&n| number(n, &mut bytes));
        signs.iter().for_each(|&n| signed(n, &mut bytes));
        let mut packed = Bytes::new(&bytes);
        assert!(numbers.iter().all(|&n| packed.number() == n));
        assert!(signs.iter().all(|&n| packed.signed() == n));
        assert_eq!(packed.number(), 0);
    }
}
