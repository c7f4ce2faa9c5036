//! # check
//!
//! The rows that pass checks; the others are set aside with their reasons.
//!
//! What it does: looks at each row with every check. Rows that break none go on; the others go to the
//! companion `_quarantine`. Nothing stops: for that there is the pipeline's `checks` block.
//!
//! When to use it: to work with the good rows of a table and keep the bad ones to be looked into.
//!
//! Example:
//!
//! ```yaml
//! sound_orders:
//!   from: orders
//!   check:
//!     has_amount: {not_null: amount}
//!     known_state: {accepted_values: {column: status, in: [completed, returned]}}
//! ```
//!
//! Columns: those of the input. Companion `_quarantine`: those of the input and `reasons`, the names of
//! the checks that the row breaks, in the order of the text: a list of texts in the file, and for stages
//! that read it one text with `; ` between them. Both are published only if asked for, with
//! `publish: true` or under `outputs: {tables: …}`.
//!
//! Rules: a check here has a kind, `where` and `description`; a row for which `where` is not true passes
//! it. The kinds are those that judge a row by itself: `not_null accepted_values range every_row
//! relationships`. A row whose condition is null passes. Roles are handed on.

use super::context::StageContext;
use super::registry::{Companion, Output, Stage, StageKind};
use super::view::View;
use crate::checks::{CheckContext, CheckSpec, Place, Test};
use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::document::{Decoder, Field, Node};
use crate::frame::{DataType, Value};
use crate::ir::relation;
use crate::ir::scan::{BETWEEN_REASONS, QUARANTINE, REASONS};
use crate::ir::typing::{TypeError, build, call};
use crate::ir::{Expr, Func, RelRef, Table, named};

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "check",
    source: include_str!("check.rs"),
    row_level: true,
    companions: &[Companion {
        suffix: QUARANTINE,
        sentence: "The rows that break a check, with `reasons`.",
    }],
    fields,
    decode,
};

/// The checks, in the order of the text.
#[derive(Debug)]
struct Checks(Vec<CheckSpec>);

fn fields() -> Vec<Field> {
    let json_schema = CheckSpec::json_schema(Place::Stage);
    let field = Field::each::<Node>("name of a check", "What a row must hold to go on.");
    let expects = "a map with one kind of check, see `tenure checks`".to_owned();
    vec![Field { expects, json_schema, ..field }]
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    let entries = decoder.named(node, "checks");
    if entries.is_empty() {
        decoder.wrong_type(node, "a map from names to checks");
        return None;
    }
    let read: Vec<Option<CheckSpec>> = entries
        .iter()
        .map(|(name, node)| CheckSpec::decode(name, node, Place::Stage, decoder))
        .collect();
    Some(Box::new(Checks(read.into_iter().collect::<Option<_>>()?)))
}

impl Stage for Checks {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        let input = cx.input()?;
        let mut rel = input.rel.clone();
        let mut failures: Vec<(&str, Expr)> = Vec::new();
        let mut good = true;
        for spec in &self.0 {
            match self.failure(spec, &Table { rel: rel.clone(), ..input.clone() }, cx) {
                Some((looked_up, fails)) => {
                    rel = looked_up;
                    failures.push((&spec.name.value, fails));
                }
                None => good = false,
            }
        }
        if !good {
            return None;
        }
        let parted = part(&input.rel, &rel, &failures);
        let (passing, failing) = cx.typed(parted)?;
        let output = |suffix, rel| Output {
            suffix,
            rel,
            grain: Vec::new(),
            roles: input.roles.clone(),
            views: vec![View::Rows],
        };
        Some(vec![output(None, passing), output(Some(QUARANTINE), failing)])
    }

    fn reads(&self) -> Vec<Spanned<String>> {
        self.0.iter().flat_map(|spec| spec.check.reads()).collect()
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        self.0.iter().map(|spec| (spec.name.value.clone(), spec.written(), false)).collect()
    }
}

impl Checks {
    /// The rows with whatever a check looks up, and the condition under which one breaks it.
    fn failure(
        &self,
        spec: &CheckSpec,
        table: &Table,
        cx: &mut StageContext,
    ) -> Option<(RelRef, Expr)> {
        let mut check = CheckContext {
            name: &spec.name.value,
            kind: Spanned::new(spec.kind.value.name.to_owned(), spec.kind.span),
            table: table.clone(),
            others: &cx.others,
            parameters: cx.parameters,
            calendar: cx.calendar,
            as_of: cx.as_of,
            diagnostics: cx.diagnostics,
        };
        // Rows outside of `where` pass, so it is a part of the condition and filters nothing.
        let condition = match &spec.condition {
            Some(written) => Some(check.condition(written)?),
            None => None,
        };
        let tested = spec.check.plan(&mut check)?;
        let Test::Rows { rel, fails } = tested.test else {
            check.diagnostics.push(
                Diagnostic::at(
                    Code::InvalidValue,
                    spec.kind.span,
                    format!("`{}` judges a table, not its rows one by one", spec.kind.value.name),
                )
                .help("write it in the pipeline's `checks` block"),
            );
            return None;
        };
        let both = build::all(condition.into_iter().chain([fails]));
        let fails = check.typed(both)??;
        Some((rel, fails))
    }
}

/// The rows that break nothing, and the others with their reasons.
fn part(
    input: &RelRef,
    looked_up: &RelRef,
    failures: &[(&str, Expr)],
) -> Result<(RelRef, RelRef), TypeError> {
    let text = |text: &str| Expr::literal(Value::text(text), DataType::String);
    let mut reasons = text("");
    for (name, fails) in failures {
        let reason =
            build::choose(fails.clone(), text(&format!("{name}{BETWEEN_REASONS}")), text(""))?;
        reasons = call(Func::Concat, vec![reasons, reason])?;
    }
    let with = relation::extend(looked_up, vec![named("#reasons", reasons)])?;
    let reasons = relation::column(&with, "#reasons")?;
    let columns = relation::all_columns(input);
    let none = build::eq(reasons.clone(), text(""))?;
    let passing = relation::project(&relation::filter(&with, none.clone())?, columns.clone())?;
    let failing = relation::filter(&with, build::not(none)?)?;
    // What stands after the last reason is no part of the list.
    let length = call(Func::Length, vec![reasons.clone()])?;
    let length = build::sub(length, Expr::int(BETWEEN_REASONS.len() as i64))?;
    let listed = call(Func::Substring, vec![reasons, Expr::int(1), length])?;
    let columns = columns.into_iter().chain([named(REASONS, listed)]).collect();
    Ok((passing, relation::project(&failing, columns)?))
}
