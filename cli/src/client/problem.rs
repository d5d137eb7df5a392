//! From the errors of a GraphQL answer to a failure with its exit code.

use reqwest::StatusCode;
use runnel_engine::diagnostic::{Label, Span};
use runnel_engine::{Diagnostic, Severity};
use serde::Deserialize;
use serde_json::Value;

use crate::exit::{Exit, Failure};

/// A refusal that comes with the problems of a workflow file.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct InvalidWorkflow {
    message: String,
    /// What is wrong with the file.
    pub diagnostics: Vec<Diagnostic>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserError {
    code: String,
    message: String,
    #[serde(default)]
    path: Option<Vec<String>>,
    #[serde(default)]
    hint: Option<String>,
    #[serde(default)]
    diagnostics: Option<Value>,
    #[serde(default)]
    allowed: Option<Vec<String>>,
}

/// The answer to a request without a good token.
pub fn unauthorised() -> Failure {
    Failure::new(Exit::Unauthorised, "the server refused the token")
        .hint("give a valid one with --api-token or RUNNEL_API_TOKEN")
}

/// Fails when the answer has top-level errors.
pub fn check_errors(body: &Value, status: StatusCode) -> Result<(), Failure> {
    let Some(first) = body.get("errors").and_then(|errors| errors.get(0)) else {
        return if status.is_success() {
            Ok(())
        } else {
            Err(Failure::new(
                Exit::Unreachable,
                format!("the server answered HTTP {status}"),
            ))
        };
    };
    let message = first["message"]
        .as_str()
        .unwrap_or("the server refused the request");
    let code = first["extensions"]["code"].as_str().unwrap_or_default();
    match code {
        "UNAUTHENTICATED" | "UNAUTHORISED" | "UNAUTHORIZED" | "FORBIDDEN" => Err(unauthorised()),
        _ => Err(Failure::new(exit_of(code, Exit::Failed), message)),
    }
}

/// Fails when the payload of a mutation has user errors.
pub fn check_user_errors(payload: &Value) -> Result<(), Failure> {
    let Some(first) = payload.get("userErrors").and_then(|errors| errors.get(0)) else {
        return Ok(());
    };
    let error = UserError::deserialize(first).map_err(|error| {
        Failure::internal(
            "the server's answer is not what this version of runnel expects",
            error,
        )
    })?;
    let exit = exit_of(&error.code, Exit::Usage);
    if let Some(diagnostics) = &error.diagnostics {
        let diagnostics = diagnostics_of(diagnostics);
        let invalid = InvalidWorkflow {
            message: error.message,
            diagnostics,
        };
        return Err(Failure {
            exit: Exit::Usage,
            error: invalid.into(),
            hint: error.hint,
        });
    }
    let place = error
        .path
        .filter(|path| !path.is_empty())
        .map(|path| format!(" ({})", path.join(".")));
    let mut failure = Failure::new(exit, format!("{}{}", error.message, place.unwrap_or_default()));
    failure.hint = error.hint.or_else(|| allowed_hint(error.allowed.as_deref()));
    Err(failure)
}

fn allowed_hint(allowed: Option<&[String]>) -> Option<String> {
    match allowed {
        Some(names) if !names.is_empty() => Some(format!("what the state allows: {}", names.join(", "))),
        _ => None,
    }
}

fn exit_of(code: &str, otherwise: Exit) -> Exit {
    match code {
        _ if code.ends_with("NOT_FOUND") => Exit::NotFound,
        _ if code.ends_with("CONFLICT") => Exit::Conflict,
        "APPROVAL_FORBIDDEN" => Exit::Unauthorised,
        "CALLBACK_TOKEN_USED" => Exit::Conflict,
        "CALLBACK_TOKEN_INVALID" => Exit::NotFound,
        _ => otherwise,
    }
}

/// Diagnostics as GraphQL writes them: flat, with upper-case severities.
fn diagnostics_of(list: &Value) -> Vec<Diagnostic> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(diagnostic_of).collect()
}

fn diagnostic_of(item: &Value) -> Diagnostic {
    let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let labels = item["labels"].as_array().map(Vec::as_slice).unwrap_or_default();
    Diagnostic {
        code: text("code"),
        severity: if item["severity"] == "WARNING" {
            Severity::Warning
        } else {
            Severity::Error
        },
        message: text("message"),
        span: span_of(item),
        path: text("path"),
        help: item["help"].as_str().map(str::to_owned),
        labels: labels.iter().filter_map(label_of).collect(),
    }
}

fn label_of(item: &Value) -> Option<Label> {
    Some(Label {
        span: span_of(item)?,
        text: item["text"].as_str()?.to_owned(),
    })
}

fn span_of(item: &Value) -> Option<Span> {
    let number = |name: &str| item[name].as_u64().and_then(|number| u32::try_from(number).ok());
    Some(Span {
        line: number("line")?,
        column: number("column")?,
        offset: number("offset")?,
        length: number("length")?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn codes_of_errors_choose_the_exit_code() {
        let check =
            |code: &str| check_user_errors(&json!({ "userErrors": [{ "code": code, "message": "no" }] }));
        for (code, exit) in [
            ("RUN_NOT_FOUND", Exit::NotFound),
            ("RUN_STATE_CONFLICT", Exit::Conflict),
            ("INPUT_INVALID", Exit::Usage),
        ] {
            assert_eq!(check(code).unwrap_err().exit, exit, "{code}");
        }
        assert!(check_user_errors(&json!({ "userErrors": [] })).is_ok());
    }

    #[test]
    fn a_refused_token_is_told_apart_from_other_errors() {
        let body = json!({ "errors": [{ "message": "no", "extensions": { "code": "UNAUTHENTICATED" } }] });
        assert_eq!(
            check_errors(&body, StatusCode::UNAUTHORIZED).unwrap_err().exit,
            Exit::Unauthorised
        );
        let body = json!({ "errors": [{ "message": "syntax" }] });
        assert_eq!(
            check_errors(&body, StatusCode::OK).unwrap_err().exit,
            Exit::Failed
        );
    }

    #[test]
    fn diagnostics_survive_the_way_through_graphql() {
        let payload = json!({ "userErrors": [{ "code": "WORKFLOW_INVALID", "message": "1 problem", "diagnostics": [{
            "code": "runnel::dag::cycle", "severity": "WARNING", "message": "cycle", "path": "tasks", "help": null,
            "line": 1, "column": 2, "offset": 1, "length": 3,
            "labels": [{ "text": "here", "line": 4, "column": 1, "offset": 30, "length": 2 }],
        }] }] });
        let failure = check_user_errors(&payload).unwrap_err();
        let invalid = failure.error.downcast_ref::<InvalidWorkflow>().unwrap();
        let diagnostic = &invalid.diagnostics[0];
        assert_eq!(
            (diagnostic.code.as_str(), diagnostic.severity),
            ("runnel::dag::cycle", Severity::Warning)
        );
        assert_eq!(diagnostic.span.map(|span| span.offset), Some(1));
        assert_eq!(diagnostic.labels[0].span.line, 4);
        assert_eq!(failure.exit, Exit::Usage);
    }
}
