//! Work on small frames: what is left when the folds are done.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int64Array, RecordBatch, UInt32Array,
};
use arrow::compute::{self, SortOptions};
use arrow::datatypes::{Decimal128Type, Int64Type};
use arrow::row::{RowConverter, SortField};
use rayon::prelude::*;

use super::chain::batch_of;
use super::evaluate::{Program, flat};
use super::intern::{Interner, Keys, columns_at, with_precision};
use super::kernel::arrow_error;
use super::polars;
use crate::document::TimeUnit;
use crate::engine::{EngineError, EvaluateError, Extent, NodeId};
use crate::frame::{Frame, Value};
use crate::ir::{Calendar, Expr, Join, JoinKind, Rel, SortKey, Window, WindowFunc};

fn internal(message: &str) -> EngineError {
    EngineError::Internal(message.into())
}

/// Rows of a frame by their numbers; `None` gives nulls.
fn rows_at(frame: &Frame, rows: &UInt32Array) -> Result<Vec<ArrayRef>, EngineError> {
    let columns = frame.batch.columns().par_iter();
    let taken: Vec<Result<ArrayRef, EngineError>> =
        columns.map(|column| compute::take(column, rows, None).map_err(arrow_error)).collect();
    taken.into_iter().collect()
}

fn place(frame: &Frame, name: &str) -> Result<usize, EngineError> {
    frame.schema.index_of(name).ok_or_else(|| internal("a column that is not there"))
}

/// The row numbers of a frame in the order of some columns, nulls last.
fn order(frame: &Frame, keys: &[SortKey]) -> Result<Vec<u32>, EngineError> {
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for key in keys {
        let column = frame.batch.column(place(frame, &key.column)?).clone();
        let options = SortOptions { descending: key.descending, nulls_first: false };
        fields.push(SortField::new_with_options(column.data_type().clone(), options));
        columns.push(column);
    }
    if keys.is_empty() {
        return Ok((0..frame.rows() as u32).collect());
    }
    let converter = RowConverter::new(fields).map_err(arrow_error)?;
    let rows = converter.convert_columns(&columns).map_err(arrow_error)?;
    // Folds give their tables in order of their keys, so mostly there is nothing to do.
    if rows.iter().is_sorted() {
        return Ok((0..frame.rows() as u32).collect());
    }
    polars::order(rows.iter().map(|row| row.data()))
}

/// The frame in order.
pub(super) fn sort(frame: &Frame, keys: &[SortKey]) -> Result<Frame, EngineError> {
    let rows = order(frame, keys)?;
    if rows.is_sorted() {
        return Ok(frame.clone());
    }
    let rows = UInt32Array::from(rows);
    Ok(Frame::new(frame.schema.clone(), rows_at(frame, &rows)?, frame.rows())?)
}

/// Some rows of a frame.
pub(super) fn at(rel: &Rel, frame: &Frame, rows: Vec<u32>) -> Result<Frame, EngineError> {
    let count = rows.len();
    finish(rel, rows_at(frame, &UInt32Array::from(rows))?, count)
}

/// The first columns of several batches with all their rows. A column's parts are let go as soon as they are
/// one.
pub(super) fn concat(
    parts: Vec<RecordBatch>,
    columns: usize,
) -> Result<Vec<ArrayRef>, EngineError> {
    let mut of_columns: Vec<Vec<ArrayRef>> = vec![Vec::with_capacity(parts.len()); columns];
    for part in parts {
        for (list, column) in of_columns.iter_mut().zip(part.columns()) {
            list.push(column.clone());
        }
    }
    let one = |mut parts: Vec<ArrayRef>| {
        if parts.len() == 1 {
            return Ok(parts.swap_remove(0));
        }
        let parts = parts.iter().map(flat).collect::<Result<Vec<_>, _>>()?;
        let parts: Vec<&dyn Array> = parts.iter().map(|column| column.as_ref()).collect();
        compute::concat(&parts).map_err(arrow_error)
    };
    let columns: Vec<Result<ArrayRef, EngineError>> =
        of_columns.into_par_iter().with_max_len(1).map(one).collect();
    columns.into_iter().collect()
}

/// The rows of several frames.
pub(super) fn union(rel: &Rel, parts: &[Frame]) -> Result<Frame, EngineError> {
    let mut columns = Vec::with_capacity(rel.schema.fields.len());
    for (place, field) in rel.schema.fields.iter().enumerate() {
        let parts = parts
            .iter()
            .map(|part| with_precision(&flat(part.batch.column(place))?, field.data_type))
            .collect::<Result<Vec<_>, _>>()?;
        let parts: Vec<&dyn Array> = parts.iter().map(|part| part.as_ref()).collect();
        columns.push(compute::concat(&parts).map_err(arrow_error)?);
    }
    finish(rel, columns, parts.iter().map(Frame::rows).sum())
}

