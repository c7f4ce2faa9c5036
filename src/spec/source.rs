//! Sources as written.

use serde_json::{Value as Json, json};

use super::subjects::{InvoiceBlock, ReviewBlock, SurveyBlock, TicketBlock};
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::document::{
    Decode, Decoder, Expression, Node, NodeKind, Options, Path, PeriodUnit, Scalar, Setting,
    Several, Share, schema,
};
use crate::ir::relation::BadRowAction;

/// One entry of `sources`.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    pub name: Spanned<String>,
    /// Where its files are.
    pub path: Path,
    pub form: FileForm,
    pub customer: Option<Expression>,
    pub time: Option<Expression>,
    pub key: Vec<Expression>,
    pub value: Option<ValueRole>,
    pub order: Option<OrderBlock>,
    pub subscription: Option<SubscriptionBlock>,
    pub ticket: Option<TicketBlock>,
    pub survey: Option<SurveyBlock>,
    pub review: Option<ReviewBlock>,
    pub invoice: Option<InvoiceBlock>,
    pub columns: Vec<ColumnRule>,
    pub bad_rows: BadRowsBlock,
    pub drift: DriftBlock,
    pub description: Option<String>,
    /// True if something in it was wrong, which is noted: a role may be missing for that reason.
    pub flawed: bool,
}

impl Source {
    /// The block that says what its rows are about.
    pub fn block(&self) -> Option<&'static str> {
        [
            ("order", self.order.is_some()),
            ("subscription", self.subscription.is_some()),
            ("ticket", self.ticket.is_some()),
            ("survey", self.survey.is_some()),
            ("review", self.review.is_some()),
            ("invoice", self.invoice.is_some()),
        ]
        .into_iter()
        .find_map(|(block, said)| said.then_some(block))
    }
}

/// How files hold their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileForm {
    Parquet,
    Csv,
}

impl FileForm {
    /// The key that says so, and the ending of such files.
    pub fn word(self) -> &'static str {
        match self {
            FileForm::Parquet => "parquet",
            FileForm::Csv => "csv",
        }
    }
}

crate::options! {
    /// What becomes of rows that break the contract.
    pub struct BadRowsBlock("`bad_rows`") {
        /// Where they go. They are counted in any case.
        action: BadRowAction = BadRowAction::Fail,
        /// The share of bad rows up to which a run goes on.
        tolerate: Share = Share(0.0),
    }
}

crate::choice! {
    /// What is done about columns that the contract does not list, or that only some files have.
    pub enum ExtraColumns {
        /// They may come and go; the report says which do.
        Allow = "allow",
        /// A warning says so.
        Warn = "warn",
        /// The run fails.
        Fail = "fail",
    }
}

crate::choice! {
    /// What is done about columns that the pipeline names and some files lack.
    pub enum AbsentColumns {
        /// The run fails.
        Fail = "fail",
        /// They read as null, and a warning says so.
        Null = "null",
    }
}

crate::choice! {
    /// What is done about columns whose types differ between files.
    pub enum WiderTypes {
        /// They are read as the wider type, and a warning says so.
        Cast = "cast",
        /// The run fails.
        Fail = "fail",
    }
}

crate::options! {
    /// What is done where the files of a source differ in their columns.
    pub struct DriftBlock("`drift`") {
        /// Columns that `columns` does not list, or that only some files have.
        extra_columns: ExtraColumns = ExtraColumns::Allow,
        /// Columns that the pipeline names and some files lack; `optional` columns may be absent anyway.
        absent_columns: AbsentColumns = AbsentColumns::Fail,
        /// Columns that are narrower in some files than in others.
        wider_types: WiderTypes = WiderTypes::Cast,
    }
}

crate::options! {
    /// The `value` role: money.
    pub struct ValueRole("`value`") {
        /// The column, or an expression.
        column: Expression,
        /// Digits after the point; absent: a decimal's own scale, 0 for whole numbers, 2 for doubles.
        decimals: Option<i64> = None,
        /// The currency's code.
        currency: Option<String> = None,
        /// Whether a whole number is already in minor units, such as cents.
        minor_units: bool = false,
    }
}

