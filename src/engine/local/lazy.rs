//! Calls that evaluate a later argument only on the rows that still ask for it.
//!
//! Who writes `s <> 'x' and cast(s as int64) > 1` relies on the cast not meeting `'x'`. Where no
//! argument after the first can fail, nobody can tell, and [`Program`] evaluates whole columns; the
//! rest comes here. Each later argument is a program of its own, run on the rows selected by the
//! arguments before it. Its results are put back into their rows, with nulls in between, and then
//! the plain kernel decides: it never looks at a null that stands for "not asked".

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute;

use super::evaluate::{Program, flat};
use super::kernel::{self, arrow_error, mask};
use crate::engine::EngineError;
use crate::frame::{DataType, Schema, Value, pow10};
use crate::ir::{Calendar, Expr, ExprNode, Func};

/// A lazy call, bound; its first argument is a step of the program it stands in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lazy {
    func: Func,
    pub first: usize,
    later: Vec<Arm>,
    result: DataType,
}

/// An argument after the first.
#[derive(Debug, Clone, PartialEq)]
struct Arm {
    program: Program,
    /// The columns of the batch that it reads.
    columns: Vec<usize>,
    data_type: DataType,
}

/// True if a call must be lazy.
pub(super) fn is_lazy(func: Func, arguments: &[Expr]) -> bool {
    matches!(func, Func::And | Func::Or | Func::Case | Func::Coalesce)
        && arguments.iter().skip(1).any(can_fail)
}

impl Lazy {
    /// Binds the arguments after the first to a schema.
    ///
    /// # Errors
    /// A column the schema does not have.
    pub fn bind(
        func: Func,
        first: usize,
        later: &[Expr],
        result: DataType,
        schema: &Schema,
    ) -> Result<Self, EngineError> {
        let later = later.iter().map(|expr| Arm::bind(expr, schema)).collect::<Result<_, _>>()?;
        Ok(Lazy { func, first, later, result })
    }

    /// The call's result on a batch, from that of its first argument.
    ///
    /// # Errors
    /// A value for which an argument that was asked for has no result.
    pub fn run(
        &self,
        first: ArrayRef,
        batch: &RecordBatch,
        calendar: &Calendar,
    ) -> Result<ArrayRef, EngineError> {
        let rows = batch.num_rows();
        let mut open = BooleanArray::new(BooleanBuffer::new_set(rows), None);
        let mut results = vec![first];
        for arm in &self.later {
            let asking = self.asking(&mut open, &results)?;
            results.push(arm.run(&asking, batch, calendar)?);
        }
        kernel::call(self.func, &results, self.result, rows, calendar)
    }

    /// The rows that ask for the next argument; `open` are those that nothing has settled so far.
    fn asking(
        &self,
        open: &mut BooleanArray,
        results: &[ArrayRef],
    ) -> Result<BooleanArray, EngineError> {
        let Some(before) = results.last() else { return Ok(open.clone()) };
        let settled = match self.func {
            Func::And => mask(&compute::not(before.as_boolean()).map_err(arrow_error)?),
            Func::Or => mask(before.as_boolean()),
            Func::Coalesce => compute::is_not_null(before).map_err(arrow_error)?,
            // Before a value stands its condition; before a condition stands nothing new.
            _ if results.len() % 2 == 1 => mask(before.as_boolean()),
            _ => return Ok(open.clone()),
        };
        let still_open = compute::and_not(open, &settled).map_err(arrow_error)?;
        let was_open = std::mem::replace(open, still_open);
        match self.func {
            Func::Case => compute::and(&was_open, &settled).map_err(arrow_error),
            _ => Ok(open.clone()),
        }
    }
}

impl Arm {
    fn bind(expr: &Expr, schema: &Schema) -> Result<Self, EngineError> {
        // A missing column is left out here, and the program says that it misses it.
        let columns: Vec<usize> =
            expr.columns().into_iter().filter_map(|name| schema.index_of(name)).collect();
        let fields = columns.iter().map(|&place| schema.fields[place].clone()).collect();
        let program = Program::bind([expr], &Schema::new(fields))?;
        Ok(Arm { program, columns, data_type: expr.data_type })
    }