/// Pairs of rows.
pub(super) fn join(
    rel: &Rel,
    join: &Join,
    left: &Frame,
    right: &Frame,
) -> Result<Frame, EngineError> {
    let mut alone = Vec::new();
    let (mut left_rows, mut right_rows): (Vec<u32>, Vec<Option<u32>>) = if join.keys.is_empty() {
        let all = |count: usize| 0..count as u32;
        let pairs = all(left.rows()).flat_map(|a| all(right.rows()).map(move |b| (a, Some(b))));
        pairs.unzip()
    } else {
        let places = |frame: &Frame, right: bool| -> Result<Vec<usize>, EngineError> {
            join.keys.iter().map(|(a, b)| place(frame, if right { b } else { a })).collect()
        };
        let (left_places, right_places) = (places(left, false)?, places(right, true)?);
        let types = left_places.iter().map(|&place| left.schema.fields[place].data_type).collect();
        let encoder = Keys::new(types)?;
        let mut interner = Interner::default();
        let mut ids = |frame: &Frame, places: &[usize]| {
            let columns = columns_at(&frame.batch, places);
            let encoded = encoder.encode(&columns)?;
            (0..frame.rows())
                .map(|row| {
                    let absent = !join.nulls_equal && columns.iter().any(|c| c.is_null(row));
                    match absent {
                        true => Ok(None),
                        false => interner.intern(encoded.row(row).data()).map(Some),
                    }
                })
                .collect::<Result<Vec<Option<u32>>, EngineError>>()
        };
        let (left_ids, right_ids) = (ids(left, &left_places)?, ids(right, &right_places)?);
        if join.kind == JoinKind::Full {
            let known: BTreeSet<u32> = left_ids.iter().flatten().copied().collect();
            let partner = |id: &Option<u32>| id.is_some_and(|id| known.contains(&id));
            alone =
                (0..right.rows() as u32).filter(|&r| !partner(&right_ids[r as usize])).collect();
        }
        let keep_left = matches!(join.kind, JoinKind::Left | JoinKind::Full | JoinKind::Anti);
        let pairs = polars::join(&left_ids, &right_ids, keep_left)?;
        (pairs.left, pairs.right)
    };
    match join.kind {
        JoinKind::Semi => {
            left_rows.dedup();
            return at(rel, left, left_rows);
        }
        JoinKind::Anti => {
            let partner = left_rows.iter().zip(&right_rows);
            let alone = partner.filter(|(_, right)| right.is_none()).map(|(left, _)| *left);
            return at(rel, left, alone.collect());
        }
        JoinKind::Inner | JoinKind::Left | JoinKind::Full => {}
    }
    // Right rows without a partner come last; their keys stand in the left's key columns.
    let paired = left_rows.len();
    let with_alone: Vec<Option<u32>> = left_rows
        .iter()
        .map(|&row| Some(row))
        .chain(std::iter::repeat_n(None, alone.len()))
        .collect();
    right_rows.extend(alone.iter().map(|&row| Some(row)));
    let rows = with_alone.len();
    // Each left row once, in order: what stands beside it may be the one row of a table of totals.
    let as_it_is = rows == left.rows() && with_alone.iter().zip(0..).all(|(a, b)| *a == Some(b));
    let mut columns = match as_it_is {
        true => left.batch.columns().to_vec(),
        false => rows_at(left, &UInt32Array::from(with_alone))?,
    };
    let right_columns = rows_at(right, &UInt32Array::from(right_rows))?;
    for (own, other) in join.keys.iter().filter(|_| !alone.is_empty()) {
        let (own, other) = (place(left, own)?, place(right, other)?);
        let from_left = columns[own].slice(0, paired);
        let from_right = right_columns[other].slice(paired, alone.len());
        let from_right = with_precision(&from_right, left.schema.fields[own].data_type)?;
        columns[own] = compute::concat(&[&from_left, &from_right]).map_err(arrow_error)?;
    }
    let keys: Vec<&String> = join.keys.iter().map(|(_, name)| name).collect();
    for (field, column) in right.schema.fields.iter().zip(right_columns) {
        if !keys.contains(&&field.name) {
            columns.push(column);
        }
    }
    finish(rel, columns, rows)
}

/// Columns of another frame under the names of a relation; texts that are codes stay codes.
pub(super) fn carried(
    rel: &Rel,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<Frame, EngineError> {
    let columns = columns
        .iter()
        .zip(&rel.schema.fields)
        .map(|(column, field)| with_precision(column, field.data_type))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Frame { schema: rel.schema.clone(), batch: batch_of(&rel.schema, columns, rows)? })
}

/// Columns under the types that a relation states.
pub(super) fn finish(rel: &Rel, columns: Vec<ArrayRef>, rows: usize) -> Result<Frame, EngineError> {
    let columns = columns
        .iter()
        .zip(&rel.schema.fields)
        .map(|(column, field)| with_precision(&flat(column)?, field.data_type))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Frame::new(rel.schema.clone(), columns, rows)?)
}

