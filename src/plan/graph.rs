//! Who reads whom, and in which order that can be done.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};

/// Nodes by name, each with what it reads and where that is written.
pub(super) type Edges = BTreeMap<String, Vec<(String, Span)>>;

/// The nodes in an order in which each comes after what it reads. Nodes on a circle are noted and left
/// out, and so is what reads them.
pub(super) fn order(names: &[String], edges: &Edges, diagnostics: &mut Diagnostics) -> Vec<String> {
    let mut walk = Walk { edges, state: BTreeMap::new(), path: Vec::new(), ordered: Vec::new() };
    for name in names {
        walk.visit(name, diagnostics);
    }
    walk.ordered
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Open,
    Good,
    Bad,
}

struct Walk<'a> {
    edges: &'a Edges,
    state: BTreeMap<String, State>,
    path: Vec<String>,
    ordered: Vec<String>,
}

impl Walk<'_> {
    /// False if the node is on a circle or reads one that is.
    fn visit(&mut self, name: &str, diagnostics: &mut Diagnostics) -> bool {
        match self.state.get(name) {
            Some(State::Good) => return true,
            Some(State::Bad | State::Open) => return false,
            None => {}
        }
        self.state.insert(name.to_owned(), State::Open);
        self.path.push(name.to_owned());
        let mut good = true;
        for (next, span) in self.edges.get(name).into_iter().flatten() {
            if self.state.get(next) == Some(&State::Open) {
                let start = self.path.iter().position(|node| node == next).unwrap_or(0);
                let mut circle: Vec<&str> = self.path[start..].iter().map(String::as_str).collect();
                circle.push(next);
                diagnostics.push(
                    Diagnostic::at(
                        Code::Cycle,
                        *span,
                        format!("`{next}` needs itself: {}", circle.join(" → ")),
                    )
                    .label("this closes the circle"),
                );
                good = false;
            } else if self.edges.contains_key(next) && !self.visit(next, diagnostics) {
                good = false;
            }
        }
        self.path.pop();
        self.state.insert(name.to_owned(), if good { State::Good } else { State::Bad });
        if good {
            self.ordered.push(name.to_owned());
        }
        good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_named_and_left_out() {
        let edge = |to: &str| (to.to_owned(), Span::new(0, 1));
        let edges: Edges = [
            ("a".to_owned(), vec![edge("b")]),
            ("b".to_owned(), vec![]),
            ("c".to_owned(), vec![edge("d")]),
            ("d".to_owned(), vec![edge("c"), edge("a")]),
            ("e".to_owned(), vec![edge("d")]),
        ]
        .into();
        let names: Vec<String> = edges.keys().cloned().collect();
        let mut diagnostics = Diagnostics::default();
        assert_eq!(order(&names, &edges, &mut diagnostics), ["b", "a"]);
        let found = diagnostics.into_sorted();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].message, "`c` needs itself: c → d → c");
    }
}
