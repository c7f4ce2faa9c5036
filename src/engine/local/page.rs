//! A look at page headers before a decoder believes them.
//!
//! A decoder allocates what a header declares, and an allocation that fails ends the process. So
//! every page of a column chunk is walked first: its sizes must fit the chunk's own, and a chunk
//! that claims to grow absurdly is refused. Page headers are Thrift compact structs; only the
//! sizes are read, the rest is skipped.

/// A page that grows by more than this, to more than [`SUSPICIOUS_BYTES`], is refused.
const MAX_EXPANSION: u64 = 1_000;
const SUSPICIOUS_BYTES: u64 = 256 << 20;

/// Checks the pages of one column chunk, given its bytes and the uncompressed size its footer
/// states.
///
/// # Errors
/// What is wrong with a page.
pub(super) fn check_pages(chunk: &[u8], uncompressed: u64) -> Result<(), String> {
    let mut at = 0;
    while at < chunk.len() {
        let mut reader = Compact { bytes: chunk, at };
        let header = reader.page_header().ok_or("a page header is damaged")?;
        let (Some(full), Some(packed)) = (header.uncompressed, header.compressed) else {
            return Err("a page header states no size".into());
        };
        let (Ok(full), Ok(packed)) = (u64::try_from(full), usize::try_from(packed)) else {
            return Err("a page header states a negative size".into());
        };
        if full > uncompressed {
            return Err(format!(
                "a page claims {full} bytes, more than the {uncompressed} of its column chunk"
            ));
        }
        if full > SUSPICIOUS_BYTES && full / (packed as u64).max(1) > MAX_EXPANSION {
            return Err(format!("a page of {packed} bytes claims to unpack to {full}"));
        }
        let end = reader.at.checked_add(packed).filter(|&end| end <= chunk.len());
        at = end.ok_or("a page reaches beyond its column chunk")?;
    }
    Ok(())
}

#[derive(Default)]
struct PageHeader {
    uncompressed: Option<i64>,
    compressed: Option<i64>,
}

/// A reader of the Thrift compact protocol.
struct Compact<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Compact<'_> {
    fn page_header(&mut self) -> Option<PageHeader> {
        let mut header = PageHeader::default();
        let mut field: i64 = 0;
        loop {
            let (kind, id) = self.field(field)?;
            match (kind, id) {
                (0, _) => return Some(header),
                (5, 2) => header.uncompressed = Some(self.zigzag()?),
                (5, 3) => header.compressed = Some(self.zigzag()?),
                _ => self.skip(kind, 0)?,
            }
            field = id;
        }
    }

    /// Type and number of the next field; type 0 ends the struct.
    fn field(&mut self, last: i64) -> Option<(u8, i64)> {
        let byte = self.byte()?;
        let kind = byte & 0x0f;
        if kind == 0 {
            return Some((0, 0));
        }
        let id = match byte >> 4 {
            0 => self.zigzag()?,
            step => last.checked_add(i64::from(step))?,
        };
        Some((kind, id))
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn jump(&mut self, bytes: u64) -> Option<()> {
        let end = self.at.checked_add(usize::try_from(bytes).ok()?)?;
        (end <= self.bytes.len()).then(|| self.at = end)
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > 8 {
            return None;
        }
        match kind {
            1 | 2 => Some(()),
            3 => self.jump(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.jump(8),
            8 => {
                let length = self.varint()?;
                self.jump(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.varint()?,
                    small => u64::from(small),
                };
                if count > self.bytes.len() as u64 {
                    return None;
                }
                for _ in 0..count {
                    // In a list, a truth value takes a byte.
                    match head & 0x0f {
                        1 | 2 => self.jump(1)?,
                        element => self.skip(element, depth + 1)?,
                    }
                }
                Some(())
            }
            12 => {
                let mut field = 0;
                loop {
                    let (kind, id) = self.field(field)?;
                    if kind == 0 {
                        return Some(());
                    }
                    self.skip(kind, depth + 1)?;
                    field = id;
                }
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A data page header with these sizes, then as many bytes.
    fn page(full: i64, packed: i64, body: usize) -> Vec<u8> {
        let mut bytes = vec![0x15, 0x00]; // field 1, i32: type 0
        for size in [full, packed] {
            bytes.push(0x15);
            let mut value = ((size << 1) ^ (size >> 63)) as u64;
            while value >= 0x80 {
                bytes.push(value as u8 | 0x80);
                value >>= 7;
            }
            bytes.push(value as u8);
        }
        bytes.extend([0x2c, 0x15, 0x02, 0x00]); // field 5, struct with one i32
        bytes.push(0x00);
        bytes.extend(std::iter::repeat_n(7, body));
        bytes
    }

    #[test]
    fn pages_must_fit_their_chunk() {
        let two = [page(100, 20, 20), page(300, 30, 30)].concat();
        assert_eq!(check_pages(&two, 400), Ok(()));
        assert!(check_pages(&page(500, 20, 20), 400).is_err_and(|e| e.contains("more than")));
        assert!(check_pages(&page(-1, 20, 20), 400).is_err_and(|e| e.contains("negative")));
        assert!(check_pages(&page(100, 20, 10), 400).is_err_and(|e| e.contains("beyond")));
        assert!(check_pages(&page(1 << 30, 20, 20), 1 << 31).is_err_and(|e| e.contains("unpack")));
        assert!(check_pages(&[0xff; 30], 400).is_err());
    }
}
