//! The one place that knows Polars: orders and joins of reduced frames.
//!
//! What crosses the boundary are keys, and what comes back are row numbers; the columns themselves
//! never leave Arrow. Orders come as row-encoded bytes, joins as interned keys, so Polars meets two
//! types only. Every call is guarded: a panic becomes an error.

use polars::prelude::{
    BinaryChunked, Column, DataFrame, DataFrameJoinOps, IdxSize, IntoSeries, JoinArgs, JoinType,
    MaintainOrderJoin, NewChunkedArray, PolarsError, Series, SortOptions,
};

use super::guard::guarded;
use crate::engine::EngineError;

fn failed(reason: impl std::fmt::Display) -> EngineError {
    EngineError::Internal(format!("polars: {reason}"))
}

fn call<T>(work: impl FnOnce() -> Result<T, PolarsError>) -> Result<T, EngineError> {
    guarded(work).map_err(failed)?.map_err(failed)
}

/// The rows in the order of their keys; equal keys stay in the order they stand.
pub(super) fn order<'a>(keys: impl Iterator<Item = &'a [u8]>) -> Result<Vec<u32>, EngineError> {
    let keys = BinaryChunked::from_iter_values("key".into(), keys);
    let options = SortOptions { maintain_order: true, ..SortOptions::default() };
    let order = call(|| Ok(keys.into_series().arg_sort(options)))?;
    Ok(order.into_no_null_iter().collect())
}

/// Rows of two tables that belong together.
pub(super) struct Pairs {
    pub left: Vec<u32>,
    /// `None` where a left row has no partner and is kept all the same.
    pub right: Vec<Option<u32>>,
}

/// Joins two columns of keys; a null key has no partner. Pairs come in the order of the left rows,
/// then of the right.
pub(super) fn join(
    left: &[Option<u32>],
    right: &[Option<u32>],
    keep_left: bool,
) -> Result<Pairs, EngineError> {
    let frame = |keys: &[Option<u32>], row: &str| {
        let rows: Vec<IdxSize> = (0..keys.len() as IdxSize).collect();
        DataFrame::new(
            keys.len(),
            vec![
                Column::from(Series::from_iter(keys.iter().copied()).with_name("key".into())),
                Column::from(Series::from_iter(rows).with_name(row.into())),
            ],
        )
    };
    let mut how = JoinArgs::new(if keep_left { JoinType::Left } else { JoinType::Inner });
    how.maintain_order = MaintainOrderJoin::LeftRight;
    let joined = call(|| {
        let (left, right) = (frame(left, "left")?, frame(right, "right")?);
        left.join(&right, ["key"], ["key"], how, None)
    })?;
    let rows = |name: &str| call(|| Ok(joined.column(name)?.u32()?.iter().collect::<Vec<_>>()));
    Ok(Pairs { left: rows("left")?.into_iter().flatten().collect(), right: rows("right")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_stable() {
        let keys: [&[u8]; 4] = [b"b", b"a", b"b", b""];
        assert_eq!(order(keys.into_iter()).expect("it sorts"), [3, 1, 0, 2]);
    }

    #[test]
    fn joins_keep_the_order_of_the_left() {
        let (left, right) = ([Some(7), None, Some(5), Some(7)], [Some(7), Some(7), None]);
        let pairs = join(&left, &right, true).expect("it joins");
        assert_eq!(pairs.left, [0, 0, 1, 2, 3, 3]);
        assert_eq!(pairs.right, [Some(0), Some(1), None, None, Some(0), Some(1)]);
        let pairs = join(&left, &right, false).expect("it joins");
        assert_eq!((pairs.left, pairs.right.len()), (vec![0, 0, 3, 3], 4));
    }
}
