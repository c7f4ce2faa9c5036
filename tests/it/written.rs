//! Built-in metrics in the terms of users' metrics: all can be printed, and what is printed gives the same numbers. Of
//! options, and of orders with lines, that cannot be printed it is said what the language lacks.

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
  dated_orders:
    parquet: TOP/sample_data/shop/orders/*.parquet
    customer: customer_id
    time: ordered_at
    value: amount
    order: {sold: status = 'completed', returned_at: returned_at, quantity: units}
  dated_baskets:
    parquet: TOP/sample_data/shop/orders/*.parquet
    customer: customer_id
    time: ordered_at
    value: amount
    order: {id: order_id % 97, sold: status = 'completed', returned_at: returned_at, quantity: units}
  baskets:
    parquet: TOP/sample_data/shop/orders/*.parquet
    customer: customer_id
    time: ordered_at
    value: {column: amount, currency: EUR}
    order: {id: order_id % 97, sold: status = 'completed', returned: status = 'returned', quantity: units}
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
  drawn_csat: {csat: {}, interval: bootstrap, direction: lower}
  bare_csat: {csat: {}, interval: none, unit: points}
  net: {balance: {plus: score > 8, minus: score < 7, scale: 1}, description: \"from -1 to 1: net\"}
  odd: {count: {}, where: \"question <> 'a\\n--b' and score - -5 > 6\"}
  minutes: {first_response_time: {statistic: mean}, unit: minute}
  per_100: {ratio: {numerator: reopened, denominator: all_tickets, scale: 100}, interval: bootstrap}
  reopened: {count: {}, where: reopens > 0, direction: lower}
  back_on_another_day: {repeat_purchase_rate: {unit: day}}
  worth_a_year: {historic_clv: {form: per_year}}
  nps_of_customers: {nps: {dedupe: last}}
  of_moody: {balance: {plus: last(score) >= 9, minus: last(score) <= 6}, per: customer_id, where: question = 'nps'}
  longest_gap: {max: \"elapsed('day', min(ordered_at), max(ordered_at))\", per: [customer_id, channel], top: {by: sum(amount), size: 3}}
  all_tickets: {ticket_count: {}, unit: count}
  resolved_per_ticket: {ratio: {numerator: resolution_rate, denominator: all_tickets}}
  at_most_angry: {share: {of: score < 7, bound: high}, where: question = 'nps', interval: none}
  web_returns: {return_rate: {}, where: channel = 'web'}
  units_by_return: {unit_return_rate: {dated: return}, where: units < 3}
  value_by_return: {value_return_rate: {dated: return}}
  by_return: {return_rate: {dated: return}}
  until_median: {follow_up_time: {contacts: follow_ups, statistic: median, low: [1, 2], window: 7d}}
  solved_at_once: {first_contact_resolution: {window: 14d, base: resolved}, where: next_time() is not null or complaint}
  asked_again: {mean: \"elapsed('day', answered_at, next_time())\", where: next_time(tickets) is null}
  replied: {quantile: {value: \"elapsed('minute', created_at, coalesce(first_replied_at, as_of))\", at: 75%, open: first_replied_at is null}, time: solved_at}
  half_known: {quantile: {value: handle_seconds, at: 50%, open: \"nullif(complaint, true)\"}, interval: none}
  surely_angry: {share: {of: complaint, bound: low}, unit: points}
  stars_of_20: {review_rating_bayes: {prior: 20}, where: rating <> 3}
  own_stars: {review_rating_bayes: {prior: 0}, interval: none, unit: count}
  reopens_drawn: {mean: {value: reopens + 0.5, prior: 2.5}, where: not complaint}
";

/// What the columns of users' metrics are called behind their names.
const PARTS: [&str; 11] = [
    "",
    "_n",
    "_open",
    "_low",
    "_high",
    "_numerator",
    "_denominator",
    "_plus",
    "_minus",
    "_prior",
    "_prior_mean",
];

fn prepared(folder: &Path, text: &str) -> Prepared {
    let path = folder.join("it.yaml");
    fs::write(&path, text).expect("written");
    let request = Request { pipeline: path, root: folder.to_owned(), ..Request::default() };
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
    crate::support::run(folder.path(), "it.yaml");

    let mut numbers = 0;
    for (table, metrics) in &pairs {
        let frame = read_parquet(&folder.path().join(format!("out/written/{table}.parquet")));
        for (one, other) in metrics {
            let is_its = |name: &&str| {
                let rest = name.strip_prefix(one.as_str());
                rest.is_some_and(|rest| PARTS.contains(&rest))
            };
            let parts = |name: &str| -> Vec<&str> {
                let has = |part: &&str| frame.schema.field(&format!("{name}{part}")).is_some();
                PARTS.into_iter().filter(has).collect()
            };
            assert_eq!(parts(one), parts(other), "{table}: the columns of {other}");
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
        assert!(written.contains(kind.name), "{}: {:?}", kind.name, lacking.get(kind.name));
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
    for (name, _) in built_in() {
        match metric_as_yaml(&name) {
            Ok(block) => assert!(block.contains(&format!("  my_{name}:\n")), "{block}"),
            Err(reason) => {
                assert!(reason.contains("only with options"), "{name}: {reason}");
            }
        }
    }
    let unknown = metric_as_yaml("csatt").expect_err("there is none");
    assert!(unknown.contains("a similar name exists: `csat`"), "{unknown}");
}

/// The metric of a pipeline, or why there is none.
fn told(name: &str, prepared: &Prepared, from: Option<&str>) -> String {
    metric_of_pipeline(name, prepared, from).unwrap_or_else(|why| why)
}

#[test]
fn what_a_metric_says_beside_its_kind_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let more = "\
  kept: {sla_compliance: {target: 4h, goal: 90%}, from: tickets}
  angry: {ratio: {numerator: mine, denominator: order_count, scale: 100}, interval: bootstrap, unit: points}
  mine: {count: {}, where: complaint, from: tickets, description: \"of those who wrote: all\"}
stages:
  any: {from: orders, segment_metrics: {by: [plan], metrics: [angry]}}
";
    let base = PIPELINE.replace("TOP", TOP);
    let prepared = prepared(folder.path(), &format!("{base}  {more}"));
    for (name, from, expected) in [
        (
            "drawn_csat",
            None,
            "# over the columns of `surveys`\nmetrics:\n  my_drawn_csat:\n    share: score in (4, 5)\n    \
             where: score is not null and question = 'csat'\n    interval: bootstrap\n    direction: lower",
        ),
        (
            "bare_csat",
            Some("surveys"),
            "# over the columns of `surveys`\nmetrics:\n  my_bare_csat:\n    share: score in (4, 5)\n    \
             where: score is not null and question = 'csat'\n    unit: points\n    interval: none\n    direction: higher",
        ),
        (
            "net",
            None,
            "# over the columns of `surveys`\nmetrics:\n  my_net:\n    balance: {plus: score > 8, minus: score < 7, scale: 1}\n    \
             where: (score > 8) is not null and (score < 7) is not null\n    description: 'from -1 to 1: net'",
        ),
        (
            "surely_angry",
            None,
            "# over the columns of `tickets`\nmetrics:\n  my_surely_angry:\n    share: {of: complaint, bound: low}\n    \
             where: complaint is not null\n    unit: points",
        ),
        (
            "stars_of_20",
            None,
            "# over the columns of `reviews`\nmetrics:\n  my_stars_of_20:\n    mean: {value: cast(rating as float64), prior: 20}\n    \
             where: rating <> 3\n    unit: points\n    direction: higher",
        ),
        (
            "web_returns",
            None,
            "# over the columns of `orders`\nmetrics:\n  my_web_returns:\n    share: coalesce(status = 'returned', false)\n    \
             where: channel = 'web' and (coalesce(status = 'completed', false) or coalesce(status = 'returned', false))\n    \
             direction: lower",
        ),
        (
            "units_by_return",
            Some("dated_orders"),
            "# over the columns of `dated_orders`\nmetrics:\n  my_units_by_return_numerator:\n    sum: units\n    \
             where: units < 3 and returned_at is not null and coalesce(returned_at < as_of, true)\n    time: returned_at\n    \
             unit: count\n",
        ),
        (
            "by_return",
            Some("dated_orders"),
            "`by_return` cannot be written in the terms of users' metrics: it needs a share whose two counts lie in the \
             cells of different times",
        ),
        (
            "asked_again",
            None,
            "# over the columns of `surveys`\nmetrics:\n  my_asked_again:\n    mean: elapsed('day', answered_at, next_time())\n    \
             where: next_time(tickets) is null",
        ),
        (
            "odd",
            None,
            "# over the columns of `surveys`\nmetrics:\n  my_odd:\n    count: {}\n    \
             where: \"question <> 'a\\n--b' and score - -5 > 6\"",
        ),
        (
            "kept",
            None,
            "# over the columns of `tickets`\nmetrics:\n  # Its `goal` of 90% is a line in the report that other kinds of metrics do not have.\n  \
             my_kept:\n    share: coalesce(elapsed('hour', created_at, ",
        ),
        (
            "angry",
            None,
            "# over the columns of `orders`, `tickets`\nmetrics:\n  my_angry_numerator:\n    count: {}\n    where: complaint\n    \
             from: tickets\n  my_angry_denominator:\n    count: {}\n    where: status = 'completed'\n    from: orders\n  \
             my_angry:\n    ratio: {numerator: my_angry_numerator, denominator: my_angry_denominator, scale: 100}\n    \
             unit: points\n    interval: bootstrap",
        ),
        (
            "mine",
            None,
            "# over the columns of `tickets`\nmetrics:\n  my_mine:\n    count: {}\n    where: complaint\n    from: tickets\n    \
             description: 'of those who wrote: all'",
        ),
        // The first source with a customer is that of orders, but these are about tickets and surveys.
        (
            "ticket_count",
            None,
            "# over the columns of `tickets`\nmetrics:\n  my_ticket_count:\n    count: {}",
        ),
        (
            "tickets_per_customer",
            Some("orders"),
            "# over the columns of `orders`\nmetrics:\n  my_tickets_per_customer_numerator:\n    count: customer_id\n",
        ),
        ("revenue", Some("nobody"), "there is no table `nobody`; known here: `any`, `"),
        (
            "revenue",
            Some("tickets"),
            "the metric `revenue` needs the role `value`, which `tickets` does not have",
        ),
        ("share", None, "`share` is measured only with options: declare a metric of it"),
        ("gap_days", None, "there is no metric `gap_days`; say which statistic: `gap_days_mean`"),
        ("csatt", None, "there is no metric `csatt`; a similar name exists: `csat`"),
    ] {
        let found = told(name, &prepared, from);
        assert!(found.starts_with(expected), "{name}:\n{found}");
    }
}

/// What is printed gives the same numbers beside the metrics that it was made from, be an order a row or put together
/// from its lines.
#[test]
fn metrics_of_several_tables_are_printed_part_by_part() {
    for order in ["{id: order_id, sold:", "{sold:"] {
        of_several_tables(order);
    }
}

fn of_several_tables(order: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = Path::new(TOP).join("pipelines/side_by_side.yaml");
    let text = fs::read_to_string(path).expect("the pipeline is there");
    let text = text.replace("sample_data/", &format!("{TOP}/sample_data/"));
    let text = text.replace("{id: order_id, sold:", order);
    let plain = prepared(folder.path(), &text);
    let names = [
        "written",
        "complaints",
        "spent",
        "tickets_per_buyer",
        "complaints_per_100_orders",
        "cost_per_order",
        "revenue",
        "average_order_value",
    ];
    let mut pasted = String::new();
    for name in names {
        let block = metric_of_pipeline(name, &plain, None).expect("it can be written");
        let lines = block.lines().skip_while(|line| *line != "metrics:").skip(1);
        lines.for_each(|line| _ = writeln!(pasted, "{line}"));
    }
    let (before, after) = text.split_once("\nstages:\n").expect("stages");
    let twins = |names: &[&str]| {
        let twins: Vec<String> = names.iter().map(|name| format!("{name}, my_{name}")).collect();
        twins.join(", ")
    };
    // Costs have no customers, and so no plan.
    let has_customers = |name: &&str| !matches!(*name, "spent" | "cost_per_order");
    let of_customers: Vec<&str> = names.into_iter().filter(has_customers).collect();
    let stages = format!(
        "  by_month: {{from: orders, segment_metrics: {{by: [month], metrics: [{}]}}}}\n  \
         by_plan: {{from: orders, segment_metrics: {{by: [plan], metrics: [{}]}}}}\n{after}",
        twins(&names),
        twins(&of_customers),
    );
    prepared(folder.path(), &format!("{before}\n{pasted}\nstages:\n{stages}"));
    crate::support::run(folder.path(), "it.yaml");
    let mut columns = 0;
    for (table, names) in [("by_month", names.as_slice()), ("by_plan", of_customers.as_slice())] {
        let frame = read_parquet(&folder.path().join(format!("out/side_by_side/{table}.parquet")));
        for (name, part) in names.iter().flat_map(|name| PARTS.map(|part| (name, part))) {
            let (one, other) = (format!("{name}{part}"), format!("my_{name}{part}"));
            assert_eq!(frame.column(&one), frame.column(&other), "{table}: {other}\n{pasted}");
            let unit = |name: &str| frame.schema.field(name).map(|field| field.unit.clone());
            assert_eq!(unit(&one), unit(&other), "{table}: the unit of {other}");
            columns += usize::from(frame.column(&one).is_some());
        }
    }
    // Four of one column, two ratios with bounds, two without; by plan without those of costs.
    assert_eq!(columns, (4 + 2 * 5 + 2 * 3) + (3 + 2 * 5 + 3), "{pasted}");

    // The manifest tells of all tables that are measured.
    let manifest =
        fs::read_to_string(folder.path().join("out/side_by_side/manifest.json")).expect("written");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    let stages = manifest["stages"].as_array().expect("a list");
    let monthly = stages.iter().find(|stage| stage["name"] == "monthly").expect("a stage");
    assert_eq!(monthly["from"], "orders");
    assert_eq!(monthly["also"], serde_json::json!(["tickets", "costs"]));
    let report =
        fs::read_to_string(folder.path().join("out/side_by_side/report.md")).expect("written");
    assert!(report.contains("| orders, tickets, costs |"), "{report}");
}

#[test]
fn the_command_prints_a_metric() {
    let tenure = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tenure"))
            .current_dir(TOP)
            .arg("metrics")
            .args(arguments)
            .output()
            .expect("it starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let pipeline = "pipelines/side_by_side.yaml";
    assert_eq!(
        tenure(&["complaints", "--as-yaml", "--pipeline", pipeline]),
        (
            Some(0),
            "# over the columns of `tickets`\nmetrics:\n  my_complaints:\n    count: {}\n    where: complaint\n    \
             from: tickets\n"
                .to_owned(),
            String::new()
        )
    );
    let (status, _, why) =
        tenure(&["repeat_purchase_rate", "--as-yaml", "--pipeline", pipeline, "--from", "orders"]);
    assert_eq!(status, Some(2));
    assert!(why.contains("it needs customers by how many orders they have"), "{why}");
    let (status, _, why) = tenure(&["complaints", "--from", "orders"]);
    assert_eq!(status, Some(2));
    assert!(why.contains("--pipeline"), "{why}");
    let (status, block, _) = tenure(&["csat", "--as-yaml"]);
    assert_eq!(status, Some(0));
    assert!(block.contains("metrics:\n  my_csat:\n"), "{block}");
}
