//! Mistakes that people make, all in one pipeline: each is reported, at its word, with what was meant.

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

/// What a line of the pipeline says of itself: the word at fault, the code, and what the help names.
pub struct Mistake<'a> {
    pub line: usize,
    pub column: usize,
    pub word: &'a str,
    pub code: &'a str,
    pub help: &'a str,
}

pub fn expected(text: &str) -> Vec<Mistake<'_>> {
    let mut mistakes = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut parts = line.split("#!");
        let written = parts.next().unwrap_or_default();
        if written.trim_start().starts_with('#') {
            continue;
        }
        for part in parts {
            let [word, code, help] = part.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
                panic!("line {}: `{part}` is not `word | code | help`", index + 1);
            };
            let at = written.find(word).unwrap_or_else(|| panic!("no `{word}` in `{written}`"));
            let column = written[..at].chars().count() + 1;
            mistakes.push(Mistake { line: index + 1, column, word, code, help });
        }
    }
    mistakes
}

#[test]
fn mistakes_are_reported_at_once_and_at_their_words() {
    let path = Path::new("tests/it/mistakes.yaml");
    let text = std::fs::read_to_string(path).expect("the pipeline is there");
    let output = Command::new(env!("CARGO_BIN_EXE_tenure"))
        .args(["check", "tests/it/mistakes.yaml", "--format", "json"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut found: Vec<&Value> =
        document["diagnostics"].as_array().expect("a list").iter().collect();

    let mistakes = expected(&text);
    assert!(mistakes.len() >= 40, "only {} mistakes", mistakes.len());
    let mut suggested = 0;
    let mut wrong = Vec::new();
    for mistake in &mistakes {
        let at = found.iter().position(|diagnostic| {
            let start = &diagnostic["labels"][0]["place"]["start"];
            diagnostic["code"] == mistake.code
                && start["line"] == mistake.line
                && start["column"] == mistake.column
        });
        let Some(at) = at else {
            let (line, column, word) = (mistake.line, mistake.column, mistake.word);
            wrong.push(format!("{line}:{column}: {} at `{word}` is not reported", mistake.code));
            continue;
        };
        let help = found.remove(at)["help"].as_str().unwrap_or_default().to_owned();
        if mistake.help.is_empty() {
            continue;
        }
        match help.contains(mistake.help) {
            true => suggested += 1,
            false => wrong.push(format!("{}: `{help}` lacks {}", mistake.line, mistake.help)),
        }
    }
    for diagnostic in found {
        let start = &diagnostic["labels"][0]["place"]["start"];
        wrong.push(format!(
            "{}:{}: {} beyond what was expected",
            start["line"], start["column"], diagnostic["message"]
        ));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let needed = mistakes.len() * 9 / 10;
    assert!(suggested >= needed, "{suggested} of {} have the right suggestion", mistakes.len());
}

/// What a pipeline is told of, with the words that it is told at.
fn told_of(text: &str) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("it.yaml");
    std::fs::write(&path, text).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_tenure"))
        .args(["check", "--format", "json", "--root", env!("CARGO_MANIFEST_DIR")])
        .arg(&path)
        .output()
        .expect("it runs");
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let lines: Vec<&str> = text.lines().collect();
    let diagnostics = document["diagnostics"].as_array().expect("a list").iter();
    let told = diagnostics.map(|diagnostic| {
        let place = &diagnostic["labels"][0]["place"];
        let at = |end: &str, of: &str| place[end][of].as_u64().expect("a place") as usize;
        let line: Vec<char> = lines[at("start", "line") - 1].chars().collect();
        let word = &line[at("start", "column") - 1..at("end", "column") - 1];
        (word.iter().collect(), diagnostic["message"].as_str().unwrap_or_default().to_owned())
    });
    told.collect()
}

/// Metrics of several tables: what differs between those; and numbers that must be of another kind.
#[test]
fn metrics_that_do_not_go_together_are_told_at_their_words() {
    let text = "\
version: 1
name: it
as_of: 1998-07-01
sources:
  buyers: {parquet: sample_data/cdnow/sample_orders.parquet, customer: customer_id, time: ordered_at}
  by_text: {parquet: sample_data/cdnow/sample_orders.parquet, customer: cast(customer_id as string), time: ordered_at}
  asked: {parquet: sample_data/shop/surveys.parquet, customer: customer_id, time: answered_at, survey: {score: score, question: question}}
metrics:
  kinds: {count_distinct: cds}
  in_dated: {count: {}, from: dated}
  in_texts: {count: {}, from: texts}
  of_texts: {count: {}, from: by_text}
  mixed: {ratio: {numerator: of_texts, denominator: order_count}, interval: bootstrap, from: buyers}
  scores: {mean: score, from: asked}
  felt: {pulse: {active: scores}, from: asked}
  wrong: {mean: \"'a'\"}
  per_nothing: {ratio: {numerator: kinds, denominator: order_count, scale: 0}}
  no_time: {count: {}, time: cds}
  own_time: {order_count: {}, time: ordered_at}
  time_of_both: {ratio: {numerator: kinds, denominator: order_count}, time: ordered_at}
  of_nobody: {count: {}, per: cds, interval: none, time: min(ordered_at)}
  own_groups: {order_count: {}, per: cds}
  drawn_groups: {mean: sum(cds), per: cds, interval: bootstrap}
  of_rows: {sum: amount, per: customer_id}
  twice: {sum: max(sum(cds)), per: customer_id}
  two_much: {sum: \"sum(cds, amount)\", per: customer_id}
  no_numbers: {sum: sum(customer_id = 1), per: customer_id}
  upside_down: {balance: {plus: cds > 3, minus: cds < 2, scale: -100}}
stages:
  dated: {from: buyers, derive: {month: \"'x'\"}}
  numbers: {from: buyers, derive: {code: cds}}
  texts: {from: buyers, derive: {code: cast(cds as string)}}
  by_grain: {from: buyers, segment_metrics: {by: [month], metrics: [kinds, in_dated]}}
  by_column: {from: numbers, segment_metrics: {by: [code], metrics: [kinds, in_texts]}}
  drawn: {from: buyers, segment_metrics: {metrics: [mixed, per_nothing, upside_down, no_time, own_time, time_of_both, of_nobody, own_groups, drawn_groups, of_rows, twice, two_much, no_numbers]}}
  answers: {from: asked, segment_metrics: {metrics: [felt]}}
  monthly: {from: buyers, segment_metrics: {by: [month], metrics: [kinds, wrong]}}
  changes: {from: monthly, trend: {metrics: [kinds, wrong]}}
  of_changes: {from: changes, filter: {where: value > 1}}
";
    let expected = [
        (
            "bootstrap",
            "the metric `mixed` has no interval `bootstrap`: the customer of `buyers` is a int64, that of `by_text` a string, so nobody is in both",
        ),
        ("scores", "`active` names a metric that counts"),
        ("wrong", "this metric needs numbers, not a string"),
        ("0", "`scale` is more than 0, not 0"),
        ("cds", "a time is a date or a timestamp, not a int64"),
        ("ordered_at", "`order_count` takes no `time`"),
        ("ordered_at", "`ratio` takes no `time`"),
        (
            "min(ordered_at)",
            "what is put together by `per` has a `time` of its own only if it is one customer's",
        ),
        ("cds", "`order_count` takes no `per`"),
        (
            "bootstrap",
            "the metric `drawn_groups` has no interval `bootstrap`: customers are drawn, and what `per` puts together is not one customer's",
        ),
        ("amount", "`amount` is a column of rows, of which a group has many"),
        ("sum(cds)", "`sum` stands within `max`: rows are put together once"),
        ("sum(cds, amount)", "`sum` does not take 2 arguments"),
        ("customer_id = 1", "`sum` needs numbers, not a bool"),
        ("-100", "`scale` is more than 0, not -100"),
        ("month", "`month` is a calendar grain of `buyers`, but a column of `dated`"),
        ("code", "`code` is of type int64 in `numbers`, and of type string in `texts`"),
    ];
    let expected: Vec<(String, String)> =
        expected.iter().map(|(word, message)| ((*word).into(), (*message).into())).collect();
    assert_eq!(told_of(text), expected);
}

/// `next_time` is for metrics, and for tables whose rows have a customer and a time and are all there.
#[test]
fn the_next_row_needs_a_customer_and_a_time() {
    let text = "\
version: 1
name: it
as_of: 1998-07-01
sources:
  buyers: {parquet: sample_data/cdnow/sample_orders.parquet, customer: customer_id, time: ordered_at}
  timeless: {parquet: sample_data/cdnow/sample_orders.parquet, customer: customer_id}
metrics:
  of_timeless: {count: {}, where: next_time(timeless) is null}
  of_nobody: {share: next_time(nobody) is null}
  of_number: {count: next_time(1)}
  of_two: {count: \"next_time(buyers, buyers)\"}
  of_days: {sum: next_time()}
  of_groups: {mean: count(next_time()), per: customer_id}
  misspelt: {count: next_tim()}
  in_timeless: {count: next_time(), from: timeless}
  in_some: {count: next_time()}
  after_some: {count: next_time(some)}
stages:
  later: {from: buyers, filter: {where: next_time() is null}}
  some: {from: buyers, sample: {size: 10%, customers: false}}
  all: {from: buyers, segment_metrics: {metrics: [of_timeless, of_nobody, of_number, of_two, of_days, of_groups, misspelt, in_timeless, after_some]}}
  of_some: {from: some, segment_metrics: {metrics: [in_some]}}
";
    let expected = [
        (
            "timeless",
            "the metric `of_timeless` needs the role `time` of `timeless`, which does not have it",
        ),
        ("nobody", "there is no table `nobody`"),
        ("1", "`next_time` takes the name of a table, or nothing"),
        ("buyers", "`next_time` takes the name of a table, or nothing"),
        ("of_days", "this metric needs numbers, not a timestamp"),
        ("next_time", "`next_time` is of rows, and with `per` a metric is of groups of them"),
        ("next_tim", "there is no function `next_tim`"),
        (
            "some",
            "the metric `after_some` looks for what followed in `some`, which is a sample: what is missing there may only not have been drawn",
        ),
        ("next_time", "`next_time` looks at another row, which only expressions of metrics do"),
        (
            "in_timeless",
            "the metric `in_timeless` needs the role `time`, which `timeless` does not have",
        ),
        (
            "in_some",
            "the metric `in_some` cannot be weighted, and the rows of `some` are a sample: other rows of the same customer may not have been drawn",
        ),
    ];
    let expected: Vec<(String, String)> =
        expected.iter().map(|(word, message)| ((*word).into(), (*message).into())).collect();
    assert_eq!(told_of(text), expected);
}
