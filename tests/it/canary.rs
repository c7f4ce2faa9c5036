//! What is personal is in no output: runs that succeed and fail in several ways, and a search through all they leave.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use tempfile::TempDir;
use tenure::frame::{DataType, Field, Frame, Schema, Value};

use crate::parquet::{read_parquet, write_parquet};

/// A text, a number, an amount and a customer that no output may hold, as far as digits and letters go.
const CANARIES: [&str; 4] = ["canary", "987654321987", "31337.4242", "patron"];

/// The key, which no output may hold either.
const KEY: &str = "sesame-sesame-sesame";

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("who", DataType::String),
        Field::new("ordered_at", DataType::Date),
        Field::new("amount", DataType::Decimal { precision: 12, scale: 2 }),
        Field::new("email", DataType::String),
        Field::new("phone", DataType::Int64),
        Field::new("salary", DataType::Float64),
    ]))
}

/// A folder with orders as Parquet and as CSV; the first two rows are of one person.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rows = Vec::new();
    let mut csv = "who,ordered_at,amount,phone\n".to_owned();
    for (at, customer) in [0, 0, 1, 2, 3].into_iter().enumerate() {
        rows.push(vec![
            Value::text(format!("Patron-{customer}")),
            Value::Date(20_454 + at as i32),
            Value::Decimal { minor: 100 * at as i128, scale: 2 },
            Value::text(format!("Canary-{customer}@example.org")),
            Value::Int(987_654_321_987),
            Value::Float(313_374_242.0 / 10_000.0),
        ]);
        csv.push_str(&format!(
            "Patron-{customer},2026-01-0{},{at}.00,{}\n",
            at + 1,
            if at == 4 { "1" } else { "canary" }
        ));
    }
    let frame = Frame::from_rows(schema(), &rows).expect("the rows fit");
    write_parquet(&folder.path().join("orders.parquet"), &frame, 2);
    fs::write(folder.path().join("orders.csv"), csv).expect("written");
    folder
}

fn tenure(folder: &Path, arguments: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_tenure");
    let mut command = Command::new(binary);
    command.current_dir(folder).env("RUST_LOG", "trace").env("TENURE_KEY", KEY);
    command.args(arguments).output().expect("it starts")
}

/// A pipeline over the orders.
fn pipeline(privacy: &str, columns: &str, rest: &str) -> String {
    let env = if privacy.contains("env.") { "env: [TENURE_KEY]\n" } else { "x-env: 1\n" };
    format!(
        "version: 1\nname: shop\nas_of: 2026-04-01\n{env}{privacy}sources:\n  orders:\n    parquet: \
         orders.parquet\n    customer: who\n    time: ordered_at\n    value: amount\n    columns: {{{columns}}}\n{rest}"
    )
}

const PERSONAL: &str =
    "email: {type: string, pii: true}, phone: {pii: true}, salary: {pii: true}, who: {pii: true}";

const HASHED: &str = "privacy: {pii: hash, customers: hashed, key: \"${env.TENURE_KEY}\"}\n";

/// Everything a command has said and left in `out`, and its exit status.
fn traces(folder: &Path, arguments: &[&str]) -> (String, Option<i32>) {
    let output = tenure(folder, arguments);
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    gather(&folder.join("out"), &mut text);
    gather(&folder.join("out/shop.runs"), &mut text);
    (text, output.status.code())
}

fn gather(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        text.push_str(&path.display().to_string());
        if path.is_dir() {
            gather(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            let frame = read_parquet(&path);
            let cells = frame.to_rows().into_iter().flatten().map(|value| value.to_string());
            text.extend(cells.map(|cell| cell + "\n"));
            text.push_str(&String::from_utf8_lossy(&fs::read(&path).expect("bytes")));
        } else {
            text.push_str(&String::from_utf8_lossy(&fs::read(&path).expect("bytes")));
        }
    }
}

/// The beginning of a text, for a message.
fn cut(text: &str) -> String {
    text.chars().take(2_000).collect()
}

/// The canaries that a text holds.
fn found(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    CANARIES.into_iter().chain([KEY]).filter(|word| text.contains(word)).collect()
}

