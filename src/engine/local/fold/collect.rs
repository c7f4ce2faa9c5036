//! The fold that keeps every row: a chain that is itself a result.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int32Array, RecordBatch, StringArray,
};
use arrow::compute;
use arrow::datatypes::Int32Type;
use rayon::prelude::*;

use super::super::chain::batch_of;
use super::super::evaluate::flat;
use super::super::intern::{Interner, with_precision};
use super::super::kernel::arrow_error;
use super::{Fold, Morsel, ScanFacts};
use crate::engine::EngineError;
use crate::frame::{DataType, Frame, Schema};

/// All rows of a chain, in the order of the input.
pub(in super::super) struct CollectFold {
    schema: Arc<Schema>,
    /// Where its columns are in the input.
    places: Vec<usize>,
    /// The columns of texts that become codes: few bytes where texts repeat.
    coded: BTreeSet<String>,
}

impl CollectFold {
    /// A fold of the columns of `schema`, those of `coded` as codes, of an input that has them.
    pub fn new(schema: Schema, input: &Schema, coded: &BTreeSet<String>) -> Self {
        let places = schema.names().filter_map(|name| input.index_of(name)).collect();
        CollectFold { schema: Arc::new(schema), places, coded: coded.clone() }
    }
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
            let batch = morsel.batch.project(&self.places).map_err(arrow_error)?;
            state.push((morsel.ordinal, batch));
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
        // A column's parts are let go as soon as they are one.
        let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); self.schema.fields.len()];
        for (_, batch) in state {
            for (parts, column) in parts.iter_mut().zip(batch.columns()) {
                parts.push(column.clone());
            }
        }
        let columns: Vec<Result<ArrayRef, EngineError>> = parts
            .into_par_iter()
            .zip(&self.schema.fields)
            .with_max_len(1)
            .map(|(parts, field)| match self.coded.contains(&field.name) {
                true if field.data_type == DataType::String => codes(&parts),
                _ => whole(&parts, field.data_type),
            })
            .collect();
        let columns = columns.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Frame { schema: self.schema.clone(), batch: batch_of(&self.schema, columns, rows)? })
    }
}

fn whole(parts: &[ArrayRef], data_type: DataType) -> Result<ArrayRef, EngineError> {
    if parts.is_empty() {
        return Ok(arrow::array::new_empty_array(&data_type.arrow()));
    }
    let parts = parts
        .iter()
        .map(|part| with_precision(&flat(part)?, data_type))
        .collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<&dyn Array> = parts.iter().map(|part| part.as_ref()).collect();
    compute::concat(&parts).map_err(arrow_error)
}

/// Texts as one dictionary, in which each is once.
fn codes(parts: &[ArrayRef]) -> Result<ArrayRef, EngineError> {
    let mut known = Interner::default();
    let mut codes: Vec<Option<i32>> = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
    let mut code = |text: Option<&str>| -> Result<Option<i32>, EngineError> {
        text.map(|text| known.intern(text.as_bytes()).map(|code| code as i32)).transpose()
    };
    for part in parts {
        let dictionary = part.as_any_dictionary_opt();
        match dictionary.and_then(|part| Some((part.keys().as_primitive_opt::<Int32Type>()?, part)))
        {
            Some((keys, part)) => {
                let values = part.values().as_string::<i32>();
                let own = values.iter().map(&mut code).collect::<Result<Vec<_>, _>>()?;
                codes.extend(keys.iter().map(|key| own[usize::try_from(key?).ok()?]));
            }
            None => {
                let texts = flat(part)?;
                for text in texts.as_string::<i32>() {
                    codes.push(code(text)?);
                }
            }
        }
    }
    let texts = (0..known.len() as u32).map(|code| std::str::from_utf8(known.get(code)).ok());
    let texts: ArrayRef = Arc::new(texts.collect::<StringArray>());
    let codes = Int32Array::from(codes);
    Ok(Arc::new(DictionaryArray::try_new(codes, texts).map_err(arrow_error)?))
}
