//! From addresses to a draft.

use std::path::PathBuf;

use super::error::DraftError;
use super::files::sets;
use super::lines::{self, OrderLines};
use super::lookups::{self, Dimension, DimensionOf, Lookup, Unused};
use super::order::{self, Money, OrderRows};
use super::pipeline;
use super::profile::{Profile, profile};
use super::roles::{self, Role, Time};
use super::text::{self, count, percent};
use crate::document::is_name;
use crate::ir::Expr;

/// The most segments, and the most dimensions of events, that a draft has a table of.
const MOST_DIMENSIONS: usize = 2;

/// What a draft is asked for.
#[derive(Debug, Clone, Default)]
pub struct DraftRequest {
    /// Files, folders and patterns.
    pub addresses: Vec<String>,
    /// What relative addresses are relative to.
    pub root: PathBuf,
    /// What the pipeline's file will be called; absent: its name and `.yaml`.
    pub file: Option<String>,
    /// The pipeline's name; absent: that of the source of events.
    pub name: Option<String>,
    /// Roles given by hand: columns, or expressions over columns.
    pub customer: Option<String>,
    pub time: Option<String>,
    pub value: Option<String>,
}

/// A pipeline as text, and what was guessed.
#[derive(Debug, Clone)]
pub struct Draft {
    pub name: String,
    /// The YAML.
    pub text: String,
    pub guesses: Vec<Guess>,
}

/// One thing that was guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// What it is about: `customer`, `segment`.
    pub what: String,
    /// The column or expression that was chosen.
    pub written: String,
    /// The evidence.
    pub because: String,
}

/// What was found out, for the writer.
pub(super) struct Findings {
    pub name: String,
    pub file: String,
    pub addresses: Vec<String>,
    pub events: Profile,
    pub customer: Role,
    pub time: Time,
    pub value: Option<Money>,
    pub rows: OrderRows,
    pub currency: Option<String>,
    pub lookups: Vec<Lookup>,
    /// The lines of orders, where they have a table of their own.
    pub order_lines: Option<OrderLines>,
    /// Segments, then dimensions of events and of their lines.
    pub dimensions: Vec<Dimension>,
}

/// Drafts a pipeline from files.
///
/// # Errors
/// Files that are not there or cannot be read, and roles that nothing speaks for.
pub fn draft(request: &DraftRequest) -> Result<Draft, DraftError> {
    if let Some(name) = request.name.as_ref().filter(|name| !is_name(name)) {
        return Err(DraftError::Name { name: name.clone() });
    }
    let mut tables = sets(&request.addresses, &request.root)?
        .into_iter()
        .map(profile)
        .collect::<Result<Vec<_>, _>>()?;
    let mut guesses: Vec<Guess> = tables.iter().map(read).collect();
    let (place, customer, time, value) = events(&tables, request)?;
    let events = tables.remove(place);

    let rows = order::rows(&events, &customer, &time, value.as_ref());
    let mut lookups = Vec::new();
    let mut unused = Vec::new();
    for table in tables {
        match lookups::lookup(table, &events, Some(&customer)) {
            Ok(lookup) => lookups.push(lookup),
            Err(table) => unused.push(*table),
        }
    }
    let sold = rows.sold.as_ref();
    let order_lines = lines::of_orders(&mut unused, &events, &customer, &time, sold);
    if let Some(order_lines) = &order_lines {
        let others = std::mem::take(&mut unused);
        for table in others {
            let Unused { profile, shared } = table;
            match lookups::lookup(profile, &order_lines.profile, None) {
                Ok(lookup) => lookups.push(lookup),
                Err(table) => unused.push(Unused { shared, ..*table }),
            }
        }
    }
    let (currency, several) = currency(&events);
    let name = request.name.clone().unwrap_or_else(|| events.set.name.clone());
    let mut findings = Findings {
        file: request.file.clone().unwrap_or_else(|| format!("{name}.yaml")),
        name,
        addresses: request.addresses.clone(),
        events,
        customer,
        time,
        value,
        rows,
        currency,
        lookups,
        order_lines,
        dimensions: Vec::new(),
    };
    findings.dimensions = findings.dimensions();
    let of_lines = |dimension: &Dimension| findings.of_lines(&dimension.of).is_some();
    let mut left_out = None;
    if !findings.lines_are_events() && !findings.dimensions.iter().any(of_lines) {
        if let Some(lines) = findings.order_lines.take() {
            let because = "left out: the lines of orders, but nothing divides them".to_owned();
            let written = lines.profile.set.address;
            left_out = Some(Guess { what: "note".into(), written, because });
        }
        findings.lookups.retain(|lookup| !lookup.of_lines);
    }
    guesses.extend(findings.guesses());
    guesses.extend(left_out);
    if let Some(column) = several {
        guesses.push(Guess {
            what: "note".into(),
            written: column,
            because:
                "has several currencies, and a source has one: filter the rows, or convert them"
                    .into(),
        });
    }
    for Unused { profile, shared } in unused {
        let because = match shared {
            Some((left, key)) => format!(
                "left out: several of its rows have the same `{key}`, the `{left}` of the events; `join` \
                 finds one row, or with `many: true` all"
            ),
            None => "left out: no column of it is a key that the events have".to_owned(),
        };
        guesses.push(Guess { what: "note".into(), written: profile.set.address, because });
    }
    Ok(Draft { name: findings.name.clone(), text: pipeline::write(&findings), guesses })
}

