//! The inputs of one start: checked against the workflow's schemas, defaults filled.
//!
//! All problems are found in one pass. Schemas were checked when the version was published; here they only judge values.

use serde_json::{Map, Value, json};

use crate::definition::Workflow;
use crate::expr::Template;
use crate::ids::RunId;
use crate::schema::{self, PROBLEMS_MAX};
use crate::time::Timestamp;
use crate::trigger::{self, RunTrigger};

/// Largest inputs of a run as JSON text, in bytes.
pub const INPUTS_BYTES_MAX: usize = 64 << 20;

/// One input that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputProblem {
    /// Path within the inputs, as `["order", "total"]`.
    pub path: Vec<String>,
    /// One sentence.
    pub message: String,
}

/// What the default of an input may read besides the inputs before it.
#[derive(Debug, Clone, Copy)]
pub struct StartFacts<'a> {
    /// The run to be.
    pub run: RunId,
    /// Its priority.
    pub priority: u8,
    /// Now.
    pub created_at: Timestamp,
    /// Version number of the workflow.
    pub workflow_version: i32,
    /// Configured variables.
    pub vars: &'a Map<String, Value>,
    /// What starts it, when it is not a person or a program through the API.
    pub trigger: Option<&'a RunTrigger>,
}

/// Checks inputs and fills what is missing from the defaults, in the order of the file.
///
/// # Errors
/// Every problem: an unknown input, a missing one, a value that its schema refuses, a default that fails.
pub fn resolve(
    workflow: &Workflow,
    given: Map<String, Value>,
    facts: &StartFacts<'_>,
) -> Result<Map<String, Value>, Vec<InputProblem>> {
    let mut problems = Vec::new();
    if workflow.extra.get("additional_inputs") != Some(&Value::Bool(true)) {
        problems.extend(
            given
                .keys()
                .filter(|name| !workflow.inputs.contains_key(*name))
                .map(|name| unknown(workflow, name)),
        );
    }
    let mut inputs = given;
    for (name, schema) in &workflow.inputs {
        if !inputs.contains_key(name) {
            match default(workflow, schema, &inputs, facts) {
                Ok(Some(value)) => drop(inputs.insert(name.clone(), value)),
                Ok(None) => {
                    problems.push(problem(
                        name,
                        format!("input `{name}` is missing and has no default"),
                    ));
                    continue;
                }
                Err(message) => {
                    problems.push(problem(
                        name,
                        format!("the default of input `{name}` failed: {message}"),
                    ));
                    continue;
                }
            }
        }
        if let Some(value) = inputs.get_mut(name) {
            schema::fill_defaults(schema, value);
            judge(name, schema, value, &mut problems);
        }
    }
    problems.truncate(PROBLEMS_MAX);
    if problems.is_empty() {
        Ok(inputs)
    } else {
        Err(problems)
    }
}

fn problem(name: &str, message: String) -> InputProblem {
    InputProblem {
        path: vec![name.to_owned()],
        message,
    }
}