crate::options! {
    /// The `order` block.
    pub struct OrderBlock("`order`") {
        /// Rows of one customer and id are lines of one order.
        id: Option<Expression> = None,
        /// Which rows are sales; absent: all.
        sold: Option<Expression> = None,
        /// Which rows are returns; absent: none.
        returned: Option<Expression> = None,
        /// How many things a row is about.
        quantity: Option<Expression> = None,
        /// How many of them came back.
        returned_quantity: Option<Expression> = None,
        /// When they came back.
        returned_at: Option<Expression> = None,
        /// What a row earns.
        margin: Option<Expression> = None,
        /// What kind of thing a row is about.
        category: Option<Expression> = None,
    }
}

crate::options! {
    /// The `subscription` block.
    pub struct SubscriptionBlock("`subscription`") {
        /// The first moment of the span. It stands in for `time` where that is not given.
        starts: Expression,
        /// The first moment after the span; null while it runs.
        ends: Expression,
        /// When it renews next.
        renews: Option<Expression> = None,
        /// The time that one `value` buys.
        every: PeriodUnit = PeriodUnit::Month,
    }
}

crate::choice! {
    /// The type of a column in a contract.
    pub enum ColumnType {
        Bool = "bool",
        Int32 = "int32",
        Int64 = "int64",
        Uint64 = "uint64",
        Float64 = "float64",
        Decimal = "decimal",
        String = "string",
        Date = "date",
        Timestamp = "timestamp",
    }
}

/// One entry of a source's `columns`.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnRule {
    pub name: Spanned<String>,
    pub body: ColumnBody,
}

crate::options! {
    /// A clause of the contract.
    pub struct ColumnBody("a column") {
        /// The type; a narrower one in a file is widened.
        r#type: Option<ColumnType> = None,
        /// Present and never null.
        required: bool = false,
        /// May be absent, and is null then.
        optional: bool = false,
        /// The smallest value allowed.
        min: Option<Scalar> = None,
        /// The largest value allowed.
        max: Option<Scalar> = None,
        /// The values allowed. Numbers in the list of a column of texts are the texts that they are written as.
        r#in: Option<Vec<Scalar>> = None,
        /// A regular expression that texts must fit.
        matches: Option<String> = None,
        /// The unit, for reports.
        unit: Option<String> = None,
        /// Personal. It follows the column through every stage, and to what is computed from it, but for counts, sums
        /// and means. Such columns are left out of published and quarantine tables and of the report, masked in rows
        /// that break a check and by `tenure show`; with `privacy: {pii: hash}` pseudonyms take their place in all of
        /// these. Their values are in no message, log or manifest, and no alert can name them. A table whose groups only
        /// such a column tells apart cannot be published without pseudonyms.
        pii: bool = false,
        /// What the column means.
        description: Option<String> = None,
    }
}

crate::options! {
    /// A source.
    pub(super) struct SourceKeys("a source") {
        /// Parquet files: the path of one, a pattern, or a folder.
        parquet: Option<Path> = None,
        /// CSV files: the path of one, a pattern, or a folder. `columns` says what their texts are.
        csv: Option<Path> = None,
        /// Who: the column, or an expression, that identifies a customer.
        customer: Option<Expression> = None,
        /// When: a date or a timestamp.
        time: Option<Expression> = None,
        /// What identifies a row: a column, or a list of them.
        key: Several<Expression> = Several(Vec::new()),
        /// How much money: a column, or `{column: …, currency: …}`.
        value: Option<ValueForm> = None,
        /// What is an order, what is sold and what comes back.
        order: Option<OrderBlock> = None,
        /// From when until when a row holds: rows are spans, not events.
        subscription: Option<SubscriptionBlock> = None,
        /// Rows are tickets: when they were answered and solved, and how long that took.
        ticket: Option<TicketBlock> = None,
        /// Rows are surveys: the answer, and to what.
        survey: Option<SurveyBlock> = None,
        /// Rows are reviews: stars and tone.
        review: Option<ReviewBlock> = None,
        /// Rows are invoices: when they are due, and when they were paid.
        invoice: Option<InvoiceBlock> = None,
        /// The contract: what columns must be. Those not listed are allowed.
        columns: ColumnRules = ColumnRules(Vec::new()),
        /// What becomes of rows that break the contract.
        bad_rows: Option<BadRowsBlock> = None,
        /// What is done where the files differ in their columns.
        drift: Option<DriftBlock> = None,
        /// What it holds.
        description: Option<String> = None,
    }
}

