//! REFERENCE.md: it is the program's, its links lead somewhere, and every example in it is checked.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::docs::{repository, shell};

/// What the examples of the manual pages read: tables with every column that they name.
const SOURCES: &str = "\
version: 1
name: examples
as_of: 2026-03-01
sources:
  orders: &orders
    csv: orders.csv
    customer: customer_id
    time: ordered_at
    value: amount
    order:
      id: order_id
      sold: status = 'completed'
      returned: status = 'returned'
      quantity: pieces
      returned_quantity: pieces
      returned_at: updated_at
    columns:
      order_id: {type: int64}
      customer_id: {type: int64}
      ordered_at: {type: date}
      updated_at: {type: date}
      amount: {type: decimal}
      shipping: {type: decimal}
      pieces: {type: int64}
      status: {type: string}
      channel: {type: string}
      score: {type: int64}
      minutes: {type: float64}
  web_orders: &narrow {csv: orders.csv, columns: {order_id: {type: int64}, amount: {type: decimal}}}
  shop_orders: *narrow
  answers: *orders
  customers:
    csv: customers.csv
    customer: customer_id
    columns: {customer_id: {type: int64}, id: {type: int64}, plan: {type: string}}
  signups:
    csv: customers.csv
    customer: customer_id
    time: signed_up_on
    columns: {customer_id: {type: int64}, signed_up_on: {type: date}}
  subscriptions:
    csv: subscriptions.csv
    customer: customer_id
    value: amount
    subscription: {starts: starts_on, ends: ends_on}
    columns: {customer_id: {type: int64}, starts_on: {type: date}, ends_on: {type: date}, amount: {type: decimal}}
  tickets:
    csv: tickets.csv
    customer: customer_id
    time: opened_at
    ticket:
      first_reply: replied_at
      resolved: solved_at
      closed: solved_at
      due_reply: due_at
      due_resolve: due_at
      handle_time: {column: seconds, unit: second}
      waited: {column: seconds, unit: second}
      contacts: reopens
      reopens: reopens
      abandoned: abandoned
      complaint: abandoned
    columns: {customer_id: {type: int64}, opened_at: {type: timestamp}, replied_at: {type: timestamp}, solved_at: {type: timestamp}, due_at: {type: timestamp}, seconds: {type: int64}, reopens: {type: int64}, abandoned: {type: bool}}
  surveys:
    csv: surveys.csv
    customer: customer_id
    time: answered_on
    survey: {score: score, question: question, touchpoint: touchpoint, text: said, sent: sent_on}
    columns: {customer_id: {type: int64}, sent_on: {type: date}, answered_on: {type: date}, question: {type: string}, touchpoint: {type: string}, said: {type: string}, score: {type: int64}}
  reviews:
    csv: reviews.csv
    customer: customer_id
    time: on
    review: {rating: stars, sentiment: tone}
    columns: {customer_id: {type: int64}, on: {type: date}, stars: {type: int64}, tone: {type: string}}
  invoices:
    csv: invoices.csv
    customer: customer_id
    time: issued_on
    value: amount
    invoice: {due: due_on, paid: paid_on}
    columns: {customer_id: {type: int64}, issued_on: {type: date}, due_on: {type: date}, paid_on: {type: date}, amount: {type: decimal}}
  visits: {csv: visits.csv, customer: customer_id, time: at, columns: {customer_id: {type: int64}, at: {type: timestamp}}}
  baskets: {csv: baskets.csv, customer: customer_id, time: at, columns: {customer_id: {type: int64}, at: {type: timestamp}, items: {type: int64}}}
segments: {plan: customers.plan}
";

/// One row of each table of a subject.
const SUBJECTS: [(&str, &str); 6] = [
    (
        "tickets.csv",
        "customer_id,opened_at,replied_at,solved_at,due_at,seconds,reopens,abandoned\n\
         1,2026-01-05T09:00:00,2026-01-05T10:00:00,,2026-01-06T09:00:00,60,0,false\n",
    ),
    (
        "surveys.csv",
        "customer_id,sent_on,answered_on,question,touchpoint,said,score\n\
         1,2026-01-05,2026-01-06,nps,basket,too late,9\n",
    ),
    ("reviews.csv", "customer_id,on,stars,tone\n1,2026-01-05,5,positive\n"),
    (
        "invoices.csv",
        "customer_id,issued_on,due_on,paid_on,amount\n1,2026-01-05,2026-01-19,,9.00\n",
    ),
    ("visits.csv", "customer_id,at\n1,2026-01-05T09:00:00\n"),
    ("baskets.csv", "customer_id,at,items\n1,2026-01-05T09:30:00,2\n"),
];

