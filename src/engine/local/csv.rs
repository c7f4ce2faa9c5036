//! CSV files (RFC 4180): cut into pieces, and the cells of a piece.
//!
//! A file is walked once when it is opened: for its hash, the number of its records, and where each
//! piece begins, so that pieces are then read by themselves, in any order and in bounded memory. A cell
//! in quotes may hold commas, line breaks and doubled quotes. A quote inside a cell that does not begin
//! with one is a character like any other. Lines without a character are no records.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// About as many bytes as one piece has.
const PIECE_BYTES: u64 = 4 << 20;

/// The longest record that is read: a file in which a closing quote is missing would be one record.
const LONGEST_RECORD: u64 = 16 << 20;

/// A CSV file that has been walked.
#[derive(Debug, Clone)]
pub(super) struct CsvFile {
    /// The cells of its first record.
    pub header: Vec<String>,
    pub pieces: Vec<Piece>,
    pub records: u64,
    pub hash: String,
}

/// Some records of a file, whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub offset: u64,
    pub bytes: u64,
    pub first_line: u64,
    pub records: u64,
}

/// Where the walk is within a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    CellStart,
    Plain,
    Quoted,
    /// After a quote within quotes: the end of the cell, or half of a doubled one.
    Quote,
}

impl State {
    /// After one more byte; `None` at the end of a record.
    fn step(self, byte: u8) -> Option<State> {
        match (self, byte) {
            (State::Quoted, b'"') => Some(State::Quote),
            (State::Quoted, _) => Some(State::Quoted),
            (State::CellStart | State::Quote, b'"') => Some(State::Quoted),
            (_, b'\n') => None,
            (_, b',') => Some(State::CellStart),
            _ => Some(State::Plain),
        }
    }
}

impl CsvFile {
    /// Walks a file.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn open(path: &Path) -> Result<Self, String> {
        let mut file = File::open(path).map_err(|error| super::file::reason_of(&error))?;
        let mut walk = Walk::default();
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            let count = file.read(&mut buffer).map_err(|error| super::file::reason_of(&error))?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            walk.take(&buffer[..count])?;
        }
        walk.end(hasher.finalize().to_hex().to_string())
    }

    /// The bytes of a piece.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self, path: &Path, piece: Piece) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(piece.offset))?;
        let mut bytes = vec![0; piece.bytes as usize];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

struct Walk {
    state: State,
    /// Bytes and lines seen.
    at: u64,
    line: u64,
    /// Where the record that is being read begins, and whether it has a character.
    record: u64,
    record_line: u64,
    empty: bool,
    /// The first record's bytes, until it is over.
    first: Option<Vec<u8>>,
    header: Vec<String>,
    pieces: Vec<Piece>,
    piece: Piece,
    records: u64,
}

impl Default for Walk {
    fn default() -> Self {
        Walk {
            state: State::CellStart,
            at: 0,
            line: 1,
            record: 0,
            record_line: 1,
            empty: true,
            first: Some(Vec::new()),
            header: Vec::new(),
            pieces: Vec::new(),
            piece: Piece { offset: 0, bytes: 0, first_line: 1, records: 0 },
            records: 0,
        }
    }
}

impl Walk {
    fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        for &byte in bytes {
            self.at += 1;
            if let Some(first) = &mut self.first {
                first.push(byte);
            }
            self.empty &= matches!(byte, b'\n' | b'\r');
            if byte == b'\n' {
                self.line += 1;
            }
            match self.state.step(byte) {
                Some(state) => self.state = state,
                None => self.record_ends()?,
            }
            if self.at - self.record > LONGEST_RECORD {
                return Err(format!(
                    "the record that begins in line {} is longer than {} MiB: is a closing quote missing?",
                    self.record_line,
                    LONGEST_RECORD >> 20
                ));
            }
        }
        Ok(())
    }

    fn record_ends(&mut self) -> Result<(), String> {
        let record = !std::mem::replace(&mut self.empty, true);
        self.state = State::CellStart;
        (self.record, self.record_line) = (self.at, self.line);
        if !record {
            return Ok(());
        }
        if let Some(first) = self.first.take() {
            self.header = header(&first)?;
            self.piece = Piece { offset: self.at, bytes: 0, first_line: self.line, records: 0 };
            return Ok(());
        }
        self.records += 1;
        self.piece.records += 1;
        self.piece.bytes = self.at - self.piece.offset;
        if self.piece.bytes >= PIECE_BYTES {
            self.pieces.push(self.piece);
            self.piece = Piece { offset: self.at, bytes: 0, first_line: self.line, records: 0 };
        }
        Ok(())
    }

    fn end(mut self, hash: String) -> Result<CsvFile, String> {
        if self.at == 0 {
            return Err("the file is empty: CSV begins with a line of column names".into());
        }
        if self.state == State::Quoted {
            return Err(format!(
                "the record that begins in line {} ends within quotes",
                self.record_line
            ));
        }
        self.record_ends()?;
        if self.first.is_some() {
            return Err("the file has no line of column names".into());
        }
        if self.piece.records > 0 {
            self.pieces.push(self.piece);
        }
        Ok(CsvFile { header: self.header, pieces: self.pieces, records: self.records, hash })
    }
}

fn header(record: &[u8]) -> Result<Vec<String>, String> {
    let record = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record);
    let mut names: Vec<String> = Vec::new();
    if let Some(record) = Records::new(record, 1).next() {
        for cell in record.cells {
            let name = cell.text().map_err(|()| "a column name that is not UTF-8".to_owned())?;
            if names.iter().any(|known| *known == *name) {
                return Err(format!("two columns are called `{name}`"));
            }
            names.push(name.into_owned());
        }
    }
    Ok(names)
}

