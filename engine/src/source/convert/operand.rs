//! Operands, operators and conditions of the *nodes* dialect as CEL.

use crate::source::convert::cel;
use crate::source::convert::names::Names;
use crate::source::convert::nodes::{Converter, Refused};
use crate::source::convert::parts::wrong_type;
use crate::source::convert::template::{Piece, pieces, steps};
use crate::source::tree::{Data, Node, Path};

/// Each operator with the CEL function that compares like the originals: as numbers when both sides are numbers. Longer
/// operators come first, because `<=` begins with `<`.
pub(crate) const OPERATORS: &[(&str, &str)] = &[
    ("==", "loose_eq"),
    ("!=", "loose_ne"),
    ("<=", "loose_le"),
    (">=", "loose_ge"),
    ("<", "loose_lt"),
    (">", "loose_gt"),
];

impl Converter<'_, '_> {
    /// A text as CEL: one template keeps its type, several pieces are rendered and joined.
    pub(crate) fn operand(&self, text: &str) -> Option<String> {
        match pieces(text).as_slice() {
            [Piece::Literal(literal)] => Some(cel::text(literal)),
            [one] => to_cel(one, &self.names),
            many => {
                let parts: Option<Vec<String>> = many
                    .iter()
                    .map(|piece| match piece {
                        Piece::Literal(literal) => Some(cel::text(literal)),
                        other => to_cel(other, &self.names).map(|cel| format!("text({cel})")),
                    })
                    .collect();
                Some(parts?.join(" + "))
            }
        }
    }

    /// `left == right`, `left != right`, or the truth of one side.
    pub(crate) fn condition(&mut self, node: &Node, path: Path<'_>) -> Result<String, Refused> {
        let text = match &node.value {
            Data::Bool(b) => return Ok(b.to_string()),
            Data::Text(text) => text,
            _ => {
                wrong_type(node, path, "a condition", self.report);
                return Err(Refused);
            }
        };
        let found = find_operator(text);
        let converted = match found {
            None => self.side(text).map(|side| format!("truthy({side})")),
            Some((at, operator, function)) => {
                let right = &text[at + operator.len()..];
                if find_operator(right).is_some() {
                    None
                } else {
                    self.side(&text[..at])
                        .zip(self.side(right))
                        .map(|(left, right)| format!("{function}({left}, {right})"))
                }
            }
        };
        converted.ok_or_else(|| {
            self.report
                .error(
                    "runnel::convert::condition",
                    node.at,
                    path,
                    "this condition cannot be converted",
                )
                .help("a condition is `{{ node.field }} == value`, `!=`, or one `{{ node.field }}`");
            Refused
        })
    }

    /// One side of a condition: a template, or a bare or quoted word.
    fn side(&self, text: &str) -> Option<String> {
        let text = text.trim();
        let quoted = |quote| {
            text.strip_prefix(quote)
                .and_then(|rest: &str| rest.strip_suffix(quote))
        };
        match text {
            "True" | "true" => Some("true".to_owned()),
            "False" | "false" => Some("false".to_owned()),
            "None" | "null" => Some("null".to_owned()),
            _ => self.operand(quoted('"').or_else(|| quoted('\'')).unwrap_or(text)),
        }
    }
}

/// The first operator outside templates and quotes.
fn find_operator(text: &str) -> Option<(usize, &'static str, &'static str)> {
    let mut depth = 0_u32;
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '"' | '\'' if depth == 0 => quote = if quote == Some(c) { None } else { quote.or(Some(c)) },
            _ if depth == 0 && quote.is_none() => {
                if let Some((operator, function)) = OPERATORS
                    .iter()
                    .find(|(operator, _)| text[at..].starts_with(operator))
                {
                    return Some((at, operator, function));
                }
            }
            _ => {}
        }
    }
    None
}

/// A piece of a template as CEL.
pub(crate) fn to_cel(piece: &Piece<'_>, names: &Names) -> Option<String> {
    match piece {
        Piece::Literal(literal) => Some(cel::text(literal)),
        Piece::Cel(inner) => Some((*inner).to_owned()),
        Piece::Variable(name) => Some(cel::path("vars", &[name])),
        Piece::Secret(name) => Some(cel::path("secrets", &[name])),
        Piece::Path(path) => {
            let steps = steps(path)?;
            Some(match node_of(&steps, names) {
                Some((key, count)) => cel::path(
                    &cel::path("tasks", &[key]),
                    &[&["output"], &steps[count..]].concat(),
                ),
                None if steps[0] == "params" => cel::path("inputs", &steps[1..]),
                None => cel::path(
                    &cel::path("tasks", &[&names.key(steps[0])]),
                    &[&["output"], &steps[1..]].concat(),
                ),
            })
        }
    }
}

/// The node that a path begins with, and the number of steps that name it. Ids may hold dots: the longest one is meant.
pub(crate) fn node_of<'k>(steps: &[&str], names: &'k Names) -> Option<(&'k str, usize)> {
    (1..=steps.len())
        .rev()
        .find_map(|count| Some((names.find(&steps[..count].join("."))?, count)))
}