    /// The results of the rows that ask, null in the others.
    fn run(
        &self,
        asking: &BooleanArray,
        batch: &RecordBatch,
        calendar: &Calendar,
    ) -> Result<ArrayRef, EngineError> {
        let count = asking.true_count();
        if count == 0 {
            return Ok(arrow::array::new_null_array(&self.data_type.arrow(), asking.len()));
        }
        let batch = batch.project(&self.columns).map_err(arrow_error)?;
        if count == asking.len() {
            return self.evaluate(&batch, calendar);
        }
        // Mostly nothing fails on the others either, and then all rows at once are quicker than some. What
        // nobody asked for is not looked at.
        if count >= asking.len() / 4
            && let Ok(results) = self.evaluate(&batch, calendar)
        {
            return Ok(results);
        }
        let selected = compute::filter_record_batch(&batch, asking).map_err(arrow_error)?;
        let results = self.evaluate(&selected, calendar)?;
        let mut next = 0;
        let places = asking.values().iter().map(|asks| {
            asks.then(|| {
                next += 1;
                next - 1
            })
        });
        let places: UInt32Array = places.collect();
        compute::take(&results, &places, None).map_err(arrow_error)
    }

    fn evaluate(&self, batch: &RecordBatch, calendar: &Calendar) -> Result<ArrayRef, EngineError> {
        let mut results = self.program.run(batch, calendar)?;
        let result = results.pop();
        flat(&result.ok_or_else(|| EngineError::Internal("an argument without a result".into()))?)
    }
}

/// True for a whole number that is written in the expression and has a place among the decimals of a type.
fn fits(argument: &Expr, to: DataType) -> bool {
    match (&argument.node, to) {
        (ExprNode::Literal(Value::Int(number)), DataType::Decimal { precision, scale }) => {
            i128::from(*number).abs() < pow10(precision.saturating_sub(scale))
        }
        _ => false,
    }
}

/// True if there are values for which an expression of these types has no result.
pub(super) fn can_fail(expr: &Expr) -> bool {
    let ExprNode::Call(func, arguments) = &expr.node else { return false };
    let exact = expr.data_type != DataType::Float64;
    let itself = match func {
        Func::Add | Func::Subtract | Func::Multiply => exact,
        // Only a whole number may have no counterpart of the other sign.
        Func::Negate | Func::Abs => matches!(expr.data_type, DataType::Int64 | DataType::Duration),
        Func::Cast(to) => arguments
            .iter()
            .any(|argument| cast_can_fail(argument.data_type, *to) && !fits(argument, *to)),
        Func::ToMoney(_) | Func::Shift(_) | Func::AddDuration | Func::AddDays => true,
        Func::Between | Func::Steps(_) => {
            arguments.iter().any(|time| time.data_type == DataType::Timestamp)
        }
        Func::Equal
        | Func::NotEqual
        | Func::Less
        | Func::LessEqual
        | Func::Greater
        | Func::GreaterEqual
        | Func::And
        | Func::Or
        | Func::Not
        | Func::IsNull
        | Func::IsDistinct
        | Func::In
        | Func::Case
        | Func::Coalesce
        | Func::NullIf
        | Func::Divide
        | Func::Modulo
        | Func::Sign
        | Func::Round
        | Func::Floor
        | Func::Ceil
        | Func::Least
        | Func::Greatest
        | Func::Sqrt
        | Func::Exp
        | Func::Ln
        | Func::Power
        | Func::TryCast(_)
        | Func::Concat
        | Func::Lower
        | Func::Upper
        | Func::Trim
        | Func::Length
        | Func::Substring
        | Func::Replace
        | Func::StartsWith
        | Func::EndsWith
        | Func::Contains
        | Func::Mentions
        | Func::Sentiment
        | Func::Like
        | Func::RegexpMatches
        | Func::DateTrunc(_)
        | Func::Extract(_)
        | Func::Elapsed(_)
        | Func::OpenHours(_)
        | Func::DateDiff(_)
        | Func::PeriodOf(_)
        | Func::PeriodStart(_)
        | Func::DrawNumber(_)
        | Func::Pseudonym(_)
        | Func::WilsonLow
        | Func::WilsonHigh
        | Func::MultinomialLow
        | Func::MultinomialHigh
        | Func::StudentT => false,
    };
    itself || arguments.iter().any(can_fail)
}

