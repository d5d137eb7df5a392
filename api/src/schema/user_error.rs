//! Outcomes of a mutation that a client must branch on. They are data: the answer has no top-level error.

mod wait;

use async_graphql::{Enum, Interface, SimpleObject};
use runnel_runtime::error::InputProblem;
use runnel_runtime::schedule::ScheduleError;
use runnel_runtime::{OperateError, StartError};

use super::diagnostic::Diagnostic;
use super::enums::RunStatus;
use super::run::Run;
use crate::error::ApiError;

/// Codes of user errors. Each has a page, served at `docsUrl`. New values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ErrorCode {
    /// The workflow file has problems; see `diagnostics`.
    WorkflowInvalid,
    /// There is no workflow with this key.
    WorkflowNotFound,
    /// The workflow has no such version.
    VersionNotFound,
    /// There is no such run.
    RunNotFound,
    /// The run has no such task.
    TaskNotFound,
    /// An input does not fit.
    InputInvalid,
    /// The idempotency key was used for another request.
    IdempotencyConflict,
    /// The state of the run does not allow it.
    RunStateConflict,
    /// A value is over its limit.
    TooLarge,
    /// There is no such secret.
    SecretNotFound,
    /// There is a namespace of this name already.
    NamespaceExists,
    /// There is no namespace of this name.
    NamespaceNotFound,
    /// The caller may not decide this approval.
    ApprovalForbidden,
    /// The token is no callback token of this server.
    CallbackTokenInvalid,
    /// The callback token has been used, or its attempt is over.
    CallbackTokenUsed,
    /// There is no such schedule.
    ScheduleNotFound,
    /// There is no such trigger.
    TriggerNotFound,
    /// There is no such backfill.
    BackfillNotFound,
    /// The key is taken by another one.
    KeyTaken,
    /// It was changed since it was read.
    RevisionConflict,
    /// It is part of a workflow file.
    OwnedByFile,
    /// There is no such dead letter.
    DeadLetterNotFound,
}

impl ErrorCode {
    /// Every code, for the test that each has a page.
    #[cfg(test)]
    pub(crate) const ALL: &[Self] = &[
        Self::DeadLetterNotFound,
        Self::WorkflowInvalid,
        Self::WorkflowNotFound,
        Self::VersionNotFound,
        Self::RunNotFound,
        Self::TaskNotFound,
        Self::InputInvalid,
        Self::IdempotencyConflict,
        Self::RunStateConflict,
        Self::TooLarge,
        Self::SecretNotFound,
        Self::NamespaceExists,
        Self::NamespaceNotFound,
        Self::ScheduleNotFound,
        Self::TriggerNotFound,
        Self::BackfillNotFound,
        Self::KeyTaken,
        Self::RevisionConflict,
        Self::OwnedByFile,
        Self::ApprovalForbidden,
        Self::CallbackTokenInvalid,
        Self::CallbackTokenUsed,
    ];

    /// As written in answers.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::WorkflowInvalid => "WORKFLOW_INVALID",
            Self::WorkflowNotFound => "WORKFLOW_NOT_FOUND",
            Self::VersionNotFound => "VERSION_NOT_FOUND",
            Self::RunNotFound => "RUN_NOT_FOUND",
            Self::TaskNotFound => "TASK_NOT_FOUND",
            Self::InputInvalid => "INPUT_INVALID",
            Self::IdempotencyConflict => "IDEMPOTENCY_CONFLICT",
            Self::RunStateConflict => "RUN_STATE_CONFLICT",
            Self::TooLarge => "TOO_LARGE",
            Self::SecretNotFound => "SECRET_NOT_FOUND",
            Self::NamespaceExists => "NAMESPACE_EXISTS",
            Self::NamespaceNotFound => "NAMESPACE_NOT_FOUND",
            Self::ApprovalForbidden => "APPROVAL_FORBIDDEN",
            Self::CallbackTokenInvalid => "CALLBACK_TOKEN_INVALID",
            Self::CallbackTokenUsed => "CALLBACK_TOKEN_USED",
            Self::ScheduleNotFound => "SCHEDULE_NOT_FOUND",
            Self::TriggerNotFound => "TRIGGER_NOT_FOUND",
            Self::BackfillNotFound => "BACKFILL_NOT_FOUND",
            Self::KeyTaken => "KEY_TAKEN",
            Self::RevisionConflict => "REVISION_CONFLICT",
            Self::OwnedByFile => "OWNED_BY_FILE",
            Self::DeadLetterNotFound => "DEAD_LETTER_NOT_FOUND",
        }
    }
}