/// The `value` role, which may be written as a column alone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ValueForm(ValueRole);

impl Decode for ValueForm {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if let NodeKind::Map(_) = node.kind {
            return ValueRole::decode(node, decoder).map(ValueForm);
        }
        // `value: amount` is short for `value: {column: amount}`.
        Some(ValueForm(ValueRole {
            column: Setting {
                value: Expression::decode(node, decoder)?,
                span: Some(node.span),
                flawed: false,
            },
            decimals: Setting::default_of(None),
            currency: Setting::default_of(None),
            minor_units: Setting::default_of(false),
        }))
    }
    fn expects() -> String {
        format!("{}, or {}", Expression::expects(), ValueRole::expects())
    }
    fn show(&self) -> String {
        self.0.show()
    }
    fn json_schema() -> Json {
        schema::any_of([Expression::json_schema(), ValueRole::json_schema()])
    }
}

/// The `columns` of a source, in the order of the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ColumnRules(Vec<ColumnRule>);

impl Decode for ColumnRules {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let NodeKind::Map(entries) = &node.kind else {
            decoder.wrong_type(node, &Self::expects());
            return None;
        };
        let rules = entries.iter().filter(|(name, _)| !name.value.starts_with("x-"));
        let rules = rules.filter_map(|(name, body)| {
            Some(ColumnRule { name: name.clone(), body: ColumnBody::decode(body, decoder)? })
        });
        Some(ColumnRules(rules.collect()))
    }
    fn expects() -> String {
        "a map from columns to what they must be".into()
    }
    fn show(&self) -> String {
        let rules = self.0.iter().map(|rule| format!("{}: {}", rule.name.value, rule.body.show()));
        format!("{{{}}}", rules.collect::<Vec<_>>().join(", "))
    }
    fn json_schema() -> Json {
        schema::map_of(ColumnBody::json_schema())
    }
    fn to_json(&self) -> Json {
        self.0.iter().map(|rule| (rule.name.value.clone(), rule.body.to_json())).collect()
    }
}

/// What a source takes, as a JSON Schema.
pub(super) fn json_schema() -> Json {
    let mut schema = SourceKeys::json_schema();
    schema["type"] = json!("object");
    schema["oneOf"] = json!([{"required": ["parquet"]}, {"required": ["csv"]}]);
    schema["dependencies"] = json!({"csv": ["columns"]});
    schema
}

