//! The fold that keeps every row: a chain that is itself a result.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute;

use super::super::evaluate::flat;
use super::super::intern::with_precision;
use super::super::kernel::arrow_error;
use super::{Fold, Morsel, ScanFacts};
use crate::engine::EngineError;
use crate::frame::{Frame, Schema};

/// All rows of a chain, in the order of the input.
pub(in super::super) struct CollectFold {
    pub schema: Arc<Schema>,
}

impl Fold for CollectFold {
    /// Batches with their ordinals.
    type State = Vec<(u64, RecordBatch)>;

    fn needs(&self) -> BTreeSet<String> {
        self.schema.names().map(str::to_owned).collect()
    }

    fn start(&self, _facts: &ScanFacts) -> Self::State {
        Vec::new()
    }

    fn take(&self, state: &mut Self::State, morsel: &Morsel) -> Result<(), EngineError> {
        if morsel.batch.num_rows() > 0 {
            state.push((morsel.ordinal, morsel.batch.clone()));
        }
        Ok(())
    }

    fn merge(&self, mut left: Self::State, right: Self::State) -> Result<Self::State, EngineError> {
        left.extend(right);
        Ok(left)
    }

    fn finish(&self, mut state: Self::State) -> Result<Frame, EngineError> {
        state.sort_by_key(|(ordinal, _)| *ordinal);
        let rows = state.iter().map(|(_, batch)| batch.num_rows()).sum();
        let mut columns = Vec::with_capacity(self.schema.fields.len());
        for (index, field) in self.schema.fields.iter().enumerate() {
            let parts = state
                .iter()
                .map(|(_, batch)| with_precision(&flat(batch.column(index))?, field.data_type))
                .collect::<Result<Vec<_>, _>>()?;
            columns.push(if parts.is_empty() {
                arrow::array::new_empty_array(&field.data_type.arrow())
            } else {
                let parts: Vec<&dyn arrow::array::Array> =
                    parts.iter().map(|part| part.as_ref()).collect();
                compute::concat(&parts).map_err(arrow_error)?
            });
        }
        Ok(Frame::new(self.schema.clone(), columns, rows)?)
    }
}
