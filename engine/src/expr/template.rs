//! JSON values with `${{ expression }}` in their strings.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::value::{self, spend};
use super::{Expr, ExprError, OUTPUT_BYTES_MAX, References, Scope};

const OPEN: &str = "${{";

/// A compiled JSON value whose strings may hold `${{ expression }}`.
///
/// A string that is exactly one expression keeps the type of its value; inside a longer text the value is rendered: strings as they
/// are, numbers and booleans plain, lists and objects as JSON, `null` as nothing. `$${{` writes `${{`. Keys of objects are not templates.
#[derive(Debug, Clone)]
pub struct Template {
    root: Node,
    references: Arc<References>,
}

#[derive(Debug, Clone)]
enum Node {
    Constant(Value),
    One(Expr),
    Text(Vec<Piece>),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

#[derive(Debug, Clone)]
enum Piece {
    Literal(String),
    Value(Expr),
}

impl Template {
    /// Compiles every expression in the value.
    ///
    /// # Errors
    /// All expressions that do not compile, each with the JSON pointer of its string and an offset within that string.
    pub fn compile(source: &Value) -> Result<Self, Vec<(String, ExprError)>> {
        let mut references = References::default();
        let mut errors = Vec::new();
        let root = compile(source, &mut String::new(), &mut references, &mut errors);
        if errors.is_empty() {
            Ok(Self {
                root,
                references: Arc::new(references),
            })
        } else {
            Err(errors)
        }
    }

    /// What its expressions read.
    #[must_use]
    pub fn references(&self) -> &References {
        &self.references
    }

    /// Whether it has no expression at all.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        matches!(self.root, Node::Constant(_))
    }

    /// The value with every expression evaluated.
    ///
    /// # Errors
    /// The first expression that fails, or a result over the limit.
    pub fn render(&self, scope: &dyn Scope) -> Result<Value, ExprError> {
        self.render_within(scope, OUTPUT_BYTES_MAX)
    }

    /// As [`Template::render`], with an own limit on the size of the result.
    ///
    /// # Errors
    /// The first expression that fails, or a result over the limit.
    pub fn render_within(&self, scope: &dyn Scope, bytes_max: usize) -> Result<Value, ExprError> {
        let mut budget = bytes_max;
        render(&self.root, scope, &mut budget)
    }
}

fn compile(
    source: &Value,
    path: &mut String,
    references: &mut References,
    errors: &mut Vec<(String, ExprError)>,
) -> Node {
    match source {
        Value::String(text) if text.contains(OPEN) => match parse_text(text) {
            Ok(node) => {
                for expr in node.expressions() {
                    references.extend(expr.references());
                }
                node
            }
            Err(error) => {
                errors.push((path.clone(), error));
                Node::Constant(Value::Null)
            }
        },
        Value::Array(items) => {
            let nodes: Vec<Node> = items
                .iter()
                .enumerate()
                .map(|(at, item)| {
                    within(path, &at.to_string(), |path| {
                        compile(item, path, references, errors)
                    })
                })
                .collect();
            if nodes.iter().all(Node::is_constant) {
                Node::Constant(source.clone())
            } else {
                Node::List(nodes)
            }
        }
        Value::Object(members) => {
            let nodes: Vec<(String, Node)> = members
                .iter()
                .map(|(key, member)| {
                    let step = key.replace('~', "~0").replace('/', "~1");
                    (
                        key.clone(),
                        within(path, &step, |path| compile(member, path, references, errors)),
                    )
                })
                .collect();
            let is_constant = nodes.iter().all(|(_, node)| node.is_constant());
            if is_constant {
                Node::Constant(source.clone())
            } else {
                Node::Object(nodes)
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Node::Constant(source.clone()),
    }
}

fn within<T>(path: &mut String, step: &str, work: impl FnOnce(&mut String) -> T) -> T {
    let length = path.len();
    path.push('/');
    path.push_str(step);
    let done = work(path);
    path.truncate(length);
    done
}

impl Node {
    /// A literal text with an escaped `$${{` is no constant: what it renders to differs from its source.
    fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }

    fn expressions(&self) -> Vec<&Expr> {
        match self {
            Self::One(expr) => vec![expr],
            Self::Text(pieces) => pieces
                .iter()
                .filter_map(|piece| match piece {
                    Piece::Value(expr) => Some(expr),
                    Piece::Literal(_) => None,
                })
                .collect(),
            Self::Constant(_) | Self::List(_) | Self::Object(_) => Vec::new(),
        }
    }
}

fn parse_text(text: &str) -> Result<Node, ExprError> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(found) = text[at..].find(OPEN) {
        let open = at + found;
        if text[at..open].ends_with('$') {
            literal.push_str(&text[at..open - 1]);
            literal.push_str(OPEN);
            at = open + OPEN.len();
            continue;
        }
        literal.push_str(&text[at..open]);
        let start = open + OPEN.len();
        let end = find_close(text, start).ok_or_else(|| ExprError::new("`${{` without its `}}`", open))?;
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        let expr = Expr::compile(&text[start..end]).map_err(|error| ExprError {
            offset: start + error.offset,
            message: error.message,
        })?;
        pieces.push(Piece::Value(expr));
        at = end + 2;
    }
    literal.push_str(&text[at..]);
    if literal.is_empty()
        && pieces.len() == 1
        && let Some(Piece::Value(expr)) = pieces.pop()
    {
        return Ok(Node::One(expr));
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(Node::Text(pieces))
}

/// The offset of the `}}` that ends an expression: not inside a string, and not the end of a map literal.
fn find_close(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut quote, mut at) = (0_usize, None, start);
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(q), b) if q == b => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(bytes[at]),
            (None, b'{') => depth += 1,
            (None, b'}') if depth > 0 => depth -= 1,
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            (None, _) => {}
        }
        at += 1;
    }
    None
}

fn render(node: &Node, scope: &dyn Scope, budget: &mut usize) -> Result<Value, ExprError> {
    match node {
        Node::Constant(value) => Ok(value.clone()),
        Node::One(expr) => {
            let value = expr.eval_within(scope, *budget)?;
            spend(budget, text_length(&value))?;
            Ok(value)
        }
        Node::Text(pieces) => {
            let mut text = String::new();
            for piece in pieces {
                match piece {
                    Piece::Literal(literal) => text.push_str(literal),
                    Piece::Value(expr) => {
                        let rendered = value::to_text(&expr.eval_within(scope, *budget)?);
                        spend(budget, rendered.len())?;
                        text.push_str(&rendered);
                    }
                }
            }
            Ok(Value::String(text))
        }
        Node::List(nodes) => nodes
            .iter()
            .map(|node| render(node, scope, budget))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        Node::Object(nodes) => nodes
            .iter()
            .map(|(key, node)| Ok((key.clone(), render(node, scope, budget)?)))
            .collect::<Result<Map<_, _>, _>>()
            .map(Value::Object),
    }
}

/// Bytes of the value as JSON, nearly: what matters is that many expressions together cannot grow without bound.
fn text_length(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 5,
        Value::String(s) => s.len() + 2,
        Value::Array(items) => items.iter().map(|item| text_length(item) + 1).sum::<usize>() + 2,
        Value::Object(members) => {
            members
                .iter()
                .map(|(key, member)| key.len() + text_length(member) + 4)
                .sum::<usize>()
                + 2
        }
    }
}
