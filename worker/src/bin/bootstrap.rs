//! The worker as a Lambda function: SQS batch in, partial batch failures out, completions over the completion queue.
//!
//! Executes the built-in task types. Configured by the variables of [`runnel_worker::settings`] and of the built-in handlers; a function
//! with handlers of its own is a program of its own, see [`runnel_worker::Worker`].

use runnel_worker::Worker;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    Worker::builtin().run_as_function().await
}