/// One record of a piece.
pub(super) struct Record<'a> {
    pub line: u64,
    pub cells: Vec<Cell<'a>>,
}

/// One cell: its bytes without the quotes around them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell<'a> {
    bytes: &'a [u8],
    pub quoted: bool,
}

impl<'a> Cell<'a> {
    /// Its text, doubled quotes made one.
    pub fn text(&self) -> Result<Cow<'a, str>, ()> {
        let text = std::str::from_utf8(self.bytes).map_err(|_| ())?;
        Ok(match self.quoted && text.contains("\"\"") {
            true => Cow::Owned(text.replace("\"\"", "\"")),
            false => Cow::Borrowed(text),
        })
    }
}

/// The records of some bytes, which end with a whole one.
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Records<'a> {
    pub fn new(bytes: &'a [u8], first_line: u64) -> Self {
        Records { bytes, at: 0, line: first_line }
    }
}

/// The cell between two places, without the line's end and the quotes around it.
fn cell(bytes: &[u8], last: bool) -> Cell<'_> {
    let mut bytes = bytes;
    if last && bytes.last() == Some(&b'\r') {
        bytes = &bytes[..bytes.len() - 1];
    }
    match bytes {
        [b'"', inner @ .., b'"'] => Cell { bytes: inner, quoted: true },
        _ => Cell { bytes, quoted: false },
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        loop {
            if self.at >= self.bytes.len() {
                return None;
            }
            let line = self.line;
            let (mut state, mut start) = (State::CellStart, self.at);
            let mut cells = Vec::new();
            loop {
                let byte = self.bytes.get(self.at).copied();
                let next = match byte {
                    None => None,
                    Some(byte) => {
                        if byte == b'\n' {
                            self.line += 1;
                        }
                        state.step(byte)
                    }
                };
                match next {
                    None => {
                        cells.push(cell(&self.bytes[start..self.at], true));
                        self.at += 1;
                        break;
                    }
                    // A comma within quotes does not begin a cell.
                    Some(State::CellStart) => {
                        cells.push(cell(&self.bytes[start..self.at], false));
                        self.at += 1;
                        start = self.at;
                        state = State::CellStart;
                    }
                    Some(next) => {
                        self.at += 1;
                        state = next;
                    }
                }
            }
            let blank = matches!(cells.as_slice(), [cell] if cell.bytes.is_empty() && !cell.quoted);
            if !blank {
                return Some(Record { line, cells });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(text: &str, step: usize) -> Result<CsvFile, String> {
        let mut walk = Walk::default();
        for bytes in text.as_bytes().chunks(step) {
            walk.take(bytes)?;
        }
        walk.end(String::new())
    }

    #[test]
    fn records_and_cells() {
        let text =
            "\u{feff}a,\"b \"\"x\"\"\",c\r\n1,,\"\"\r\n\r\n\"two\nlines\",\"a, b\",5\" wide\n3,4,5";
        for step in [1, 3, 1_000] {
            let file = walk(text, step).expect("it is CSV");
            assert_eq!(file.header, ["a", "b \"x\"", "c"]);
            assert_eq!(file.records, 3);
            let [piece] = file.pieces[..] else { panic!("one piece") };
            let bytes = &text.as_bytes()[piece.offset as usize..][..piece.bytes as usize];
            let read: Vec<(u64, Vec<String>)> = Records::new(bytes, piece.first_line)
                .map(|record| {
                    let texts = record.cells.iter().map(|cell| {
                        let text = cell.text().expect("text");
                        if cell.quoted { format!("<{text}>") } else { text.into_owned() }
                    });
                    (record.line, texts.collect())
                })
                .collect();
            let expected: [(u64, &[&str]); 3] = [
                (2, &["1", "", "<>"]),
                (4, &["<two\nlines>", "<a, b>", "5\" wide"]),
                (6, &["3", "4", "5"]),
            ];
            for ((line, cells), (expected_line, expected)) in read.iter().zip(expected) {
                assert_eq!((*line, cells.join("|")), (expected_line, expected.join("|")));
            }
            assert_eq!(read.len(), 3);
        }
    }

    #[test]
    fn what_is_no_csv() {
        let fault = |text: &str| walk(text, 7).err().unwrap_or_default();
        assert!(fault("").contains("empty"));
        assert!(fault("\n\n").contains("no line of column names"));
        assert!(fault("a,a\n").contains("two columns"));
        assert!(fault("a,b\n1,\"2\n3,4\n").contains("line 2 ends within quotes"));
        assert_eq!(walk("a,b", 7).map(|file| file.records), Ok(0));
    }

    #[test]
    fn pieces_hold_whole_records() {
        let line = format!("{},\"x\ny\"\n", "7".repeat(1_000));
        let text = format!("a,b\n{}", line.repeat(9_000));
        let file = walk(&text, 4_099).expect("it is CSV");
        assert!(file.pieces.len() > 1);
        assert_eq!(file.pieces.iter().map(|piece| piece.records).sum::<u64>(), 9_000);
        let mut end = 4;
        for piece in &file.pieces {
            assert_eq!(piece.offset, end);
            end += piece.bytes;
            assert_eq!(piece.first_line, 2 + 2 * (piece.offset - 4) / line.len() as u64);
        }
        assert_eq!(end, text.len() as u64);
    }
}
