//! Built-in metrics in the terms of users' metrics: what is printed gives the same numbers, and of what cannot be
//! printed it is said what the language lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use tenure::metrics::registry;
use tenure::run::{Prepared, Request, metric_as_yaml, metric_of_pipeline, prepare};

use crate::parquet::read_parquet;

const TOP: &str = env!("CARGO_MANIFEST_DIR");

/// Sources over the shop, and metrics of kinds that need options.
const PIPELINE: &str = "\
version: 1
name: written
as_of: 2025-12-01
timezone: Europe/Berlin
business_hours:
  office: {open: {mon-fri: [08:00-18:00], sat: [09:00-13:00]}, timezone: Europe/Berlin, holidays: [2025-12-25]}
sources:
  orders:
    parquet: TOP/sample_data/shop/orders/*.parquet
    customer: customer_id
    time: ordered_at
    value: {column: amount, currency: EUR}
    order: {sold: status = 'completed', returned: status = 'returned', quantity: units}
  surveys:
    parquet: TOP/sample_data/shop/surveys.parquet
    customer: customer_id
    time: answered_at
    survey: {score: score, question: question, text: text}
    bad_rows: {action: drop, tolerate: 100%}
  sent_surveys:
    parquet: TOP/sample_data/shop/surveys.parquet
    customer: customer_id
    time: answered_at
    survey: {score: score, question: question, sent: sent_at}
  tickets:
    parquet: TOP/sample_data/shop/tickets.parquet
    customer: customer_id
    time: created_at
    ticket: &ticket {first_reply: first_replied_at, resolved: solved_at, closed: closed_at, contacts: contacts, reopens: reopens, abandoned: abandoned, complaint: complaint, handle_time: {column: handle_seconds, unit: second}}
  office_tickets:
    parquet: TOP/sample_data/shop/tickets.parquet
    customer: customer_id
    time: created_at
    ticket: {<<: *ticket, hours: office}
  reviews:
    parquet: TOP/sample_data/shop/reviews.parquet
    customer: customer_id
    time: reviewed_at
    review: {rating: rating, sentiment: sentiment, text: text}
  invoices:
    parquet: TOP/sample_data/shop/invoices.parquet
    customer: customer_id
    time: issued_on
    value: {column: amount, currency: EUR}
    invoice: {due: due_on, paid: paid_on}
  follow_ups: {parquet: TOP/sample_data/shop/follow_ups.parquet, customer: customer_id, time: contacted_at}
  customers: {parquet: TOP/sample_data/shop/customers.parquet, customer: customer_id}
segments: {plan: customers.plan}
metrics:
  delays: {theme_share: {words: [late, \"it's slow\"]}}
  score_of_delays: {theme_score: {words: [late, slow]}, where: score <> 3 or score is null}
  stars_of_delays: {theme_score: {words: [late, slow]}}
  followed_up: {follow_up_rate: {contacts: follow_ups}}
  until_contact: {follow_up_time: {contacts: follow_ups, statistic: mean}}
  reply_in_4h: {sla_compliance: {target: 4h}}
  solved_in_2d: {sla_compliance: {clock: resolved, target: 48h}}
  reply_of_replied: {first_response_time: {statistic: p90, open_cases: drop}}
  solved_of_mature: {resolution_rate: {maturity: 14d}}
  decided: {sentiment_positive: {neutral: exclude}}
  delighted: {csat: {satisfied: [5]}, where: \"survey_id % 2 = 0\"}
";

/// The kinds that no source of the pipeline can write, and what is said of them.
const LACKING: &[(&str, &str)] = &[
    ("repeat_purchase_rate", "a share of customers"),
    ("gap_days", "the time between two purchase days"),
    ("historic_clv", "what each customer of a cell comes to"),
    ("top_decile_value_share", "what each customer of a cell comes to"),
    ("return_rate", "what came back"),
    ("unit_return_rate", "what came back"),
    ("value_return_rate", "what came back"),
    ("pulse", "the latest"),
    ("response_count", "the period of another time"),
    ("response_rate", "the period of another time"),
    ("follow_up_rate", "another row of the same customer"),
    ("follow_up_time", "another row of the same customer"),
    ("first_contact_resolution", "another row of the same customer"),
    ("review_rating_bayes", "a prior that is taken from all groups"),
    ("review_positive_lower", "a bound of an interval"),
];

fn prepared(folder: &Path, text: &str) -> Prepared {
    let path = folder.join("it.yaml");
    fs::write(&path, text).expect("written");
    let request =
        Request { pipeline: path, root: folder.to_owned(), as_of: None, set: BTreeMap::new() };
    match prepare(&request) {
        Ok(prepared) => prepared,
        Err(failure) => panic!("{:?}\n{text}", failure.error),
    }
}

/// The names of the built-in metrics, those with statistics with four of them, and the kind of each.
fn built_in() -> Vec<(String, &'static str)> {
    let mut names = Vec::new();
    for kind in registry().iter().filter(|kind| kind.built_in) {
        match kind.statistics {
            true => names.extend(
                ["mean", "median", "max", "p90"]
                    .map(|word| (format!("{}_{word}", kind.name), kind.name)),
            ),
            false => names.push((kind.name.to_owned(), kind.name)),
        }
    }
    names
}

/// The metrics that the pipeline declares, and the kind of each.
fn declared() -> Vec<(String, &'static str)> {
    let lines = PIPELINE.lines().skip_while(|line| *line != "metrics:").skip(1);
    let named = lines.map(|line| {
        let (name, rest) = line.trim().split_once(": {").expect("a metric");
        let (kind, _) = rest.split_once(':').expect("a kind");
        let kind = registry().iter().find(|known| known.name == kind).expect("a kind");
        (name.to_owned(), kind.name)
    });
    named.collect()
}

#[test]
fn what_is_printed_gives_the_same_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let base = PIPELINE.replace("TOP", TOP);
    let any = "stages: {any: {from: orders, filter: {where: true}}}\n";
    let plain = prepared(folder.path(), &format!("{base}{any}"));

    let mut stages = String::from("stages:\n");
    let mut pasted = String::new();
    let mut pairs: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let (mut written, mut lacking) = (BTreeSet::new(), BTreeMap::new());
    let names: Vec<(String, &str)> = built_in().into_iter().chain(declared()).collect();
    for source in plain.plan.sources.iter().filter(|source| source.name != "customers") {
        let mut own = Vec::new();
        for (name, kind) in &names {
            match metric_of_pipeline(name, &plain, Some(&source.name)) {
                // One source after another, so that each has its own names.
                Ok(block) => {
                    let renamed = block.replace("  my_", &format!("  {}_", source.name));
                    let renamed = renamed.replace(": my_", &format!(": {}_", source.name));
                    let lines = renamed.lines().skip_while(|line| *line != "metrics:").skip(1);
                    lines.for_each(|line| _ = writeln!(pasted, "{line}"));
                    own.push((name.clone(), format!("{}_{name}", source.name)));
                    written.insert(*kind);
                }
                Err(reason) => {
                    if let Some((_, why)) = reason.split_once("users' metrics: it needs ") {
                        lacking.entry(*kind).or_insert_with(BTreeSet::new).insert(why.to_owned());
                    }
                }
            }
        }
        if own.is_empty() {
            continue;
        }
        let metrics: Vec<&str> =
            own.iter().flat_map(|(one, other)| [one.as_str(), other.as_str()]).collect();
        for grain in ["month", "plan"] {
            let _ = writeln!(
                stages,
                "  {0}_{grain}: {{from: {0}, segment_metrics: {{by: [{grain}], metrics: [{1}]}}}}",
                source.name,
                metrics.join(", ")
            );
            pairs.push((format!("{}_{grain}", source.name), own.clone()));
        }
    }
    prepared(folder.path(), &format!("{base}{pasted}{stages}"));
    let output = Command::new(env!("CARGO_BIN_EXE_tenure"))
        .current_dir(folder.path())
        .args(["run", "it.yaml", "--quiet"])
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let mut numbers = 0;
    for (table, metrics) in &pairs {
        let frame = read_parquet(&folder.path().join(format!("out/written/{table}.parquet")));
        for (one, other) in metrics {
            let is_its = |name: &&str| {
                let rest = name.strip_prefix(one.as_str());
                let parts =
                    ["", "_n", "_low", "_high", "_numerator", "_denominator", "_plus", "_minus"];
                rest.is_some_and(|rest| parts.contains(&rest))
            };
            for column in frame.schema.names().filter(is_its) {
                let twin = column.replacen(one.as_str(), other, 1);
                let (expected, found) = (frame.column(column), frame.column(&twin));
                assert_eq!(found, expected, "{table}: {twin}\n{pasted}");
                let field = |name: &str| frame.schema.field(name).map(|field| field.unit.clone());
                assert_eq!(field(&twin), field(column), "{table}: the unit of {twin}");
                let known = expected.into_iter().flatten().filter(|value| !value.is_null());
                numbers += known.count();
            }
        }
    }
    assert!(numbers > 5_000, "only {numbers} numbers");

    for kind in registry().iter().filter(|kind| kind.built_in) {
        let expected = LACKING.iter().find(|(name, _)| *name == kind.name);
        assert_eq!(expected.is_none(), written.contains(kind.name), "{}", kind.name);
        if let Some((_, words)) = expected {
            let said = &lacking[kind.name];
            assert!(said.iter().all(|why| why.contains(words)), "{}: {said:?}", kind.name);
        }
    }
}

#[test]
fn without_a_pipeline_columns_stand_for_roles() {
    let csat = metric_as_yaml("csat").expect("it can be written");
    assert_eq!(
        csat,
        "# `score` stands for the column of the role `score`.\n\
         # `question` stands for the column of the role `question`.\n\
         metrics:\n  my_csat:\n    share: score in (4, 5)\n    where: score is not null and question = 'csat'\n    \
         direction: higher"
    );
    for (name, kind) in built_in() {
        let found = metric_as_yaml(&name);
        let expected = LACKING.iter().find(|(lacking, _)| *lacking == kind);
        match (found, expected) {
            (Ok(block), None) => assert!(block.contains(&format!("  my_{name}:\n")), "{block}"),
            (Ok(block), Some(_)) => panic!("{name} can be written:\n{block}"),
            (Err(reason), Some((_, words))) => {
                assert!(
                    reason.contains(words) || reason.contains("--pipeline"),
                    "{name}: {reason}"
                );
            }
            (Err(reason), None) => {
                let told = ["--pipeline", "what is still open"];
                assert!(told.iter().any(|words| reason.contains(words)), "{name}: {reason}");
            }
        }
    }
    let unknown = metric_as_yaml("csatt").expect_err("there is none");
    assert!(unknown.contains("a similar name exists: `csat`"), "{unknown}");
}
