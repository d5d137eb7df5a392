//! The items of a fan-out and their keys: from a list, in batches of it, or from the product of several lists.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::fanout::join;
use super::machine::Machine;
use super::readiness::expression_failure;
use super::scope::{RunScope, parse};
use super::{Category, TaskFailure};
use crate::TaskIx;
use crate::expr::Template;
use crate::plan::ItemSource;

/// Most items of one fan-out; more fail the task.
pub(super) const ITEMS_MAX: usize = 100_000;
/// Most combinations of a matrix: each is compared with every `include` and `exclude`.
pub(super) const COMBINATIONS_MAX: usize = 10_000;
/// Largest list of one fan-out, in bytes of JSON.
const ITEMS_BYTES_MAX: usize = 32 << 20;
/// Longest key of an item: it is part of the task's key wherever that appears.
pub(super) const KEY_CHARS_MAX: usize = 200;
/// Longest part of one axis in the key of a combination.
const KEY_PART_CHARS_MAX: usize = 40;

type Failed = Box<TaskFailure>;

/// The items of one fan-out.
pub(super) struct Items {
    /// JSON text of each.
    pub values: Vec<Arc<str>>,
    /// Their keys, all different; empty where the position is the key.
    pub keys: Vec<Arc<str>>,
}

impl Machine<'_> {
    /// Resolves the items, and their keys where they have own ones: what is wrong with any fails the task before the first begins.
    pub fn resolve_items(&self, ix: TaskIx) -> Result<Items, Failed> {
        let values = self.resolve_values(ix)?;
        let Some(fanout) = &self.plan.compiled(ix).fanout else {
            return Ok(Items {
                values,
                keys: Vec::new(),
            });
        };
        let is_position = fanout.key.is_none() && matches!(fanout.source, ItemSource::List { .. });
        if is_position {
            return Ok(Items {
                values,
                keys: Vec::new(),
            });
        }
        let mut keys: Vec<Arc<str>> = Vec::with_capacity(values.len());
        let mut seen: HashMap<Arc<str>, usize> = HashMap::with_capacity(values.len());
        for (at, value) in values.iter().enumerate() {
            let key = self.item_key(ix, u32::try_from(at).unwrap_or(u32::MAX), value)?;
            if let Some(first) = seen.insert(Arc::clone(&key), at) {
                let message = format!(
                    "the items {first} and {at} have the same key `{key}`; every item needs a key of its own"
                );
                return Err(refused("ITEM_KEY", message));
            }
            keys.push(key);
        }
        Ok(Items { values, keys })
    }

    fn resolve_values(&self, ix: TaskIx) -> Result<Vec<Arc<str>>, Failed> {
        let Some(fanout) = &self.plan.compiled(ix).fanout else {
            return Ok(Vec::new());
        };
        match &fanout.source {
            ItemSource::List { items, batch } => {
                let items = self.resolve_list(ix, "for_each.items", items, ITEMS_MAX)?;
                Ok(in_batches(texts(&items), *batch))
            }
            ItemSource::Matrix {
                axes,
                include,
                exclude,
            } => {
                let mut product = vec![Map::new()];
                for (name, values) in axes {
                    let place = format!("matrix.{name}");
                    let values = self.resolve_list(ix, &place, values, COMBINATIONS_MAX)?;
                    check_product(product.len().saturating_mul(values.len()))?;
                    product = product
                        .iter()
                        .flat_map(|combination| {
                            values.iter().map(|value| {
                                let mut combination = combination.clone();
                                combination.insert(name.clone(), value.clone());
                                combination
                            })
                        })
                        .collect();
                }
                if axes.is_empty() {
                    product.clear();
                }
                let exclude = self.resolve_combinations(ix, "matrix.exclude", exclude)?;
                let include = self.resolve_combinations(ix, "matrix.include", include)?;
                product.retain(|combination| !exclude.iter().any(|out| has_all(combination, out)));
                let names: Vec<&str> = axes.iter().map(|(name, _)| name.as_str()).collect();
                let combinations: Vec<Value> = included(product, include, &names)
                    .into_iter()
                    .map(Value::Object)
                    .collect();
                check_product(combinations.len())?;
                Ok(texts(&combinations))
            }
        }
    }

    fn resolve_list(
        &self,
        ix: TaskIx,
        place: &str,
        list: &Template,
        items_max: usize,
    ) -> Result<Vec<Value>, Failed> {
        let scope = RunScope::new(self.plan, self.state, Some(ix));
        let items = list
            .render_within(&scope, ITEMS_BYTES_MAX)
            .map_err(|error| Box::new(expression_failure(place, &error)))?;
        let Value::Array(items) = items else {
            return Err(refused("ITEMS", format!("`{place}` is not a list")));
        };
        if items.len() > items_max {
            let message = format!("`{place}` has {} items, more than {items_max}", items.len());
            return Err(refused("ITEMS", message));
        }
        Ok(items)
    }

    fn resolve_combinations(
        &self,
        ix: TaskIx,
        place: &str,
        list: &Template,
    ) -> Result<Vec<Map<String, Value>>, Failed> {
        let items = self.resolve_list(ix, place, list, COMBINATIONS_MAX)?;
        let object = |item| match item {
            Value::Object(members) => Ok(members),
            _ => Err(refused(
                "ITEMS",
                format!("`{place}` has a member that is not a mapping"),
            )),
        };
        items.into_iter().map(object).collect()
    }

    /// The key of an item: of a combination its values, else what the file says, else the position.
    pub fn item_key(&self, parent: TaskIx, index: u32, value: &str) -> Result<Arc<str>, Failed> {
        let Some(fanout) = &self.plan.compiled(parent).fanout else {
            return Ok(Arc::from(index.to_string()));
        };
        if matches!(fanout.source, ItemSource::Matrix { .. }) {
            return Ok(Arc::from(combination_key(&parse(value))));
        }
        let Some(template) = &fanout.key else {
            return Ok(Arc::from(index.to_string()));
        };
        let each = json!({"item": parse(value), "index": index});
        let scope = RunScope::new(self.plan, self.state, Some(parent)).with_each(each);
        let key = template
            .render(&scope)
            .map_err(|error| Box::new(expression_failure("for_each.key", &error)))?;
        let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
        let chars = key.chars().count();
        if chars == 0 || chars > KEY_CHARS_MAX {
            let message =
                format!("the key of item {index} has {chars} characters; a key has 1 to {KEY_CHARS_MAX}");
            return Err(refused("ITEM_KEY", message));
        }
        Ok(Arc::from(key))
    }
}

