//! What customers said about the steps that they reached.

use super::Satisfaction;
use super::ways::{
    CUSTOMER, FOUND, POSITION, TIME, Ways, by_position, following, reached, since_entry,
};
use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::frame::{DataType, Value};
use crate::ir::relation::{self, Built, all_columns, column};
use crate::ir::typing::{TypeError, build, call};
use crate::ir::{
    Expr, Func, JoinKind, Mark, Measure, MeasureFunc, Named, RelRef, Roles, Table, named,
};
use crate::metrics::{Level, Lowering, Subject};
use crate::stages::context::StageContext;
use crate::stages::suppression::answered;

const QUESTION: &str = "#question";
const SCORE: &str = "#score";
/// The metrics of a step, and the questions that they read.
pub(super) const METRICS: [(&str, &str); 3] =
    [("csat", "csat"), ("nps", "nps"), ("ces_low_effort", "ces")];

/// The table of surveys; roles that it lacks are noted where it is named.
pub(super) fn table(cx: &mut StageContext, name: &Spanned<String>) -> Option<Table> {
    let table = cx.other_table(name)?;
    let roles = &table.roles;
    let mark = |mark: Mark| !roles.marks.contains_key(&mark);
    let mut good = true;
    for (role, key, absent) in [
        ("customer", "customer: COLUMN", roles.customer.is_none()),
        ("time", "time: COLUMN", roles.time.is_none()),
        ("survey.score", "survey: {score: COLUMN}", mark(Mark::Score)),
        ("survey.touchpoint", "survey: {touchpoint: COLUMN}", mark(Mark::Touchpoint)),
    ] {
        if absent {
            good = false;
            if !roles.flawed {
                let message = format!(
                    "`surveys` of a journey needs the role `{role}`, which `{}` does not have",
                    table.name
                );
                cx.diagnostics.push(
                    Diagnostic::at(Code::MissingRole, name.span, message)
                        .help(format!("say which column it is at the source: `{key}`")),
                );
            }
        }
    }
    good.then_some(table)
}

/// Surveys beside the names of the steps.
pub(super) struct Answers<'a> {
    pub table: &'a Table,
    pub steps: &'a [&'a str],
}

