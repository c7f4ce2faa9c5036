//! The columns of a source over all its files, as the contract wants them, and where the files differ.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::document::TimeUnit;
use crate::frame::{DataType, Field, Schema, Unit};
use crate::spec::{
    AbsentColumns, ColumnRule, ColumnType, ExtraColumns, FileForm, Source, WiderTypes,
};

use super::inputs::{FileColumn, FileSchema};

/// The columns of a source, and how its files differ.
pub(super) struct United {
    pub schema: Schema,
    /// What the files differ in, in words.
    pub drift: Vec<String>,
    /// The part of that which a warning says; to be said once it is known what is wrong.
    pub warnings: Vec<Diagnostic>,
}

/// Unites the columns of files; what makes them unfit is noted.
pub(super) fn unite(
    source: &Source,
    files: &[FileSchema],
    diagnostics: &mut Diagnostics,
) -> United {
    let mut names: Vec<&str> = Vec::new();
    for column in files.iter().flat_map(|file| &file.columns) {
        if !names.contains(&column.name.as_str()) {
            names.push(&column.name);
        }
    }
    let united = United { schema: Schema::default(), drift: Vec::new(), warnings: Vec::new() };
    let mut uniting = Uniting { source, files, diagnostics, united };
    let mut fields = Vec::new();
    for name in &names {
        let rule = source.columns.iter().find(|rule| rule.name.value == *name);
        fields.extend(uniting.column(name, rule));
    }
    for rule in &source.columns {
        if names.contains(&rule.name.value.as_str()) {
            continue;
        }
        match (rule.body.optional.value, rule.body.r#type.value) {
            (true, data_type) => {
                let data_type = data_type.map_or(DataType::String, wanted_type);
                fields.push(Field::new(&rule.name.value, data_type));
                uniting
                    .note(format!("column `{}` is in no file and reads as null", rule.name.value));
            }
            (false, _) if files.is_empty() => {}
            (false, data_type) => {
                uniting.diagnostics.push(
                    Diagnostic::unknown(
                        Code::UnknownColumn,
                        rule.name.span,
                        format!(
                            "no file of `{}` has the column `{}`",
                            source.name.value, rule.name.value
                        ),
                        &rule.name.value,
                        names.iter().copied(),
                    )
                    .note("a column that may be absent has `optional: true`"),
                );
                // Whoever reads it means it, and it is missed once.
                let data_type = data_type.map_or(DataType::String, wanted_type);
                let field = Field::new(&rule.name.value, data_type);
                fields.push(Field { flawed: true, ..field });
            }
        }
    }
    let mut united = uniting.united;
    united.schema = Schema::new(fields);
    united
}

struct Uniting<'a> {
    source: &'a Source,
    files: &'a [FileSchema],
    diagnostics: &'a mut Diagnostics,
    united: United,
}

