//! The three forms of a report carry the same numbers, and those are the tables'.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use crate::parquet::read_parquet;

/// Growth of the CDNOW sample; rows after `as_of` are left out, so that the rows of the source have steps.
fn run(folder: &Path) {
    run_with(folder, "  movements: {from: orders, growth: {period: month}}\n");
}

fn run_with(folder: &Path, stages: &str) {
    let sample =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_data/cdnow/sample_orders.parquet");
    let text = format!(
        "version: 1\nname: cdnow\nas_of: 1997-06-11\nsources:\n  orders: {{parquet: {}, customer: customer_id, \
         time: ordered_at, value: amount}}\nstages:\n{stages}",
        sample.display()
    );
    fs::write(folder.join("it.yaml"), text).expect("written");
    crate::support::run(folder, "it.yaml");
}

/// The chart of a kind in a section.
fn chart(report: &Json, section: &str, kind: &str) -> Json {
    let sections = report["sections"].as_array().expect("sections");
    let section = sections.iter().find(|found| found["id"] == section).expect("the section");
    let blocks = section["blocks"].as_array().expect("blocks");
    let charts = blocks.iter().map(|block| &block["chart"][kind]);
    charts.into_iter().find(|chart| chart.is_object()).expect("the chart").clone()
}

#[test]
fn the_three_forms_carry_the_numbers_of_the_table() {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path());
    let out = folder.path().join("out/cdnow");
    let read = |name: &str| fs::read_to_string(out.join(name)).expect("the form is written");
    let (html, markdown) = (read("report.html"), read("report.md"));
    let report: Json = serde_json::from_str(&read("report.json")).expect("JSON");
    let stacks = chart(&report, "movements", "stacks");
    let table = read_parquet(&out.join("movements.parquet"));
    assert_eq!(table.rows(), 6);

    let names = ["retained", "new", "resurrected", "churned"];
    for (row, label) in stacks["x"].as_array().expect("periods").iter().enumerate() {
        let label = label.as_str().expect("a label");
        let (mut in_markdown, mut in_html) = (format!("| {label} |"), String::new());
        for (part, name) in names.iter().enumerate() {
            let value = &table.column(name).expect("a column")[row];
            let part = &stacks["parts"][part];
            assert_eq!(part["name"], *name);
            assert_eq!(part["values"][row].as_f64(), value.as_f64(), "{label} {name}");
            let shown = value.as_i64().map_or("–".to_owned(), |count| count.to_string());
            in_markdown.push_str(&format!(" {shown} |"));
            let attributes = match value.is_null() {
                true => "class=\"missing end\" title=\"no value: not observed yet or not defined\"",
                false => "class=\"end\"",
            };
            in_html.push_str(&format!("<td {attributes}>{shown}</td>"));
        }
        assert!(markdown.contains(&in_markdown), "{in_markdown}");
        let in_html = format!("<tr><th scope=\"row\">{label}</th>{in_html}</tr>");
        assert!(html.contains(&in_html), "{in_html}");
    }
    // The month that `as_of` cuts is blank in every form.
    assert_eq!(stacks["x"][5], "1997-06");
    assert!(stacks["parts"][0]["values"][5].is_null());

    let rows = chart(&report, "data_quality", "bars");
    assert_eq!(rows["title"], "Rows of orders that are left");
    let left: Vec<f64> = rows["bars"]
        .as_array()
        .expect("bars")
        .iter()
        .map(|bar| bar["value"].as_f64().expect("rows"))
        .collect();
    assert_eq!(left.first(), Some(&6919.0));
    assert!(left.last() < left.first(), "{left:?}");
}

#[test]
fn rows_are_followed_through_stages() {
    let folder = tempfile::tempdir().expect("a folder");
    let stages = "
  distinct: {from: orders, deduplicate: {}}
  renamed: {from: distinct, derive: {dear: amount > 20}}
  bought: {from: renamed, filter: {where: amount > 0}}
  twice: {from: bought, union: {with: [bought]}}
  side: {from: orders, filter: {where: amount > 1000}}
  movements: {from: twice, growth: {}}
  scores: {from: twice, rfm: {}}
";
    run_with(folder.path(), stages);
    let report = fs::read(folder.path().join("out/cdnow/report.json")).expect("the report");
    let report: Json = serde_json::from_slice(&report).expect("JSON");
    let rows = chart(&report, "data_quality", "bars");
    let bars = rows["bars"].as_array().expect("bars").iter();
    let bars: Vec<(&str, f64)> = bars
        .map(|bar| (bar["label"].as_str().expect("text"), bar["value"].as_f64().expect("rows")))
        .collect();
    // Counted with DuckDB: `select distinct * … where amount > 0`, before 1997-06-11.
    assert_eq!(
        bars,
        [
            ("read", 6919.0),
            ("good", 6919.0),
            ("before as-of", 3987.0),
            ("distinct (deduplicate)", 3982.0),
            ("bought (filter)", 3974.0),
            ("twice (union)", 7948.0),
        ]
    );
    let description = rows["description"].as_str().expect("a sentence");
    assert!(description.ends_with("A join or union may add rows."), "{description}");
}

