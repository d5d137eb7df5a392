//! Conversion between JSON and the values of the library.

use std::collections::HashMap;

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel::common::value::Val;
use cel::objects::Key;
use cel::{ExecutionError, Value as Cel};
use serde_json::{Map, Value};

use super::ExprError;

/// Integers become `int` where they fit: CEL's literal `1` is one, and `x + 1` fails for any other type. `longest` grows to the longest list or map.
pub(super) fn to_cel(json: &Value, longest: &mut usize) -> Box<dyn Val> {
    match json {
        Value::Null => Box::new(CelNull),
        Value::Bool(b) => Box::new(CelBool::from(*b)),
        Value::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(i), _) => Box::new(CelInt::from(i)),
            (None, Some(u)) => Box::new(CelUInt::from(u)),
            (None, None) => Box::new(CelDouble::from(n.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(s) => Box::new(CelString::from(s.clone())),
        Value::Array(items) => {
            *longest = (*longest).max(items.len());
            Box::new(CelList::from(
                items.iter().map(|item| to_cel(item, longest)).collect::<Vec<_>>(),
            ))
        }
        Value::Object(members) => {
            *longest = (*longest).max(members.len());
            let bound = members
                .iter()
                .map(|(key, value)| (CelMapKey::from(key.clone()), to_cel(value, longest)));
            Box::new(CelMap::from(bound.collect::<HashMap<_, _>>()))
        }
    }
}

/// JSON of a result. Keys of maps are sorted: the library's maps have no stable order, and the same scope must give the same text.
pub(super) fn to_json(value: &Cel, bytes_max: usize) -> Result<Value, ExprError> {
    let mut budget = bytes_max;
    convert(value, &mut budget)
}

fn convert(value: &Cel, budget: &mut usize) -> Result<Value, ExprError> {
    let scalar = match value {
        Cel::Null => Value::Null,
        Cel::Bool(b) => Value::Bool(*b),
        Cel::Int(i) => Value::from(*i),
        Cel::UInt(u) => Value::from(*u),
        Cel::Float(f) => serde_json::Number::from_f64(*f)
            .map(Value::Number)
            .ok_or_else(|| ExprError::new("the result is not a number that JSON can write", 0))?,
        Cel::String(s) => {
            spend(budget, s.len())?;
            Value::String(s.as_ref().clone())
        }
        Cel::List(items) => {
            spend(budget, items.len())?;
            return items
                .iter()
                .map(|item| convert(item, budget))
                .collect::<Result<_, _>>()
                .map(Value::Array);
        }
        Cel::Map(map) => {
            let mut entries: Vec<(&Key, &Cel)> = map.map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let mut members = Map::with_capacity(entries.len());
            for (key, member) in entries {
                let name = key.to_string();
                spend(budget, name.len() + 4)?;
                members.insert(name, convert(member, budget)?);
            }
            return Ok(Value::Object(members));
        }
        other => other
            .json()
            .map_err(|_| ExprError::new("the result has a type that JSON cannot write", 0))?,
    };
    spend(budget, 4)?;
    Ok(scalar)
}

/// Takes from what is left of the largest result that is allowed.
pub(super) fn spend(budget: &mut usize, bytes: usize) -> Result<(), ExprError> {
    *budget = budget
        .checked_sub(bytes)
        .ok_or_else(|| ExprError::new("the result is larger than allowed", 0))?;
    Ok(())
}

/// What a value becomes inside a longer text.
pub(super) fn to_text(json: &Value) -> String {
    match json {
        Value::Null => String::new(),
        Value::String(s) => s.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => json.to_string(),
    }
}

/// The library's error without the values it quotes: they may be large, and may be data that must not reach a log.
pub(super) fn describe(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("there is no `{key}`"),
        ExecutionError::UndeclaredReference(name) => format!("there is no `{name}` here"),
        ExecutionError::NoSuchOverload(overload) => overload.to_string(),
        ExecutionError::FunctionError { function, message } => format!("{function}: {message}"),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number became too large".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "an index is out of bounds".to_owned(),
        ExecutionError::UnexpectedType { got, want } => format!("expected {want}, found {got}"),
        ExecutionError::UnsupportedIndex(..) => "a value of this type cannot be indexed so".to_owned(),
        ExecutionError::UnsupportedBinaryOperator(op, ..) => {
            format!("these values do not fit the operator `{op}`")
        }
        ExecutionError::ValuesNotComparable(..) => "these values cannot be compared".to_owned(),
        other => {
            let text = other.to_string();
            text.chars().take(200).collect()
        }
    }
}
