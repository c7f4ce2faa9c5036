//! A report as one self-contained HTML document.

use std::collections::BTreeSet;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::document::{Block, Cell, Fact, Notice, Origin, Report, Rule, Section, Severity};
use super::{chart, format, security, table};

const STYLE: &str = include_str!("style.css");

/// Renders a report as an HTML document that needs no network, no script and no other file.
///
/// The same report gives the same bytes. All texts are escaped; they cannot carry markup.
pub fn html(report: &Report) -> String {
    let anchors = anchors(&report.sections);
    let language = if report.language.is_empty() { "en" } else { &report.language };
    let mut figures = 0;
    let document = html! {
        (DOCTYPE)
        html lang=(language) {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(security::policy(STYLE));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (report.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header {
                    h1 { (report.title) }
                    @if let Some(description) = &report.description { p.description { (prose(description)) } }
                    @if !report.facts.is_empty() { (facts("provenance", &report.facts)) }
                }
                @if report.sections.len() > 1 { (contents(&report.sections, &anchors)) }
                main id="content" tabindex="-1" {
                    @if !report.notices.is_empty() {
                        section.notices aria-label="Notices" { @for each in &report.notices { (notice(each)) } }
                    }
                    @for (section, anchor) in report.sections.iter().zip(&anchors) {
                        (self::section(section, anchor, &mut figures))
                    }
                }
            }
        }
    };
    let mut text = document.into_string();
    text.push('\n');
    text
}

fn contents(sections: &[Section], anchors: &[String]) -> Markup {
    html! {
        nav aria-labelledby="contents" {
            h2 id="contents" { "Contents" }
            ol { @for (section, anchor) in sections.iter().zip(anchors) {
                li { a href={ "#" (anchor) } { (section.title) } }
            } }
        }
    }
}

fn section(section: &Section, anchor: &str, figures: &mut usize) -> Markup {
    html! {
        section id=(anchor) aria-labelledby={ (anchor) "-title" } {
            h2 id={ (anchor) "-title" } { (section.title) }
            @if !section.lead.is_empty() { p.lead { (prose(&section.lead.join(" "))) } }
            @for each in &section.blocks { (block(each, figures)) }
        }
    }
}

fn block(block: &Block, figures: &mut usize) -> Markup {
    match block {
        Block::Paragraph(text) => html! { p { (prose(text)) } },
        Block::Heading(text) => html! { h3 { (text) } },
        Block::Notice(each) => notice(each),
        Block::Facts(list) => facts("figures", list),
        Block::Table(each) => html! { div.block { (table::table(each)) } },
        Block::Chart(each) => {
            *figures += 1;
            chart::figure(each, *figures)
        }
        Block::Rules(list) => rules(list),
        Block::Code(text) => html! { pre tabindex="0" { code { (text) } } },
    }
}

fn facts(class: &str, facts: &[Fact]) -> Markup {
    html! {
        dl class=(class) { @for fact in facts {
            div { dt { (fact.label) } dd.number[is_number(&fact.value)] { (format::fact(&fact.value, &fact.unit)) } }
        } }
    }
}

fn is_number(cell: &Cell) -> bool {
    !matches!(cell, Cell::Text(_))
}

/// Running text, in which names stand between backticks. One without a partner is a mere character.
pub(super) fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    let paired = parts.len() % 2 == 1;
    html! {
        @if paired {
            @for (index, part) in parts.iter().enumerate() {
                @if index % 2 == 0 { (part) } @else { code { (part) } }
            }
        } @else { (text) }
    }
}

fn notice(notice: &Notice) -> Markup {
    let (class, name) = match notice.severity {
        Severity::Info => ("info", "Note"),
        Severity::Warning => ("warning", "Warning"),
        Severity::Critical => ("critical", "Critical"),
    };
    html! {
        div.notice.(class) role="note" {
            p { strong { span.severity { (name) } " " (notice.title) } }
            p { (prose(&notice.text)) }
        }
    }
}

