//! Async functions as handlers: typed input and output through serde, errors that say whether another attempt may help.

use std::future::Future;
use std::marker::PhantomData;

use async_trait::async_trait;
use runnel_queue::FailureCategory;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::task::{Handler, TaskContext, TaskError};

/// A function as a [`Handler`]; made by [`function`].
pub struct Function<F, I> {
    function: F,
    input: PhantomData<fn() -> I>,
}

/// Makes a handler of `async fn(input, context) -> Result<output, error>`.
///
/// The input is what the workflow file gives the task, read as `I`: what cannot be read so fails the attempt as `INPUT` with the code
/// `INVALID_INPUT`, and is not tried again. The output becomes the task's output. The error is a [`TaskError`], or anything that
/// becomes one, as `anyhow::Error` does (see [`TaskError::from`] and [`Classify`]).
///
/// The context is the attempt's own copy; its `input` is null, because the function has it already. The worker reports heartbeats by
/// itself for as long as the function runs; [`TaskContext::progress`] and [`TaskContext::checkpoint`] add to them.
#[must_use]
pub fn function<F, I, O, E, Fut>(function: F) -> Function<F, I>
where
    F: Fn(I, TaskContext) -> Fut + Send + Sync,
    Fut: Future<Output = Result<O, E>> + Send,
    I: DeserializeOwned + Send,
    O: Serialize + Send,
    E: Into<TaskError> + Send,
{
    Function {
        function,
        input: PhantomData,
    }
}

#[async_trait]
impl<F, I, O, E, Fut> Handler for Function<F, I>
where
    F: Fn(I, TaskContext) -> Fut + Send + Sync,
    Fut: Future<Output = Result<O, E>> + Send,
    I: DeserializeOwned + Send,
    O: Serialize + Send,
    E: Into<TaskError> + Send,
{
    async fn execute(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let input = I::deserialize(&ctx.input)
            .map_err(|error| TaskError::input(format!("the input is not what this task takes: {error}")))?;
        let output = (self.function)(input, ctx.without_input())
            .await
            .map_err(Into::into)?;
        serde_json::to_value(output)
            .map_err(|error| TaskError::internal(format!("the output cannot be written as JSON: {error}")))
    }
}

/// Says of any error whether another attempt may help, where `?` alone would not tell.
///
/// ```
/// use runnel_worker::{Classify as _, TaskError};
///
/// fn count(text: &str) -> Result<u32, TaskError> {
///     // a text that is no number will be none at the next attempt either
///     text.trim().parse().or_fail("NOT_A_NUMBER")
/// }
/// assert!(!count("x").unwrap_err().failure().retryable);
/// ```
pub trait Classify<T> {
    /// Another attempt may succeed: category `UNAVAILABLE`, with this code.
    ///
    /// # Errors
    /// The error, classified.
    fn or_retry(self, code: &str) -> Result<T, TaskError>;

    /// No other attempt can succeed: category `USER`, with this code.
    ///
    /// # Errors
    /// The error, classified.
    fn or_fail(self, code: &str) -> Result<T, TaskError>;
}

impl<T, E: Into<anyhow::Error>> Classify<T> for Result<T, E> {
    fn or_retry(self, code: &str) -> Result<T, TaskError> {
        self.map_err(|error| {
            TaskError::new(FailureCategory::Unavailable, code, text_of(&error.into())).retryable()
        })
    }

    fn or_fail(self, code: &str) -> Result<T, TaskError> {
        self.map_err(|error| TaskError::new(FailureCategory::User, code, text_of(&error.into())))
    }
}

/// An error that nobody has classified: `USER` with the code `ERROR`, and another attempt may succeed, as after an exit code or a
/// Python exception. A [`TaskError`] inside stays what it is.
impl From<anyhow::Error> for TaskError {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<TaskError>() {
            Ok(classified) => classified,
            Err(error) => TaskError::new(FailureCategory::User, "ERROR", text_of(&error)).retryable(),
        }
    }
}

/// The error with its causes.
fn text_of(error: &anyhow::Error) -> String {
    format!("{error:#}")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::testing::context;

    #[derive(Deserialize)]
    struct Order {
        id: u32,
        #[serde(default)]
        note: Option<String>,
    }

    #[derive(Serialize)]
    struct Receipt {
        order: u32,
        attempt: u32,
    }

    async fn charge(order: Order, ctx: TaskContext) -> Result<Receipt, TaskError> {
        assert!(ctx.input.is_null());
        match order.note.as_deref() {
            None => Ok(Receipt {
                order: order.id,
                attempt: ctx.attempt,
            }),
            Some(note) => Err(TaskError::input(note)),
        }
    }

    async fn outcome(input: Value) -> Result<Value, TaskError> {
        function(charge).execute(&context("charge", input)).await
    }

    #[tokio::test]
    async fn a_function_gets_its_input_typed_and_its_output_is_json() {
        let output = outcome(json!({ "id": 7 })).await.expect("a receipt");
        assert_eq!(output, json!({ "order": 7, "attempt": 2 }));
    }

    #[tokio::test]
    async fn an_input_of_another_shape_is_never_tried_again() {
        let failure = outcome(json!({ "id": "seven" }))
            .await
            .expect_err("refused")
            .into_failure();
        assert_eq!(
            (failure.category, failure.code.as_str(), failure.retryable),
            (FailureCategory::Input, "INVALID_INPUT", false)
        );
        assert!(failure.message.contains("seven"), "{}", failure.message);
    }

    #[tokio::test]
    async fn an_error_keeps_its_class_and_one_without_may_be_tried_again() {
        let classified = outcome(json!({ "id": 1, "note": "no" }))
            .await
            .expect_err("refused");
        assert_eq!(classified.failure().code, "INVALID_INPUT");
        let unknown =
            |_: Value, _: TaskContext| async { Err::<(), _>(anyhow::anyhow!("inner").context("outer")) };
        let failure = function(unknown)
            .execute(&context("x", Value::Null))
            .await
            .expect_err("failed")
            .into_failure();
        assert_eq!((failure.code.as_str(), failure.retryable), ("ERROR", true));
        assert_eq!(failure.message, "outer: inner");
        let inside = TaskError::from(anyhow::Error::new(TaskError::input("inside")));
        assert_eq!(inside.failure().code, "INVALID_INPUT");
        let io = || Err::<(), _>(std::io::Error::other("gone"));
        let (again, never) = (io().or_retry("GONE"), io().or_fail("GONE"));
        assert!(again.expect_err("failed").failure().retryable);
        assert!(!never.expect_err("failed").failure().retryable);
    }
}