/// Functions of the rows around each row.
pub(super) fn window(rel: &Rel, window: &Window, input: &Frame) -> Result<Frame, EngineError> {
    let partition: Vec<SortKey> = window.partition_by.iter().map(SortKey::ascending).collect();
    let all: Vec<SortKey> = partition.iter().chain(&window.order_by).cloned().collect();
    let rows = order(input, &all)?;

    // Where each partition begins among the ordered rows.
    let places =
        partition.iter().map(|key| place(input, &key.column)).collect::<Result<Vec<_>, _>>()?;
    let types = places.iter().map(|&place| input.schema.fields[place].data_type).collect();
    let encoded = Keys::new(types)?.encode(&columns_at(&input.batch, &places))?;
    let same = |a: u32, b: u32| {
        places.is_empty() || encoded.row(a as usize).data() == encoded.row(b as usize).data()
    };
    let partitions: Vec<&[u32]> = rows.chunk_by(|&a, &b| same(a, b)).collect();

    let mut columns: Vec<ArrayRef> = input.batch.columns().to_vec();
    for function in &window.functions {
        columns.push(match &function.value {
            WindowFunc::Ntile(groups) => {
                let groups = (*groups).max(1) as usize;
                let mut tiles = vec![0; input.rows()];
                for rows in &partitions {
                    let (each, larger) = (rows.len() / groups, rows.len() % groups);
                    let in_larger = larger * (each + 1);
                    for (index, &row) in rows.iter().enumerate() {
                        let tile = if index < in_larger {
                            index / (each + 1)
                        } else {
                            larger + (index - in_larger) / each.max(1)
                        };
                        tiles[row as usize] = tile as i64 + 1;
                    }
                }
                Arc::new(Int64Array::from(tiles))
            }
            WindowFunc::RunningSum(name) => {
                running_sum(input.batch.column(place(input, name)?), &partitions)?
            }
        });
    }
    finish(rel, columns, input.rows())
}

fn running_sum(column: &ArrayRef, partitions: &[&[u32]]) -> Result<ArrayRef, EngineError> {
    let overflow = || EngineError::from(EvaluateError::Overflow { function: "sum".into() });
    let value = |row: usize| -> i128 {
        if column.is_null(row) {
            return 0;
        }
        match column.as_primitive_opt::<Decimal128Type>() {
            Some(decimals) => decimals.value(row),
            None => column.as_primitive::<Int64Type>().value(row).into(),
        }
    };
    let mut sums = vec![0; column.len()];
    for rows in partitions {
        let mut sum: i128 = 0;
        for &row in *rows {
            sum = sum.checked_add(value(row as usize)).ok_or_else(overflow)?;
            sums[row as usize] = sum;
        }
    }
    Ok(match column.data_type() {
        arrow::datatypes::DataType::Decimal128(_, scale) => Arc::new(
            Decimal128Array::from(sums)
                .with_precision_and_scale(38, *scale)
                .map_err(arrow_error)?,
        ),
        _ => {
            let sums = sums.into_iter().map(i64::try_from).collect::<Result<Vec<_>, _>>();
            Arc::new(Int64Array::from(sums.map_err(|_| overflow())?))
        }
    })
}

/// Each row once for every whole number between two of its columns.
pub(super) fn series(
    rel: &Rel,
    from: &Expr,
    to: &Expr,
    input: &Frame,
    unit: Option<TimeUnit>,
    calendar: &Calendar,
) -> Result<Frame, EngineError> {
    let ends = Program::bind([from, to], &input.schema)?.run(&input.batch, calendar)?;
    let (from, to) = (ends[0].as_primitive::<Int64Type>(), ends[1].as_primitive::<Int64Type>());
    let ends = |row: usize| {
        let known = from.is_valid(row) && to.is_valid(row);
        known.then(|| (from.value(row), to.value(row))).filter(|(from, to)| from <= to)
    };
    let spans: Vec<(usize, (i64, i64))> =
        (0..input.rows()).filter_map(|row| Some((row, ends(row)?))).collect();
    extent(&spans, unit, calendar).check()?;
    let (mut rows, mut numbers) = (Vec::new(), Vec::new());
    for (row, (from, to)) in spans {
        for number in from..=to {
            rows.push(row as u32);
            numbers.push(number);
        }
    }
    let mut columns = rows_at(input, &UInt32Array::from(rows))?;
    let count = numbers.len();
    columns.push(Arc::new(Int64Array::from(numbers)));
    finish(rel, columns, count)
}

/// How many rows a series has, and the days it reaches over.
fn extent(spans: &[(usize, (i64, i64))], unit: Option<TimeUnit>, calendar: &Calendar) -> Extent {
    let length = |(from, to): (i64, i64)| (i128::from(to) - i128::from(from) + 1).unsigned_abs();
    let rows = spans.iter().map(|&(_, span)| length(span)).sum();
    let Some(unit) = unit else {
        return Extent {
            rows,
            of: "a series".into(),
            span: None,
            first: None,
            node: NodeId::default(),
        };
    };
    let first = spans.iter().map(|&(_, (from, _))| from).min().unwrap_or(0);
    let last = spans.iter().map(|&(_, (_, to))| to).max().unwrap_or(0);
    Extent {
        rows,
        of: format!("the {unit}s of {} groups", spans.len()),
        span: Some((
            Value::Date(calendar.period_start(unit, first)),
            Value::Date(calendar.period_start(unit, last + 1).saturating_sub(1)),
        )),
        first: None,
        node: NodeId::default(),
    }
}