impl Uniting<'_> {
    fn note(&mut self, what: String) {
        self.united.drift.push(what);
    }

    fn warn(&mut self, span: Span, what: String) {
        let message = format!("{what} (source `{}`)", self.source.name.value);
        self.united.warnings.push(Diagnostic::at(Code::Drift, span, message).warning());
        self.note(what);
    }

    fn mismatch(&mut self, span: Span, message: String, help: String) {
        self.diagnostics.push(Diagnostic::at(Code::SchemaMismatch, span, message).help(help));
    }

    fn column(&mut self, name: &str, rule: Option<&ColumnRule>) -> Option<Field> {
        let files = self.files;
        let place = rule.map_or(self.source.path.span, |rule| rule.name.span);
        let mut united: Option<(DataType, bool, &str)> = None;
        let mut lacking = Vec::new();
        let mut unread: Option<&FileColumn> = None;
        // Each type that files have, with the first that has it.
        let mut types: Vec<(&str, &str)> = Vec::new();
        for file in files {
            let Some(column) = file.columns.iter().find(|column| column.name == name) else {
                lacking.push(file.name.as_str());
                continue;
            };
            if !types.iter().any(|(found, _)| *found == column.found) {
                types.push((&column.found, &file.name));
            }
            let Some(found) = column.data_type else {
                unread = Some(column);
                continue;
            };
            if let Some(wanted) = rule.and_then(|rule| rule.body.r#type.value)
                && !widens(found, column.narrow, wanted)
            {
                self.diagnostics.push(Diagnostic::at(
                    Code::SchemaMismatch,
                    rule.map_or(place, |rule| rule.body.r#type.place(place)),
                    format!(
                        "column `{name}` of {} is {}, which does not widen to {wanted}",
                        file.name, column.found
                    ),
                ));
                // As the contract wants it, so that nothing else complains of it.
                return Some(Field::new(name, wanted_type(wanted)));
            }
            united = Some(match united {
                None => (found, column.narrow, &file.name),
                Some((known, narrow, first)) => {
                    match common((known, narrow), (found, column.narrow)) {
                        Some(common) => (common, narrow && column.narrow, first),
                        None => {
                            self.mismatch(
                                place,
                                format!(
                                    "column `{name}` is {known} in {first} and {} in {}",
                                    column.found, file.name
                                ),
                                "write the files with one type".into(),
                            );
                            return Some(Field::new(name, known));
                        }
                    }
                }
            });
        }
        let Some((mut data_type, ..)) = united else {
            // Columns of types that are not read are left out; a contract that lists one says so.
            match (rule, unread) {
                (Some(rule), Some(column)) => self.diagnostics.push(Diagnostic::at(
                    Code::SchemaMismatch,
                    rule.name.span,
                    format!("column `{name}` is {}, a type that is not read", column.found),
                )),
                _ => self.extra(name, rule, &lacking),
            }
            return None;
        };
        if types.len() > 1 {
            self.widened(name, place, &types);
        }
        if lacking.is_empty() || !(named_by(self.source, name) || rule.is_some()) {
            self.extra(name, rule, &lacking);
        } else {
            self.absent(name, place, rule, &lacking);
        }
        if let Some(wanted) = rule.and_then(|rule| rule.body.r#type.value) {
            data_type = match (wanted, data_type) {
                (ColumnType::Decimal, DataType::Decimal { .. }) => data_type,
                (ColumnType::Decimal, _) => DataType::money(0),
                (wanted, _) => wanted_type(wanted),
            };
        }
        let mut field = Field::new(name, data_type);
        // That nothing says what its texts are is noted.
        field.flawed = self.source.form == FileForm::Csv && self.source.columns.is_empty();
        if let Some(unit) = rule.and_then(|rule| rule.body.unit.value.as_ref()) {
            field.unit = match unit.as_str() {
                "share" => Unit::Share,
                "count" => Unit::Count,
                "points" => Unit::Points,
                word if TimeUnit::from_word(word).is_some() => Unit::Time(word.into()),
                word => Unit::Money(Some(word.into())),
            };
        }
        Some(field)
    }

    /// A column whose type differs between files.
    fn widened(&mut self, name: &str, place: Span, types: &[(&str, &str)]) {
        let found: Vec<String> =
            types.iter().map(|(found, file)| format!("{found} in {file}")).collect();
        let found = found.join(", ");
        match self.source.drift.wider_types.value {
            WiderTypes::Cast => {
                self.warn(place, format!("column `{name}` has several types: {found}"));
            }
            WiderTypes::Fail => self.mismatch(
                place,
                format!("column `{name}` has several types: {found}"),
                "`drift: {wider_types: cast}` reads it as the widest of them".into(),
            ),
        }
    }

    /// A column that the pipeline names and some files lack.
    fn absent(&mut self, name: &str, place: Span, rule: Option<&ColumnRule>, lacking: &[&str]) {
        let what = format!(
            "column `{name}` is absent from {} of {} files, first from {}",
            lacking.len(),
            self.files.len(),
            lacking[0]
        );
        if rule.is_some_and(|rule| rule.body.optional.value) {
            self.note(what);
        } else if self.source.drift.absent_columns.value == AbsentColumns::Null {
            self.warn(place, what);
        } else {
            let help = format!(
                "if it may be absent: `columns: {{{name}: {{optional: true}}}}`, or \
                 `drift: {{absent_columns: null}}` for all columns"
            );
            self.mismatch(place, what, help);
        }
    }

    /// A column that the contract does not list, or that only some files have.
    fn extra(&mut self, name: &str, rule: Option<&ColumnRule>, lacking: &[&str]) {
        if rule.is_some() || named_by(self.source, name) {
            return;
        }
        let policy = self.source.drift.extra_columns.value;
        let what = if !lacking.is_empty() {
            let having = self.files.len() - lacking.len();
            format!(
                "column `{name}` is in {having} of {} files and not in {}",
                self.files.len(),
                lacking[0]
            )
        } else if policy != ExtraColumns::Allow && !self.source.columns.is_empty() {
            format!("column `{name}` is not listed in `columns`")
        } else {
            return;
        };
        let place = self.source.drift.extra_columns.place(self.source.path.span);
        match policy {
            ExtraColumns::Allow => self.note(what),
            ExtraColumns::Warn => self.warn(place, what),
            ExtraColumns::Fail => {
                let help = "list it in `columns`, or allow it: `drift: {extra_columns: allow}`";
                self.mismatch(place, what, help.into());
            }
        }
    }
}

/// True if a role of the source is this very column.
fn named_by(source: &Source, name: &str) -> bool {
    let value = source.value.as_ref().map(|role| &role.column.value);
    let span = source.subscription.as_ref();
    let span = span.map(|span| [&span.starts.value, &span.ends.value]);
    [source.customer.as_ref(), source.time.as_ref(), value]
        .into_iter()
        .flatten()
        .chain(span.into_iter().flatten())
        .chain(&source.key)
        .any(|written| written.text.trim() == name)
}

/// The type that holds the values of both, given whether each is a small whole number.
fn common((a, a_small): (DataType, bool), (b, b_small): (DataType, bool)) -> Option<DataType> {
    match (a, b) {
        (a, b) if a == b => Some(a),
        (DataType::Decimal { scale: s, .. }, DataType::Decimal { scale: t, .. }) => {
            Some(DataType::money(s.max(t)))
        }
        (DataType::Decimal { scale, .. }, DataType::Int64)
        | (DataType::Int64, DataType::Decimal { scale, .. }) => Some(DataType::money(scale)),
        (DataType::Date, DataType::Timestamp) | (DataType::Timestamp, DataType::Date) => {
            Some(DataType::Timestamp)
        }
        // A double holds every int32, but not every int64.
        (DataType::Int64, DataType::Float64) if a_small => Some(DataType::Float64),
        (DataType::Float64, DataType::Int64) if b_small => Some(DataType::Float64),
        _ => None,
    }
}

/// The type that a word of the contract stands for; a decimal as one without digits after the point.
pub fn wanted_type(wanted: ColumnType) -> DataType {
    match wanted {
        ColumnType::Bool => DataType::Bool,
        ColumnType::Int32 => DataType::Int32,
        ColumnType::Int64 | ColumnType::Uint64 => DataType::Int64,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Decimal => DataType::money(0),
        ColumnType::String => DataType::String,
        ColumnType::Date => DataType::Date,
        ColumnType::Timestamp => DataType::Timestamp,
    }
}

/// True if a file's type becomes the contract's without loss.
fn widens(found: DataType, narrow: bool, wanted: ColumnType) -> bool {
    match (found, wanted) {
        (DataType::Bool, ColumnType::Bool)
        | (DataType::Int32, ColumnType::Int32)
        | (DataType::Int64, ColumnType::Int64 | ColumnType::Uint64 | ColumnType::Decimal)
        | (DataType::Float64, ColumnType::Float64)
        | (DataType::Decimal { .. }, ColumnType::Decimal)
        | (DataType::String, ColumnType::String)
        | (DataType::Date, ColumnType::Date | ColumnType::Timestamp)
        | (DataType::Timestamp, ColumnType::Timestamp) => true,
        (DataType::Int64, ColumnType::Int32 | ColumnType::Float64) => narrow,
        _ => false,
    }
}