/// Declares an error type with the fields of the interface and its own.
macro_rules! user_error {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, SimpleObject)]
        pub(crate) struct $name {
            /// What went wrong, for programs.
            pub(crate) code: ErrorCode,
            /// What went wrong, for people: one sentence.
            pub(crate) message: String,
            /// Path of the argument that caused it, from `input` on; null when no single one did.
            pub(crate) path: Option<Vec<String>>,
            /// What to do about it.
            pub(crate) hint: Option<String>,
            /// Page about the code, relative to the server.
            pub(crate) docs_url: Option<String>,
            $($(#[$field_doc])* pub(crate) $field: $type,)*
        }
    };
}

user_error!(
    /// The workflow file has problems.
    ValidationError {
        /// All problems, errors and warnings, in the order of the text.
        diagnostics: Vec<Diagnostic>,
    }
);
user_error!(
    /// The state of the run does not allow the operation.
    RunStateConflict {
        /// Status of the run.
        status: RunStatus,
        /// Mutations that are legal now.
        allowed: Vec<String>,
    }
);
user_error!(
    /// An argument or an input of the workflow does not fit.
    InputError {}
);
user_error!(
    /// The idempotency key was used for another request.
    IdempotencyConflict {
        /// The run that holds the key; null when no run does, but another mutation.
        run: Option<Run>,
    }
);
user_error!(
    /// What the mutation should act on does not exist.
    NotFoundError {}
);
user_error!(
    /// A value is over its limit.
    LimitError {
        /// The limit.
        limit: i32,
        /// The value.
        actual: i32,
    }
);

/// Why a mutation did not do what was asked.
#[expect(
    clippy::duplicated_attributes,
    reason = "fields of one interface may have the same type"
)]
#[derive(Debug, Interface)]
#[graphql(
    field(name = "code", ty = "&ErrorCode", desc = "What went wrong, for programs."),
    field(
        name = "message",
        ty = "&String",
        desc = "What went wrong, for people: one sentence."
    ),
    field(
        name = "path",
        ty = "&Option<Vec<String>>",
        desc = "Path of the argument that caused it, from `input` on; null when no single one did."
    ),
    field(name = "hint", ty = "&Option<String>", desc = "What to do about it."),
    field(
        name = "docs_url",
        ty = "&Option<String>",
        desc = "Page about the code, relative to the server."
    )
)]
pub(crate) enum UserError {
    /// See [`ValidationError`].
    Validation(ValidationError),
    /// See [`RunStateConflict`].
    RunState(RunStateConflict),
    /// See [`InputError`].
    Input(InputError),
    /// See [`IdempotencyConflict`].
    Idempotency(Box<IdempotencyConflict>),
    /// See [`NotFoundError`].
    NotFound(NotFoundError),
    /// See [`LimitError`].
    Limit(LimitError),
}

fn docs_url(code: ErrorCode) -> Option<String> {
    Some(format!("/errors/{}", code.as_str()))
}

fn path(parts: &[&str]) -> Option<Vec<String>> {
    Some(parts.iter().map(|part| (*part).to_owned()).collect())
}

