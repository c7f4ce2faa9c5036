//! The `subscription` block of a source, bound to its columns.

use super::inputs::{Binding, before_as_of};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::document::Expression;
use crate::frame::DataType;
use crate::ir::typing::{Typed, build};
use crate::ir::{Expr, Roles, SpanRoles};
use crate::spec::SubscriptionBlock;

/// The expressions of a block; `None` for one that is wrong, which is noted.
pub(super) struct Found<'a> {
    block: &'a SubscriptionBlock,
    starts: Option<Expr>,
    ends: Option<Expr>,
    renews: Option<Expr>,
}

/// Reads a block.
pub(super) fn roles<'a>(
    block: &'a SubscriptionBlock,
    read: &mut impl FnMut(&Expression) -> Option<Expr>,
) -> Found<'a> {
    let (starts, ends) = (read(&block.starts.value), read(&block.ends.value));
    let renews = block.renews.value.as_ref().and_then(read);
    Found { block, starts, ends, renews }
}

/// Gives a source the roles of its block. `starts` is its `time`, unless it has another.
pub(super) fn bind(
    found: Found,
    binding: &Binding,
    roles: &mut Roles,
    diagnostics: &mut Diagnostics,
) {
    let Found { block, starts, ends, renews } = found;
    let written = [
        (Some(&block.starts.value), &starts),
        (Some(&block.ends.value), &ends),
        (block.renews.value.as_ref(), &renews),
    ];
    let mut good = true;
    for (written, expr) in written {
        let (Some(written), Some(expr)) = (written, expr) else { continue };
        if !matches!(expr.data_type, DataType::Date | DataType::Timestamp) {
            let message = format!("a time is a date or a timestamp, not a {}", expr.data_type);
            diagnostics.push(
                Diagnostic::at(Code::TypeMismatch, written.span, message)
                    .help("`cast(… as date)` or `cast(… as timestamp)`"),
            );
            good = false;
        }
    }
    let (Some(starts), Some(ends), true) = (starts, ends, good) else { return };
    if starts.data_type != ends.data_type {
        let message = format!(
            "a span starts and ends with times of one type, and this one goes from a {} to a {}",
            starts.data_type, ends.data_type
        );
        diagnostics.push(
            Diagnostic::at(Code::TypeMismatch, block.ends.value.span, message)
                .and(block.starts.value.span, format!("this is a {}", starts.data_type))
                .help("`cast(… as date)` makes a day of a timestamp"),
        );
        return;
    }
    // An end that is not seen yet is none.
    let seen = |ends: Expr| -> Typed {
        let null = Expr::null(ends.data_type);
        build::choose(before_as_of(&ends, binding)?, ends, null)
    };
    let Ok(ends) = seen(ends) else { return };
    if roles.time.is_none() {
        roles.time = Some(starts.clone());
    }
    let every = block.every.value.into();
    roles.subscription = Some(SpanRoles { starts, ends, renews, every });
}
