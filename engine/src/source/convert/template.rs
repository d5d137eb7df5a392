//! Templates of other dialects: `{{ path }}`, `${var:x}` and `${secret:x}` become `${{ CEL }}`.
//!
//! What is `${{ … }}` already is left as it is.

use crate::source::report::Report;
use crate::source::tree::{Data, Entry, Node, Path};

/// A text cut into what is literal and what refers to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    Literal(&'t str),
    /// The inside of `{{ }}`, trimmed.
    Path(&'t str),
    /// `${var:name}`.
    Variable(&'t str),
    /// `${secret:name}`.
    Secret(&'t str),
    /// `${{ CEL }}`, the inside, trimmed.
    Cel(&'t str),
}

/// Cuts a text. An opening without its end is literal text.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    type Make<'t> = fn(&'t str) -> Piece<'t>;
    // The longer opening first: `${{` begins with the others' characters.
    let openings: [(&str, &str, Make<'_>); 4] = [
        ("${{", "}}", |inner| Piece::Cel(inner.trim())),
        ("{{", "}}", |inner| Piece::Path(inner.trim())),
        ("${var:", "}", |inner| Piece::Variable(inner.trim())),
        ("${secret:", "}", |inner| Piece::Secret(inner.trim())),
    ];
    let mut out = Vec::new();
    let mut rest = text;
    let mut literal_from = text;
    while let Some(at) = rest.find(['$', '{']) {
        let candidate = &rest[at..];
        let found = openings.iter().find_map(|(open, close, make)| {
            let inner = candidate.strip_prefix(open)?;
            let end = inner.find(close)?;
            Some((make(&inner[..end]), &inner[end + close.len()..]))
        });
        match found {
            Some((piece, after)) => {
                let literal = &literal_from[..literal_from.len() - candidate.len()];
                if !literal.is_empty() {
                    out.push(Piece::Literal(literal));
                }
                out.push(piece);
                rest = after;
                literal_from = after;
            }
            None => rest = &candidate[1..],
        }
    }
    if !literal_from.is_empty() || out.is_empty() {
        out.push(Piece::Literal(literal_from));
    }
    out
}

/// The steps of `a.b.0.c` or `a.b[0].c`; `None` when it is not such a path.
pub(crate) fn steps(path: &str) -> Option<Vec<&str>> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let mut rest = part.trim();
        let name = rest.find('[').map_or(rest, |at| &rest[..at]);
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || "|()+*\"'{}]".contains(c)) {
            return None;
        }
        steps.push(name);
        rest = &rest[name.len()..];
        while !rest.is_empty() {
            let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
            let index = index.trim_matches(['"', '\'']);
            if index.is_empty() {
                return None;
            }
            steps.push(index);
            rest = after;
        }
    }
    Some(steps)
}

/// Puts the pieces together as a v1 template; `cel` gives the expression of a piece that is not literal.
pub(crate) fn rewrite<E>(
    text: &str,
    mut cel: impl FnMut(&Piece<'_>) -> Result<String, E>,
) -> Result<String, E> {
    let mut out = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Literal(literal) => out.push_str(literal),
            other => out.push_str(&format!("${{{{ {} }}}}", cel(&other)?)),
        }
    }
    Ok(out)
}

/// A value with the templates of all its texts rewritten; `cel` gives `None` for a piece that cannot be converted.
pub(crate) fn rewrite_tree(
    node: &Node,
    path: Path<'_>,
    report: &mut Report<'_>,
    cel: &impl Fn(&Piece<'_>) -> Option<String>,
) -> Node {
    let value = match &node.value {
        Data::Text(text) => match rewrite(text, |piece| cel(piece).ok_or(())) {
            Ok(text) => Data::Text(text),
            Err(()) => {
                refuse(node, path, report);
                Data::Null
            }
        },
        Data::List(items) => {
            let items = items.iter().enumerate();
            Data::List(
                items
                    .map(|(index, item)| rewrite_tree(item, path.index(index), report, cel))
                    .collect(),
            )
        }
        Data::Map(entries) => {
            let mut rewritten = Vec::with_capacity(entries.len());
            for entry in entries {
                let node = rewrite_tree(&entry.node, path.key(&entry.key), report, cel);
                rewritten.push(Entry::new(entry.key.clone(), entry.key_at, node));
            }
            Data::Map(rewritten)
        }
        Data::Null | Data::Bool(_) | Data::Number(_) => node.value.clone(),
    };
    Node::new(node.at, value)
}

pub(crate) fn refuse(node: &Node, path: Path<'_>, report: &mut Report<'_>) {
    report
        .error(
            "runnel::convert::template",
            node.at,
            path,
            "this template cannot be converted",
        )
        .help("a template is a path such as `{{ node.field.0 }}`, `{{ item.field }}` or `{{ params.name }}`");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_texts() {
        assert_eq!(
            pieces("a {{ b.c }}${var:d}${secret:e}/${{ f }} {g} $h {{ open"),
            [
                Piece::Literal("a "),
                Piece::Path("b.c"),
                Piece::Variable("d"),
                Piece::Secret("e"),
                Piece::Literal("/"),
                Piece::Cel("f"),
                Piece::Literal(" {g} $h {{ open"),
            ]
        );
        assert_eq!(pieces(""), [Piece::Literal("")]);
    }

    #[test]
    fn cuts_paths() {
        assert_eq!(steps("a.b.0.c"), Some(vec!["a", "b", "0", "c"]));
        assert_eq!(steps("a-1.b[0]['c d']"), Some(vec!["a-1", "b", "0", "c d"]));
        for text in ["", "a..b", "a | upper", "a[", "a[0", "f(x)"] {
            assert_eq!(steps(text), None, "{text}");
        }
    }
}