/// Reads one source; `None` if it cannot be used at all.
pub(super) fn decode(name: &Spanned<String>, node: &Node, decoder: &mut Decoder) -> Option<Source> {
    let what = format!("the source `{}`", name.value);
    let before = decoder.count();
    let mut reader = decoder.map(node, &what)?;
    let keys = SourceKeys::read(&mut reader, decoder);
    reader.finish(decoder);
    let keys = keys?;
    let files = files(node, &keys, &what, name, decoder);
    let value = keys.value.value.map(|ValueForm(role)| role);
    if let Some(ValueRole { decimals: Setting { value: Some(decimals), span, .. }, .. }) = &value
        && !(0..=18).contains(decimals)
    {
        decoder.report(Diagnostic::at(
            Code::InvalidValue,
            span.unwrap_or(name.span),
            format!("`decimals` is 0 to 18, not {decimals}"),
        ));
    }
    let subjects = ["order", "subscription", "ticket", "survey", "review", "invoice"];
    let subjects: Vec<(&str, &Node)> =
        subjects.into_iter().filter_map(|name| Some((name, node.get(name)?))).collect();
    if let [(first, _), (second, block), ..] = subjects.as_slice() {
        decoder.report(
            Diagnostic::at(
                Code::InvalidValue,
                block.span,
                format!("{what} has two subjects, `{first}` and `{second}`: a row is one of them"),
            )
            .help("make two sources of the same files, one with each block"),
        );
    }
    let ColumnRules(columns) = keys.columns.value;
    let place = keys.bad_rows.place(name.span);
    let bad_rows = bad_rows(keys.bad_rows.value, place, decoder);
    if let Some((FileForm::Csv, path)) = &files
        && columns.is_empty()
    {
        decoder.report(
            Diagnostic::at(
                Code::MissingKey,
                path.span,
                "a source of CSV files needs `columns`, which says what their texts are",
            )
            .help("list the columns with their types: `columns: {customer_id: {type: int64}, …}`"),
        );
    }
    let (form, path) = files?;
    let Several(key) = keys.key.value;
    Some(Source {
        name: name.clone(),
        path,
        form,
        customer: keys.customer.value,
        time: keys.time.value,
        key,
        value,
        order: keys.order.value,
        subscription: keys.subscription.value,
        ticket: keys.ticket.value,
        survey: keys.survey.value,
        review: keys.review.value,
        invoice: keys.invoice.value,
        columns,
        bad_rows,
        drift: keys.drift.value.unwrap_or_else(DriftBlock::none),
        description: keys.description.value,
        flawed: decoder.count() > before,
    })
}

impl DriftBlock {
    /// As if nothing were written.
    fn none() -> Self {
        DriftBlock {
            extra_columns: Setting::default_of(ExtraColumns::Allow),
            absent_columns: Setting::default_of(AbsentColumns::Fail),
            wider_types: Setting::default_of(WiderTypes::Cast),
        }
    }
}

/// The one of `parquet` and `csv` that is there.
fn files(
    node: &Node,
    keys: &SourceKeys,
    what: &str,
    name: &Spanned<String>,
    decoder: &mut Decoder,
) -> Option<(FileForm, Path)> {
    match (node.get("parquet"), node.get("csv")) {
        (Some(_), None) => Some((FileForm::Parquet, keys.parquet.value.clone()?)),
        (None, Some(_)) => Some((FileForm::Csv, keys.csv.value.clone()?)),
        (None, None) => {
            decoder.report(
                Diagnostic::at(
                    Code::MissingKey,
                    name.span,
                    format!("{what} needs the key `parquet`"),
                )
                .help("`parquet` or `csv` takes a path: a file, a pattern or a folder"),
            );
            None
        }
        (Some(first), Some(second)) => {
            decoder.report(
                Diagnostic::at(
                    Code::InvalidValue,
                    second.span,
                    format!("{what} has files of two forms"),
                )
                .and(first.span, "the others are here")
                .help("make two sources, and unite them in a stage"),
            );
            None
        }
    }
}

fn bad_rows(block: Option<BadRowsBlock>, place: Span, decoder: &mut Decoder) -> BadRowsBlock {
    let Some(block) = block else {
        return BadRowsBlock {
            action: Setting::default_of(BadRowAction::Fail),
            tolerate: Setting::default_of(Share(0.0)),
        };
    };
    let (action, share) = (block.action.value, block.tolerate.value.0);
    if !(0.0..=1.0).contains(&share) {
        decoder.report(Diagnostic::at(
            Code::InvalidValue,
            block.tolerate.place(place),
            "`tolerate` lies between 0% and 100%",
        ));
    } else if action == BadRowAction::Fail && share > 0.0 {
        decoder.report(
            Diagnostic::at(
                Code::InvalidValue,
                block.tolerate.place(place),
                "`action: fail` tolerates no bad row",
            )
            .help("`action: quarantine` or `action: drop` say where the tolerated rows go"),
        );
    } else if action != BadRowAction::Fail && share == 0.0 {
        decoder.report(
            Diagnostic::at(
                Code::InvalidValue,
                block.action.place(place),
                format!("`action: {action}` fails at the first bad row while `tolerate` is 0%"),
            )
            .warning()
            .help("say how many are borne: `tolerate: 1%`"),
        );
    }
    block
}