/// The conversions that typing puts in by itself mostly have room for every value.
fn cast_can_fail(from: DataType, to: DataType) -> bool {
    use DataType as T;
    // Digits before the point.
    let whole = |data_type| match data_type {
        T::Int32 => Some(10),
        T::Int64 => Some(19),
        T::Decimal { precision, scale } => Some(precision.saturating_sub(scale)),
        _ => None,
    };
    match (from, to) {
        (from, to) if from == to => false,
        (_, T::String) | (T::Bool, T::Int32 | T::Int64) | (T::Int32, T::Int64) => false,
        (T::Int32 | T::Int64 | T::Decimal { .. }, T::Float64) => false,
        (T::Date, T::Timestamp) | (T::Timestamp, T::Date) => false,
        // Rounding may need one digit more.
        (T::Decimal { .. }, T::Int64) => whole(from) >= Some(18),
        (T::Decimal { scale: from_scale, .. }, T::Decimal { scale, .. }) => {
            whole(from) > whole(to) || scale < from_scale && whole(from) == whole(to)
        }
        (T::Int32 | T::Int64, T::Decimal { .. }) => whole(from) > whole(to),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Field, Frame, Value};
    use crate::ir::parse::from_text;
    use std::sync::Arc;

    /// The results of an expression over texts, numbers and nulls, or the error.
    fn run(text: &str) -> String {
        let schema = Arc::new(Schema::new(vec![
            Field::new("s", DataType::String),
            Field::new("i", DataType::Int64),
        ]));
        let rows = [
            vec![Value::text("1"), Value::Int(i64::MAX)],
            vec![Value::text("x"), Value::Int(2)],
            vec![Value::Null, Value::Int(3)],
            vec![Value::text("12"), Value::Null],
        ];
        let frame = Frame::from_rows(schema.clone(), &rows).expect("four rows");
        let expr = from_text(text, &schema).expect("it types");
        let program = Program::bind([&expr], &schema).expect("it binds");
        match program.run(&frame.batch, &Calendar::default()) {
            Err(error) => error.to_string(),
            Ok(arrays) => (0..4)
                .map(|row| crate::frame::value_at(&arrays[0], row).to_string())
                .collect::<Vec<_>>()
                .join(" "),
        }
    }

    #[test]
    fn rows_that_are_settled_do_not_ask() {
        for (text, expected) in [
            ("s <> 'x' and cast(s as int64) > 1", "false false null true"),
            ("s = 'x' or cast(s as int64) > 1", "false true null true"),
            ("cast(s as int64) > 1 and s <> 'x'", "`x` cannot be cast to int64"),
            ("case when s = 'x' then 0 else cast(s as int64) end", "1 0 null 12"),
            ("case when s = 'x' then cast(s as int64) else 0 end", "`x` cannot be cast to int64"),
            (
                "case when s = 'x' then -1 when cast(s as int64) > 1 then i else 7 end",
                "7 -1 7 null",
            ),
            ("case when i > 5 then 0 when i is null then -1 else i + 1 end", "0 3 4 -1"),
            ("coalesce(try_cast(s as int64), i + 1)", "1 3 4 12"),
            ("coalesce(i, cast(s as int64))", "9223372036854775807 2 3 12"),
            ("i < 5 and (i > 2 or i + 1 = 3) and i * 2 > 0", "false true true null"),
            (
                "s is not null and (case when s = 'x' then true else cast(s as int64) > 1 end)",
                "false true false true",
            ),
            // A literal that cannot be converted, which no row asks for.
            ("case when i = -1 then cast('?' as int64) else 4 end", "4 4 4 4"),
            ("i + 1 > 0 or s = 'x'", "`+` overflows"),
        ] {
            assert_eq!(run(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_fail_stays_flat() {
        let schema = Schema::new(vec![
            Field::new("m", DataType::Decimal { precision: 12, scale: 2 }),
            Field::new("i", DataType::Int32),
            Field::new("s", DataType::String),
        ]);
        let fails = |text: &str| can_fail(&from_text(text, &schema).expect("it types"));
        let safe = ["i > 1.5", "m / i", "s || '!' = 'x'", "try_cast(s as int64) > 1"];
        for text in safe.into_iter().chain(["m > 0", "m < cast(-99 as decimal(4, 2))"]) {
            assert!(!fails(text), "{text}");
        }
        assert!(fails("m < cast(100 as decimal(4, 2))"), "five digits have no place in four");
        for text in ["i + 1 > 0", "cast(s as date) is null", "abs(i) = 1", "m * 2 > 1"] {
            assert!(fails(text), "{text}");
        }
    }
}