/// What was read of a source.
fn read(table: &Profile) -> Guess {
    let files = table.set.source.files.len();
    let plural = if files == 1 { "" } else { "s" };
    Guess {
        what: "read".into(),
        written: table.set.address.clone(),
        because: format!(
            "{} rows, {} columns, {files} file{plural}{}",
            count(table.set.rows()),
            table.columns.len(),
            if table.whole { String::new() } else { format!("; {}", table.basis()) }
        ),
    }
}

type Chosen = (usize, Role, Time, Option<Money>);

/// The table of events, with its roles: of those that say who and when the one with money and the most
/// rows.
fn events(tables: &[Profile], request: &DraftRequest) -> Result<Chosen, DraftError> {
    let mut best: Option<((bool, u64), Chosen)> = None;
    let (mut who, mut when) = (false, false);
    let mut refused = None;
    for (place, table) in tables.iter().enumerate() {
        let (customer, time, value) = match given(table, request) {
            Ok(roles) => roles,
            Err(error) => {
                refused.get_or_insert(error);
                continue;
            }
        };
        who |= customer.is_some();
        when |= time.is_some();
        if let Some((customer, time)) = customer.zip(time) {
            let rank = (value.is_some(), table.set.rows());
            if best.as_ref().is_none_or(|(known, _)| rank > *known) {
                best = Some((rank, (place, customer, time, value)));
            }
        }
    }
    if let Some((_, chosen)) = best {
        return Ok(chosen);
    }
    if let Some(error) = refused {
        return Err(error);
    }
    let mut missing = Vec::new();
    if !who || when {
        missing.push("customer");
    }
    if !when || who {
        missing.push("time");
    }
    if let [table] = tables {
        missing.retain(|role| match *role {
            "customer" => roles::customer(table).is_none() && request.customer.is_none(),
            _ => roles::time(table).is_none() && request.time.is_none(),
        });
    }
    let columns = |table: &Profile| {
        let columns = table.columns.iter();
        let words = columns.map(|column| format!("{} ({})", column.name, column.found));
        format!("{}: {}", table.set.address, words.collect::<Vec<_>>().join(", "))
    };
    Err(DraftError::NoRole {
        missing,
        tables: tables.iter().map(columns).collect(),
        example: request
            .addresses
            .iter()
            .map(|address| shell_word(address))
            .collect::<Vec<_>>()
            .join(" "),
    })
}

/// An address as one word of a shell.
pub fn shell_word(address: &str) -> String {
    let plain =
        |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '=' | ',' | ':');
    match address.chars().all(plain) {
        true => address.to_owned(),
        false => format!("'{}'", address.replace('\'', "'\\''")),
    }
}

type RolesFound = (Option<Role>, Option<Time>, Option<Money>);

/// The roles of a table: as given by hand, else guessed.
fn given(table: &Profile, request: &DraftRequest) -> Result<RolesFound, DraftError> {
    let customer = match &request.customer {
        Some(written) => {
            let (role, expr) = roles::given("customer", written, table)?;
            let column = table.column(written).filter(|_| expr.is_none());
            Some(column.map_or(role.clone(), |column| {
                roles::customer_of(column, table, Some(role.because))
            }))
        }
        None => roles::customer(table),
    };
    let time = match &request.time {
        Some(written) => {
            let (role, expr) = roles::given("time", written, table)?;
            Some(time_by_hand(role, expr, table)?)
        }
        None => roles::time(table),
    };
    let value = match &request.value {
        Some(written) => {
            let (role, _) = roles::given("value", written, table)?;
            let column = table.column(written);
            Some(match column {
                Some(column) => order::of_column(column, table, "as `--value` says"),
                None => Money { role, decimals: None, minor_units: false, negative: 0.0 },
            })
        }
        None => order::value(table),
    };
    Ok((customer, time, value))
}

