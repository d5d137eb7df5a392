//! Why an approval, a signal or a callback was refused.

use runnel_engine::inputs::InputProblem;
use runnel_engine::run::DecisionProblem;

use crate::error::{OperateError, StoreError};

/// What came from outside was refused.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// There is no such run or task, or its state does not allow it.
    #[error(transparent)]
    Operate(#[from] OperateError),
    /// The caller may not decide this approval.
    #[error(transparent)]
    Forbidden(#[from] DecisionProblem),
    /// The form does not satisfy its schema: every problem.
    #[error("the form does not fit: {}", .0.iter().map(|p| p.message.as_str()).collect::<Vec<_>>().join("; "))]
    Form(Vec<InputProblem>),
    /// A value is over its limit.
    #[error("{what} has {actual} bytes, more than the limit of {limit}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its size.
        actual: usize,
        /// The limit.
        limit: usize,
    },
    /// No key of this server has signed the token.
    #[error("this is no callback token of this server")]
    BadToken,
    /// The token has been used, or its attempt is over.
    #[error("{message}")]
    UsedToken {
        /// One sentence.
        message: String,
    },
}

impl From<StoreError> for WaitError {
    fn from(error: StoreError) -> Self {
        Self::Operate(OperateError::Store(error))
    }
}