/// Ways to fail, and what each exits with.
const FAILURES: [(&str, &str, i32); 6] = [
    (
        "",
        "stages:\n  bad: {from: orders, filter: {where: \"cast(email as int64) > 0\"}, publish: true}\n",
        1,
    ),
    (
        "",
        "metrics:\n  numbers: {sum: cast(email as int64)}\nstages:\n  bad: {from: orders, segment_metrics: {by: [month], metrics: [numbers]}}\n",
        1,
    ),
    (
        "",
        "stages:\n  bad: {from: orders, join: {with: orders, keys: [email], prefix: of_}, publish: true}\n",
        4,
    ),
    (
        "",
        "segments:\n  plan: orders.amount\nstages:\n  bad: {from: orders, segment_metrics: {by: [plan], metrics: [revenue]}}\n",
        4,
    ),
    (", amount: {min: 1}", "stages:\n  bad: {from: orders, customer_summary: {}}\n", 4),
    (
        "",
        "stages:\n  rows: {from: orders, derive: {loud: upper(email)}}\nchecks:\n  none: {from: rows, every_row: amount > 1000}\n  once: {from: rows, unique: [email]}\n  listed: {from: rows, accepted_values: {column: email, in: [a]}}\n  small: {from: rows, range: {column: phone, max: 5}}\n",
        3,
    ),
];

#[test]
fn no_failure_tells_what_is_personal() {
    let mut seen_without = 0;
    for (more, rest, status) in FAILURES {
        for privacy in ["", HASHED] {
            let folder = folder();
            let columns = format!("{PERSONAL}{more}");
            fs::write(folder.path().join("p.yaml"), pipeline(privacy, &columns, rest))
                .expect("written");
            let (text, code) = traces(folder.path(), &["run", "p.yaml"]);
            assert_eq!(code, Some(status), "{rest}: {}", cut(&text));
            assert_eq!(found(&text), Vec::<&str>::new(), "{rest}: {}", cut(&text));
        }
        // Where nothing is personal the same failures do tell: the search is no test that cannot fail.
        let folder = folder();
        let columns = more.trim_start_matches(", ");
        fs::write(folder.path().join("p.yaml"), pipeline("", columns, rest)).expect("written");
        let (text, _) = traces(folder.path(), &["run", "p.yaml"]);
        seen_without += usize::from(!found(&text).is_empty());
    }
    assert!(seen_without >= 5, "only {seen_without}");
}

const STAGES: &str = "\
stages:
  rows: {from: orders, derive: {loud: upper(email), far: phone + 1, pay: salary * 2}, publish: true}
  customers: {from: orders, customer_summary: {}}
  scores: {from: orders, rfm: {}}
  drawn: {from: orders, sample: {size: 100%, strata: [email]}, publish: true}
  monthly: {from: orders, segment_metrics: {by: [month], metrics: [revenue, customer_count]}}
  growth: {from: orders, growth: {}}
checks:
  none: {from: rows, every_row: amount > 1000, severity: warn}