/// A time given by hand: a column that is one or is made one, or an expression of that type.
fn time_by_hand(role: Role, expr: Option<Expr>, table: &Profile) -> Result<Time, DraftError> {
    use crate::frame::DataType;
    let refused = |found: &str| DraftError::BadRole {
        role: "time",
        written: role.written.clone(),
        reason: format!("a time is a date or a timestamp, and this is {found}"),
        columns: table.columns.iter().map(|column| column.name.clone()).collect(),
    };
    if let Some(expr) = expr {
        return match expr.data_type {
            DataType::Date | DataType::Timestamp => {
                Ok(Time { role, days: None, naive: false, remark: None, unfit: 0.0, stray: None })
            }
            other => Err(refused(&other.to_string())),
        };
    }
    let Some(column) = table.column(&role.columns[0]) else { return Err(refused("no column")) };
    let mut time = roles::time_of(column, table).ok_or_else(|| refused(&column.found))?;
    time.role.because = format!("{}; {}", role.because, time.role.because);
    Ok(time)
}

/// The stage that has a table by this dimension.
pub(super) fn stage_name(dimension: &Dimension) -> String {
    format!("by_{}", text::name(&dimension.name, "group"))
}

/// The currency, if a column names the same one in all rows; else the column that names several.
fn currency(events: &Profile) -> (Option<String>, Option<String>) {
    let named = |name: &str| super::words::words(name).iter().any(|word| word == "currency");
    let Some(column) = events.columns.iter().find(|column| named(&column.name)) else {
        return (None, None);
    };
    let code = |code: &str| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    match column.values.as_slice() {
        [(value, _)] if code(&value.to_string()) => (Some(value.to_string()), None),
        [] | [_] => (None, None),
        _ => (None, Some(column.name.clone())),
    }
}

/// What the rows of a table say, for the metrics of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub value: bool,
    pub quantity: bool,
    pub returned: bool,
    /// True if returns are rows of their own, with amounts below 0.
    pub negative_returns: bool,
}

impl Findings {
    /// The money of what the tables are made from, if anything says how much.
    pub fn money(&self) -> Option<&Money> {
        let lines = self.order_lines.as_ref().and_then(|lines| lines.value.as_ref());
        self.value.as_ref().or(lines)
    }

    /// True if only the lines of orders say how much was paid, so that all tables are made from them.
    pub fn lines_are_events(&self) -> bool {
        self.value.is_none() && self.money().is_some()
    }

    /// What is known of the rows that the tables are made from.
    pub fn known(&self) -> Known {
        match &self.order_lines {
            Some(lines) if self.lines_are_events() => lines.known(),
            _ => Known {
                value: self.value.is_some(),
                quantity: self.rows.quantity.is_some(),
                returned: self.rows.returned.is_some(),
                negative_returns: self.rows.negative_returns,
            },
        }
    }

    /// The tables whose columns stand beside each other where lines of orders were joined, or of which
    /// an event has the columns.
    pub fn beside(&self, of_lines: bool) -> Vec<&Profile> {
        let lines = self.order_lines.as_ref().filter(|_| of_lines || self.lines_are_events());
        lines.map(|lines| &lines.profile).into_iter().chain([&self.events]).collect()
    }

    /// The look-up table that a dimension comes from.
    pub fn lookup_of(&self, dimension: &DimensionOf) -> Option<&Lookup> {
        let DimensionOf::Joined { table } = dimension else { return None };
        self.lookups.iter().find(|lookup| lookup.table() == *table)
    }

    /// The lines of orders, if it is they that a dimension divides.
    pub fn of_lines(&self, dimension: &DimensionOf) -> Option<&OrderLines> {
        let found = self.lookup_of(dimension).is_some_and(|lookup| lookup.of_lines);
        let divided = found || matches!(dimension, DimensionOf::Lines);
        self.order_lines.as_ref().filter(|_| divided)
    }

