//! A part of something.

use serde_json::{Value as Json, json};

use super::{Decode, Decoder, Node, NodeKind, Share, schema};
use crate::diagnostic::{Code, Diagnostic};

/// A part of something: so many, or a share of all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Portion {
    /// At least 1.
    Count(u64),
    /// Above 0, at most 1.
    Share(f64),
}

impl Decode for Portion {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match node.kind {
            NodeKind::Integer(_) => {
                let count = i64::decode(node, decoder)?;
                match u64::try_from(count).ok().filter(|count| *count > 0) {
                    Some(count) => Some(Portion::Count(count)),
                    None => {
                        let message = format!("a size is at least 1, not {count}");
                        let wrong = Diagnostic::at(Code::InvalidValue, node.span, message);
                        decoder.report(wrong.help("such as `size: 10000`, or `size: 5%`"));
                        None
                    }
                }
            }
            NodeKind::Text(_) => {
                let Share(share) = Share::decode(node, decoder)?;
                if 0.0 < share && share <= 1.0 {
                    return Some(Portion::Share(share));
                }
                let message = format!("a size is above 0% and at most 100%, not {}", node.written);
                let wrong = Diagnostic::at(Code::InvalidValue, node.span, message);
                decoder.report(wrong.help("such as `size: 5%`"));
                None
            }
            _ => {
                decoder.wrong_type(node, &Self::expects());
                None
            }
        }
    }
    fn expects() -> String {
        "a number such as `10000`, or a share such as `5%`".into()
    }
    fn show(&self) -> String {
        match self {
            Portion::Count(count) => count.to_string(),
            Portion::Share(share) => Share(*share).show(),
        }
    }
    fn json_schema() -> Json {
        schema::any_of([json!({"type": "integer", "minimum": 1}), Share::json_schema()])
    }
    fn stand_in() -> Option<Self> {
        Some(Portion::Share(1.0))
    }
}
