//! Writing CEL: literals and paths that parse back to what they were made from.

use crate::source::tree::{Data, Node};

/// Words that CEL keeps for itself; as a field they are written in brackets.
const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// `"text"` with the escapes that CEL and JSON share.
pub(crate) fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `root.a[0]["odd key"]`.
pub(crate) fn path(root: &str, steps: &[&str]) -> String {
    let mut out = root.to_owned();
    for step in steps {
        if !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit()) {
            out.push_str(&format!("[{step}]"));
        } else if is_identifier(step) {
            out.push('.');
            out.push_str(step);
        } else {
            out.push_str(&format!("[{}]", text(step)));
        }
    }
    out
}

fn is_identifier(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !RESERVED.contains(&word)
}

/// A value as CEL; `on_text` decides what becomes of a text, which may hold templates.
pub(crate) fn literal<E>(
    node: &Node,
    on_text: &mut impl FnMut(&Node, &str) -> Result<String, E>,
) -> Result<String, E> {
    Ok(match &node.value {
        Data::Null => "null".to_owned(),
        Data::Bool(b) => b.to_string(),
        // CEL knows whole numbers up to 64 bits with a sign; a larger one is a floating-point number.
        Data::Number(number) if number.is_u64() && !number.is_i64() => format!("{number}.0"),
        Data::Number(number) => number.to_string(),
        Data::Text(text) => on_text(node, text)?,
        Data::List(items) => {
            let items = items
                .iter()
                .map(|item| literal(item, on_text))
                .collect::<Result<Vec<_>, E>>()?;
            format!("[{}]", items.join(", "))
        }
        Data::Map(entries) => {
            let members = entries
                .iter()
                .map(|entry| {
                    Ok(format!(
                        "{}: {}",
                        text(&entry.key),
                        literal(&entry.node, on_text)?
                    ))
                })
                .collect::<Result<Vec<_>, E>>()?;
            format!("{{{}}}", members.join(", "))
        }
    })
}