fn rules(rules: &[Rule]) -> Markup {
    let content = html! {
        caption { "Rules" }
        thead { tr {
            @for label in ["Rule", "Value", "Origin", "Meaning"] { th scope="col" { (label) } }
        } }
        tbody { @for rule in rules {
            tr {
                th scope="row" { code { (rule.name) } }
                td { code { (rule.value) } }
                td.origin { (match rule.origin { Origin::Default => "default", Origin::Set => "set" }) }
                td.prose { (prose(&rule.explanation)) }
            }
        } }
    };
    html! { div.block.rules { (table::region("Rules", 4, rules.len(), &content)) } }
}

/// An anchor for each section: letters, digits, `-` and `_` of its id, made unique by a number, and never one of the
/// document's own.
fn anchors(sections: &[Section]) -> Vec<String> {
    let mut taken = BTreeSet::from(["content".to_owned(), "contents".to_owned()]);
    let mut anchors = Vec::with_capacity(sections.len());
    for section in sections {
        let keep = |c: char| {
            if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' }
        };
        let slug: String = section.id.chars().map(keep).collect();
        let slug = slug.trim_matches('-');
        let slug = if slug.is_empty() { "section" } else { slug };
        let mut anchor = slug.to_owned();
        let mut number = 1;
        while !taken.insert(anchor.clone()) {
            number += 1;
            anchor = format!("{slug}-{number}");
        }
        anchors.push(anchor);
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::super::document::{Column, Table, Unit};
    use super::super::figure::*;
    use super::*;

    const HOSTILE: &str = r#"</script></style></title><img src=x onerror=alert(1)>"'&"#;

    /// A report with the same text in every slot, each chart among them.
    fn filled(text: &str) -> Report {
        let own = || text.to_owned();
        let cell = RetentionCell {
            rate: 0.5,
            interval: Some(Interval { low: 0.4, high: 0.6 }),
            retained: 1,
            eligible: 2,
        };
        let row = CohortRow { label: own(), size: 2, cells: vec![Some(cell), None] };
        let point = Some(Point { value: 2.0, interval: Some(Interval { low: 1.0, high: 3.0 }) });
        let series =
            |emphasis| Series { name: own(), emphasis, points: vec![point, None, point, point] };
        let charts = [
            Chart::CohortTriangle(CohortTriangle {
                title: own(),
                description: Some(own()),
                age_label: own(),
                ages: vec![own(); 2],
                rows: vec![row],
                average: vec![Some(cell)],
            }),
            Chart::Lines(Lines {
                title: own(),
                description: Some(own()),
                x_label: own(),
                x: vec![own(); 4],
                y_label: own(),
                unit: Unit::Named(own()),
                steps: false,
                series: [Emphasis::Strong, Emphasis::Normal, Emphasis::Muted, Emphasis::Muted]
                    .map(series)
                    .into(),
                marker: Some(Marker { index: 1, label: own() }),
            }),
            Chart::Bars(Bars {
                title: own(),
                description: Some(own()),
                x_label: own(),
                y_label: own(),
                unit: Unit::Money { currency: Some(own()) },
                bars: vec![Bar { label: own(), value: Some(3.0), incomplete: true }],
            }),
            Chart::Grid(Grid {
                title: own(),
                description: Some(own()),
                row_label: own(),
                column_label: own(),
                value_label: own(),
                unit: Unit::Named(own()),
                rows: vec![own()],
                columns: vec![own()],
                cells: vec![vec![Some(1.0)]],
            }),
            Chart::Ranking(Ranking {
                title: own(),
                description: Some(own()),
                row_label: own(),
                value_label: own(),
                unit: Unit::Named(own()),
                rows: vec![Rank {
                    label: own(),
                    value: Some(1.0),
                    interval: Some(Interval { low: 0.5, high: 2.0 }),
                    note: Some(own()),
                }],
            }),
            Chart::Spread(Spread {
                title: own(),
                description: Some(own()),
                row_label: own(),
                value_label: own(),
                unit: Unit::Named(own()),
                marks: vec![own(); 2],
                rows: vec![SpreadRow { label: own(), values: vec![Some(1.0), Some(2.0)] }],
            }),
        ];
        let notice = || Notice { severity: Severity::Warning, title: own(), text: own() };
        let fact = || Fact::text(own(), own()).with_unit(Unit::Named(own()));
        let mut blocks = vec![
            Block::Paragraph(own()),
            Block::Heading(own()),
            Block::Notice(notice()),
            Block::Facts(vec![fact()]),
            Block::Table(Table {
                caption: own(),
                columns: vec![
                    Column::new(own(), "label", Unit::Named(own())),
                    Column::new("b", own(), Unit::None),
                ],
                rows: vec![vec![Cell::Text(own()), Cell::Date(own())]],
                note: Some(own()),
                total_rows: None,
                last_rows: false,
            }),
            Block::Rules(vec![Rule {
                name: own(),
                value: own(),
                origin: Origin::Set,
                explanation: own(),
            }]),
            Block::Code(own()),
        ];
        blocks.extend(charts.into_iter().map(Block::Chart));
        let section = Section { id: own(), title: own(), lead: vec![own()], blocks };
        Report {
            title: own(),
            description: Some(own()),
            language: own(),
            facts: vec![fact()],
            notices: vec![notice()],
            sections: vec![section.clone(), section],
        }
    }

    #[test]
    fn hostile_texts_stay_texts() {
        let calm = html(&filled("calm"));
        let hostile = html(&filled(HOSTILE));
        assert!(!hostile.contains("<img") && !hostile.contains("</script"));
        // No text can open or close an element, or end an attribute: the skeleton of tags is that of a calm report.
        let count = |page: &str, pattern: char| page.matches(pattern).count();
        for pattern in ['<', '>', '"'] {
            assert_eq!(count(&calm, pattern), count(&hostile, pattern), "{pattern}");
        }
        assert!(hostile.contains("&lt;img src=x onerror=alert(1)&gt;"));
    }

    #[test]
    fn the_same_report_gives_the_same_bytes() {
        assert_eq!(html(&filled("calm")), html(&filled("calm")));
    }

    #[test]
    fn nothing_is_requested_and_nothing_runs() {
        let page = html(&filled("calm"));
        for forbidden in
            ["http://", "https://", "src=", "@import", "url(\"", "<script", " style=", "<link"]
        {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("default-src 'none'; style-src 'sha256-"));
    }

    #[test]
    fn names_stand_between_backticks() {
        assert_eq!(prose("`<a>` of `b`").into_string(), "<code>&lt;a&gt;</code> of <code>b</code>");
        assert_eq!(prose("a ` b").into_string(), "a ` b");
    }

    #[test]
    fn an_empty_report_is_a_document() {
        let page = html(&Report::default());
        assert!(
            page.contains(r#"<html lang="en">"#)
                && page.contains("</main>")
                && !page.contains("<nav")
        );
    }

    #[test]
    fn ids_are_unique() {
        let page = html(&filled("Content"));
        let ids: Vec<&str> =
            page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let distinct: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), distinct.len(), "{ids:?}");
        assert!(ids.contains(&"content-2") && ids.contains(&"content-3"));
    }

    /// WCAG 2.2, success criterion 1.4.3, for every sequential colour of both schemes.
    #[test]
    fn text_on_colours_has_contrast() {
        let luminance = |hex: &str| {
            let channel = |range: std::ops::Range<usize>| {
                let value = hex
                    .get(range)
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                    .unwrap_or(0);
                let value = f64::from(value) / 255.0;
                if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(1..3) + 0.7152 * channel(3..5) + 0.0722 * channel(5..7)
        };
        let mut checked = 0;
        let pairs =
            STYLE.lines().filter_map(|line| line.trim().strip_prefix("--q")?.split_once("; --t"));
        for (fill, text) in pairs {
            let hex = |part: &str| {
                part.split_once(": ").map(|(_, hex)| luminance(hex)).unwrap_or(f64::NAN)
            };
            let (fill, text) = (hex(fill), hex(text));
            let contrast = (fill.max(text) + 0.05) / (fill.min(text) + 0.05);
            assert!(contrast >= 4.5, "{fill} {text} {contrast}");
            checked += 1;
        }
        assert_eq!(checked, 22);
    }
}
