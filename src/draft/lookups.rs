//! Other tables: how they hang together with the events, and what divides customers or rows.

use std::collections::HashSet;

use super::profile::{Column, NEARLY, Profile};
use super::roles::Role;
use super::text::{self, count, percent};
use super::words;
use crate::frame::{DataType, Value};

/// The share of the keys of the smaller table that the other one has, at least.
const SHARED: f64 = 0.3;

/// The same where the names say nothing.
const SHARED_WITHOUT_NAMES: f64 = 0.9;

/// The share of rows of a table of customers that may repeat a key.
const AGAIN: f64 = 0.5;

/// The most values of a column that divides customers.
const MOST_GROUPS: usize = 20;

/// The most values of a column of the events that divides them.
const MOST_GROUPS_OF_EVENTS: usize = 60;

/// A table that is looked up in.
#[derive(Debug)]
pub(super) struct Lookup {
    pub profile: Profile,
    /// The column of the events that finds its rows.
    pub left: String,
    /// Its own column with the same values.
    pub key: String,
    /// The customer role, for a table of customers.
    pub customer: Option<Role>,
    /// False if some keys are there twice.
    pub unique: bool,
    /// True if it is the lines of orders that find its rows.
    pub of_lines: bool,
    /// True if every key of the events is found, as far as the samples go.
    pub complete: bool,
    pub because: String,
}

impl Lookup {
    /// What stands before the names of its columns when it is joined: something, if the other tables
    /// have one of them.
    pub fn prefix(&self, others: &[&Profile]) -> String {
        let mut own = self.profile.columns.iter().filter(|column| column.name != self.key);
        let there = |name: &str| others.iter().any(|other| other.column(name).is_some());
        match own.any(|column| there(&column.name)) {
            true => format!("{}_", self.profile.set.name),
            false => String::new(),
        }
    }

    /// The table with one row per key.
    pub fn table(&self) -> String {
        match self.unique {
            true => self.profile.set.name.clone(),
            false => format!("{}_once", self.profile.set.name),
        }
    }
}

/// What stands in a `by:`.
#[derive(Debug, Clone)]
pub(super) struct Dimension {
    pub name: String,
    pub of: DimensionOf,
    pub because: String,
}

/// What a dimension is of.
#[derive(Debug, Clone)]
pub(super) enum DimensionOf {
    /// A column of a table of customers, and whether it is cut by age.
    Customers { table: String, column: String, ages: bool, unknown: Option<String> },
    /// A column of a table joined to the events, or to their lines.
    Joined { table: String },
    /// A column of the events.
    Events,
    /// A column of the lines of orders.
    Lines,
}

/// A table that nothing is looked up in.
#[derive(Debug)]
pub(super) struct Unused {
    pub profile: Profile,
    /// The column of the events, and its own with the same values of which several rows have the same.
    pub shared: Option<(String, String)>,
}

/// Columns of two tables that have the same values.
struct Pair {
    /// True if few enough rows of the table share a value.
    finds: bool,
    score: u32,
    unique: bool,
    shared: f64,
    left: String,
    key: String,
    complete: bool,
}

impl Pair {
    fn rank(&self) -> (bool, u32, bool, f64) {
        (self.finds, self.score, self.unique, self.shared)
    }
}

/// A table as a look-up table of the events, or without `customer` of the lines of orders, if keys agree.
///
/// # Errors
/// The table itself, if none do.
pub(super) fn lookup(
    table: Profile,
    events: &Profile,
    customer: Option<&Role>,
) -> Result<Lookup, Box<Unused>> {
    let found = match pair(&table, events, customer) {
        Some(pair) if pair.finds => pair,
        pair => {
            let shared = pair.map(|pair| (pair.left, pair.key));
            return Err(Box::new(Unused { profile: table, shared }));
        }
    };
    let Pair { left, key, unique, complete, shared, .. } = found;
    let of_customers = customer.is_some_and(|customer| customer.columns.contains(&left));
    let role = of_customers.then(|| role(&table, &key, events, &left)).flatten();
    let rows = match unique {
        true => "each there once".to_owned(),
        false => "some there twice".to_owned(),
    };
    let because = format!(
        "`{key}` is `{left}` of `{}` ({} of the keys agree), {rows}, in {}",
        events.set.name,
        percent(shared),
        table.basis()
    );
    let of_lines = customer.is_none();
    Ok(Lookup { profile: table, left, key, customer: role, unique, of_lines, complete, because })
}

