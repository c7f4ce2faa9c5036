//! Numbers as people read them: separators of thousands, a real minus sign, units.

use super::document::{Cell, Column, Unit, plain_decimal};

/// What stands for a value that is missing.
pub(super) const NONE: &str = "–";

const MINUS: char = '\u{2212}';
const NO_BREAK_SPACE: char = '\u{a0}';

/// A whole number with separators of thousands.
pub(super) fn integer(value: i64) -> String {
    decorate(&value.to_string())
}

/// A number with `decimals` digits after the point; one that rounds to nothing says so (`<0.01`), or, among
/// whole numbers, keeps two digits of its own (`0.24`, `7.4e-6`).
pub(super) fn number(value: f64, decimals: u8) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let digits = format!("{value:.precision$}", precision = usize::from(decimals));
    let vanished =
        value != 0.0 && !digits.bytes().any(|digit| digit.is_ascii_digit() && digit != b'0');
    if vanished && decimals == 0 {
        let magnitude = -value.abs().log10().floor();
        return match magnitude < 4.0 {
            true => decorate(&format!("{value:.precision$}", precision = magnitude as usize + 1)),
            false => decorate(&format!("{value:.1e}")),
        };
    }
    if vanished {
        let smallest = plain_decimal(1, decimals);
        return if value < 0.0 { format!(">{MINUS}{smallest}") } else { format!("<{smallest}") };
    }
    decorate(&digits)
}

/// A fraction of 1 in percent.
pub(super) fn share(value: f64, decimals: u8) -> String {
    if value.is_finite() {
        format!("{}%", number(value * 100.0, decimals))
    } else {
        NONE.to_owned()
    }
}

/// A short number: `8,330`, `299k`, `1.25M`.
pub(super) fn compact(value: f64, unit: &Unit) -> String {
    if *unit == Unit::Share {
        return share(value, u8::from(value.abs() < 0.1));
    }
    // A letter takes over where it saves room: 8,330 is as short as 8.33k. 999,500 would round to 1,000k.
    let magnitudes = [(1e9, 999.5e6, "bn"), (1e6, 999.5e3, "M"), (1e3, 9999.5, "k")];
    let Some((divisor, _, suffix)) =
        magnitudes.into_iter().find(|(_, from, _)| value.abs() >= *from)
    else {
        let fractional = value.fract() != 0.0 && value.abs() < 100.0;
        return number(value, u8::from(fractional));
    };
    let scaled = value / divisor;
    let decimals = match scaled.abs() {
        _ if divisor == 1e3 => 0,
        small if small < 9.995 => 2,
        middle if middle < 99.95 => 1,
        _ => 0,
    };
    format!("{}{suffix}", number(scaled, decimals))
}

/// A lone value of a chart with its unit, as in a hover title.
pub(super) fn value(value: f64, unit: &Unit) -> String {
    let cell = if *unit == Unit::Share { Cell::Share(value) } else { Cell::Number(value) };
    fact(&cell, unit)
}

/// A lone value with its unit, as a report writes it.
pub fn fact(cell: &Cell, unit: &Unit) -> String {
    let text = self::cell(cell, decimals_of(unit, &[cell]));
    match (cell, unit) {
        (Cell::Missing, _) => text,
        (_, Unit::Money { currency: Some(name) } | Unit::Named(name)) => {
            format!("{text}{NO_BREAK_SPACE}{name}")
        }
        (
            _,
            Unit::None | Unit::Count | Unit::Share | Unit::Money { currency: None } | Unit::Points,
        ) => text,
    }
}

/// A value without its unit, which stands in the head of the column. Where the largest of a column leave no room
/// for digits after the point, small ones keep three digits of their own.
pub(super) fn cell(cell: &Cell, decimals: u8) -> String {
    match cell {
        Cell::Text(text) | Cell::Date(text) => text.clone(),
        Cell::Integer(value) => integer(*value),
        Cell::Number(value) if decimals == 0 && value.fract() != 0.0 => match value.abs() {
            1.0..10.0 => number(*value, 2),
            10.0..100.0 => number(*value, 1),
            _ => number(*value, 0),
        },
        Cell::Number(value) => number(*value, decimals),
        Cell::Share(value) => share(*value, decimals),
        Cell::Decimal { minor, scale } => decorate(&plain_decimal(*minor, *scale)),
        Cell::Boolean(true) => "yes".to_owned(),
        Cell::Boolean(false) => "no".to_owned(),
        Cell::Missing => NONE.to_owned(),
    }
}

/// What a unit adds to the head of a column or the name of an axis.
pub(super) fn unit_name(unit: &Unit) -> Option<&str> {
    match unit {
        Unit::Money { currency } => currency.as_deref(),
        Unit::Points => Some("points"),
        Unit::Named(name) => Some(name),
        Unit::None | Unit::Count | Unit::Share => None,
    }
}

