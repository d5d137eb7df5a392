//! Functions beside those of CEL: the loose comparisons of the accepted dialects, `merge` and `text`.

use std::cmp::Ordering;
use std::sync::Arc;

use cel::extractors::This;
use cel::objects::Map;
use cel::{Context, ExecutionError, Program, Value as Cel};
use serde_json::Value;

use super::{ExprError, OUTPUT_BYTES_MAX, value};

const OWN: &[&str] = &[
    "loose_eq", "loose_ne", "loose_lt", "loose_le", "loose_gt", "loose_ge", "truthy", "merge", "text", "date",
];

/// Functions of CEL and of its strings extension; operators start with `_`, `@`, `!` or `-`.
const STANDARD: &[&str] = &[
    "size",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "bytes",
    "dyn",
    "type",
    "matches",
    "contains",
    "startsWith",
    "endsWith",
    "duration",
    "timestamp",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "charAt",
    "indexOf",
    "lastIndexOf",
    "join",
    "lowerAscii",
    "upperAscii",
    "trim",
    "replace",
    "split",
    "substring",
    "format",
    "quote",
    "reverse",
    "optional",
    "of",
    "ofNonZeroValue",
    "none",
    "hasValue",
    "value",
    "or",
    "orValue",
];

/// The own functions a program uses.
pub(super) fn check_and_select(program: &Program) -> Result<Vec<&'static str>, ExprError> {
    let references = program.references();
    let mut used = Vec::new();
    for name in references.functions() {
        let is_operator = name.starts_with(['_', '@', '!', '-']);
        if let Some(own) = OWN.iter().find(|own| **own == name) {
            used.push(*own);
        } else if !is_operator && !STANDARD.contains(&name.rsplit('.').next().unwrap_or(name)) {
            return Err(ExprError::new(format!("there is no function `{name}`"), 0));
        }
    }
    used.sort_unstable();
    Ok(used)
}

/// Adds the named functions.
pub(super) fn add(context: &mut Context<'_, '_>, names: &[&'static str]) -> Result<(), ExprError> {
    for name in names {
        let added = match *name {
            "loose_eq" => context.add_function(name, |a: Cel, b: Cel| loose_eq(&a, &b)),
            "loose_ne" => context.add_function(name, |a: Cel, b: Cel| loose_eq(&a, &b).map(|equal| !equal)),
            "loose_lt" => {
                context.add_function(name, |a: Cel, b: Cel| loose_order(&a, &b).map(Ordering::is_lt))
            }
            "loose_le" => {
                context.add_function(name, |a: Cel, b: Cel| loose_order(&a, &b).map(Ordering::is_le))
            }
            "loose_gt" => {
                context.add_function(name, |a: Cel, b: Cel| loose_order(&a, &b).map(Ordering::is_gt))
            }
            "loose_ge" => {
                context.add_function(name, |a: Cel, b: Cel| loose_order(&a, &b).map(Ordering::is_ge))
            }
            "truthy" => context.add_function(name, |x: Cel| plain("truthy", &x).map(|x| truthy(&x))),
            "text" => context.add_function(name, |x: Cel| {
                plain("text", &x).map(|x| Cel::from(value::to_text(&x)))
            }),
            "date" => context.add_function(name, |This(x): This<Cel>| date(&x)),
            _ => context.add_function(name, |a: Cel, b: Cel| merge(a, b)),
        };
        added.map_err(|e| ExprError::new(e.to_string(), 0))?;
    }
    Ok(())
}

/// The date of a time in RFC 3339 as its own offset has it, so that a time of a schedule has the date of its zone.
fn date(time: &Cel) -> Result<Cel, ExecutionError> {
    let time = match plain("date", time)? {
        Value::String(text) => chrono::DateTime::parse_from_rfc3339(&text).ok(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let time = time.ok_or_else(|| failed("date", "only a time such as 2026-01-31T09:30:00Z has a date"))?;
    Ok(Cel::from(time.date_naive().to_string()))
}

fn failed(function: &str, message: &str) -> ExecutionError {
    ExecutionError::FunctionError {
        function: function.to_owned(),
        message: message.to_owned(),
    }
}

fn plain(function: &str, cel: &Cel) -> Result<Value, ExecutionError> {
    value::to_json(cel, OUTPUT_BYTES_MAX).map_err(|e| failed(function, &e.message))
}

fn loose_eq(a: &Cel, b: &Cel) -> Result<bool, ExecutionError> {
    let (a, b) = (plain("loose_eq", a)?, plain("loose_eq", b)?);
    if let (Some(a), Some(b)) = (number(&a), number(&b)) {
        return Ok(a == b);
    }
    if let (Some(a), Some(b)) = (boolean(&a), boolean(&b)) {
        return Ok(a == b);
    }
    Ok(a == b || (is_scalar(&a) && is_scalar(&b) && value::to_text(&a) == value::to_text(&b)))
}

fn loose_order(a: &Cel, b: &Cel) -> Result<Ordering, ExecutionError> {
    let (a, b) = (plain("comparison", a)?, plain("comparison", b)?);
    if let (Some(a), Some(b)) = (number(&a), number(&b)) {
        return a
            .partial_cmp(&b)
            .ok_or_else(|| failed("comparison", "these numbers cannot be compared"));
    }
    if is_scalar(&a) && is_scalar(&b) && !a.is_null() && !b.is_null() {
        return Ok(value::to_text(&a).cmp(&value::to_text(&b)));
    }
    Err(failed("comparison", "only numbers and texts have an order"))
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => s.trim().parse::<f64>().ok().filter(|n| n.is_finite()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::String(s) if s.eq_ignore_ascii_case("true") => Some(true),
        Value::String(s) if s.eq_ignore_ascii_case("false") => Some(false),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(s) => {
            !["", "false", "0", "none", "null"].contains(&s.trim().to_ascii_lowercase().as_str())
        }
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

fn merge(a: Cel, b: Cel) -> Result<Cel, ExecutionError> {
    let (Cel::Map(a), Cel::Map(b)) = (a, b) else {
        return Err(failed("merge", "both sides must be maps"));
    };
    let mut merged = Arc::unwrap_or_clone(a.map);
    merged.extend(b.map.iter().map(|(key, value)| (key.clone(), value.clone())));
    Ok(Cel::Map(Map {
        map: Arc::new(merged),
    }))
}