/// The columns that speak most for two tables hanging together.
fn pair(table: &Profile, events: &Profile, customer: Option<&Role>) -> Option<Pair> {
    let mut best: Option<Pair> = None;
    for key in table.columns.iter().filter(|column| identifies(column)) {
        let unique = key.is_unique();
        let own = keys(table, &key.name);
        for left in events.columns.iter().filter(|column| identifies(column)) {
            let of_customers = customer.is_some_and(|role| role.columns.contains(&left.name));
            let same = words::flat(&left.name) == words::flat(&key.name);
            let known = words::customer(&key.name) > 0 || words::flat(&key.name) == "id";
            let score = match () {
                () if same && of_customers => 5,
                () if of_customers && known => 4,
                () if same => 3,
                () if names_the_same(&left.name, &key.name, &table.set.name) => 2,
                () if left.data_type == DataType::String && own.len() > MOST_GROUPS => 1,
                () => continue,
            };
            let others = keys(events, &left.name);
            let common = own.intersection(&others).count();
            let shared = common as f64 / own.len().min(others.len()).max(1) as f64;
            if shared < if score == 1 { SHARED_WITHOUT_NAMES } else { SHARED } {
                continue;
            }
            let repeated = 1.0 - key.distinct as f64 / key.known.max(1) as f64;
            // A customer may be told of again; rows that share another key are rather its parts.
            let finds = repeated <= if of_customers { AGAIN } else { NEARLY };
            let (left, key) = (left.name.clone(), key.name.clone());
            let complete = common == others.len();
            let found = Pair { finds, score, unique, shared, left, key, complete };
            if best.as_ref().is_none_or(|best| found.rank() > best.rank()) {
                best = Some(found);
            }
        }
    }
    best
}

/// True for columns whose values could be keys.
fn identifies(column: &Column) -> bool {
    match column.data_type {
        DataType::Int32 | DataType::Int64 | DataType::String => true,
        DataType::Float64 => column.whole_doubles,
        _ => false,
    }
}

/// `product_id` and the `id` of `products`.
fn names_the_same(left: &str, key: &str, table: &str) -> bool {
    let (left, key) = (words::flat(left), words::flat(key));
    let stem = table.trim_end_matches('s');
    ["id", "key", "code", "no", "number"].contains(&key.as_str())
        && left.starts_with(&words::flat(stem))
}

/// The values of a column, in a form in which 5, 5.0 and `5` are the same.
fn keys(profile: &Profile, column: &str) -> HashSet<String> {
    let text = |value: Value| match value {
        Value::Null => None,
        Value::Float(number) => Some(format!("{number:.0}")),
        value => Some(value.to_string()),
    };
    profile.values(column).into_iter().filter_map(text).collect()
}

/// The customer of a table of customers, of the same type as that of the events.
fn role(table: &Profile, key: &str, events: &Profile, left: &str) -> Option<Role> {
    let (column, other) = (table.column(key)?, events.column(left)?);
    let is_text = |column: &Column| column.data_type == DataType::String;
    let bare = text::column(key, &table.schema);
    let because = String::new();
    Some(match (is_text(column), is_text(other)) {
        (true, false) => Role::expression(format!("try_cast({bare} as int64)"), &[key], because),
        (false, true) if column.data_type == DataType::Float64 => {
            Role::expression(format!("cast(cast({bare} as int64) as string)"), &[key], because)
        }
        (false, true) => Role::expression(format!("cast({bare} as string)"), &[key], because),
        _ => super::roles::customer_of(column, table, Some(because)),
    })
}

/// Columns of tables of customers that divide them, the most telling first.
pub(super) fn segments(lookups: &[Lookup], events: &Profile) -> Vec<Dimension> {
    let mut found: Vec<(u32, Dimension)> = Vec::new();
    for lookup in lookups.iter().filter(|lookup| lookup.customer.is_some()) {
        for column in lookup.profile.columns.iter().filter(|column| column.name != lookup.key) {
            let ages = is_age(column);
            if !ages && !divides(column, MOST_GROUPS) {
                continue;
            }
            let unknown = (!lookup.complete || column.nulls > 0.0).then(|| {
                let taken = |label: &str| {
                    column
                        .values
                        .iter()
                        .any(|(value, _)| value.to_string().eq_ignore_ascii_case(label))
                };
                if taken("unknown") { "not_given".to_owned() } else { "unknown".to_owned() }
            });
            let of = DimensionOf::Customers {
                table: lookup.table(),
                column: column.name.clone(),
                ages,
                unknown,
            };
            let name = free_name(&column.name, &lookup.profile.set.name, events);
            found.push((
                words::dimension(&column.name),
                Dimension { name, of, because: values_of(column, &lookup.profile) },
            ));
        }
    }
    ranked(found)
}