/// The digits after the point that suit all cells of a column, so that their points line up.
pub(super) fn column_decimals<'a>(column: &Column, cells: impl Iterator<Item = &'a Cell>) -> u8 {
    match column.decimals {
        Some(decimals) => decimals,
        None => decimals_of(&column.unit, &cells.collect::<Vec<_>>()),
    }
}

/// Shares get one digit and money two. Other numbers show three significant digits of the smallest value, but never
/// more than four digits after the point, and no more than seven in all for the largest.
fn decimals_of(unit: &Unit, cells: &[&Cell]) -> u8 {
    if cells.iter().any(|cell| matches!(cell, Cell::Share(_))) {
        return 1;
    }
    let numbers = || {
        cells.iter().filter_map(|cell| match cell {
            Cell::Number(value) if value.is_finite() && *value != 0.0 => Some(value.abs()),
            _ => None,
        })
    };
    if matches!(unit, Unit::Money { .. }) {
        return 2;
    }
    if numbers().all(|value| value.fract() == 0.0) {
        return 0;
    }
    let magnitude = |value: f64| value.log10().floor();
    let wanted = 2.0 - magnitude(numbers().fold(f64::MAX, f64::min));
    let room = 6.0 - magnitude(numbers().fold(f64::MIN_POSITIVE, f64::max));
    // Between 0 and 4, and a float cast to an integer saturates: the cast cannot surprise.
    wanted.min(room).clamp(0.0, 4.0) as u8
}

/// Puts separators of thousands and a real minus sign into plain digits; minus nothing is nothing.
fn decorate(digits: &str) -> String {
    let (negative, unsigned) = match digits.strip_prefix('-') {
        Some(rest) => (rest.bytes().any(|digit| (b'1'..=b'9').contains(&digit)), rest),
        None => (false, digits),
    };
    let (whole, fraction) = unsigned.split_at(unsigned.find('.').unwrap_or(unsigned.len()));
    let mut text = String::with_capacity(digits.len() + whole.len() / 3 + 2);
    if negative {
        text.push(MINUS);
    }
    for (index, digit) in whole.char_indices() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text.push_str(fraction);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(integer(1_234_567), "1,234,567");
        assert_eq!(integer(-999), "−999");
        assert_eq!(integer(i64::MIN), "−9,223,372,036,854,775,808");
        assert_eq!(number(-1234.5, 2), "−1,234.50");
        assert_eq!(number(-0.0, 1), "0.0");
        assert_eq!(number(f64::INFINITY, 1), NONE);
    }

    #[test]
    fn what_rounds_to_nothing_says_so() {
        assert_eq!(number(0.000_01, 3), "<0.001");
        assert_eq!(number(-0.2, 0), "\u{2212}0.20");
        assert_eq!(number(7.41e-6, 0), "7.4e-6");
        let cells = [19.88, 1.53, 150.2, 0.24].map(|value| cell(&Cell::Number(value), 0));
        assert_eq!(cells, ["19.9", "1.53", "150", "0.24"]);
        assert_eq!(share(0.0004, 1), "<0.1%");
        assert_eq!(share(0.0, 1), "0.0%");
    }

    #[test]
    fn compact_numbers_are_short() {
        let check = |value, expected: &str| assert_eq!(compact(value, &Unit::Count), expected);
        check(0.0, "0");
        check(12.34, "12.3");
        check(999.0, "999");
        check(8_330.0, "8,330");
        check(66_231.5, "66k");
        check(999_600.0, "1.00M");
        check(299_123.0, "299k");
        check(-1_250_000.0, "−1.25M");
        check(20_000_000_000.0, "20.0bn");
    }

    #[test]
    fn decimals_follow_the_column() {
        let check = |values: &[f64], expected: u8| {
            let cells: Vec<Cell> = values.iter().copied().map(Cell::Number).collect();
            let column = Column::new("estimate", "Estimate", Unit::None);
            assert_eq!(column_decimals(&column, cells.iter()), expected, "{values:?}");
        };
        check(&[], 0);
        check(&[1.0, 200.0], 0);
        check(&[0.243, 4.414, 0.793], 3);
        check(&[-9582.4292, 0.24], 3);
        check(&[12_345.678, 0.5], 2);
        check(&[0.000_001], 4);
    }

    #[test]
    fn units_follow_lone_values() {
        let money = Unit::Money { currency: Some("USD".to_owned()) };
        assert_eq!(fact(&Cell::Decimal { minor: 123_456, scale: 2 }, &money), "1,234.56\u{a0}USD");
        assert_eq!(value(0.1234, &Unit::Share), "12.3%");
        assert_eq!(fact(&Cell::Missing, &money), NONE);
    }
}