fn unknown(workflow: &Workflow, name: &str) -> InputProblem {
    let near = workflow
        .inputs
        .keys()
        .map(|known| {
            (
                strsim::osa_distance(&name.to_lowercase(), &known.to_lowercase()),
                known,
            )
        })
        .filter(|(distance, known)| *distance <= (known.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance);
    let hint = match near {
        Some((_, known)) => format!("; did you mean `{known}`?"),
        None => String::new(),
    };
    problem(
        name,
        format!("workflow `{}` has no input `{name}`{hint}", workflow.id),
    )
}

fn default(
    workflow: &Workflow,
    schema: &Value,
    inputs: &Map<String, Value>,
    facts: &StartFacts<'_>,
) -> Result<Option<Value>, String> {
    let Some(default) = schema.get("default") else {
        return Ok(None);
    };
    let template = Template::compile(default).map_err(|errors| {
        errors
            .first()
            .map_or_else(String::new, |(_, error)| error.message.clone())
    })?;
    if template.is_constant() {
        return Ok(Some(default.clone()));
    }
    let scope = json!({
        "inputs": inputs,
        "vars": facts.vars,
        "run": {
            "id": facts.run,
            "status": "PENDING",
            "priority": facts.priority,
            "created_at": facts.created_at.to_rfc3339(),
            "scheduled_at": trigger::scheduled_at(facts.trigger, facts.created_at),
            "trigger": facts.trigger,
        },
        "workflow": {
            "id": workflow.id,
            "name": workflow.name,
            "version": facts.workflow_version,
            "labels": workflow.labels,
            "tags": workflow.tags,
        },
    });
    template.render(&scope).map(Some).map_err(|error| error.message)
}

pub(crate) fn judge(name: &str, schema: &Value, value: &Value, problems: &mut Vec<InputProblem>) {
    let validator = match schema::compile(schema) {
        Ok(validator) => validator,
        // the publisher was told; whoever starts the run can only be told that it cannot be
        Err(error) => {
            return problems.push(problem(
                name,
                format!("the schema of input `{name}` cannot be used: {error}"),
            ));
        }
    };
    for found in schema::judge(&validator, value) {
        let mut path = vec![name.to_owned()];
        path.extend(found.path);
        let message = format!("`{}`: {}", path.join("."), found.message);
        problems.push(InputProblem { path, message });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Format, read};

    fn workflow(inputs: &str) -> Workflow {
        let text = format!("id: w\n{inputs}\ntasks:\n  a: {{ type: pass }}\n");
        let reading = read(&text, Format::Yaml);
        assert_eq!(reading.diagnostics, [], "{text}");
        reading.workflow.expect("a workflow")
    }

    fn check(inputs: &str, given: Value) -> Result<Value, Vec<(String, String)>> {
        let Value::Object(given) = given else {
            panic!("inputs are an object")
        };
        let vars = Map::from_iter([("region".to_owned(), json!("eu"))]);
        let facts = StartFacts {
            run: RunId(uuid::Uuid::nil()),
            priority: 50,
            created_at: Timestamp(1_700_000_000_000_000),
            workflow_version: 3,
            vars: &vars,
            trigger: None,
        };
        resolve(&workflow(inputs), given, &facts)
            .map(Value::Object)
            .map_err(|problems| {
                problems
                    .into_iter()
                    .map(|p| (p.path.join("."), p.message))
                    .collect()
            })
    }

    const ORDER: &str = "inputs:\n  order: { type: object, required: [id], properties: { id: { type: string } } }\n  limit: { type: integer, default: 10 }";

    #[test]
    fn defaults_are_filled_and_values_kept() {
        assert_eq!(
            check(ORDER, json!({"order": {"id": "a"}})),
            Ok(json!({"order": {"id": "a"}, "limit": 10}))
        );
        assert_eq!(
            check(ORDER, json!({"order": {"id": "a"}, "limit": 3})),
            Ok(json!({"order": {"id": "a"}, "limit": 3}))
        );
    }

    #[test]
    fn every_problem_is_told_with_its_path() {
        let problems =
            check(ORDER, json!({"order": {"id": 7}, "limit": "x", "limits": 1})).expect_err("three problems");
        let paths: Vec<&str> = problems.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["limits", "order.id", "limit"]);
        assert!(problems[0].1.contains("did you mean `limit`?"), "{problems:?}");
    }

    #[test]
    fn an_input_without_default_must_be_given() {
        let problems = check(ORDER, json!({})).expect_err("missing");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].1.contains("`order` is missing"), "{problems:?}");
    }

    #[test]
    fn defaults_inside_an_input_are_filled_before_it_is_judged() {
        let inputs = "inputs:\n  order:\n    type: object\n    required: [id, region]\n    properties:\n      id: { type: string }\n      region: { type: string, default: eu }";
        assert_eq!(
            check(inputs, json!({"order": {"id": "a"}})),
            Ok(json!({"order": {"id": "a", "region": "eu"}}))
        );
        let problems = check(inputs, json!({"order": {}})).expect_err("no id");
        assert_eq!(
            problems,
            [("order.id".to_owned(), "`order.id`: is required".to_owned())]
        );
    }

    #[test]
    fn a_default_may_read_what_is_known_at_the_start() {
        let inputs = "inputs:\n  first: { type: string, default: '${{ vars.region }}' }\n  second: { type: string, default: '${{ inputs.first }}-${{ workflow.version }}' }";
        assert_eq!(
            check(inputs, json!({})),
            Ok(json!({"first": "eu", "second": "eu-3"}))
        );
        assert_eq!(
            check(inputs, json!({"first": "us"})),
            Ok(json!({"first": "us", "second": "us-3"}))
        );
    }

    #[test]
    fn a_default_that_fails_is_a_problem_of_its_input() {
        let inputs = "inputs:\n  a: { type: string, default: '${{ vars.missing }}' }";
        let problems = check(inputs, json!({})).expect_err("fails");
        assert!(
            problems[0].1.contains("default of input `a` failed"),
            "{problems:?}"
        );
    }

    #[test]
    fn unknown_inputs_pass_where_the_workflow_says_so() {
        let inputs = "additional_inputs: true\ninputs:\n  a: { type: string }";
        assert_eq!(
            check(inputs, json!({"a": "x", "b": 1})),
            Ok(json!({"a": "x", "b": 1}))
        );
    }
}