/// The tables that examples of checks look at.
const STAGES: &str = "\
stages:
  monthly: {from: orders, segment_metrics: {by: [month], metrics: [revenue]}}
  value: {from: orders, clv: {holdout: 4 weeks}}
";

fn shop() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut orders = "order_id,customer_id,ordered_at,updated_at,amount,shipping,pieces,status,\
                      channel,score,minutes\n"
        .to_owned();
    let mut customers = "customer_id,id,signed_up_on,plan\n".to_owned();
    for order in 0..60 {
        let (customer, day) = (order % 10, order % 27 + 1);
        let state = ["completed", "completed", "returned"][order % 3];
        let _ = writeln!(
            orders,
            "{order},{customer},2026-0{}-{day:02},2026-02-{day:02},{}.50,2.00,1,{state},web,{},1.5",
            order % 2 + 1,
            order + 5,
            order % 11,
        );
    }
    for customer in 0..10 {
        let _ = writeln!(
            customers,
            "{customer},{customer},2026-01-01,{}",
            ["free", "paid"][customer % 2]
        );
    }
    let mut subscriptions = "customer_id,starts_on,ends_on,amount\n".to_owned();
    for customer in 0..10 {
        let ends = if customer % 3 == 0 { String::new() } else { format!("2026-02-0{customer}") };
        let _ = writeln!(subscriptions, "{customer},2026-01-0{},{ends},9.00", customer % 5 + 1);
    }
    for (name, text) in SUBJECTS {
        fs::write(folder.path().join(name), text).expect("written");
    }
    fs::write(folder.path().join("subscriptions.csv"), subscriptions).expect("written");
    fs::write(folder.path().join("orders.csv"), orders).expect("written");
    fs::write(folder.path().join("customers.csv"), customers).expect("written");
    folder
}

/// The examples under each heading of the second level: fenced blocks, and code in a paragraph that
/// begins with `Example`.
fn examples() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(repository("REFERENCE.md")).expect("the reference");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for chapter in text.split("\n## ").skip(1) {
        let heading = chapter.lines().next().unwrap_or_default().to_owned();
        let examples = found.entry(heading).or_default();
        for block in chapter.split("```yaml\n").skip(1) {
            examples.push(block.split("```").next().unwrap_or_default().to_owned());
        }
        for paragraph in chapter.split("\n\n") {
            if let Some(rest) = paragraph.strip_prefix("**Example:** ") {
                let code = rest.split('`').skip(1).step_by(2);
                examples.extend(code.map(|code| code.replace('\n', " ")));
            }
        }
    }
    found
}

fn indented(example: &str) -> String {
    example.lines().map(|line| format!("  {line}\n")).collect()
}

#[test]
fn the_committed_reference_is_that_of_the_program() {
    let path = repository("REFERENCE.md");
    let reference = tenure::cli::reference();
    #[expect(clippy::disallowed_methods, reason = "asks whether the file should be made anew")]
    if std::env::var("UPDATE_EXPECTED").is_ok() {
        fs::write(&path, &reference).expect("written");
    }
    let committed = fs::read_to_string(&path).expect("the reference");
    let anew = "UPDATE_EXPECTED=1 cargo test the_committed_reference";
    assert!(committed == reference, "{} is old; to make it anew: {anew}", path.display());
}

#[test]
fn links_of_the_reference_lead_to_one_heading() {
    let text = tenure::cli::reference();
    let anchor = |heading: &str| -> String {
        let kept = heading.to_lowercase().replace(' ', "-");
        kept.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
    };
    let headings: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with("##"))
        .map(|line| anchor(line.trim_start_matches(['#', ' '])))
        .collect();
    let links: Vec<&str> =
        text.split("](#").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() > 50, "{links:?}");
    for link in links {
        let leading = headings.iter().filter(|heading| *heading == link).count();
        assert_eq!(leading, 1, "headings called `{link}`");
    }
}

