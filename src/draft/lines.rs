//! The lines of orders in a table of their own: what says that a table holds them, and what they say.

use super::lookups::Unused;
use super::order::{self, Money};
use super::profile::Profile;
use super::roles::{Role, Time};
use super::start::Known;
use super::text;
use super::words;

/// A table of which several rows belong to one row of the events.
#[derive(Debug)]
pub(super) struct OrderLines {
    pub profile: Profile,
    /// The column of the events that the lines share.
    pub left: String,
    /// Their own column with the same values.
    pub key: String,
    pub value: Option<Money>,
    pub quantity: Option<Role>,
    /// The columns of the events that are joined to the lines, where some are called as those of lines
    /// are; `None`: all.
    pub taken: Option<Vec<String>>,
    pub because: String,
}

/// Of tables that nothing is looked up in the one that holds the lines of orders, which is taken out.
pub(super) fn of_orders(
    unused: &mut Vec<Unused>,
    events: &Profile,
    customer: &Role,
    time: &Time,
    sold: Option<&Role>,
) -> Option<OrderLines> {
    let needed: Vec<&String> = time.role.columns.iter().chain(customer.columns.iter()).collect();
    let mut best: Option<((bool, bool, u64), usize)> = None;
    for (place, table) in unused.iter().enumerate() {
        let Some((left, key)) = &table.shared else { continue };
        let orders = events.column(left).is_some_and(|column| column.is_nearly_unique());
        // A condition on the orders is one on the orders, whatever columns the lines have.
        let clash = |name: &str| name != key && table.profile.column(name).is_some();
        let (money, things) = (order::value(&table.profile).is_some(), of_things(&table.profile));
        if !orders || needed.iter().any(|name| clash(name)) || !(money || things) {
            continue;
        }
        let rank = (things, money, table.profile.set.rows());
        if best.as_ref().is_none_or(|(known, _)| rank > *known) {
            best = Some((rank, place));
        }
    }
    let table = unused.remove(best?.1);
    let (left, key) = table.shared?;
    let profile = table.profile;
    let free = |name: &str| name == left || profile.column(name).is_none();
    let names = events.columns.iter().map(|column| column.name.clone());
    let taken: Vec<String> = names.filter(|name| free(name)).collect();
    let because = format!(
        "`{key}` is `{left}` of `{}`, and several rows have the same: {} is of lines of orders{}",
        events.set.name,
        profile.set.name,
        if sold.is_some() { ", of which those that were sold count" } else { "" }
    );
    Some(OrderLines {
        value: order::value(&profile),
        quantity: order::quantity_role(&profile),
        taken: (taken.len() < events.columns.len()).then_some(taken),
        left,
        key,
        profile,
        because,
    })
}

/// True for tables of things that were bought: they say what, or how many.
fn of_things(profile: &Profile) -> bool {
    let things = ["product", "item", "sku", "article", "material", "isbn", "asin", "upc", "ean"];
    let named = |name: &str| words::words(name).iter().any(|word| things.contains(&word.as_str()));
    order::quantity_role(profile).is_some()
        || profile.columns.iter().any(|column| named(&column.name))
}

impl OrderLines {
    /// The key as it is written in an expression.
    pub fn id(&self) -> String {
        text::column(&self.key, &self.profile.schema)
    }

    /// What is known of the lines.
    pub fn known(&self) -> Known {
        Known {
            value: self.value.is_some(),
            quantity: self.quantity.is_some(),
            returned: false,
            negative_returns: false,
        }
    }

    /// The columns that something else is said of than that they divide lines.
    pub fn used(&self) -> Vec<&str> {
        let roles = [self.value.as_ref().map(|value| &value.role), self.quantity.as_ref()];
        let columns = roles.into_iter().flatten().flat_map(|role| &role.columns);
        columns.chain([&self.key]).map(String::as_str).collect()
    }
}