impl UserError {
    /// Something does not exist; `argument` named it.
    pub(crate) fn not_found(code: ErrorCode, message: impl Into<String>, argument: &str) -> Self {
        let (message, path) = (message.into(), path(&["input", argument]));
        Self::NotFound(NotFoundError {
            code,
            message,
            path,
            hint: None,
            docs_url: docs_url(code),
        })
    }

    /// An argument does not fit.
    pub(crate) fn input(message: impl Into<String>, argument: &str) -> Self {
        Self::refused(ErrorCode::InputInvalid, message, argument)
    }

    /// An argument does not fit for a reason with a code of its own.
    pub(crate) fn refused(code: ErrorCode, message: impl Into<String>, argument: &str) -> Self {
        let (message, path) = (message.into(), path(&["input", argument]));
        Self::Input(InputError {
            code,
            message,
            path,
            hint: None,
            docs_url: docs_url(code),
        })
    }

    /// The workflow file has problems.
    pub(crate) fn validation(diagnostics: Vec<Diagnostic>) -> Self {
        let code = ErrorCode::WorkflowInvalid;
        let message = match diagnostics.first() {
            Some(first) if diagnostics.len() == 1 => first.message.clone(),
            Some(first) => format!("{} (and {} more)", first.message, diagnostics.len() - 1),
            None => "the workflow file is not valid".to_owned(),
        };
        let hint = diagnostics.first().and_then(|first| first.help.clone());
        let path = path(&["input", "source"]);
        Self::Validation(ValidationError {
            code,
            message,
            path,
            hint,
            docs_url: docs_url(code),
            diagnostics,
        })
    }

    fn workflow_input(problem: InputProblem) -> Self {
        let code = ErrorCode::InputInvalid;
        let path = ["input".to_owned(), "inputs".to_owned()]
            .into_iter()
            .chain(problem.path)
            .collect();
        let hint = None;
        Self::Input(InputError {
            code,
            message: problem.message,
            path: Some(path),
            hint,
            docs_url: docs_url(code),
        })
    }

    /// A refused start. `holder` is the run of an idempotency conflict. Store failures are no user errors.
    pub(crate) fn of_start(error: StartError, holder: Option<Run>) -> Result<Vec<Self>, ApiError> {
        let message = error.to_string();
        match error {
            StartError::UnknownWorkflow { .. } => Ok(vec![Self::not_found(
                ErrorCode::WorkflowNotFound,
                message,
                "workflow",
            )]),
            StartError::UnknownVersion { .. } => Ok(vec![Self::not_found(
                ErrorCode::VersionNotFound,
                message,
                "version",
            )]),
            StartError::Inputs(problems) => Ok(problems.into_iter().map(Self::workflow_input).collect()),
            StartError::IdempotencyConflict { .. } => {
                let code = ErrorCode::IdempotencyConflict;
                let path = path(&["input", "idempotencyKey"]);
                let hint = Some("use a new key for a new request".to_owned());
                let conflict = IdempotencyConflict {
                    code,
                    message,
                    path,
                    hint,
                    docs_url: docs_url(code),
                    run: holder,
                };
                Ok(vec![Self::Idempotency(Box::new(conflict))])
            }
            StartError::DelayedConflict { .. } => {
                let code = ErrorCode::IdempotencyConflict;
                Ok(vec![Self::Input(InputError {
                    code,
                    message,
                    path: path(&["input", "idempotencyKey"]),
                    hint: Some("use a new key for a new request".to_owned()),
                    docs_url: docs_url(code),
                })])
            }
            StartError::TooLarge { limit, actual, .. } => {
                let code = ErrorCode::TooLarge;
                let (limit, actual) = (clamp(limit), clamp(actual));
                let (path, hint) = (path(&["input"]), None);
                Ok(vec![Self::Limit(LimitError {
                    code,
                    message,
                    path,
                    hint,
                    docs_url: docs_url(code),
                    limit,
                    actual,
                })])
            }
            StartError::Store(error) => Err(ApiError::store(&error)),
        }
    }

