//! A report as GitHub-flavoured Markdown: for pull requests, chats and mails.

use super::chart;
use super::document::{
    Align, Block, Cell, Column, Fact, Notice, Origin, Report, Rule, Section, Severity, Table,
};
use super::format;
use super::table::end_of;

/// Renders a report as Markdown. Charts become the tables of their numbers; the same report gives the same
/// bytes, and no text of it can carry markup.
pub fn markdown(report: &Report) -> String {
    let mut out = Markdown::default();
    out.block(format!("# {}", escaped(&report.title)));
    if let Some(description) = &report.description {
        out.block(prose(description));
    }
    out.facts(&report.facts);
    report.notices.iter().for_each(|notice| out.notice(notice));
    report.sections.iter().for_each(|section| out.section(section));
    out.text
}

/// The text so far: blocks with an empty line between them.
#[derive(Default)]
struct Markdown {
    text: String,
}

impl Markdown {
    fn block(&mut self, block: impl AsRef<str>) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(block.as_ref().trim_end());
        self.text.push('\n');
    }

    fn section(&mut self, section: &Section) {
        self.block(format!("## {}", escaped(&section.title)));
        if !section.lead.is_empty() {
            self.block(prose(&section.lead.join(" ")));
        }
        for block in &section.blocks {
            match block {
                Block::Paragraph(text) => self.block(prose(text)),
                Block::Heading(text) => self.block(format!("### {}", escaped(text))),
                Block::Notice(notice) => self.notice(notice),
                Block::Facts(facts) => self.facts(facts),
                Block::Table(table) => self.table(table),
                Block::Chart(chart) => {
                    self.block(format!("**{}**", escaped(chart.title())));
                    if let Some(description) = chart.description() {
                        self.block(prose(description));
                    }
                    chart::numbers(chart).iter().for_each(|table| self.table(table));
                }
                Block::Rules(rules) => self.rules(rules),
                Block::Code(text) => self.block(fenced(text)),
            }
        }
    }

    fn facts(&mut self, facts: &[Fact]) {
        let lines: Vec<String> = facts
            .iter()
            .map(|fact| {
                let value = escaped(&format::fact(&fact.value, &fact.unit));
                format!("- {}: {value}", escaped(&fact.label))
            })
            .collect();
        if !lines.is_empty() {
            self.block(lines.join("\n"));
        }
    }

    fn notice(&mut self, notice: &Notice) {
        let word = match notice.severity {
            Severity::Info => "Note",
            Severity::Warning => "Warning",
            Severity::Critical => "Critical",
        };
        let (title, text) = (escaped(&notice.title), prose(&notice.text));
        self.block(format!("> **{word}: {title}.** {text}"));
    }

    fn rules(&mut self, rules: &[Rule]) {
        let rows = rules.iter().map(|rule| {
            let origin = match rule.origin {
                Origin::Default => "default",
                Origin::Set => "set",
            };
            [code(&rule.name), code(&rule.value), origin.to_owned(), cell_text(&rule.explanation)]
        });
        let mut lines = vec![
            "| Option | Value | Chosen | Meaning |".to_owned(),
            "|---|---|---|---|".to_owned(),
        ];
        lines.extend(rows.map(|row| format!("| {} |", row.join(" | "))));
        if !rules.is_empty() {
            self.block(lines.join("\n"));
        }
    }

    fn table(&mut self, table: &Table) {
        if !table.caption.is_empty() {
            self.block(format!("*{}*", escaped(&table.caption)));
        }
        let head: Vec<String> = table.columns.iter().map(heading).collect();
        let rule: Vec<&str> = table
            .columns
            .iter()
            .map(|column| match column.align {
                Align::Start => "---",
                Align::End => "---:",
            })
            .collect();
        let decimals: Vec<u8> = (0..table.columns.len())
            .map(|place| {
                let cells = table.rows.iter().filter_map(|row| row.get(place));
                format::column_decimals(&table.columns[place], cells)
            })
            .collect();
        let mut lines = vec![format!("| {} |", head.join(" | ")), format!("|{}|", rule.join("|"))];
        for row in &table.rows {
            let cells: Vec<String> = (0..table.columns.len())
                .map(|place| {
                    let cell = row.get(place).unwrap_or(&Cell::Missing);
                    cell_text(&format::cell(cell, decimals[place]))
                })
                .collect();
            lines.push(format!("| {} |", cells.join(" | ")));
        }
        self.block(lines.join("\n"));
        if let Some(total) = table.total_rows.filter(|&total| total > table.rows.len() as u64) {
            let (end, rows) = (end_of(table), table.rows.len());
            self.block(format!("The {end} {rows} of {total} rows."));
        }
        if let Some(note) = &table.note {
            self.block(prose(note));
        }
    }
}

fn heading(column: &Column) -> String {
    match format::unit_name(&column.unit) {
        Some(unit) => cell_text(&format!("{} ({unit})", column.label)),
        None => cell_text(&column.label),
    }
}

/// Text in which no character is markup.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '\n' {
            safe.push(' ');
            continue;
        }
        if "\\`*_{}[]<>#|~".contains(character) {
            safe.push('\\');
        }
        safe.push(character);
    }
    safe
}

/// Running text, in which names between backticks stay so.
fn prose(text: &str) -> String {
    let mut parts = text.split('`');
    let mut out = escaped(parts.next().unwrap_or_default());
    while let Some(name) = parts.next() {
        match parts.next() {
            Some(after) => {
                out.push_str(&code(name));
                out.push_str(&escaped(after));
            }
            // One without a partner is a mere character.
            None => out.push_str(&format!("\\`{}", escaped(name))),
        }
    }
    out
}

fn cell_text(text: &str) -> String {
    prose(text)
}

/// A code span; it can hold backticks, and `|` does not end a cell.
fn code(text: &str) -> String {
    let text = text.replace('\n', " ").replace('|', "\\|");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// A code block whose fence is longer than any in the text.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{}\n{fence}", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::super::document::Unit;
    use super::*;

    #[test]
    fn texts_cannot_carry_markup() {
        assert_eq!(escaped("a|b *c* <script>"), "a\\|b \\*c\\* \\<script\\>");
        assert_eq!(prose("see `a_b` and c_d"), "see `a_b` and c\\_d");
        assert_eq!(prose("one ` alone"), "one \\` alone");
        assert_eq!(code("a|b"), "`a\\|b`");
        assert_eq!(fenced("a ``` b"), "````\na ``` b\n````");
    }

    #[test]
    fn a_report_is_headings_and_tables() {
        let table = Table {
            caption: "Plans".into(),
            columns: vec![
                Column::new("plan", "Plan", Unit::None),
                Column::new("rate", "Rate", Unit::Share),
            ],
            rows: vec![
                vec![Cell::Text("a|b".into()), Cell::Share(0.125)],
                vec![Cell::Text("team".into())],
            ],
            note: None,
            total_rows: Some(12),
            last_rows: false,
        };
        let section = Section {
            id: "x".into(),
            title: "Retention".into(),
            lead: vec!["One sentence.".into()],
            blocks: vec![Block::Table(table)],
        };
        let report = Report { title: "Shop".into(), sections: vec![section], ..Report::default() };
        assert_eq!(
            markdown(&report),
            "# Shop\n\n## Retention\n\nOne sentence.\n\n*Plans*\n\n| Plan | Rate |\n|---|---:|\n\
             | a\\|b | 12.5% |\n| team | – |\n\nThe first 2 of 12 rows.\n"
        );
    }
}