    /// Segments and dimensions, each with a name of its own.
    fn dimensions(&self) -> Vec<Dimension> {
        let (events, rows) = (&self.events, &self.rows);
        let roles = [
            Some(&self.customer),
            Some(&self.time.role),
            rows.id.as_ref(),
            rows.key.as_ref(),
            rows.sold.as_ref(),
            rows.returned.as_ref(),
            self.value.as_ref().map(|value| &value.role),
        ];
        let roles = roles.into_iter().flatten();
        let mut taken: Vec<&str> =
            roles.flat_map(|role| role.columns.iter().map(String::as_str)).collect();
        taken.extend(self.lookups.iter().map(|lookup| lookup.left.as_str()));
        let of = |of_lines: bool| {
            let lookups = self.lookups.iter().filter(move |lookup| lookup.of_lines == of_lines);
            lookups::joined(lookups, &self.beside(of_lines)).into_iter()
        };
        let own = of(false).chain(lookups::own(events, &taken, &DimensionOf::Events));
        let lines = self.order_lines.iter().flat_map(|lines| {
            let taken = [&taken[..], &lines.used()].concat();
            of(true).chain(lookups::own(&lines.profile, &taken, &DimensionOf::Lines))
        });
        let segments = lookups::segments(&self.lookups, events).into_iter();
        let mut found: Vec<Dimension> = Vec::new();
        for dimension in segments
            .take(MOST_DIMENSIONS + 1)
            .chain(own.take(MOST_DIMENSIONS))
            .chain(lines.take(MOST_DIMENSIONS))
        {
            let stage = stage_name(&dimension);
            if !found.iter().any(|known| stage_name(known) == stage) {
                found.push(dimension);
            }
        }
        found
    }

    /// What was chosen, and why.
    fn guesses(&self) -> Vec<Guess> {
        let guess = |what: &str, written: &str, because: &str| Guess {
            what: what.to_owned(),
            written: written.to_owned(),
            because: because.to_owned(),
        };
        let role = |what: &str, role: &Role| guess(what, &role.written, &role.because);
        let mut guesses =
            vec![guess("events", &self.events.set.name, "the table with a customer and a time")];
        if self.value.is_some() {
            guesses[0].because = "the table with a customer, a time and money".into();
        }
        if let Some(lines) = &self.order_lines {
            guesses.push(guess("lines", &lines.profile.set.name, &lines.because));
        }
        guesses.push(role("customer", &self.customer));
        guesses.push(role("time", &self.time.role));
        if self.time.naive {
            guesses.push(guess(
                "timezone",
                "UTC",
                "the times have no zone; `timezone` says which one they are of",
            ));
        }
        if let Some(remark) = &self.time.remark {
            guesses.push(guess("note", "time", remark));
        }
        match self.money() {
            Some(value) => guesses.push(role("value", &value.role)),
            None => guesses.push(guess(
                "note",
                "value",
                "no column is money; name it: `--value COLUMN`",
            )),
        }
        let rows = &self.rows;
        guesses.extend(rows.id.as_ref().map(|id| role("order id", id)));
        guesses.extend(rows.key.as_ref().map(|key| role("key", key)));
        guesses.extend(rows.sold.as_ref().map(|sold| role("sold", sold)));
        let lines = self.order_lines.as_ref().and_then(|lines| lines.quantity.as_ref());
        let quantity = rows.quantity.as_ref().or(lines);
        guesses.extend(quantity.map(|quantity| role("quantity", quantity)));
        guesses.extend(rows.returned.as_ref().map(|returned| role("returned", returned)));
        if let Some(value) =
            self.value.as_ref().filter(|value| value.negative > 0.0 && rows.sold.is_none())
        {
            let because = format!(
                "{} of the amounts are below 0, and revenue is less by them",
                percent(value.negative)
            );
            guesses.push(guess("refunds", "net", &because));
        }
        for lookup in &self.lookups {
            guesses.push(guess("lookup", &lookup.profile.set.name, &lookup.because));
        }
        for dimension in &self.dimensions {
            let what = match &dimension.of {
                DimensionOf::Customers { .. } => "segment",
                DimensionOf::Joined { .. } | DimensionOf::Events | DimensionOf::Lines => {
                    "dimension"
                }
            };
            guesses.push(guess(what, &dimension.name, &dimension.because));
        }
        guesses
    }
}
