//! From addresses to a draft.

use std::path::PathBuf;

use super::error::DraftError;
use super::files::sets;
use super::lookups::{self, Dimension, DimensionOf, Lookup};
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
    /// Segments, then dimensions of events.
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
        match lookups::lookup(table, &events, &customer) {
            Ok(lookup) => lookups.push(lookup),
            Err(table) => unused.push(table.set.address.clone()),
        }
    }
    let dimensions = dimensions(&lookups, &events, &customer, &time, &rows, value.as_ref());
    let (currency, several) = currency(&events);
    let name = request.name.clone().unwrap_or_else(|| events.set.name.clone());
    let findings = Findings {
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
        dimensions,
    };
    guesses.extend(findings.guesses());
    if let Some(column) = several {
        guesses.push(Guess {
            what: "note".into(),
            written: column,
            because:
                "has several currencies, and a source has one: filter the rows, or convert them"
                    .into(),
        });
    }
    for address in unused {
        let because = "left out: no column of it is a key that the events have".to_owned();
        guesses.push(Guess { what: "note".into(), written: address, because });
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

/// Segments and dimensions, each with a name of its own.
fn dimensions(
    lookups: &[Lookup],
    events: &Profile,
    customer: &Role,
    time: &Time,
    rows: &OrderRows,
    value: Option<&Money>,
) -> Vec<Dimension> {
    let roles = [
        Some(customer),
        rows.id.as_ref(),
        rows.key.as_ref(),
        rows.sold.as_ref(),
        rows.returned.as_ref(),
    ];
    let mut taken: Vec<&str> = roles
        .into_iter()
        .flatten()
        .chain(value.map(|value| &value.role))
        .flat_map(|role| role.columns.iter().map(String::as_str))
        .collect();
    taken.extend(lookups.iter().map(|lookup| lookup.left.as_str()));
    let mut found: Vec<Dimension> = Vec::new();
    let segments = lookups::segments(lookups, events).into_iter().take(MOST_DIMENSIONS + 1);
    let own = lookups::joined(lookups, events)
        .into_iter()
        .chain(lookups::of_events(events, &taken, time));
    for dimension in segments.chain(own.take(MOST_DIMENSIONS)) {
        let stage = stage_name(&dimension);
        if !found.iter().any(|known| stage_name(known) == stage) {
            found.push(dimension);
        }
    }
    found
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

impl Findings {
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
        match &self.value {
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
        guesses.extend(rows.quantity.as_ref().map(|quantity| role("quantity", quantity)));
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
                DimensionOf::Joined { .. } | DimensionOf::Events => "dimension",
            };
            guesses.push(guess(what, &dimension.name, &dimension.because));
        }
        guesses
    }
}
