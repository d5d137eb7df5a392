//! The inputs of a start: within their limit, checked, defaults filled, and as the text that is stored.

use std::sync::Arc;

use runnel_engine::Workflow;
use runnel_engine::inputs::{INPUTS_BYTES_MAX, StartFacts};
use serde_json::{Map, Value};

use crate::error::{InputProblem, StartError};

/// Inputs that a run can begin with.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub values: Arc<Map<String, Value>>,
    /// JSON text of `values`.
    pub text: Arc<str>,
}

/// Checks inputs against the workflow and fills defaults.
pub(crate) fn resolve(
    workflow: &Workflow,
    given: &Map<String, Value>,
    facts: &StartFacts<'_>,
) -> Result<Resolved, StartError> {
    // before the schemas look at it, and again after the defaults
    within_limit(given)?;
    let values =
        runnel_engine::inputs::resolve(workflow, given.clone(), facts).map_err(StartError::Inputs)?;
    let text = within_limit(&values)?;
    Ok(Resolved {
        values: Arc::new(values),
        text: Arc::from(text),
    })
}

fn within_limit(inputs: &Map<String, Value>) -> Result<String, StartError> {
    let text = serde_json::to_string(inputs).map_err(|error| {
        StartError::Inputs(vec![InputProblem {
            path: Vec::new(),
            message: format!("inputs have no JSON form: {error}"),
        }])
    })?;
    match text.len() {
        actual if actual > INPUTS_BYTES_MAX => Err(StartError::TooLarge {
            what: "size of the inputs in bytes",
            actual,
            limit: INPUTS_BYTES_MAX,
        }),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use runnel_engine::source::{Format, read};
    use runnel_engine::{RunId, Timestamp};
    use serde_json::json;

    use super::*;

    fn check(given: Value) -> Result<Resolved, StartError> {
        let text = "id: w\ninputs:\n  note: { type: string, default: '' }\ntasks:\n  a: { type: pass }\n";
        let workflow = read(text, Format::Yaml).workflow.expect("a workflow");
        let vars = Map::new();
        let facts = StartFacts {
            run: RunId(uuid::Uuid::nil()),
            priority: 50,
            created_at: Timestamp(0),
            workflow_version: 1,
            vars: &vars,
            trigger: None,
        };
        resolve(&workflow, given.as_object().expect("an object"), &facts)
    }

    #[test]
    fn the_text_is_that_of_the_filled_values() {
        let resolved = check(json!({})).expect("fits");
        assert_eq!(&*resolved.text, r#"{"note":""}"#);
        assert_eq!(resolved.values.get("note"), Some(&json!("")));
    }

    #[test]
    fn inputs_over_the_limit_are_refused() {
        // the frame `{"note":""}` has 11 bytes
        assert!(check(json!({"note": "x".repeat(INPUTS_BYTES_MAX - 11)})).is_ok());
        let refused = check(json!({"note": "x".repeat(INPUTS_BYTES_MAX - 10)}));
        assert!(matches!(refused, Err(StartError::TooLarge { actual, limit, .. }) if actual == limit + 1));
    }
}
