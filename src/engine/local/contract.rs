//! A source's contract at work: which rows are bad, how many, and which is the first.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringBuilder};
use arrow::compute;
use arrow::datatypes::Float64Type;

use super::decode::Decoded;
use super::evaluate::Program;
use super::kernel::arrow_error;
use crate::engine::{Breach, EngineError, Findings, Moved, Place, Rejected, Rounded, RowNumber};
use crate::frame::{Schema, format_decimal, pow10};
use crate::ir::Calendar;
use crate::ir::scan::{self, BETWEEN_REASONS, BadRowAction, BadRows, Scan};

struct BoundRule {
    column: String,
    fault: String,
    program: Program,
}

/// Doubles that become money.
struct BoundMoney {
    program: Program,
    scale: u8,
    /// The column, if it is one.
    column: Option<String>,
    /// Whether its values are not told.
    private: bool,
}

/// The contract of a scan, bound to the columns that are read, and what it has found so far.
pub(super) struct Contract {
    rules: Vec<BoundRule>,
    money: Option<BoundMoney>,
    bad_rows: BadRows,
    private: Vec<String>,
    /// The ordinal of the first morsel with a bad row.
    first_bad: AtomicU64,
    tally: Mutex<Tally>,
}

/// Why a row is bad: the column, its fault, and the text that was found, where there was one.
type Reason<'a> = (Option<&'a str>, &'a str, Option<&'a str>);

/// A row by its morsel and its place in it, which orders the rows of the input.
type RowKey = (u64, usize);

#[derive(Default)]
struct Tally {
    rows: u64,
    bad: u64,
    reasons: BTreeMap<String, u64>,
    first: Option<(RowKey, Place, String, RowNumber)>,
    moved: u64,
    first_moved: Option<(RowKey, Place, RowNumber, f64, i128)>,
    least_moved: Option<(f64, i128)>,
}

/// A morsel after its contract.
pub(super) struct Admitted {
    pub rows: RecordBatch,
    /// The bad rows, if there are any, and why they are bad.
    pub rejected: Option<(RecordBatch, ArrayRef)>,
    /// True if the run fails for a bad row that stands here or before, so that nothing need follow.
    pub lost: bool,
}

impl Admitted {
    /// Rows without a contract.
    pub fn all(rows: RecordBatch) -> Self {
        Admitted { rows, rejected: None, lost: false }
    }
}

impl Contract {
    /// Binds a scan's contract to the columns that are read of it.
    pub fn bind(scan: &Scan, schema: &Schema) -> Result<Self, EngineError> {
        let rules = scan
            .rules
            .iter()
            .map(|rule| {
                Ok(BoundRule {
                    column: rule.column.clone(),
                    fault: rule.fault.clone(),
                    program: Program::bind([&rule.violated], schema)?,
                })
            })
            .collect::<Result<Vec<_>, EngineError>>()?;
        let money = match &scan.money {
            None => None,
            Some(money) => Some(BoundMoney {
                program: Program::bind([&money.value], schema)?,
                scale: money.scale,
                column: money.value.as_column().map(str::to_owned),
                private: money.value.columns().iter().any(|column| scan.is_private(column)),
            }),
        };
        Ok(Contract {
            rules,
            money,
            bad_rows: scan.bad_rows,
            private: scan.private.iter().chain(&scan.customers).cloned().collect(),
            first_bad: AtomicU64::new(u64::MAX),
            tally: Mutex::default(),
        })
    }

    /// True if rows are still worth looking at when something else has failed: all bad ones are counted.
    pub fn counts_on(&self) -> bool {
        self.bad_rows.action == BadRowAction::Fail
    }

