//! A synthetic world to measure and to learn in: customers who buy, drawn from stated distributions, of
//! any size.
//!
//! **Invariants**
//! - The same request gives the same bytes, whatever the number of threads: every draw is looked up by
//!   seed, customer and number ([`draws`]), never taken from a sequence that is shared.
//! - Memory grows with the customers and with the longest span of days, never with all orders.
//! - What is true of the tables stands beside them in `truth.json`: what they were drawn with, and what was
//!   counted while they were written.
//! - It knows no engine and no pipeline; its tables are read like anyone's.

mod request;
mod world;
mod draws;
mod clock;
mod orders;
mod order_rows;
mod customers;
mod tickets;
mod surveys;
mod subscriptions;
mod usage;
mod voice;
mod marketing;
mod table;
mod columns;
mod layout;
mod sink;
mod truth;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

pub use request::{Asked, GenerateError, Ids, Layout};
pub use truth::{TableTruth, Tally, Truth};

use table::Table;
use world::World;

/// The tables besides the orders, in the order in which they are written.
const TABLES: &[Table] = &[
    customers::CUSTOMERS,
    tickets::TICKETS,
    surveys::SURVEYS,
    surveys::FOLLOW_UPS,
    subscriptions::SUBSCRIPTIONS,
    subscriptions::INVOICES,
    usage::USAGE,
    voice::REVIEWS,
    voice::MENTIONS,
    marketing::SENDS,
    marketing::TOUCHPOINTS,
    marketing::COSTS,
];

/// The names of all tables.
pub fn table_names() -> Vec<&'static str> {
    std::iter::once(ORDERS).chain(TABLES.iter().map(|table| table.name)).collect()
}

const ORDERS: &str = "orders";

/// Writes a world; gives what is true of it, which stands in `truth.json` too.
///
/// # Errors
/// A directory that is not empty, unknown tables, too many customers, files that cannot be written.
pub fn generate(asked: &Asked) -> Result<Truth, GenerateError> {
    let known = table_names();
    if let Some(name) = asked.tables.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(GenerateError::UnknownTable { name: name.clone(), known: known.join(", ") });
    }
    let directory = asked.directory.as_path();
    empty(directory)?;
    let threads = rayon::ThreadPoolBuilder::new().num_threads(asked.threads).build();
    let threads = threads.map_err(|error| GenerateError::Threads(error.to_string()))?;
    let truth = threads.install(|| tables(asked, directory))?;
    let path = directory.join("truth.json");
    fs::write(&path, truth.to_json()).map_err(|error| GenerateError::output(&path, &error))?;
    Ok(truth)
}

/// Makes sure of a directory without files; a README that says what will be there may be there.
fn empty(directory: &Path) -> Result<(), GenerateError> {
    let failed = |error: std::io::Error| GenerateError::output(directory, &error);
    fs::create_dir_all(directory).map_err(failed)?;
    for entry in fs::read_dir(directory).map_err(failed)? {
        if entry.map_err(failed)?.file_name() != "README.md" {
            return Err(GenerateError::NotEmpty { path: directory.display().to_string() });
        }
    }
    Ok(())
}

fn tables(asked: &Asked, directory: &Path) -> Result<Truth, GenerateError> {
    let world = World::new(asked)?;
    let wanted =
        |name: &str| asked.tables.is_empty() || asked.tables.iter().any(|table| table == name);
    let mut tables = BTreeMap::new();
    if wanted(ORDERS) {
        let counted = layout::write(&world, asked.layout, directory)?;
        tables.insert(ORDERS, TableTruth { drawn_with: order_rows::drawn_with(), counted });
    }
    for table in TABLES.iter().filter(|table| wanted(table.name)) {
        tables.insert(table.name, table.write(&world, directory)?);
    }
    let date = |day| world.clock.date(day).to_string();
    Ok(Truth { seed: asked.seed, from: date(0), until: date(world.clock.days()), tables })
}