/// A span that ends where it starts, or before, holds at no time; the report says how many there were.
#[test]
fn spans_that_are_left_out_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let spans = "who,starts,ends\n1,2026-01-05,2026-03-01\n2,2026-01-09,2026-01-09\n3,2026-02-01,2026-01-01\n4,2026-01-20,\n";
    fs::write(folder.path().join("spans.csv"), spans).expect("written");
    let text = "version: 1\nname: it\nas_of: 2026-05-01\nsources:\n  spans:\n    csv: spans.csv\n    customer: who\n    subscription: {starts: starts, ends: ends}\n    columns: {who: {type: int64}, starts: {type: date}, ends: {type: date}}\nstages:\n  kept: {from: spans, survival: {unit: month}}\n  moved: {from: spans, growth: {period: month}}\nreport: {formats: [json]}\n";
    fs::write(folder.path().join("it.yaml"), text).expect("written");
    crate::support::run(folder.path(), "it.yaml");
    let report = fs::read_to_string(folder.path().join("out/it/report.json")).expect("the form");
    let report: Json = serde_json::from_str(&report).expect("JSON");
    let sections = report["sections"].as_array().expect("sections");
    let quality = sections.iter().find(|found| found["id"] == "data_quality").expect("one");
    let blocks = quality["blocks"].as_array().expect("blocks");
    let table = blocks
        .iter()
        .map(|block| &block["table"])
        .find(|table| table["caption"] == "What a rule is about")
        .expect("the table");
    for (row, stage) in ["kept", "moved"].into_iter().enumerate() {
        let row = table["rows"][row].to_string();
        assert!(row.contains(stage) && row.contains("or before") && row.contains('2'), "{row}");
    }
}

#[test]
fn a_sample_is_held_against_its_population_in_sentences() {
    let sentences = |privacy: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let dear = "{expression: amount > 20, as: dear}";
        let stages = format!(
            "  some: {{from: orders, sample: {{size: 10%, compare: [{dear}, {{month: ordered_at}}, \
             {{expression: amount < 1000, as: all}}]}}}}\nseed: 16\n{privacy}"
        );
        run_with(folder.path(), &stages);
        fs::read_to_string(folder.path().join("out/cdnow/report.md")).expect("a report")
    };
    let open = sentences("");
    for sentence in [
        "By dear the sample is further from the population than chance would mostly have it (chi-square 6.66 with 1 \
         degree of freedom, p = 0.010; Cohen's w 0.16, which is small). Furthest is `false`: 37.7% of the weighted \
         sample, 45.7% of the population.",
        "By month the sample is as close to the population as chance would have it (chi-square 3.78 with 2 degrees of \
         freedom, p = 0.151; Cohen's w 0.12).",
        "By all no two groups are large enough to test the sample.",
    ] {
        assert!(open.contains(sentence), "{sentence}\n{open}");
    }
    let held = sentences("privacy: {min_group_size: 1000}\n");
    let hidden = "How the sample stands by month would tell of few customers and is hidden.";
    assert!(held.contains(hidden), "{held}");
    assert!(held.contains("By dear the sample is further"), "{held}");
}

/// A table by time is read from its end.
#[test]
fn a_long_table_by_time_shows_its_latest_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    run_with(
        folder.path(),
        "  weekly: {from: orders, segment_metrics: {by: [week], metrics: [order_count]}}\n",
    );
    let out = folder.path().join("out/cdnow");
    let text = fs::read_to_string(out.join("report.json")).expect("a report");
    let report: Json = serde_json::from_str(&text).expect("JSON");
    let sections = report["sections"].as_array().expect("sections");
    let section = sections.iter().find(|found| found["id"] == "weekly").expect("the section");
    let blocks = section["blocks"].as_array().expect("blocks");
    let mut tables = blocks.iter().map(|block| &block["table"]).filter(|table| table.is_object());
    let table = tables.next_back().expect("the rows");
    let weeks = read_parquet(&out.join("weekly.parquet"));
    assert_eq!((table["total_rows"].as_u64(), weeks.rows()), (Some(24), 24));
    let shown = table["rows"].as_array().expect("rows");
    assert_eq!(shown.len(), 20);
    for (place, row) in shown.iter().enumerate() {
        let (week, orders) = (weeks.value(4 + place, 0), weeks.value(4 + place, 2));
        let cells: Vec<String> =
            row.as_array().expect("cells").iter().map(Json::to_string).collect();
        assert!(cells[0].contains(&week.to_string()), "{week}: {}", cells[0]);
        assert!(cells[2].contains(&orders.to_string()), "{orders}: {}", cells[2]);
    }
    let markdown = fs::read_to_string(out.join("report.md")).expect("a report");
    assert!(markdown.contains("The last 20 of 24 rows."), "{markdown}");
}