alerts:
  much: {from: rows, when: amount >= 0, say: \"an order of {amount}\"}
";

#[test]
fn no_output_tells_what_is_personal() {
    let personal = PERSONAL.replace(", who: {pii: true}", "");
    for (privacy, columns) in [
        ("", PERSONAL),
        (HASHED, PERSONAL),
        (HASHED, &personal),
        ("privacy: {customers: masked}\n", &personal),
    ] {
        let folder = folder();
        // The salary as the value, whose doubles are rounded to cents.
        let text = pipeline(privacy, columns, STAGES).replace("value: amount", "value: salary");
        // Without pseudonyms no table is told apart by what is personal.
        let text = if privacy == HASHED {
            text
        } else {
            text.replace("strata: [email]", "strata: [month]")
        };
        fs::write(folder.path().join("p.yaml"), text).expect("written");
        for arguments in [
            &["run", "p.yaml"][..],
            &["explain", "p.yaml"],
            &["show", "p.yaml", "orders"],
            &["show", "p.yaml", "rows"],
            &["show", "p.yaml", "customers"],
            &["show", "p.yaml", "drawn_strata"],
        ] {
            let (text, code) = traces(folder.path(), arguments);
            assert_eq!(code, Some(0), "{arguments:?}: {}", cut(&text));
            // The sum of salaries is one of a single person here, and sums are told.
            let found: Vec<_> =
                found(&text).into_iter().filter(|word| !word.starts_with('3')).collect();
            assert_eq!(found, Vec::<&str>::new(), "{privacy} {arguments:?}: {}", cut(&text));
            assert!(!text.contains("31337.4242"), "{privacy} {arguments:?}: {}", cut(&text));
        }
    }
}

#[test]
fn bad_rows_of_csv_do_not_tell_what_is_personal() {
    for privacy in ["", HASHED] {
        let folder = folder();
        let text = pipeline(privacy, "phone: {type: int64, pii: true}, who: {pii: true}", "")
            .replace("parquet: orders.parquet", "csv: orders.csv")
            + "    bad_rows: {action: quarantine, tolerate: 100%}\nstages:\n  customers: {from: orders, customer_summary: {}}\n";
        let text = text
            .replace("columns: {", "columns: {ordered_at: {type: date}, amount: {type: float64}, ");
        fs::write(folder.path().join("p.yaml"), text).expect("written");
        let (text, _) = traces(folder.path(), &["run", "p.yaml"]);
        assert!(text.contains("orders_quarantine"), "{text}");
        assert_eq!(found(&text), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn pseudonyms_join_and_follow_the_key() {
    let run = |key: &str| {
        let folder = folder();
        let text = pipeline(HASHED, PERSONAL, STAGES);
        fs::write(folder.path().join("p.yaml"), text).expect("written");
        let binary = env!("CARGO_BIN_EXE_tenure");
        let mut command = Command::new(binary);
        command.current_dir(folder.path()).env("TENURE_KEY", key);
        let output = command.args(["run", "p.yaml"]).output().expect("it starts");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let out = folder.path().join("out/shop");
        let column = |table: &str, column: &str| {
            let frame = read_parquet(&out.join(format!("{table}.parquet")));
            let values = frame.column(column).expect("a column");
            let mut texts: Vec<String> = values.iter().map(|value| value.to_string()).collect();
            texts.sort();
            texts.dedup();
            texts
        };
        (column("rows", "who"), column("customers", "who"), column("drawn_strata", "stratum"))
    };
    let (rows, customers, strata) = run(KEY);
    assert_eq!(rows.len(), 4);
    assert_eq!(rows, customers);
    assert!(rows.iter().chain(&strata).all(|text| {
        text.len() == 32 && text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
    }));
    let (others, ..) = run("another-key-of-pseudonyms");
    assert!(others.iter().all(|text| !rows.contains(text)));
}

#[test]
fn a_key_that_is_none_is_refused_at_its_place() {
    let check = |privacy: &str, key: Option<&str>, expected: &[&str]| {
        let folder = folder();
        let stages = "stages:\n  customers: {from: orders, customer_summary: {}}\n";
        fs::write(folder.path().join("p.yaml"), pipeline(privacy, PERSONAL, stages))
            .expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenure"));
        command.current_dir(folder.path()).args(["check", "p.yaml"]).env_remove("TENURE_KEY");
        key.map(|key| command.env("TENURE_KEY", key));
        let output = command.output().expect("it starts");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{said}");
        for expected in expected {
            assert!(said.contains(expected), "{said}");
        }
        assert!(!said.contains("hunter2"), "{said}");
    };
    let place = "p.yaml:5:";
    check(
        "privacy: {pii: hash}\n",
        None,
        &[place, "`pii: hash` needs the key of pseudonyms", "env: [TENURE_KEY]"],
    );
    check("privacy: {customers: hashed}\n", None, &[place, "`customers: hashed` needs the key"]);
    check(HASHED, None, &[place, "`TENURE_KEY` is not set", "openssl rand -hex 32"]);
    check(HASHED, Some("hunter2"), &[place, "fewer than 16 characters", "openssl rand -hex 32"]);
    check(
        &HASHED.replace("${env.TENURE_KEY}", "hunter2-hunter2-hunter2"),
        None,
        &["a secret has no place in the pipeline", "env: [TENURE_KEY]"],
    );
    check(
        &HASHED.replace("TENURE_KEY", "OTHER_KEY"),
        None,
        &[place, "`env.OTHER_KEY` is not declared", "write `env: [OTHER_KEY]`"],
    );
    check(
        &format!("description: the key is ${{env.TENURE_KEY}}\n{HASHED}"),
        Some("hunter2-hunter2-hunter2"),
        &[place, "is the key of pseudonyms, which nothing may show"],
    );
}