/// Columns of other tables that divide the rows that find them, the most telling first; one of each
/// table.
pub(super) fn joined<'a>(
    lookups: impl Iterator<Item = &'a Lookup>,
    others: &[&Profile],
) -> Vec<Dimension> {
    let mut found: Vec<(u32, Dimension)> = Vec::new();
    for lookup in lookups.filter(|lookup| lookup.customer.is_none()) {
        let columns = lookup.profile.columns.iter().filter(|column| column.name != lookup.key);
        let mut best: Option<&Column> = None;
        for column in columns.filter(|column| divides(column, MOST_GROUPS_OF_EVENTS)) {
            let score = |column: &Column| words::dimension(&column.name);
            if best.is_none_or(|best| score(column) > score(best)) {
                best = Some(column);
            }
        }
        if let Some(column) = best {
            let of = DimensionOf::Joined { table: lookup.table() };
            let because = values_of(column, &lookup.profile);
            let name = format!("{}{}", lookup.prefix(others), column.name);
            found.push((words::dimension(&column.name), Dimension { name, of, because }));
        }
    }
    ranked(found)
}

/// Columns of the events, or of their lines, that divide them, the most telling first.
pub(super) fn own(table: &Profile, taken: &[&str], of: &DimensionOf) -> Vec<Dimension> {
    let mut found: Vec<(u32, Dimension)> = Vec::new();
    for column in &table.columns {
        let used = taken.contains(&column.name.as_str());
        let telling = words::dimension(&column.name);
        let text = column.data_type == DataType::String;
        if used || !divides(column, MOST_GROUPS_OF_EVENTS) || (!text && telling < 3) {
            continue;
        }
        let because = values_of(column, table);
        found.push((telling, Dimension { name: column.name.clone(), of: of.clone(), because }));
    }
    ranked(found)
}

fn ranked(mut found: Vec<(u32, Dimension)>) -> Vec<Dimension> {
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    found.into_iter().map(|(_, dimension)| dimension).collect()
}

fn values_of(column: &Column, profile: &Profile) -> String {
    format!("{} different values in {}", count(column.distinct as u64), profile.basis())
}

/// True for columns with a few values, each of them of several rows.
fn divides(column: &Column, most: usize) -> bool {
    let text = matches!(column.data_type, DataType::String | DataType::Bool);
    let calendar = ["year", "month", "week", "day", "date", "hour", "quarter", "time", "currency"];
    let words = words::words(&column.name);
    let is_calendar = words.iter().any(|word| calendar.contains(&word.as_str()));
    let counts = ["count", "number", "num", "qty", "quantity", "size"];
    let is_count = !text && words.iter().any(|word| counts.contains(&word.as_str()));
    (text || column.data_type.is_integer())
        && (2..=most).contains(&column.distinct)
        && column.distinct * 3 <= column.known
        && !is_calendar
        && !is_count
        && !words::personal(&column.name)
        && words::money(&column.name).is_none()
        && !words::quantity(&column.name)
        && words::customer(&column.name) == 0
}

/// True for ages in years.
fn is_age(column: &Column) -> bool {
    let named = words::words(&column.name).iter().any(|word| word == "age");
    let years = |value: &Value| value.as_f64().is_some_and(|years| (0.0..=130.0).contains(&years));
    named
        && column.is_number()
        && column.distinct > MOST_GROUPS
        && years(&column.low)
        && years(&column.high)
}

/// A name for a segment that is neither a column of the events nor a grain of the calendar.
fn free_name(column: &str, table: &str, events: &Profile) -> String {
    let name = text::name(column, "segment");
    let grains = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"];
    let taken = events.column(&name).is_some() || grains.contains(&name.as_str());
    if taken { text::name(&format!("{table}_{name}"), "segment") } else { name }
}
