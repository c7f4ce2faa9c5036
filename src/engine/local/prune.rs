//! Row groups of which no row passes the filters of any chain, as the footers tell before anything is read.
//!
//! A row group is left unread if that shows in nothing but the time it takes: its rows are counted, the
//! contract of the source is known to hold for all of them, and nothing that would be computed of them on the
//! way to the filter can fail. So a pass reads everything that a fold, a check or a choice of rows by key asks for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema as ArrowSchema;

use super::engine::LocalSource;
use super::evaluate::Program;
use super::file::InputFile;
use super::lazy::can_fail;
use super::path::{beside, identity, origin, rule_columns};
use super::statistics::Range;
use crate::frame::{DataType, Field, Schema, Value, column_of};
use crate::ir::scan::Scan;
use crate::ir::{Calendar, Expr, ExprNode, Func, RelNode, RelRef};

/// The types of columns, and what each may be in the row groups of a file.
type Known = BTreeMap<String, (DataType, Vec<Range>)>;

/// The row groups of a source that a pass need not read.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    /// For each, in the order of files and of row groups in them, whether it is left unread.
    groups: Vec<bool>,
    /// Rows in those that are.
    pub rows: u64,
    /// How many of these rows come out of each node of the chains, by its identity.
    pub counts: HashMap<usize, u64>,
}

impl Pruned {
    /// Finds the row groups of a source that none of the chains over its scan takes a row of.
    pub fn of(
        scan_rel: &RelRef,
        chains: &[&RelRef],
        source: &LocalSource,
        calendar: &Calendar,
    ) -> Self {
        let RelNode::Scan(scan) = &scan_rel.node else { return Pruned::default() };
        let mut columns = BTreeSet::new();
        let filtered = chains.iter().all(|chain| conditions(chain, &mut columns));
        // Money that is rounded is counted, and footers do not tell it.
        if !filtered || columns.is_empty() || scan.money.is_some() {
            return Pruned::default();
        }
        columns.extend(rule_columns(scan_rel));
        let fields: Vec<&Field> =
            scan_rel.schema.fields.iter().filter(|field| columns.contains(&field.name)).collect();
        let mut pruned = Pruned::default();
        for file in &source.files {
            let known = |field: &&Field| {
                let ranges = file.ranges(&field.name, field.data_type, calendar)?;
                Some((field.name.clone(), (field.data_type, ranges)))
            };
            let known: Known = fields.iter().filter_map(known).collect();
            let fits = fits(scan, scan_rel, file, &known);
            for group in 0..file.row_groups() {
                let footer = Footer { known: &known, group, calendar };
                let mut passing = BTreeMap::new();
                let clean = fits && footer.obeys(scan);
                let none = clean
                    && chains.iter().all(|chain| footer.way(chain, &mut passing) == Some(false));
                pruned.groups.push(none);
                if !none {
                    continue;
                }
                let rows = file.rows_of(group);
                pruned.rows += rows;
                for (node, passes) in passing {
                    *pruned.counts.entry(node).or_default() += if passes { rows } else { 0 };
                }
            }
        }
        pruned
    }

    /// How many row groups are left unread.
    pub fn groups(&self) -> usize {
        self.groups.iter().filter(|pruned| **pruned).count()
    }

    /// Whether a row group is left unread, by its place among those of all files.
    pub fn leaves(&self, place: usize) -> bool {
        self.groups.get(place).copied().unwrap_or(false)
    }
}

/// Whether a chain has a filter; the columns of the leaf that its filters read are added.
fn conditions(chain: &RelRef, columns: &mut BTreeSet<String>) -> bool {
    let own = match &chain.node {
        RelNode::Filter { input, predicate } => {
            predicate.for_each_column(&mut |name| {
                columns.extend(origin(input, name).map(str::to_owned));
            });
            true
        }
        RelNode::Rejected { .. } => true,
        _ => false,
    };
    let below = chain.inputs().into_iter().next().filter(|_| chain.streams());
    below.is_some_and(|input| conditions(input, columns)) || own
}

/// Whether every value of the columns that must fit their types does.
fn fits(scan: &Scan, rel: &RelRef, file: &InputFile, known: &Known) -> bool {
    let fits = |name: &String| {
        let wanted = rel.schema.field(name).map(|field| field.data_type);
        match file.columns.iter().find(|column| column.name == *name) {
            None => true,
            // Its least and its greatest value have become one of ours.
            Some(column) if column.may_not_fit => known.contains_key(name.as_str()),
            Some(column) => column.data_type == wanted,
        }
    };
    let finite = |name: &String| {
        let column = file.columns.iter().find(|column| column.name == *name);
        column.is_none_or(|column| column.data_type != Some(DataType::Float64))
    };
    scan.strict.iter().all(fits) && scan.finite.iter().all(finite)
}

/// What a condition may be for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Truths {
    yes: bool,
    no: bool,
    null: bool,
}