impl Answers<'_> {
    /// The first answer to each question since each entry reached the step: the dimensions, [`POSITION`], question
    /// and score.
    pub fn given(&self, ways: &Ways, followed: &RelRef) -> Built {
        let (answers, ties) = self.rows(ways)?;
        match ways.every {
            false => self.of_first(ways, followed, &answers, &ties),
            true => self.of_every(ways, followed, &answers, &ties),
        }
    }

    /// Answers about steps, and the columns that tell answers of one time apart.
    fn rows(&self, ways: &Ways) -> Result<(RelRef, Vec<String>), TypeError> {
        let roles = &self.table.roles;
        let absent =
            || TypeError { message: "a role is missing".into(), argument: None, help: None };
        let mark = |mark: Mark| roles.marks.get(&mark).cloned().ok_or_else(absent);
        let customer = roles.customer.clone().ok_or_else(absent)?.value;
        let time = roles.time.clone().ok_or_else(absent)?;
        let (score, touchpoint) = (mark(Mark::Score)?, mark(Mark::Touchpoint)?);
        let mut position = Vec::new();
        for (place, step) in self.steps.iter().enumerate() {
            let name = Expr::literal(Value::text(step), DataType::String);
            let about = build::cast(touchpoint.clone(), DataType::String)?;
            position.extend([build::eq(about, name)?, Expr::int(place as i64 + 1)]);
        }
        position.push(Expr::null(DataType::Int64));
        let question = match roles.marks.get(&Mark::Question).cloned() {
            Some(question) => build::cast(question, DataType::String)?,
            None => Expr::literal(Value::text(""), DataType::String),
        };
        let mut columns = vec![
            named(CUSTOMER, build::cast(customer, ways.customer)?),
            named(TIME, build::cast(time, DataType::Timestamp)?),
            named(POSITION, call(Func::Case, position)?),
            named(QUESTION, question),
            named(SCORE, score),
        ];
        let ties: Vec<Expr> = match roles.key.is_empty() {
            false => roles.key.clone(),
            true => all_columns(&self.table.rel).into_iter().map(|column| column.value).collect(),
        };
        let ties: Vec<Named<Expr>> = ties
            .into_iter()
            .enumerate()
            .map(|(place, tie)| named(format!("#tie{place}"), tie))
            .collect();
        let names = ties.iter().map(|tie| tie.name.clone()).collect();
        columns.extend(ties);
        let rel = relation::project(&self.table.rel, columns)?;
        let mut known = Vec::new();
        for name in [CUSTOMER, TIME, POSITION, SCORE] {
            known.push(build::not(build::is_null(column(&rel, name)?)?)?);
        }
        let known = build::all(known)?.unwrap_or_else(|| Expr::bool(true));
        Ok((relation::filter(&rel, known)?, names))
    }

    /// The score of the first of some answers.
    fn first_score(rel: &RelRef, ties: &[String]) -> Result<Named<Measure>, TypeError> {
        let order = std::iter::once(TIME).chain(ties.iter().map(String::as_str));
        let order = order.map(|name| column(rel, name)).collect::<Result<_, _>>()?;
        let first = MeasureFunc::First { value: column(rel, SCORE)?, order };
        Ok(named(SCORE, Measure::of(first)))
    }

    fn of_first(&self, ways: &Ways, followed: &RelRef, answers: &RelRef, ties: &[String]) -> Built {
        let steps = (1..=self.steps.len()).map(reached);
        let added = steps.chain(ways.by.iter().cloned()).map(|name| (name.clone(), name));
        let key = vec![(column(answers, CUSTOMER)?, CUSTOMER.to_owned())];
        let found = relation::lookup(answers, followed, key, added.collect())?;
        let at = by_position(&found, self.steps.len(), &|step| column(&found, &reached(step)))?;
        let since = relation::filter(&found, build::ge(column(&found, TIME)?, at)?)?;
        let names = ways.by.iter().map(String::as_str).chain([CUSTOMER, POSITION, QUESTION]);
        let keys = names.map(|name| Ok(named(name, column(&since, name)?)));
        let keys = keys.collect::<Result<_, TypeError>>()?;
        relation::aggregate(&since, keys, vec![Self::first_score(&since, ties)?])
    }

    fn of_every(&self, ways: &Ways, followed: &RelRef, answers: &RelRef, ties: &[String]) -> Built {
        let mut parts = Vec::new();
        for step in 1..=self.steps.len() {
            let at = column(followed, &reached(step))?;
            let there = relation::filter(followed, build::not(build::is_null(at.clone())?)?)?;
            let mut columns = vec![
                named(CUSTOMER, column(&there, CUSTOMER)?),
                named(POSITION, Expr::int(step as i64)),
                named(TIME, at),
            ];
            for name in &ways.by {
                columns.push(named(name, column(&there, name)?));
            }
            parts.push(relation::project(&there, columns)?);
        }
        let arrivals = relation::union(parts)?;
        let of = |rel: &RelRef, names: &[&str]| -> Result<Vec<Named<Expr>>, TypeError> {
            names.iter().map(|name| Ok(named(*name, column(rel, name)?))).collect()
        };
        let asked = of(&arrivals, &[CUSTOMER, POSITION, TIME])?;
        let asked = relation::aggregate(&arrivals, asked, Vec::new())?;
        // Every arrival asks for every question.
        let questions: Vec<&str> = match self.table.roles.marks.contains_key(&Mark::Question) {
            true => METRICS.iter().map(|(_, question)| *question).collect(),
            false => vec![""],
        };
        const WHICH: &str = "#which";
        let last = questions.len() as i64 - 1;
        let asked = relation::series(&asked, Expr::int(0), Expr::int(last), WHICH)?;
        let mut question = Vec::new();
        for (place, word) in questions.iter().enumerate() {
            let is = build::eq(column(&asked, WHICH)?, Expr::int(place as i64))?;
            question.extend([is, Expr::literal(Value::text(word), DataType::String)]);
        }
        question.push(Expr::null(DataType::String));
        let asked = relation::extend(&asked, vec![named(QUESTION, call(Func::Case, question)?)])?;

        let answers = since_entry(followed, answers)?;
        let keys = [CUSTOMER, POSITION, QUESTION];
        let each = of(&answers, &[CUSTOMER, POSITION, QUESTION, TIME])?;
        let events = relation::aggregate(&answers, each, vec![Self::first_score(&answers, ties)?])?;
        let found = following(&asked, &events, &keys, false)?;
        let on = [(CUSTOMER, CUSTOMER), (POSITION, POSITION), (QUESTION, QUESTION), (FOUND, TIME)];
        let on = on.map(|(left, right)| (left.to_owned(), right.to_owned())).to_vec();
        let scored = relation::join(&found, &events, on, JoinKind::Inner, false)?;
        let on = [CUSTOMER, POSITION, TIME].map(|name| (name.to_owned(), name.to_owned()));
        relation::join(&scored, &arrivals, on.to_vec(), JoinKind::Inner, false)
    }

    /// The metrics of the answers of each cell and step.
    pub fn measured(
        &self,
        cx: &mut StageContext,
        ways: &Ways,
        given: &RelRef,
    ) -> Option<Satisfaction> {
        let own = &self.table.roles;
        let mut roles = Roles { scales: own.scales, ..Roles::default() };
        let score = cx.typed(column(given, SCORE))?;
        roles.marks.insert(Mark::Score, score);
        if own.marks.contains_key(&Mark::Question) {
            let question = cx.typed(column(given, QUESTION))?;
            roles.marks.insert(Mark::Question, question);
        }
        let subject = Subject {
            table: &self.table.name,
            schema: &given.schema,
            roles: &roles,
            parameters: cx.parameters,
            calendar: cx.calendar,
            as_of: cx.as_of,
            level: cx.level,
            first_time: None,
            others: &cx.others,
        };
        let span = cx.kind.span;
        let mut lowering = Lowering::new(&subject, cx.metrics, cx.diagnostics);
        for (metric, _) in METRICS {
            lowering.add(&Spanned::new(metric.to_owned(), span))?;
        }
        let columns = lowering.columns;
        let mut measures = lowering.asked.pop()?.measures;
        if cx.small_groups.is_some() {
            let people = METRICS.map(|(metric, question)| {
                let people = Self::people(given, &roles, question);
                Ok((Level::Rows, named(answered(metric), people?)))
            });
            let people: Result<Vec<_>, TypeError> = people.into_iter().collect();
            measures.extend(cx.typed(people)?);
        }
        let names = ways.by.iter().map(String::as_str).chain([POSITION]);
        let keys = names.map(|name| Ok(named(name, column(given, name)?)));
        let keys: Result<_, TypeError> = keys.collect();
        let keys = cx.typed(keys)?;
        let of_step = measures.iter().map(|(_, measure)| measure.clone()).collect();
        let rel = cx.typed(relation::aggregate(given, keys, of_step))?;
        Some(Satisfaction { rel, measures, columns })
    }

    /// The customers who answered a question.
    fn people(given: &RelRef, roles: &Roles, question: &str) -> Result<Measure, TypeError> {
        let customer = MeasureFunc::CountDistinct(column(given, CUSTOMER)?);
        let about = match roles.marks.contains_key(&Mark::Question) {
            true => {
                let word = Expr::literal(Value::text(question), DataType::String);
                Some(build::eq(column(given, QUESTION)?, word)?)
            }
            false => None,
        };
        Ok(Measure::filtered(customer, about))
    }
}
