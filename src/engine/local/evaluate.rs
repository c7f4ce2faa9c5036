//! The expression interpreter over Arrow arrays.
//!
//! Expressions over one table are bound once to a flat [`Program`]: common parts are computed once,
//! and an expression over one dictionary column is computed on the dictionary's values and gathered
//! by code. The kernels themselves are in [`super::kernel`].

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, new_empty_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute;
use arrow::datatypes::{DataType as ArrowType, Int32Type};

use super::kernel;
use super::lazy::{Lazy, is_lazy};
use crate::engine::{EngineError, EvaluateError};
use crate::frame::{DataType, FrameError, Schema, Value};
use crate::ir::function::NullRule;
use crate::ir::{Calendar, Expr, ExprNode, Func};

/// One step of a program; its arguments are earlier steps.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Column(usize),
    Literal(Value, DataType),
    Call { func: Func, args: Vec<usize>, result: DataType },
    Lazy(Lazy),
}

/// Expressions bound to the columns of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Program {
    steps: Vec<Step>,
    outputs: Vec<(usize, DataType)>,
}

/// What a step gave: one value for all rows, or one per row.
#[derive(Debug, Clone)]
enum Slot {
    Scalar(Value, DataType),
    Array(ArrayRef),
}

impl Program {
    /// Binds expressions to a schema.
    ///
    /// # Errors
    /// A column the schema does not have, which typed relations never ask for.
    pub fn bind<'a>(
        expressions: impl IntoIterator<Item = &'a Expr>,
        schema: &Schema,
    ) -> Result<Self, EngineError> {
        let mut program = Program::default();
        for expr in expressions {
            let step = program.add(expr, schema)?;
            program.outputs.push((step, expr.data_type));
        }
        Ok(program)
    }

    fn add(&mut self, expr: &Expr, schema: &Schema) -> Result<usize, EngineError> {
        let step = match &expr.node {
            ExprNode::Column(name) => Step::Column(schema.index_of(name).ok_or_else(|| {
                EngineError::Internal(format!("no column `{name}` to compute with"))
            })?),
            ExprNode::Literal(value) => Step::Literal(value.clone(), expr.data_type),
            ExprNode::Call(func, args) if is_lazy(*func, args) => {
                let (first, later) = args
                    .split_first()
                    .ok_or_else(|| EngineError::Internal("a lazy call without arguments".into()))?;
                let first = self.add(first, schema)?;
                Step::Lazy(Lazy::bind(*func, first, later, expr.data_type, schema)?)
            }
            ExprNode::Call(func, args) => {
                let args = args
                    .iter()
                    .map(|argument| self.add(argument, schema))
                    .collect::<Result<Vec<_>, _>>()?;
                Step::Call { func: *func, args, result: expr.data_type }
            }
        };
        if let Some(same) = self.steps.iter().position(|other| *other == step) {
            return Ok(same);
        }
        self.steps.push(step);
        Ok(self.steps.len() - 1)
    }

    /// One array per expression, each as long as the batch. Text may come as a dictionary.
    ///
    /// # Errors
    /// A value for which an expression has no result.
    pub fn run(
        &self,
        batch: &RecordBatch,
        calendar: &Calendar,
    ) -> Result<Vec<ArrayRef>, EngineError> {
        let rows = batch.num_rows();
        if rows == 0 {
            // Not even a literal is computed: where there is no row, nothing can fail.
            let types = self.outputs.iter().map(|(_, data_type)| data_type.arrow());
            return Ok(types.map(|data_type| new_empty_array(&data_type)).collect());
        }
        let mut slots: Vec<Slot> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let slot = match step {
                Step::Column(index) => Slot::Array(batch.column(*index).clone()),
                Step::Literal(value, data_type) => Slot::Scalar(value.clone(), *data_type),
                Step::Call { func, args, result } => {
                    let args: Vec<&Slot> = args.iter().map(|&arg| &slots[arg]).collect();
                    apply(*func, &args, *result, rows, calendar)?
                }
                Step::Lazy(lazy) => {
                    let first = materialise(&[&slots[lazy.first]], rows)?.remove(0);
                    Slot::Array(lazy.run(first, batch, calendar)?)
                }
            };
            slots.push(slot);
        }
        self.outputs
            .iter()
            .map(|&(step, data_type)| match &slots[step] {
                Slot::Scalar(value, _) => Ok(repeat(value, data_type, rows)?),
                Slot::Array(array) => Ok(array.clone()),
            })
            .collect()
    }

    /// True if it does nothing but name columns.
    pub fn is_plain(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Column(_)))
    }

    /// The single expression's result as a selection: null counts as false.
    ///
    /// # Errors
    /// As for [`Program::run`].
    pub fn select(
        &self,
        batch: &RecordBatch,
        calendar: &Calendar,
    ) -> Result<BooleanArray, EngineError> {
        let mut results = self.run(batch, calendar)?;
        let Some(result) = results.pop() else {
            return Err(EngineError::Internal("a selection needs one condition".into()));
        };
        Ok(kernel::mask(result.as_boolean()))
    }
}

