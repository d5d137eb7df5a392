//! Limits that are checked before and after the recursive parser of the library sees a text.

use cel::common::ast::{EntryExpr, Expr as Ast, IdedExpr};
use cel::parser::ParseErrors;

use super::{ExprError, LOOPS_MAX, NESTING_MAX, OPERATORS_MAX, SOURCE_BYTES_MAX};

/// Refuses a text that could overflow the stack of the parser or of the evaluation. One pass, no recursion.
pub(super) fn check_text(text: &str) -> Result<(), ExprError> {
    if text.trim().is_empty() {
        return Err(ExprError::new("the expression is empty", 0));
    }
    if text.len() > SOURCE_BYTES_MAX {
        return Err(ExprError::new(
            format!("the expression is longer than {SOURCE_BYTES_MAX} bytes"),
            SOURCE_BYTES_MAX,
        ));
    }
    let (mut depth, mut operators, mut quote) = (0_usize, 0_usize, None);
    let mut word_start = None;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let in_word = quote.is_none() && (byte.is_ascii_alphanumeric() || byte == b'_');
        if in_word {
            word_start.get_or_insert(at);
        } else if let Some(start) = word_start.take()
            && &bytes[start..at] == b"in"
        {
            operators += 1;
        }
        match (quote, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(q), b) if q == b => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'(' | b'[' | b'{') => {
                depth += 1;
                operators += 1;
            }
            (None, b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            (
                None,
                b'+' | b'-' | b'*' | b'/' | b'%' | b'.' | b'!' | b'&' | b'|' | b'<' | b'>' | b'=' | b'?',
            ) => operators += 1,
            (None, _) => {}
        }
        if depth > NESTING_MAX {
            return Err(ExprError::new(
                format!("brackets are nested deeper than {NESTING_MAX}"),
                at,
            ));
        }
        if operators > OPERATORS_MAX {
            return Err(ExprError::new(
                format!("the expression has more than {OPERATORS_MAX} operators"),
                at,
            ));
        }
        at += 1;
    }
    Ok(())
}

/// The deepest nesting of loops, refused over the limit.
pub(super) fn check_loops(ast: &IdedExpr) -> Result<u32, ExprError> {
    let loops = loops(&ast.expr);
    if loops > LOOPS_MAX {
        return Err(ExprError::new(
            format!("loops are nested deeper than {LOOPS_MAX}"),
            0,
        ));
    }
    Ok(u32::try_from(loops).unwrap_or(u32::MAX))
}

fn loops(ast: &Ast) -> usize {
    let deepest =
        |items: &mut dyn Iterator<Item = &IdedExpr>| items.map(|item| loops(&item.expr)).max().unwrap_or(0);
    match ast {
        Ast::Comprehension(c) => {
            let inner = deepest(&mut [&c.accu_init, &c.loop_cond, &c.loop_step, &c.result].into_iter());
            loops(&c.iter_range.expr).max(1 + inner)
        }
        Ast::Call(c) => deepest(&mut c.target.iter().map(AsRef::as_ref).chain(&c.args)),
        Ast::List(l) => deepest(&mut l.elements.iter()),
        Ast::Map(m) => deepest(&mut m.entries.iter().flat_map(|e| entry_parts(&e.expr)).flatten()),
        Ast::Struct(s) => deepest(&mut s.entries.iter().flat_map(|e| entry_parts(&e.expr)).flatten()),
        Ast::Select(s) => loops(&s.operand.expr),
        Ast::Unspecified | Ast::Ident(_) | Ast::Literal(_) => 0,
    }
}

/// The expressions inside an entry of a map or struct literal.
pub(super) fn entry_parts(entry: &EntryExpr) -> [Option<&IdedExpr>; 2] {
    match entry {
        EntryExpr::MapEntry(e) => [Some(&e.key), Some(&e.value)],
        EntryExpr::StructField(f) => [Some(&f.value), None],
    }
}

/// The first error of the parser, with its place as a byte offset.
pub(super) fn parse_error(text: &str, errors: &ParseErrors) -> ExprError {
    let Some(first) = errors.errors.first() else {
        return ExprError::new("the expression cannot be parsed", 0);
    };
    let line = usize::try_from(first.pos.0).unwrap_or(1).max(1);
    let column = usize::try_from(first.pos.1).unwrap_or(1).max(1);
    let line_start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = &text[line_start.min(text.len())..];
    let in_line = rest
        .char_indices()
        .nth(column - 1)
        .map_or(rest.len(), |(at, _)| at);
    ExprError::new(first.msg.trim().to_owned(), line_start + in_line)
}
