//! JSON Schema, draft 7: formats are asserted, references to elsewhere are refused, and a problem names its place.

use jsonschema::Validator;
use serde_json::Value;

/// Problems told of one value; the rest would help nobody.
pub(crate) const PROBLEMS_MAX: usize = 50;

/// Nesting to which defaults are filled; deeper ones are left out.
const DEPTH_MAX: usize = 32;

/// Where a value does not fit, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Path within the value.
    pub path: Vec<String>,
    /// The rule; never the value, which may be long or secret.
    pub message: String,
}

/// Makes a schema ready to judge values.
pub(crate) fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::draft7::options()
        .should_validate_formats(true)
        .build(schema)
        .map_err(|error| error.to_string())
}

/// Everything in which a value does not fit, in the order of the schema. A key that is missing has the place it should be at.
pub(crate) fn judge(validator: &Validator, value: &Value) -> Vec<Problem> {
    validator
        .iter_errors(value)
        .take(PROBLEMS_MAX)
        .map(|error| {
            let mut path: Vec<String> = error
                .instance_path()
                .as_str()
                .split('/')
                .skip(1)
                .map(|step| step.replace("~1", "/").replace("~0", "~"))
                .collect();
            if let jsonschema::error::ValidationErrorKind::Required { property } = error.kind() {
                path.extend(property.as_str().map(str::to_owned));
                return Problem {
                    path,
                    message: "is required".to_owned(),
                };
            }
            Problem {
                path,
                message: error.masked_with("the value").to_string(),
            }
        })
        .collect()
}

/// Fills what is missing inside a value from the `default`s of `properties`, at any depth, also in the items of lists. What is
/// there stays as it is; `$ref` is not followed.
pub(crate) fn fill_defaults(schema: &Value, value: &mut Value) {
    fill(schema, value, DEPTH_MAX);
}

fn fill(schema: &Value, value: &mut Value, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Value::Object(members) => {
            let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
                return;
            };
            for (name, property) in properties {
                if !members.contains_key(name)
                    && let Some(default) = property.get("default")
                {
                    members.insert(name.clone(), default.clone());
                }
                if let Some(member) = members.get_mut(name) {
                    fill(property, member, depth);
                }
            }
        }
        Value::Array(items) => match schema.get("items") {
            Some(Value::Array(schemas)) => items
                .iter_mut()
                .zip(schemas)
                .for_each(|(item, schema)| fill(schema, item, depth)),
            Some(schema) => items.iter_mut().for_each(|item| fill(schema, item, depth)),
            None => {}
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(schema: Value, value: Value) -> Vec<(String, String)> {
        judge(&compile(&schema).expect("a schema"), &value)
            .into_iter()
            .map(|problem| (problem.path.join("."), problem.message))
            .collect()
    }

    #[test]
    fn formats_are_asserted() {
        for (format, good, bad) in [
            ("date-time", "2026-11-21T08:00:00Z", "yesterday"),
            ("date", "2026-02-28", "2026-02-30"),
            ("email", "a@example.org", "a at example"),
            ("uri", "https://example.org/x", "not a uri"),
            ("ipv4", "192.0.2.1", "192.0.2.256"),
            ("uuid", "0190d3b4-0000-7000-8000-000000000001", "0190"),
        ] {
            let schema = json!({"type": "string", "format": format});
            assert_eq!(problems(schema.clone(), json!(good)), [], "{format}");
            // draft 7 knows no `uuid`: an unknown format asserts nothing
            let is_known = format != "uuid";
            assert_eq!(!problems(schema, json!(bad)).is_empty(), is_known, "{format}");
        }
    }

    #[test]
    fn every_problem_is_told_with_its_place_and_without_the_value() {
        let schema = json!({
            "type": "object",
            "required": ["id", "lines"],
            "additionalProperties": false,
            "properties": {
                "id": {"type": "string", "pattern": "^[a-z]+$"},
                "lines": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["sku"],
                    "properties": {"sku": {"type": "string"}, "count": {"type": "integer", "minimum": 1}}}},
            },
        });
        let value =
            json!({"id": "SECRET-7", "lines": [{"sku": "a", "count": 0}, {"count": "zzz"}], "other/x": 1});
        let mut found = problems(schema, value);
        found.sort();
        let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(
            places,
            ["", "id", "lines.0.count", "lines.1.count", "lines.1.sku"]
        );
        let text = format!("{found:?}");
        assert!(!text.contains("SECRET") && !text.contains("zzz"), "{text}");
    }

    #[test]
    fn defaults_are_filled_at_any_depth_and_never_over_a_value() {
        let schema = json!({
            "properties": {
                "region": {"default": "eu"},
                "size": {"default": {"width": 1}, "properties": {"height": {"default": 2}}},
                "lines": {"items": {"properties": {"count": {"default": 1}}}},
            },
        });
        let mut value = json!({"region": null, "lines": [{}, {"count": 5}]});
        fill_defaults(&schema, &mut value);
        assert_eq!(
            value,
            json!({"region": null, "lines": [{"count": 1}, {"count": 5}], "size": {"width": 1, "height": 2}})
        );
    }
}
