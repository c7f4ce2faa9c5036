//! # join
//!
//! Columns of another table, found by keys.
//!
//! What it does: finds for each row the row of `with` that has the same keys and adds its columns. The
//! row count does not change, unless `how` or `many` say so. Roles of the input are handed on; `customer`,
//! `time` and `value` say new ones, over the columns of both.
//!
//! When to use it: to bring what is known of customers, products or campaigns to the events.
//!
//! Example:
//!
//! ```yaml
//! with_customers:
//!   from: orders
//!   join: {with: customers, keys: {customer_id: id}, prefix: customer_}
//! ```
//!
//! Columns: those of the input, then those of `with` apart from its keys, each behind `prefix`. `semi`
//! and `anti` add none. Published only with `publish: true`.
//!
//! Rules: `keys: [a]` are called the same on both sides, `{left: right}` are not; without `keys` the
//! customer roles of both tables are. More than one match is an error unless `many: true`: the keys of
//! `with` must be unique then, also where nobody asks for them. A null key never matches. `left` keeps
//! rows without a match, `inner` drops them, `full` also keeps the rows of `with` that nobody asked for,
//! with their keys in the input's key columns, `semi` keeps rows that have a match, `anti` those that
//! have none. All but `many: true` stream: only `with` is held in memory.

use serde_json::Value as Json;

use super::context::{RoleOverrides, StageContext};
use super::registry::{Output, Stage, StageKind};
use super::view::View;
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::document::{Decode, Decoder, Expression, Field, Node, NodeKind, Options, schema};
use crate::ir::relation::{self, Built, all_columns, column};
use crate::ir::typing::{TypeError, build, common_type};
use crate::ir::{Expr, JoinKind, Named, RelRef, Table, named};

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "join",
    source: include_str!("join.rs"),
    row_level: true,
    companions: &[],
    fields,
    decode,
};

crate::choice! {
    /// Which rows there are.
    pub enum How {
        /// All of the input's.
        Left = "left",
        /// Those with a match.
        Inner = "inner",
        /// All of the input's, and those of `with` that nobody asked for.
        Full = "full",
        /// Those with a match, without further columns.
        Semi = "semi",
        /// Those without a match, without further columns.
        Anti = "anti",
    }
}

crate::options! {
    /// What is found where.
    struct Join("`join`") {
        /// The table to find rows in.
        with: Spanned<String>,
        /// Columns that are equal: names, or a map from the input's to those of `with`. Absent: the customer roles.
        keys: Option<JoinKeys> = None,
        /// Which rows there are.
        how: How = How::Left,
        /// Whether a row may have several matches.
        many: bool = false,
        /// What stands before the names of the columns added.
        prefix: String = String::new(),
        /// Another customer than the input's, over the columns of both tables.
        customer: Option<Expression> = None,
        /// Another time than the input's.
        time: Option<Expression> = None,
        /// Another value than the input's.
        value: Option<Expression> = None,
    }
}

/// Pairs of columns, as written.
#[derive(Debug, Clone, PartialEq)]
struct JoinKeys(Vec<(Spanned<String>, Spanned<String>)>);

impl Decode for JoinKeys {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let pairs: Vec<Option<(Spanned<String>, Spanned<String>)>> = match &node.kind {
            NodeKind::List(items) => items
                .iter()
                .map(|item| Spanned::<String>::decode(item, decoder).map(|key| (key.clone(), key)))
                .collect(),
            NodeKind::Map(entries) => entries
                .iter()
                .map(|(left, right)| Some((left.clone(), Spanned::decode(right, decoder)?)))
                .collect(),
            _ => {
                decoder.wrong_type(node, &Self::expects());
                return None;
            }
        };
        pairs.into_iter().collect::<Option<Vec<_>>>().map(JoinKeys)
    }
    fn expects() -> String {
        "a list of columns, or a map from columns of the input to columns of `with`".into()
    }
    fn show(&self) -> String {
        let pairs = self.0.iter().map(|(left, right)| match left.value == right.value {
            true => left.value.clone(),
            false => format!("{}: {}", left.value, right.value),
        });
        let pairs = pairs.collect::<Vec<_>>().join(", ");
        match self.0.iter().all(|(left, right)| left.value == right.value) {
            true => format!("[{pairs}]"),
            false => format!("{{{pairs}}}"),
        }
    }
    fn json_schema() -> Json {
        schema::any_of([schema::list(schema::text()), schema::map_of(schema::text())])
    }
}

fn fields() -> Vec<Field> {
    Join::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    Some(Box::new(Join::decode(node, decoder)?))
}

/// Two expressions of one type that must be equal.
struct Pair {
    left: Expr,
    right: Expr,
}

/// The column that is true where a match was found.
const FOUND: &str = "#found";