fn repeat(value: &Value, data_type: DataType, rows: usize) -> Result<ArrayRef, FrameError> {
    if let (Value::Bool(truth), DataType::Bool) = (value, data_type) {
        let truths =
            if *truth { BooleanBuffer::new_set(rows) } else { BooleanBuffer::new_unset(rows) };
        return Ok(Arc::new(BooleanArray::new(truths, None)));
    }
    Ok(crate::frame::column_of(data_type, std::iter::repeat_n(value, rows))?)
}

/// The plain array of what may be a dictionary.
pub(super) fn flat(array: &ArrayRef) -> Result<ArrayRef, EngineError> {
    match array.data_type() {
        ArrowType::Dictionary(_, values) => {
            compute::cast(array, values).map_err(|error| EngineError::Frame(error.into()))
        }
        _ => Ok(array.clone()),
    }
}

fn is_dictionary(slot: &Slot) -> bool {
    matches!(slot, Slot::Array(array) if matches!(array.data_type(), ArrowType::Dictionary(_, _)))
}

fn apply(
    func: Func,
    args: &[&Slot],
    result: DataType,
    rows: usize,
    calendar: &Calendar,
) -> Result<Slot, EngineError> {
    let arrays = args.iter().filter(|slot| matches!(slot, Slot::Array(_))).count();
    if arrays == 0 {
        // Literals only: computed once.
        let literals = materialise(args, 1)?;
        let array = kernel::call(func, &literals, result, 1, calendar)?;
        return Ok(Slot::Scalar(crate::frame::value_at(&array, 0), result));
    }
    // On a dictionary's values: only where a null code gives null, and never for what can fail,
    // because a dictionary may hold values that no row has.
    let by_code = func.null_rule() == NullRule::Propagates && !matches!(func, Func::Cast(_))
        || func == Func::In;
    if by_code
        && arrays == 1
        && let Some(Slot::Array(array)) = args.iter().find(|slot| is_dictionary(slot)).copied()
        && let Some(dictionary) = array.as_dictionary_opt::<Int32Type>()
        && dictionary.values().len() <= rows
    {
        let values = Slot::Array(dictionary.values().clone());
        let on_values: Vec<&Slot> =
            args.iter().map(|slot| if is_dictionary(slot) { &values } else { *slot }).collect();
        let length = dictionary.values().len();
        let literals = materialise(&on_values, length)?;
        let computed = kernel::call(func, &literals, result, length, calendar)?;
        // A dictionary with nulls among its values would hide them from who looks at its codes.
        let gathered = if result == DataType::String && computed.null_count() == 0 {
            Arc::new(dictionary.with_values(computed))
        } else if result == DataType::Bool && computed.null_count() == 0 {
            let (truths, codes) = (computed.as_boolean().values(), dictionary.keys());
            let truths: Vec<bool> = truths.iter().collect();
            // The code of a null may be any.
            let truth = |row: usize| truths.get(codes.value(row) as usize) == Some(&true);
            let gathered = BooleanBuffer::collect_bool(rows, truth);
            Arc::new(BooleanArray::new(gathered, codes.nulls().cloned()))
        } else {
            compute::take(&computed, dictionary.keys(), None)
                .map_err(|error| EngineError::Frame(error.into()))?
        };
        return Ok(Slot::Array(gathered));
    }
    // Comparisons with a literal need no column of it.
    if let [Slot::Array(left), Slot::Scalar(value, data_type)] = args
        && let Some(array) = kernel::compare_with(func, &flat(left)?, value, *data_type)?
    {
        return Ok(Slot::Array(array));
    }
    let arrays = materialise(args, rows)?;
    Ok(Slot::Array(kernel::call(func, &arrays, result, rows, calendar)?))
}

