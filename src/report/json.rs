//! A report as JSON: the machine's output.

use serde::Serialize;

use super::document::Report;

/// The version of the form.
const REPORT_VERSION: u32 = 1;

#[derive(Serialize)]
struct Versioned<'a> {
    report_version: u32,
    #[serde(flatten)]
    report: &'a Report,
}

/// Renders a report as JSON, the very values the other forms show. The same report gives the same bytes.
pub fn json(report: &Report) -> String {
    let versioned = Versioned { report_version: REPORT_VERSION, report };
    let mut text = serde_json::to_string_pretty(&versioned).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_a_version() {
        let text = json(&Report { title: "Shop".into(), ..Report::default() });
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["report_version"], 1);
        assert_eq!(value["title"], "Shop");
    }
}