impl Stage for Join {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        let left = cx.input()?;
        let right = cx.other_table(&self.with.value)?;
        let pairs = self.pairs(cx, &left, &right)?;
        if right.roles.weight.is_some() && !cx.weighed_alike(&self.with.value, &left, &right) {
            return None;
        }
        let added = match self.how.value {
            How::Semi | How::Anti => Vec::new(),
            How::Left | How::Inner | How::Full => self.added(cx, &left, &right, &pairs)?,
        };
        let sides = Sides { left: &left.rel, right: &right.rel, pairs: &pairs, added: &added };
        let built = match (self.how.value, self.many.value) {
            (How::Semi, _) => sides.filtered(true),
            (How::Anti, _) => sides.filtered(false),
            (How::Left, false) => sides.looked_up(),
            (How::Inner, false) => sides.inner(),
            (How::Full, false) => sides.full(),
            (How::Left, true) => sides.paired(JoinKind::Left),
            (How::Inner, true) => sides.paired(JoinKind::Inner),
            (How::Full, true) => sides.paired(JoinKind::Full),
        };
        let rel = cx.typed(built)?;
        let (grain, views) = (Vec::new(), vec![View::Rows]);
        let overrides = RoleOverrides {
            customer: &self.customer.value,
            time: &self.time.value,
            value: &self.value.value,
        };
        let mut roles = left.roles.clone();
        let joined = Table { name: cx.name.to_owned(), rel: rel.clone(), ..left };
        if cx.roles_over(&joined, &overrides, &mut roles).is_none() {
            // What reads the table is looked at all the same.
            roles.flawed = true;
        }
        Some(vec![Output { suffix: None, rel, grain, roles, views }])
    }

    fn reads(&self) -> Vec<Spanned<String>> {
        vec![self.with.value.clone()]
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        Options::settings(self)
    }
}

impl Join {
    /// The keys of both sides, under a common type.
    fn pairs(&self, cx: &mut StageContext, left: &Table, right: &Table) -> Option<Vec<Pair>> {
        let mut pairs = Vec::new();
        let mut good = true;
        match &self.keys.value {
            Some(keys) => {
                for (own, other) in &keys.0 {
                    let own_column = cx.column(own, left);
                    // A name for both sides that is wrong on one is told once.
                    let told = own_column.is_none() && own.span == other.span;
                    let other_column = if told { None } else { cx.column(other, right) };
                    match own_column.zip(other_column) {
                        Some((a, b)) => pairs.push((a, b, own.span)),
                        None => good = false,
                    }
                }
                if keys.0.is_empty() {
                    cx.report(Code::InvalidValue, self.keys.span, "a join needs a key");
                    good = false;
                }
            }
            None => {
                let (own, other) = (cx.customer(left), cx.customer(right));
                let span = self.with.value.span;
                pairs.push((own?.value, other?.value, span));
            }
        }
        let unified: Vec<Option<Pair>> =
            pairs.into_iter().map(|(a, b, span)| self.unify(cx, a, b, span)).collect();
        let unified = unified.into_iter().collect::<Option<Vec<_>>>()?;
        good.then_some(unified)
    }

    fn unify(&self, cx: &mut StageContext, left: Expr, right: Expr, span: Span) -> Option<Pair> {
        let Some(common) = common_type(left.data_type, right.data_type) else {
            cx.diagnostics.push(
                Diagnostic::at(
                    Code::TypeMismatch,
                    span,
                    format!(
                        "the key is a {} in the input and a {} in `{}`",
                        left.data_type, right.data_type, self.with.value.value
                    ),
                )
                .help("`derive` a column of the other's type first, with `cast(… as …)`"),
            );
            return None;
        };
        let pair = build::cast(left, common)
            .and_then(|left| Ok(Pair { left, right: build::cast(right, common)? }));
        cx.typed(pair)
    }

    /// The columns of the right that are added, under their new names.
    fn added(
        &self,
        cx: &mut StageContext,
        left: &Table,
        right: &Table,
        pairs: &[Pair],
    ) -> Option<Vec<(String, String)>> {
        let mut keys = Vec::new();
        for pair in pairs {
            pair.right.for_each_column(&mut |name| keys.push(name.to_owned()));
        }
        let mut added = Vec::new();
        let mut clashes = Vec::new();
        for name in right.rel.schema.names().filter(|name| !keys.iter().any(|key| key == name)) {
            let new = format!("{}{name}", self.prefix.value);
            if left.rel.schema.field(&new).is_some() {
                clashes.push(new.clone());
            }
            added.push((name.to_owned(), new));
        }
        if !clashes.is_empty() {
            cx.diagnostics.push(
                Diagnostic::at(
                    Code::DuplicateName,
                    self.prefix.span.unwrap_or(self.with.value.span),
                    format!(
                        "`{}` and `{}` both have {}",
                        left.name,
                        right.name,
                        crate::diagnostic::list(&clashes)
                    ),
                )
                .help(format!("write `prefix: {}_`, or `select` columns first", right.name)),
            );
            return None;
        }
        Some(added)
    }
}

/// What a join is made of.
struct Sides<'a> {
    left: &'a RelRef,
    right: &'a RelRef,
    pairs: &'a [Pair],
    /// Columns of the right, and their new names.
    added: &'a [(String, String)],
}