fn materialise(args: &[&Slot], rows: usize) -> Result<Vec<ArrayRef>, EngineError> {
    args.iter()
        .map(|slot| match slot {
            Slot::Scalar(value, data_type) => Ok(repeat(value, *data_type, rows)?),
            Slot::Array(array) => flat(array),
        })
        .collect()
}

/// The overflow of a function.
pub(super) fn overflow(func: Func) -> EvaluateError {
    EvaluateError::Overflow { function: func.name().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Field, Frame};
    use crate::ir::parse::from_text;
    use arrow::array::DictionaryArray;

    #[test]
    fn dictionaries_are_computed_on_their_values() {
        let schema = Schema::new(vec![Field::new("s", DataType::String)]);
        let words: DictionaryArray<Int32Type> =
            vec![Some("a"), None, Some("b"), Some("a")].into_iter().collect();
        let batch =
            RecordBatch::try_from_iter([("s", Arc::new(words) as ArrayRef)]).expect("one column");
        let run = |text: &str| {
            let expr = from_text(text, &schema).expect("it types");
            let program = Program::bind([&expr], &schema).expect("it binds");
            let array = program.run(&batch, &Calendar::default()).expect("it runs").remove(0);
            (0..4)
                .map(|row| crate::frame::value_at(&array, row).to_string())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(run("upper(s)"), "A null B A");
        assert_eq!(run("s = 'a'"), "true null false true");
        assert_eq!(run("s in ('b', 'c')"), "false null true false");
        assert_eq!(run("s is null"), "false true false false");
        assert_eq!(run("coalesce(s, 'x') || s"), "aa null bb aa");
        assert_eq!(run("length(s) + 1"), "2 null 2 2");
        assert_eq!(run("coalesce(s = 'a', false)"), "true false false true");
        assert_eq!(run("coalesce(s = 'a', s is null)"), "true true false true");
        assert_eq!(
            run("case when s = 'b' then s is null else s = 'a' end"),
            "true null false true"
        );
        assert_eq!(
            run("case when s is null then true else nullif(s, 'a') = 'b' end"),
            "null true true null"
        );
    }

    #[test]
    fn common_parts_are_computed_once() {
        let schema = Schema::new(vec![Field::new("a", DataType::Int64)]);
        let first = from_text("a + 1 > 2", &schema).expect("it types");
        let second = from_text("a + 1 < 9", &schema).expect("it types");
        let program = Program::bind([&first, &second], &schema).expect("it binds");
        assert_eq!(program.steps.len(), 7);
        let frame = Frame::from_rows(Arc::new(schema), &[vec![Value::Int(5)]]).expect("one row");
        let arrays = program.run(&frame.batch, &Calendar::default()).expect("it runs");
        assert!(arrays.iter().all(|array| array.as_boolean().value(0)));
    }
}