    /// A refused operation on a schedule or a trigger. Store failures are no user errors.
    pub(crate) fn of_schedule(error: ScheduleError) -> Result<Vec<Self>, ApiError> {
        let message = error.to_string();
        let conflict = |code, argument, hint: &str| {
            Self::Input(InputError {
                code,
                message: message.clone(),
                path: path(&["input", argument]),
                hint: Some(hint.to_owned()),
                docs_url: docs_url(code),
            })
        };
        Ok(vec![match error {
            ScheduleError::UnknownSchedule => Self::not_found(ErrorCode::ScheduleNotFound, message, "id"),
            ScheduleError::UnknownTrigger => Self::not_found(ErrorCode::TriggerNotFound, message, "id"),
            ScheduleError::UnknownBackfill => Self::not_found(ErrorCode::BackfillNotFound, message, "id"),
            ScheduleError::UnknownWorkflow { .. } => {
                Self::not_found(ErrorCode::WorkflowNotFound, message, "workflow")
            }
            ScheduleError::UnknownVersion { .. } => {
                Self::not_found(ErrorCode::VersionNotFound, message, "version")
            }
            ScheduleError::KeyTaken { .. } => conflict(
                ErrorCode::KeyTaken,
                "key",
                "take another key, or change what is there",
            ),
            ScheduleError::RevisionConflict { .. } => {
                conflict(ErrorCode::RevisionConflict, "expectedRevision", "read it again")
            }
            ScheduleError::OwnedByFile { .. } => conflict(
                ErrorCode::OwnedByFile,
                "id",
                "pausing works here; everything else is in the file",
            ),
            ScheduleError::Invalid { field, message } => Self::input(message, field),
            ScheduleError::Inputs(problems) => {
                return Ok(problems.into_iter().map(Self::workflow_input).collect());
            }
            ScheduleError::Store(error) => return Err(ApiError::store(&error)),
        }])
    }

    /// An idempotency key that belongs to another request.
    pub(crate) fn key_taken(message: impl Into<String>) -> Self {
        Self::refused(ErrorCode::IdempotencyConflict, message, "idempotencyKey")
    }

    /// A refused operation. `run` and `task` name the arguments that named them. Store failures are no user errors.
    pub(crate) fn of_operate(error: OperateError, run: &str) -> Result<Self, ApiError> {
        let message = error.to_string();
        match error {
            OperateError::UnknownRun => Ok(Self::not_found(ErrorCode::RunNotFound, message, run)),
            OperateError::UnknownTask { .. } => Ok(Self::not_found(ErrorCode::TaskNotFound, message, "task")),
            OperateError::Conflict { status, allowed, .. } => {
                let code = ErrorCode::RunStateConflict;
                let allowed: Vec<_> = allowed.into_iter().map(str::to_owned).collect();
                let hint = (!allowed.is_empty()).then(|| format!("allowed now: {}", allowed.join(", ")));
                let (path, status) = (path(&["input", run]), status.into());
                let docs_url = docs_url(code);
                Ok(Self::RunState(RunStateConflict {
                    code,
                    message,
                    path,
                    hint,
                    docs_url,
                    status,
                    allowed,
                }))
            }
            OperateError::Store(error) => Err(ApiError::store(&error)),
        }
    }
}

fn clamp(size: usize) -> i32 {
    i32::try_from(size).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::ErrorCode;

    #[test]
    fn every_code_has_a_page_and_the_name_of_the_schema() {
        let sdl = crate::sdl();
        for code in ErrorCode::ALL {
            let page = format!(
                "{}/../docs/errors/{}.md",
                env!("CARGO_MANIFEST_DIR"),
                code.as_str()
            );
            let text = std::fs::read_to_string(&page).unwrap_or_default();
            assert!(
                text.starts_with(&format!("# {}", code.as_str())),
                "{page} is missing or has another title"
            );
            assert!(
                sdl.contains(&format!("\t{}\n", code.as_str())),
                "{} is not in the schema",
                code.as_str()
            );
        }
    }
}