impl Truths {
    const ANY: Truths = Truths { yes: true, no: true, null: true };

    fn not(self) -> Self {
        Truths { yes: self.no, no: self.yes, null: self.null }
    }

    fn and(self, other: Self) -> Self {
        Truths {
            yes: self.yes && other.yes,
            no: self.no || other.no,
            null: self.null && (other.yes || other.null) || other.null && (self.yes || self.null),
        }
    }
}

/// What the footer of a file says of one of its row groups.
struct Footer<'a> {
    known: &'a Known,
    group: usize,
    calendar: &'a Calendar,
}

impl Footer<'_> {
    /// Whether no row breaks a rule of the contract.
    fn obeys(&self, scan: &Scan) -> bool {
        let own = |name: &str| Some(name.to_owned());
        scan.rules
            .iter()
            .all(|rule| !can_fail(&rule.violated) && !self.truths(&rule.violated, &own).yes)
    }

    /// Whether all rows of the row group come out of a chain, or none; `None` if it may be some, or if making
    /// them may fail. What is found of each node is noted.
    fn way(&self, rel: &RelRef, passing: &mut BTreeMap<usize, bool>) -> Option<bool> {
        if let Some(&passes) = passing.get(&identity(rel)) {
            return Some(passes);
        }
        let passes = match &rel.node {
            RelNode::Scan(_) => true,
            RelNode::Filter { input, predicate } => {
                self.way(input, passing)? && self.passes(input, predicate)?
            }
            RelNode::Project { input, columns } => {
                let passes = self.way(input, passing)?;
                if passes && columns.iter().any(|column| can_fail(&column.value)) {
                    return None;
                }
                passes
            }
            RelNode::Lookup(lookup) => {
                let passes = self.way(&lookup.input, passing)?;
                if passes && lookup.keys.iter().any(|(key, _)| can_fail(key)) {
                    return None;
                }
                passes
            }
            RelNode::Dedupe(dedupe) if !self.way(&dedupe.input, passing)? => false,
            // The contract holds.
            RelNode::Rejected { .. } => false,
            _ => self.way(beside(rel)?.0, passing)?,
        };
        passing.insert(identity(rel), passes);
        Some(passes)
    }

    /// Whether all rows pass a filter, or none.
    fn passes(&self, input: &RelRef, predicate: &Expr) -> Option<bool> {
        let leaf = |name: &str| origin(input, name).map(str::to_owned);
        let mut all = true;
        for part in conjuncts(predicate) {
            // Whoever asks for what follows asks for this first.
            if can_fail(part) {
                return None;
            }
            let truths = self.truths(part, &leaf);
            if !truths.yes {
                return Some(false);
            }
            all &= !truths.no && !truths.null;
        }
        all.then_some(true)
    }

    /// What a condition may be; `leaf` says which column of the file a column is.
    fn truths(&self, condition: &Expr, leaf: &dyn Fn(&str) -> Option<String>) -> Truths {
        let ExprNode::Call(func, arguments) = &condition.node else {
            return match &condition.node {
                ExprNode::Literal(Value::Bool(truth)) => {
                    Truths { yes: *truth, no: !truth, null: false }
                }
                ExprNode::Literal(Value::Null) => Truths { yes: false, no: false, null: true },
                _ => Truths::ANY,
            };
        };
        let each = || arguments.iter().map(|argument| self.truths(argument, leaf));
        match (func, arguments.as_slice()) {
            (Func::And, _) => each().reduce(Truths::and).unwrap_or(Truths::ANY),
            (Func::Or, _) => {
                each().map(Truths::not).reduce(Truths::and).map_or(Truths::ANY, Truths::not)
            }
            (Func::Not, [argument]) => self.truths(argument, leaf).not(),
            (Func::IsNull, [argument]) => match self.range(argument, leaf) {
                Some(range) => Truths { yes: range.nulls, no: !range.is_empty(), null: false },
                None => Truths { null: false, ..Truths::ANY },
            },
            (Func::In, [argument, among @ ..]) => among
                .iter()
                .map(|one| self.comparison(Func::Equal, argument, one, leaf).not())
                .reduce(Truths::and)
                .map_or(Truths::ANY, Truths::not),
            (func, [left, right]) if func.is_comparison() => {
                self.comparison(*func, left, right, leaf)
            }
            _ => Truths::ANY,
        }
    }

    /// What a comparison of two values may be.
    fn comparison(
        &self,
        func: Func,
        left: &Expr,
        right: &Expr,
        leaf: &dyn Fn(&str) -> Option<String>,
    ) -> Truths {
        let ranges = self.range(left, leaf).zip(self.range(right, leaf));
        let Some((a, b)) = ranges else { return Truths::ANY };
        if a.is_empty() || b.is_empty() {
            let nulls = func != Func::IsDistinct;
            return if nulls { Truths { yes: false, no: false, null: true } } else { Truths::ANY };
        }
        let null = a.nulls || b.nulls;
        let types = [left.data_type, right.data_type];
        let holds = |func: Func, a: &Value, b: &Value| self.holds(func, [a, b], types);
        // Whether it may be, and whether it may not be, for two values of these ranges.
        let found = || -> Option<(bool, bool)> {
            let point = || {
                Some(
                    holds(Func::Equal, &a.least, &a.greatest)?
                        && holds(Func::Equal, &b.least, &b.greatest)?
                        && holds(Func::Equal, &a.least, &b.least)?,
                )
            };
            let meet = || {
                Some(
                    holds(Func::LessEqual, &a.least, &b.greatest)?
                        && holds(Func::GreaterEqual, &a.greatest, &b.least)?,
                )
            };
            Some(match func {
                Func::Less | Func::LessEqual => {
                    (holds(func, &a.least, &b.greatest)?, !holds(func, &a.greatest, &b.least)?)
                }
                Func::Greater | Func::GreaterEqual => {
                    (holds(func, &a.greatest, &b.least)?, !holds(func, &a.least, &b.greatest)?)
                }
                Func::Equal => (meet()?, !point()?),
                Func::NotEqual => (!point()?, meet()?),
                _ => return None,
            })
        };
        match found() {
            Some((yes, no)) => Truths { yes, no, null },
            None => Truths::ANY,
        }
    }

    /// Whether two values compare so, as the interpreter has it.
    fn holds(&self, func: Func, values: [&Value; 2], types: [DataType; 2]) -> Option<bool> {
        let literal = |place: usize| Expr::literal(values[place].clone(), types[place]);
        let call = ExprNode::Call(func, vec![literal(0), literal(1)]);
        let call = Expr { node: call, data_type: DataType::Bool };
        let program = Program::bind([&call], &Schema::new(Vec::new())).ok()?;
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let row = RecordBatch::try_new_with_options(ArrowSchema::empty().into(), vec![], &options);
        let result = program.run(&row.ok()?, self.calendar).ok()?.pop()?;
        let result = result.as_boolean_opt()?;
        result.is_valid(0).then(|| result.value(0))
    }

    /// The values that an expression may have: of a literal, a column, or what rises with a column.
    fn range(&self, expr: &Expr, leaf: &dyn Fn(&str) -> Option<String>) -> Option<Range> {
        match &expr.node {
            ExprNode::Literal(value) => Some(Range::of(value.clone())),
            ExprNode::Column(name) => {
                let (data_type, ranges) = self.known.get(leaf(name)?.as_str())?;
                (*data_type == expr.data_type).then(|| ranges.get(self.group).cloned()).flatten()
            }
            ExprNode::Call(func, arguments) => {
                let [argument] = arguments.as_slice() else { return None };
                let range = self.range(argument, leaf)?;
                if !rises(*func, argument.data_type) || range.is_empty() {
                    return None;
                }
                // Before 1970 days go by the clock, which may have been set back over midnight.
                let utc = self.calendar.zone_name() == "UTC";
                let range = if utc { range } else { range.widened() };
                let field = Field::new("value", argument.data_type);
                let call = vec![Expr::column("value", argument.data_type)];
                let call = Expr { node: ExprNode::Call(*func, call), data_type: expr.data_type };
                let schema = Schema::new(vec![field]);
                let program = Program::bind([&call], &schema).ok()?;
                let ends =
                    column_of(argument.data_type, [&range.least, &range.greatest].into_iter());
                let batch = RecordBatch::try_new(schema.arrow(), vec![ends.ok()?]);
                let ends = program.run(&batch.ok()?, self.calendar).ok()?.pop()?;
                let end = |place| crate::frame::value_at(&ends, place);
                let (least, greatest) = (end(0), end(1));
                (!least.is_null() && !greatest.is_null()).then_some(Range {
                    least,
                    greatest,
                    nulls: range.nulls,
                })
            }
        }
    }
}

/// Whether a function of one argument never falls where its argument rises, and is null for null only.
fn rises(func: Func, argument: DataType) -> bool {
    match func {
        Func::Cast(DataType::Timestamp | DataType::Date) => {
            matches!(argument, DataType::Timestamp | DataType::Date)
        }
        Func::Cast(DataType::Int64 | DataType::Float64) => {
            matches!(argument, DataType::Int32 | DataType::Int64)
        }
        Func::DateTrunc(_) | Func::PeriodOf(_) | Func::PeriodStart(_) => true,
        _ => false,
    }
}

/// The conditions that must all be true for a predicate to be.
fn conjuncts(predicate: &Expr) -> Vec<&Expr> {
    match &predicate.node {
        ExprNode::Call(Func::And, arguments) => arguments.iter().flat_map(conjuncts).collect(),
        _ => vec![predicate],
    }
}
