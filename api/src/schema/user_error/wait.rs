//! Refused votes, signals and callbacks.

use runnel_runtime::error::InputProblem;
use runnel_runtime::wait::WaitError;

use super::{ErrorCode, InputError, LimitError, UserError, clamp, docs_url, path};
use crate::error::ApiError;

impl UserError {
    /// What came for a waiting task was refused. Store failures are no user errors.
    pub(crate) fn of_wait(error: WaitError) -> Result<Vec<Self>, ApiError> {
        let message = error.to_string();
        let plain = |code, argument, hint: &str| {
            vec![Self::Input(InputError {
                code,
                message: message.clone(),
                path: path(&["input", argument]),
                hint: Some(hint.to_owned()),
                docs_url: docs_url(code),
            })]
        };
        Ok(match error {
            WaitError::Operate(error) => vec![Self::of_operate(error, "run")?],
            WaitError::Forbidden(_) => plain(
                ErrorCode::ApprovalForbidden,
                "run",
                "`approvers` of the approval says who may decide",
            ),
            WaitError::Form(problems) => problems.into_iter().map(form).collect(),
            WaitError::TooLarge { limit, actual, .. } => {
                let code = ErrorCode::TooLarge;
                vec![Self::Limit(LimitError {
                    code,
                    message,
                    path: path(&["input"]),
                    hint: None,
                    docs_url: docs_url(code),
                    limit: clamp(limit),
                    actual: clamp(actual),
                })]
            }
            WaitError::BadToken => plain(
                ErrorCode::CallbackTokenInvalid,
                "token",
                "use the token as the task was given it, whole",
            ),
            WaitError::UsedToken { .. } => plain(
                ErrorCode::CallbackTokenUsed,
                "token",
                "a token is good once, and only while its attempt is the current one",
            ),
        })
    }
}

fn form(problem: InputProblem) -> UserError {
    let code = ErrorCode::InputInvalid;
    let path = std::iter::once("input".to_owned()).chain(problem.path).collect();
    UserError::Input(InputError {
        code,
        message: problem.message,
        path: Some(path),
        hint: None,
        docs_url: docs_url(code),
    })
}