    /// Parts a morsel in good and bad rows. `place` says where it is from, `start` the number of its
    /// first row there.
    ///
    /// # Errors
    /// A value for which a rule has no result.
    pub fn admit(
        &self,
        decoded: Decoded,
        place: &Place,
        start: usize,
        ordinal: u64,
        calendar: &Calendar,
    ) -> Result<Admitted, EngineError> {
        let rows = decoded.batch.num_rows();
        // Of each bad row the reasons, in the order of the contract.
        let mut bad: BTreeMap<usize, Vec<Reason>> = BTreeMap::new();
        for fault in &decoded.faults {
            for (row, text) in &fault.rows {
                let reason = (fault.column.as_deref(), fault.fault, text.as_deref());
                bad.entry(*row).or_default().push(reason);
            }
        }
        for rule in &self.rules {
            let violated = rule.program.select(&decoded.batch, calendar)?;
            if violated.true_count() == 0 {
                continue;
            }
            for row in (0..rows).filter(|&row| violated.value(row)) {
                let reasons = bad.entry(row).or_default();
                // A value that does not fit is null, which is no second fault; and in a row with
                // too few cells all are null.
                let known =
                    |(column, _, _): &Reason| column.is_none_or(|column| column == rule.column);
                let of_fault = reasons.iter().any(|reason| {
                    known(reason) && decoded.faults.iter().any(|fault| fault.fault == reason.1)
                });
                if !of_fault {
                    reasons.push((Some(&rule.column), &rule.fault, None));
                }
            }
        }
        let number = |row: usize| match &decoded.lines {
            Some(lines) => RowNumber::Line(lines[row]),
            None => RowNumber::Row((start + row) as u64),
        };
        let moved = self.moved(&decoded, &bad, calendar)?;
        {
            let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.rows += rows as u64;
            tally.bad += bad.len() as u64;
            for (column, fault, _) in bad.values().flatten() {
                *tally.reasons.entry(scan::reason(*column, fault)).or_default() += 1;
            }
            if let Some((&row, reasons)) = bad.first_key_value()
                && tally.first.as_ref().is_none_or(|(first, ..)| (ordinal, row) < *first)
                && let Some((column, fault, _)) = reasons.first()
            {
                let place = Place { column: column.map(str::to_owned), ..place.clone() };
                tally.first = Some(((ordinal, row), place, (*fault).to_owned(), number(row)));
            }
            tally.moved += moved.len() as u64;
            if let Some(&(row, before, after)) = moved.first()
                && tally.first_moved.as_ref().is_none_or(|(first, ..)| (ordinal, row) < *first)
            {
                let moved = ((ordinal, row), place.clone(), number(row), before, after);
                tally.first_moved = Some(moved);
            }
            for (_, before, after) in moved {
                if tally.least_moved.is_none_or(|(least, _)| before.total_cmp(&least).is_lt()) {
                    tally.least_moved = Some((before, after));
                }
            }
        }
        if bad.is_empty() {
            let lost = self.lost(ordinal);
            return Ok(Admitted { rows: decoded.batch, rejected: None, lost });
        }
        self.first_bad.fetch_min(ordinal, Ordering::Relaxed);
        let good: BooleanArray = (0..rows).map(|row| Some(!bad.contains_key(&row))).collect();
        let not_good = compute::not(&good).map_err(arrow_error)?;
        let mut texts = StringBuilder::new();
        for reasons in bad.values() {
            let written = reasons.iter().map(|(column, fault, text)| match text {
                Some(text) if !text.is_empty() && !self.is_private(*column) => {
                    format!("{}: `{text}`", scan::reason(*column, fault))
                }
                _ => scan::reason(*column, fault),
            });
            texts.append_value(written.collect::<Vec<_>>().join(BETWEEN_REASONS));
        }
        let filter = |mask: &BooleanArray| {
            compute::filter_record_batch(&decoded.batch, mask).map_err(arrow_error)
        };
        Ok(Admitted {
            rows: filter(&good)?,
            rejected: Some((filter(&not_good)?, Arc::new(texts.finish()))),
            lost: self.lost(ordinal),
        })
    }

    fn is_private(&self, column: Option<&str>) -> bool {
        column.is_some_and(|column| self.private.iter().any(|private| private == column))
    }

    fn lost(&self, ordinal: u64) -> bool {
        self.bad_rows.action == BadRowAction::Fail
            && self.first_bad.load(Ordering::Relaxed) <= ordinal
    }

    /// The good rows whose double is not the money it becomes: row, double, minor units.
    fn moved<T>(
        &self,
        decoded: &Decoded,
        bad: &BTreeMap<usize, T>,
        calendar: &Calendar,
    ) -> Result<Vec<(usize, f64, i128)>, EngineError> {
        let Some(money) = &self.money else { return Ok(Vec::new()) };
        let values = money.program.run(&decoded.batch, calendar)?.remove(0);
        let values = values.as_primitive::<Float64Type>();
        let unit = pow10(money.scale) as f64;
        let single = money.column.as_ref().is_some_and(|name| decoded.single.contains(name));
        let mut moved = Vec::new();
        for row in 0..values.len() {
            if values.is_null(row) {
                continue;
            }
            let x = values.value(row);
            let minor = (x * unit).round_ties_even();
            let after = minor / unit;
            // The nearest double of a decimal counts as that decimal.
            let same = if single { after as f32 == x as f32 } else { after == x };
            if !same && !bad.contains_key(&row) {
                moved.push((row, x, minor as i128));
            }
        }
        Ok(moved)
    }

    /// The ordinal of the morsel in which the first bad row stands, and what there is to say, if the run
    /// cannot go on with so many bad rows. `unread` rows are known to be good.
    pub fn breach(&self, unread: u64) -> Option<(u64, Breach)> {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        if self.bad_rows.bears(tally.bad, tally.rows + unread) {
            return None;
        }
        let ((ordinal, _), place, fault, row) = tally.first.clone()?;
        let (rejected, bad_rows) = (tally.rejected(unread), self.bad_rows);
        Some((ordinal, Breach { place, fault, row, rejected, bad_rows }))
    }

    /// What was found, for whoever reports it. `unread` rows are known to be good.
    pub fn findings(&self, unread: u64) -> Findings {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let scale = self.money.as_ref().map_or(0, |money| money.scale);
        let told = self.money.as_ref().is_some_and(|money| !money.private);
        let moved = |before: f64, after: i128| {
            told.then(|| Moved { before, after: format_decimal(after, scale) })
        };
        let rounded = tally.first_moved.as_ref().zip(tally.least_moved).map(|(first, least)| {
            let (_, place, row, before, after) = first;
            Rounded {
                rows: tally.moved,
                place: place.clone(),
                row: *row,
                first: moved(*before, *after),
                least: moved(least.0, least.1),
            }
        });
        Findings { rejected: tally.rejected(unread), rounded }
    }
}

impl Tally {
    fn rejected(&self, unread: u64) -> Rejected {
        let mut reasons: Vec<(String, u64)> =
            self.reasons.iter().map(|(reason, rows)| (reason.clone(), *rows)).collect();
        reasons.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
        Rejected { rows: self.rows + unread, bad: self.bad, reasons }
    }
}

/// What was found in sources, by their name. A source that is read in several passes shows the same in
/// each.
pub(super) type Found = HashMap<String, Findings>;