fn refused(code: &str, message: String) -> Failed {
    Box::new(TaskFailure::new(Category::Input, code, message, false))
}

fn check_product(combinations: usize) -> Result<(), Failed> {
    if combinations > COMBINATIONS_MAX {
        let message =
            format!("the matrix has {combinations} combinations or more, more than {COMBINATIONS_MAX}");
        return Err(refused("ITEMS", message));
    }
    Ok(())
}

/// JSON text of each value.
pub(super) fn texts(values: &[Value]) -> Vec<Arc<str>> {
    values.iter().map(|value| Arc::from(value.to_string())).collect()
}

/// Lists of so many items in a row; the last may be shorter.
fn in_batches(items: Vec<Arc<str>>, batch: Option<u32>) -> Vec<Arc<str>> {
    match batch {
        None => items,
        Some(batch) => items
            .chunks(usize::try_from(batch.max(1)).unwrap_or(usize::MAX))
            .map(join)
            .collect(),
    }
}

fn has_all(combination: &Map<String, Value>, wanted: &Map<String, Value>) -> bool {
    wanted
        .iter()
        .all(|(name, value)| combination.get(name) == Some(value))
}

/// Each `include` extends the combinations of the product whose axes it does not contradict, as in GitHub Actions; one that
/// extends none is a combination of its own.
fn included(
    mut product: Vec<Map<String, Value>>,
    include: Vec<Map<String, Value>>,
    axes: &[&str],
) -> Vec<Map<String, Value>> {
    let of_product = product.len();
    for addition in include {
        let mut has_extended = false;
        for combination in &mut product[..of_product] {
            let contradicts = axes.iter().any(|axis| {
                addition
                    .get(*axis)
                    .is_some_and(|value| combination.get(*axis) != Some(value))
            });
            if !contradicts {
                combination.extend(addition.clone());
                has_extended = true;
            }
        }
        if !has_extended {
            product.push(addition);
        }
    }
    product
}

/// `eu-gbm`: the values in the order of the axes.
fn combination_key(combination: &Value) -> String {
    let parts: Vec<String> = combination
        .as_object()
        .map(|members| members.values().map(key_part).collect())
        .unwrap_or_default();
    let key = parts.join("-");
    if key.is_empty() {
        return "empty".to_owned();
    }
    key.chars().take(KEY_CHARS_MAX).collect()
}

/// A value as a word: texts and numbers as they are but for what is hard to type, others by their name or as JSON.
fn key_part(value: &Value) -> String {
    let name = ["name", "id", "key"].into_iter().find_map(|name| {
        let member = value.get(name)?;
        (member.is_string() || member.is_number()).then_some(member)
    });
    let text = match name.unwrap_or(value) {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let word: String = text
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+') {
                c
            } else {
                '_'
            }
        })
        .take(KEY_PART_CHARS_MAX)
        .collect();
    if word.is_empty() { "_".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_combinations_are_words() {
        for (combination, want) in [
            (json!({"region": "eu", "model": "gbm"}), "eu-gbm"),
            (json!({"os": "a/b c", "n": 3}), "a_b_c-3"),
            (json!({"m": {"name": "x", "size": 9}, "on": true}), "x-true"),
            (json!({"m": [1, 2]}), "_1_2_"),
            (json!({"m": ""}), "_"),
            (json!({}), "empty"),
        ] {
            assert_eq!(combination_key(&combination), want);
        }
    }
}
