//! Numbers in few bytes: seven bits in each, the lowest first, as protocol buffers have them.

/// Bytes of a chunk. All are of one size, so that what one list lets go another one can have.
const CHUNK: usize = 32 << 10;

/// The most bytes of a record.
const RECORD: usize = 64;

/// Packed records of a few numbers each.
#[derive(Default)]
pub(super) struct Chunks {
    chunks: Vec<Vec<u8>>,
}

impl Chunks {
    /// Where the next record is written.
    pub fn next(&mut self) -> &mut Vec<u8> {
        if self.chunks.last().is_none_or(|chunk| chunk.len() + RECORD > CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let last = self.chunks.len() - 1;
        &mut self.chunks[last]
    }

    /// Lets go what the last chunk does not need.
    pub fn end(&mut self) {
        self.chunks.iter_mut().for_each(Vec::shrink_to_fit);
        self.chunks.shrink_to_fit();
    }

    /// The numbers, from the first one on.
    pub fn read(&self) -> Bytes<'_> {
        Bytes { bytes: &[], chunks: self.chunks.iter() }
    }

    /// All in one.
    pub fn bytes(&self) -> Vec<u8> {
        self.chunks.concat()
    }
}

/// Packed numbers on their way out.
pub(super) struct Bytes<'a> {
    bytes: &'a [u8],
    chunks: std::slice::Iter<'a, Vec<u8>>,
}

impl<'a> Bytes<'a> {
    /// Numbers that were packed in one.
    pub fn of(bytes: &'a [u8]) -> Self {
        Bytes { bytes, chunks: [].iter() }
    }

    /// True behind the last number.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.chunks.as_slice().iter().all(Vec::is_empty)
    }
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

/// Writes a sum, which mostly is small enough for [`signed`].
pub(super) fn wide(value: i128, bytes: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 127)) as u128;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

impl Bytes<'_> {
    /// The next sum.
    pub fn wide(&mut self) -> i128 {
        let (mut rest, mut shift) = (0_u128, 0);
        while let Some(byte) = self.byte() {
            rest |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
            shift += 7;
        }
        (rest >> 1) as i128 ^ -((rest & 1) as i128)
    }

    fn byte(&mut self) -> Option<u8> {
        if self.bytes.is_empty() {
            self.bytes = self.chunks.next().map_or(&[], Vec::as_slice);
        }
        let (&byte, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(byte)
    }

    /// The next number; 0 behind the last one.
    pub fn number(&mut self) -> u64 {
        if self.bytes.is_empty() {
            self.bytes = self.chunks.next().map_or(&[], Vec::as_slice);
        }
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
        let mut chunks = Chunks::default();
        let rounds = CHUNK / 20;
        for _ in 0..rounds {
            numbers.iter().for_each(|&n| number(n, chunks.next()));
            signs.iter().for_each(|&n| signed(n, chunks.next()));
        }
        chunks.end();
        assert!(chunks.chunks.len() > 1);
        let mut packed = chunks.read();
        for _ in 0..rounds {
            assert!(numbers.iter().all(|&n| packed.number() == n));
            assert!(signs.iter().all(|&n| packed.signed() == n));
        }
        assert!(packed.is_empty());
        assert_eq!(packed.number(), 0);

        let sums = [0, -1, 1 << 70, i128::MAX, i128::MIN];
        let mut bytes = Vec::new();
        sums.iter().for_each(|&sum| wide(sum, &mut bytes));
        let mut packed = Bytes::of(&bytes);
        assert!(sums.iter().all(|&sum| packed.wide() == sum));
        assert!(packed.is_empty());
    }
}