/// True if a text names a metric, be it with a statistic.
fn names(text: &str, metric: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| {
        word.strip_prefix(metric).is_some_and(|rest| {
            let statistic = rest.strip_prefix('_').unwrap_or_default();
            rest.is_empty() || tenure::metrics::Statistic::from_word(statistic).is_some()
        })
    })
}

#[test]
fn each_measure_has_a_case_that_names_it() {
    assert!(names("[csat_mean]", "csat"), "a statistic");
    assert!(!names("[csat_n, a_csat]", "csat"), "a column, another metric");

    let text = tenure::cli::reference();
    let section = text.split("\n## Measures and their cases\n").nth(1).expect("the section");
    let rows: Vec<&str> = section
        .lines()
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.contains("](tests/cases/"))
        .collect();
    assert!(rows.len() > 25, "{rows:?}");
    for row in rows {
        let metrics: Vec<&str> =
            row.split("[`").skip(1).filter_map(|rest| rest.split('`').next()).collect();
        let files = row.split("](tests/cases/").skip(1).filter_map(|rest| rest.split(')').next());
        let cases: Vec<String> = files
            .map(|file| fs::read_to_string(repository("tests/cases").join(file)).expect(file))
            .collect();
        assert!(!metrics.is_empty(), "{row}");
        for metric in &metrics {
            assert!(tenure::metrics::find(metric).is_some(), "there is no metric `{metric}`");
            assert!(cases.iter().any(|case| names(case, metric)), "no case of `{metric}`: {row}");
        }
        for case in &cases {
            assert!(metrics.iter().any(|metric| names(case, metric)), "a case of none: {row}");
        }
    }
}

#[test]
fn examples_of_the_reference_have_no_mistakes() {
    let folder = shop();
    let examples = examples();
    let mut checked = 0;
    let mut check = |pipeline: String| {
        fs::write(folder.path().join("it.yaml"), &pipeline).expect("written");
        let output = shell(folder.path(), "tenure check it.yaml");
        assert!(output.status.success(), "{pipeline}\n{}", String::from_utf8_lossy(&output.stderr));
        checked += 1;
    };
    for example in &examples["Stages"] {
        // Some stages are shown with what they need at the top of a pipeline.
        check(match example.starts_with("metrics:") {
            true => format!("{SOURCES}{example}\n"),
            false => format!("{SOURCES}stages:\n{}", indented(example)),
        });
    }
    for example in &examples["Checks"] {
        check(format!("{SOURCES}{STAGES}checks:\n{}", indented(example)));
    }
    for example in examples["Metrics"].iter().chain(&examples["Kinds of metrics"]) {
        let (name, _) = example.split_once(':').expect("a name");
        let (declared, named) = match name {
            "metrics" => (String::new(), example.clone()),
            _ => (format!("metrics:\n  {example}\n"), format!("metrics: [{name}]")),
        };
        // Each is of rows of some subject.
        let over = |source: &str| {
            let stage = format!("stages: {{it: {{from: {source}, segment_metrics: {{{named}}}}}}}");
            format!("{SOURCES}{declared}{stage}\n")
        };
        let subjects = ["tickets", "surveys", "reviews", "invoices"];
        let of_subject = subjects.into_iter().map(over).find(|pipeline| {
            fs::write(folder.path().join("it.yaml"), pipeline).expect("written");
            shell(folder.path(), "tenure check it.yaml").status.success()
        });
        check(of_subject.unwrap_or_else(|| over("orders")));
    }
    let kinds = tenure::stages::registry().len()
        + tenure::checks::registry().len()
        + tenure::metrics::registry().len();
    assert!(checked >= kinds, "{checked} examples of {kinds} kinds");
}

#[test]
fn the_reference_is_linked() {
    for document in ["README.md", "TUTORIAL.md"] {
        let text = fs::read_to_string(Path::new(&repository(document))).expect("a document");
        assert!(text.contains("(REFERENCE.md)"), "{document}");
    }
}
