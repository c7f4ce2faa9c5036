//! What happened: money, orders and their lines, and what came back.

use super::profile::{Column, NEARLY, Profile};
use super::roles::{Role, Time};
use super::text::{self, count, percent};
use super::words::{self, Became, MoneyName};
use crate::frame::{DataType, Value};
use crate::ir::sql;

/// The role `value`.
#[derive(Debug, Clone)]
pub(super) struct Money {
    pub role: Role,
    /// Digits after the point, where the default is not the one wanted.
    pub decimals: Option<u8>,
    pub minor_units: bool,
    /// The share of values below 0, in the sample.
    pub negative: f64,
}

/// What a row is.
#[derive(Debug, Clone, Default)]
pub(super) struct OrderRows {
    /// What the lines of an order share; `None` if every row is an order.
    pub id: Option<Role>,
    /// What identifies a row.
    pub key: Option<Role>,
    /// The share of rows that are there twice, all columns being equal.
    pub repeated: f64,
    /// The share of rows whose key is there twice.
    pub repeated_keys: f64,
    pub quantity: Option<Role>,
    /// Which rows are sales; `None` if all are.
    pub sold: Option<Role>,
    pub returned: Option<Role>,
    /// True if returns are rows of their own, with amounts below 0.
    pub negative_returns: bool,
}

/// The column or the product that says how much.
pub(super) fn value(profile: &Profile) -> Option<Money> {
    let columns: Vec<(&Column, MoneyName)> = profile
        .columns
        .iter()
        .filter(|column| column.is_number() && column.known > 0)
        .filter_map(|column| Some((column, words::money(&column.name)?)))
        .collect();
    let mut best: Option<(&Column, MoneyName)> = None;
    for (column, name) in columns {
        if best.is_none_or(|(_, known)| name > known) {
            best = Some((column, name));
        }
    }
    let (column, name) = best?;
    let money = |role: Role, decimals: Option<u8>, negative: f64| Money {
        role,
        decimals,
        minor_units: column.data_type.is_integer() && words::minor_units(&column.name),
        negative,
    };
    let quantity = (name == MoneyName::Unit).then(|| quantity(profile)).flatten();
    let Some(quantity) = quantity else {
        return Some(of_column(column, profile, "by its name"));
    };
    let bare = |name: &str| text::column(name, &profile.schema);
    let written = format!("{} * {}", bare(&quantity.name), bare(&column.name));
    let because = format!(
        "`{}` is the price of one thing, `{}` how many there are",
        column.name, quantity.name
    );
    let columns = [quantity.name.as_str(), column.name.as_str()];
    let pairs = profile.values(&quantity.name).into_iter().zip(profile.values(&column.name));
    let products = pairs.filter_map(|(a, b)| Some(a.as_f64()? * b.as_f64()?));
    let (below, all) =
        products.fold((0, 0), |(below, all), p| (below + usize::from(p < 0.0), all + 1));
    Some(money(
        Role::expression(written, &columns, because),
        decimals(column),
        below as f64 / f64::from(all.max(1)),
    ))
}

/// Money of one column.
pub(super) fn of_column(column: &Column, profile: &Profile, because: &str) -> Money {
    let found = format!("{because}; {}, {}", column.found, column.range());
    Money {
        role: Role::column(&column.name, profile, found),
        decimals: decimals(column),
        minor_units: column.data_type.is_integer() && words::minor_units(&column.name),
        negative: column.negative,
    }
}

/// Digits after the point of doubles that need more than two.
fn decimals(column: &Column) -> Option<u8> {
    let wanted = column.data_type == DataType::Float64 && (3..=4).contains(&column.digits);
    wanted.then_some(column.digits)
}

fn quantity(profile: &Profile) -> Option<&Column> {
    let whole = |column: &&Column| column.data_type.is_integer() || column.whole_doubles;
    let mut columns = profile.columns.iter().filter(|column| words::quantity(&column.name));
    columns.clone().find(whole).or_else(|| columns.find(|column| column.is_number()))
}

/// The role `quantity` of a table.
pub(super) fn quantity_role(profile: &Profile) -> Option<Role> {
    quantity(profile).map(|column| how_many(column, profile))
}

fn how_many(column: &Column, profile: &Profile) -> Role {
    let because = format!("by its name; {}, {}", column.found, column.range());
    Role::column(&column.name, profile, because)
}

/// What a row is: an order, or a line of one; sold or returned.
pub(super) fn rows(
    profile: &Profile,
    customer: &Role,
    time: &Time,
    value: Option<&Money>,
) -> OrderRows {
    let mut rows = OrderRows::default();
    let taken =
        |name: &str| customer.columns.iter().chain(&time.role.columns).any(|column| column == name);
    let quantity = quantity(profile).filter(|column| !taken(&column.name));
    rows.quantity = quantity.map(|column| how_many(column, profile));
    let ids = profile.columns.iter().filter(|column| {
        words::order(&column.name)
            && !taken(&column.name)
            && !column.is_time()
            && column.distinct > 1
    });
    if let Some(id) = ids.max_by_key(|column| column.distinct) {
        identify(id, profile, &mut rows);
    }
    outcome(profile, &taken, quantity, value, &mut rows);
    rows
}

/// Whether an id is that of rows, or of orders with several lines.
fn identify(id: &Column, profile: &Profile, rows: &mut OrderRows) {
    rows.repeated = profile.repeated_rows();
    let shared = (id.known - id.distinct) as f64 / id.known.max(1) as f64;
    let basis = profile.basis();
    if shared <= NEARLY {
        let again = match shared > 0.0 {
            true => format!(" but for {} of the rows", percent(shared)),
            false => String::new(),
        };
        rows.repeated_keys = shared;
        let because = format!("different in each row{again}, in {basis}");
        rows.key = Some(Role::column(&id.name, profile, because));
    } else {
        let because =
            format!("{} different in {basis}: rows are lines of orders", count(id.distinct as u64));
        rows.id = Some(Role::column(&id.name, profile, because));
    }
}

