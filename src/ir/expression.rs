//! Typed expressions.

use std::fmt;
use std::sync::Arc;

use super::function::Func;
use crate::frame::{DataType, Value};

/// An expression over the columns of one table, with its type.
///
/// Built by [`typing`](super::typing), so that every call has arguments of the types its function
/// takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    pub node: ExprNode,
    pub data_type: DataType,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprNode {
    Column(Arc<str>),
    Literal(Value),
    Call(Func, Vec<Expr>),
}

impl Expr {
    /// A column of a known type.
    pub fn column(name: impl AsRef<str>, data_type: DataType) -> Self {
        Expr { node: ExprNode::Column(name.as_ref().into()), data_type }
    }

    /// A literal of a type; null may have any.
    pub fn literal(value: Value, data_type: DataType) -> Self {
        Expr { node: ExprNode::Literal(value), data_type }
    }

    /// A whole number.
    pub fn int(value: i64) -> Self {
        Expr::literal(Value::Int(value), DataType::Int64)
    }

    /// A double.
    pub fn float(value: f64) -> Self {
        Expr::literal(Value::finite(value), DataType::Float64)
    }

    /// A truth value.
    pub fn bool(value: bool) -> Self {
        Expr::literal(Value::Bool(value), DataType::Bool)
    }

    /// A null of a type.
    pub fn null(data_type: DataType) -> Self {
        Expr::literal(Value::Null, data_type)
    }

    /// The literal's value, if it is one.
    pub fn as_literal(&self) -> Option<&Value> {
        match &self.node {
            ExprNode::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// True for `… is null`.
    pub fn is_null_test(&self) -> bool {
        matches!(&self.node, ExprNode::Call(Func::IsNull, _))
    }

    /// The column's name, if it is one.
    pub fn as_column(&self) -> Option<&str> {
        match &self.node {
            ExprNode::Column(name) => Some(name),
            _ => None,
        }
    }

    /// Calls `visit` with the name of every column read, repeats included.
    pub fn for_each_column<'a>(&'a self, visit: &mut impl FnMut(&'a str)) {
        match &self.node {
            ExprNode::Column(name) => visit(name),
            ExprNode::Literal(_) => {}
            ExprNode::Call(_, arguments) => {
                arguments.iter().for_each(|argument| argument.for_each_column(visit));
            }
        }
    }

    /// The expression with its columns under other names; `None` if one of them is gone.
    pub fn renamed(&self, name_of: &impl Fn(&str) -> Option<String>) -> Option<Expr> {
        let node = match &self.node {
            ExprNode::Column(name) => ExprNode::Column(name_of(name)?.into()),
            ExprNode::Literal(value) => ExprNode::Literal(value.clone()),
            ExprNode::Call(func, arguments) => {
                let arguments = arguments.iter().map(|argument| argument.renamed(name_of));
                ExprNode::Call(*func, arguments.collect::<Option<_>>()?)
            }
        };
        Some(Expr { node, data_type: self.data_type })
    }

    /// The names of the columns read, sorted and without repeats.
    pub fn columns(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.for_each_column(&mut |name| names.push(name));
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (func, arguments) = match &self.node {
            ExprNode::Column(name) => return f.write_str(name),
            ExprNode::Literal(Value::String(text)) => {
                return write!(f, "'{}'", text.replace('\'', "''"));
            }
            ExprNode::Literal(value @ (Value::Date(_) | Value::Timestamp(_))) => {
                return write!(f, "{} '{value}'", self.data_type);
            }
            ExprNode::Literal(Value::Float(value)) => return write!(f, "{value:?}"),
            ExprNode::Literal(value) => return write!(f, "{value}"),
            ExprNode::Call(func, arguments) => (func, arguments),
        };
        let name = func.name();
        let list = |f: &mut fmt::Formatter<'_>, items: &[Expr]| -> fmt::Result {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    f.write_str(", ")?;
                }
                write!(f, "{item}")?;
            }
            Ok(())
        };
        match (func, arguments.as_slice()) {
            (Func::Cast(to) | Func::TryCast(to), [a]) => write!(f, "{name}({a} as {to})"),
            (Func::IsNull, [a]) => write!(f, "({a} is null)"),
            (Func::Not, [a]) => write!(f, "(not {a})"),
            (Func::Negate, [a]) => write!(f, "(-{a})"),
            (Func::In, [a, rest @ ..]) => {
                write!(f, "({a} in (")?;
                list(f, rest)?;
                f.write_str("))")
            }
            (Func::Shift(interval), [a]) => write!(f, "({a} + interval '{interval}')"),
            (Func::Extract(part), [a]) => write!(f, "extract({part} from {a})"),
            (Func::OpenHours(hours), [from, to]) => write!(f, "{name}({from}, {to}, {hours})"),
            (Func::Steps(length), [from, to]) => {
                write!(f, "{name}({from}, {to}, {length} µs)")
            }
            (
                Func::DateTrunc(unit)
                | Func::Elapsed(unit)
                | Func::DateDiff(unit)
                | Func::PeriodOf(unit)
                | Func::PeriodStart(unit),
                _,
            ) => {
                write!(f, "{name}('{unit}', ")?;
                list(f, arguments)?;
                f.write_str(")")
            }
            (_, [a, b])
                if !name.starts_with(char::is_alphabetic)
                    || matches!(func, Func::And | Func::Or | Func::IsDistinct | Func::Like) =>
            {
                write!(
                    f,
                    "({a} {} {b})",
                    name.split(' ')
                        .next()
                        .filter(|sign| !sign.starts_with(char::is_alphabetic))
                        .unwrap_or(name)
                )
            }
            _ => {
                write!(f, "{}(", name.replace(' ', "_"))?;
                list(f, arguments)?;
                f.write_str(")")
            }
        }
    }
}