impl Sides<'_> {
    /// The right with its keys as columns `#0`, `#1` and so on, and `more`.
    fn keyed(&self, more: Vec<Named<Expr>>) -> Built {
        let mut columns = Vec::new();
        for (index, pair) in self.pairs.iter().enumerate() {
            columns.push(named(format!("#{index}"), pair.right.clone()));
        }
        for (name, new) in self.added {
            columns.push(named(new, column(self.right, name)?));
        }
        columns.extend(more);
        relation::project(self.right, columns)
    }

    fn keys(&self) -> Vec<(Expr, String)> {
        let pairs = self.pairs.iter().enumerate();
        pairs.map(|(index, pair)| (pair.left.clone(), format!("#{index}"))).collect()
    }

    fn added_names(&self) -> Vec<(String, String)> {
        self.added.iter().map(|(_, new)| (new.clone(), new.clone())).collect()
    }

    fn looked_up(&self) -> Built {
        relation::lookup(self.left, &self.keyed(Vec::new())?, self.keys(), self.added_names())
    }

    /// Rows with a match.
    fn inner(&self) -> Built {
        let table = self.keyed(vec![named(FOUND, Expr::bool(true))])?;
        let mut columns = self.added_names();
        columns.push((FOUND.into(), FOUND.into()));
        let found = relation::lookup(self.left, &table, self.keys(), columns)?;
        let kept =
            relation::filter(&found, build::coalesce(column(&found, FOUND)?, Expr::bool(false))?)?;
        without(&kept, |name| name == FOUND)
    }

    /// Rows that have a match, or have none; the right's keys need not be unique.
    fn filtered(&self, wanted: bool) -> Built {
        let keyed = Sides { added: &[], ..*self }.keyed(Vec::new())?;
        let distinct = relation::aggregate(&keyed, all_columns(&keyed), Vec::new())?;
        let table = relation::extend(&distinct, vec![named(FOUND, Expr::bool(true))])?;
        let columns = vec![(FOUND.to_owned(), FOUND.to_owned())];
        let found = relation::lookup(self.left, &table, self.keys(), columns)?;
        let has = build::coalesce(column(&found, FOUND)?, Expr::bool(false))?;
        let kept = relation::filter(&found, if wanted { has } else { build::not(has)? })?;
        without(&kept, |name| name == FOUND)
    }

    /// The looked-up rows, and the right's rows that no key of the left names.
    fn full(&self) -> Built {
        let looked_up = self.looked_up()?;
        let right = self.keyed(Vec::new())?;
        let left_keys = self.pairs.iter().enumerate();
        let left_keys: Vec<Named<Expr>> =
            left_keys.map(|(index, pair)| named(format!("#{index}"), pair.left.clone())).collect();
        let asked = relation::aggregate(self.left, left_keys, Vec::new())?;
        let on = (0..self.pairs.len()).map(|index| (format!("#{index}"), format!("#{index}")));
        let alone = relation::join(&right, &asked, on.collect(), JoinKind::Anti, false)?;
        let mut columns = Vec::new();
        for field in &looked_up.schema.fields {
            let of_key = self
                .pairs
                .iter()
                .position(|pair| key_column(&pair.left).is_some_and(|name| name == field.name));
            let value = match of_key {
                Some(index) => build::cast(column(&alone, &format!("#{index}"))?, field.data_type)?,
                None if self.added.iter().any(|(_, new)| *new == field.name) => {
                    column(&alone, &field.name)?
                }
                None => Expr::null(field.data_type),
            };
            columns.push(named(&field.name, value));
        }
        relation::union(vec![looked_up, relation::project(&alone, columns)?])
    }

    /// Every pair, in memory.
    fn paired(&self, kind: JoinKind) -> Built {
        let right = self.keyed(Vec::new())?;
        let mut keyed = Vec::new();
        let mut on = Vec::new();
        for (index, pair) in self.pairs.iter().enumerate() {
            keyed.push(named(format!("#l{index}"), pair.left.clone()));
            on.push((format!("#l{index}"), format!("#{index}")));
        }
        let left = relation::extend(self.left, keyed)?;
        let joined = relation::join(&left, &right, on, kind, false)?;
        if kind != JoinKind::Full {
            return without(&joined, |name| name.starts_with("#l"));
        }
        let mut filled = Vec::new();
        for (index, pair) in self.pairs.iter().enumerate() {
            let Some(name) = key_column(&pair.left) else { continue };
            let own = column(&joined, name)?;
            let other = build::cast(column(&joined, &format!("#l{index}"))?, own.data_type)?;
            filled.push(named(name, build::coalesce(own, other)?));
        }
        without(&relation::extend(&joined, filled)?, |name| name.starts_with("#l"))
    }
}

/// The column that a key is, apart from a widening cast.
fn key_column(key: &Expr) -> Option<&str> {
    use crate::ir::{ExprNode, Func};
    match &key.node {
        ExprNode::Column(name) => Some(name),
        ExprNode::Call(Func::Cast(_), arguments) => arguments.first().and_then(Expr::as_column),
        _ => None,
    }
}

fn without(rel: &RelRef, leave: impl Fn(&str) -> bool) -> Result<RelRef, TypeError> {
    let columns = all_columns(rel).into_iter().filter(|column| !leave(&column.name)).collect();
    relation::project(rel, columns)
}