/// Which rows are sales, and which are returns: by a status, by a flag, or by signs.
fn outcome(
    profile: &Profile,
    taken: &dyn Fn(&str) -> bool,
    quantity: Option<&Column>,
    value: Option<&Money>,
    rows: &mut OrderRows,
) {
    let bare = |name: &str| text::column(name, &profile.schema);
    for column in profile.columns.iter().filter(|column| !taken(&column.name)) {
        if column.data_type == DataType::String
            && words::status(&column.name)
            && by_status(column, &bare, rows)
        {
            return;
        }
    }
    let flags = profile.columns.iter().filter(|column| words::returned_flag(&column.name));
    for column in flags {
        let condition = match column.data_type {
            DataType::Bool => bare(&column.name),
            DataType::Int64 if column.low == Value::Int(0) && column.high == Value::Int(1) => {
                format!("{} = 1", bare(&column.name))
            }
            _ => continue,
        };
        rows.returned = Some(Role::expression(condition, &[&column.name], "by its name".into()));
        return;
    }
    let cancelled = rows
        .id
        .as_ref()
        .or(rows.key.as_ref())
        .and_then(|id| cancellations(profile, &id.columns[0]));
    let Some(quantity) = quantity.filter(|column| column.negative > 0.0) else { return };
    let sold = format!("{} > 0", bare(&quantity.name));
    let share = percent(quantity.negative);
    rows.negative_returns = value.is_some_and(|value| value.negative > 0.0);
    // Returned things are counted as things.
    rows.quantity = rows.quantity.take().map(|role| {
        Role::expression(format!("abs({})", bare(&quantity.name)), &[&quantity.name], role.because)
    });
    match cancelled {
        Some((column, prefix, ids)) => {
            let begins = format!("starts_with({}, {})", bare(&column), sql::string(&prefix));
            let because = format!(
                "{} of the rows have an id such as {ids}, and a quantity below 0",
                percent_of(profile, &column, &prefix)
            );
            rows.sold = Some(sales(format!("{sold} and not {begins}"), &[&quantity.name, &column]));
            rows.returned = Some(Role::expression(begins, &[&column], because));
        }
        None => {
            let because = format!("{share} of the quantities are below 0");
            rows.sold = Some(sales(sold, &[&quantity.name]));
            let below = format!("{} < 0", bare(&quantity.name));
            rows.returned = Some(Role::expression(below, &[&quantity.name], because));
        }
    }
}

fn percent_of(profile: &Profile, column: &str, prefix: &str) -> String {
    let values = profile.values(column);
    let count = values.iter().filter(|value| begins(value, prefix)).count();
    percent(count as f64 / values.len().max(1) as f64)
}

fn begins(value: &Value, prefix: &str) -> bool {
    matches!(value, Value::String(text) if text.starts_with(prefix))
}

/// The role `sold`.
fn sales(written: String, columns: &[&str]) -> Role {
    Role::expression(written, columns, "orders and revenue count these rows only".into())
}

/// A status whose words say what became of an order.
fn by_status(column: &Column, bare: &dyn Fn(&str) -> String, rows: &mut OrderRows) -> bool {
    let said = |wanted: Became| -> Vec<&str> {
        column
            .values
            .iter()
            .filter_map(|(value, _)| match value {
                Value::String(text) if words::became(text) == Some(wanted) => Some(text.as_ref()),
                _ => None,
            })
            .collect()
    };
    let (returned, nothing) = (said(Became::Returned), said(Became::Nothing));
    if said(Became::Sold).is_empty() && returned.is_empty() && nothing.is_empty() {
        return false;
    }
    let any_of = |values: &[&str]| {
        let written: Vec<String> = values.iter().map(|value| sql::string(value)).collect();
        match written.as_slice() {
            [one] => format!("{} = {one}", bare(&column.name)),
            several => format!("{} in ({})", bare(&column.name), several.join(", ")),
        }
    };
    let none_of = |values: &[&str]| {
        let written: Vec<String> = values.iter().map(|value| sql::string(value)).collect();
        match written.as_slice() {
            [one] => format!("{} <> {one}", bare(&column.name)),
            several => format!("{} not in ({})", bare(&column.name), several.join(", ")),
        }
    };
    let unsold: Vec<&str> = nothing.iter().chain(&returned).copied().collect();
    if !unsold.is_empty() {
        rows.sold = Some(sales(none_of(&unsold), &[&column.name]));
    }
    if !returned.is_empty() {
        let because = format!("a value of `{}` says so", column.name);
        rows.returned = Some(Role::expression(any_of(&returned), &[&column.name], because));
    }
    true
}

/// A letter that ids of returns begin with: the column, the letter, and an example.
fn cancellations(profile: &Profile, id: &str) -> Option<(String, String, String)> {
    let values = profile.values(id);
    let texts = || {
        values.iter().filter_map(|value| match value {
            Value::String(text) => Some(text.as_ref()),
            _ => None,
        })
    };
    let begins = |text: &&str| text.starts_with('C');
    let example = texts().find(begins)?;
    let (with, all) = (texts().filter(begins).count(), texts().count());
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    // Others are numbers, or this would only be how ids begin.
    let numbers = texts().filter(|text| digits(text)).count();
    let told = digits(&example[1..]) && with * 2 < all && numbers * 2 > all;
    told.then(|| (id.to_owned(), "C".to_owned(), format!("`{example}`")))
}
