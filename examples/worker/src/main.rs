//! Three task types of one's own: what takes an input and gives an output, what fails in two ways, and what goes on where it was.
//!
//! The same program is a container worker and, zipped as `bootstrap`, a Lambda function. See docs/workers.md, and workflow.yaml beside it.

use anyhow::Context as _;
use runnel_worker::{Classify as _, FailureCategory, Progress, TaskContext, TaskError, Worker};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    Worker::new()
        .register("count_words", count_words)
        .register("price", price)
        .register("import", import)
        .run()
        .await
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
struct Words {
    words: usize,
    longest: String,
}

/// With `anyhow::Result` every error can be returned with `?`; another attempt is made as the workflow's `retry` says.
async fn count_words(input: Text, _ctx: TaskContext) -> anyhow::Result<Words> {
    let longest = input.text.split_whitespace().max_by_key(|word| word.len());
    Ok(Words {
        words: input.text.split_whitespace().count(),
        longest: longest.context("there is no word in the text")?.to_owned(),
    })
}

#[derive(Deserialize)]
struct Item {
    sku: String,
    quantity: String,
}

/// An error that another attempt cannot mend says so, and is not tried again.
async fn price(item: Item, ctx: TaskContext) -> Result<serde_json::Value, TaskError> {
    let quantity: u32 = item.quantity.parse().or_fail("BAD_QUANTITY")?;
    if ctx.attempt == 1 {
        // as a service does that is busy now
        return Err(TaskError::new(
            FailureCategory::Unavailable,
            "PRICES_BUSY",
            "no prices at the moment",
        )
        .retryable());
    }
    Ok(json!({ "sku": item.sku, "total": quantity * 3, "attempt": ctx.attempt }))
}

#[derive(Deserialize)]
struct Rows {
    rows: u64,
}

/// Says how far it is, and from where another attempt could go on.
async fn import(input: Rows, ctx: TaskContext) -> Result<serde_json::Value, TaskError> {
    let begin = ctx
        .last_checkpoint()
        .and_then(serde_json::Value::as_u64)
        .unwrap_or(0);
    for row in begin..input.rows {
        if ctx.cancelled.is_cancelled() {
            return Err(TaskError::internal("stopped"));
        }
        if row == input.rows / 2 && ctx.attempt == 1 {
            ctx.checkpoint(&json!(row));
            return Err(TaskError::internal("the connection broke"));
        }
        ctx.progress(Progress {
            current: Some(row as f64),
            total: Some(input.rows as f64),
            ..Progress::default()
        });
    }
    Ok(json!({ "imported": input.rows - begin, "from": begin }))
}
