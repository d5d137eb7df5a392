//! What is told in confidence: a worker sees it, and whatever it repeats is redacted before anybody else does.

use std::collections::BTreeMap;

use runnel_engine::run::{Record, TaskState};
use runnel_queue::TaskMessage;
use runnel_runtime::offline::Change;
use runnel_worker::Secrets;
use serde_json::Value;

use crate::defect::Defect;
use crate::promise::Broken;
use crate::reach::Reach;
use crate::script::Ending;
use crate::store::RunRow;
use crate::world::World;

/// How every secret begins. Nothing else contains it, and none of its letters is one that encodings change.
const HUSH: &str = "hush-";

/// What is said about a failure in which nothing was confided.
pub const FAULT: &str = "it failed";

/// What an input says that names a secret.
pub const TOKEN: &str = "Bearer ${{ secrets.TOKEN }}";

/// What others see of it in an output that repeats it.
pub const REDACTED: &str = "Bearer ***";

/// Whether a text tells a secret.
#[must_use]
pub fn is_told(text: &str) -> bool {
    text.contains(HUSH)
}

/// What of the rows and records of a transaction tells a secret.
#[must_use]
pub fn told(row: &RunRow, change: &Change<'_>, records: &[Record]) -> Option<Broken> {
    let tasks = row.tasks();
    let changed = change.changed_tasks.iter().filter_map(|ix| tasks.get(ix.at()));
    let mut written = changed.chain(tasks.iter().skip(change.stored_tasks));
    if let Some(task) = written.find(|task| is_told_by(task)) {
        return Some(("secret", format!("a row of a task tells it: {task:?}")));
    }
    let record = records.iter().find(|record| {
        let data = record.data.as_ref().map(Value::to_string).unwrap_or_default();
        is_told(&data) || is_told(record.reason.as_deref().unwrap_or_default())
    })?;
    Some(("secret", format!("the history tells it: {record:?}")))
}

fn is_told_by(task: &TaskState) -> bool {
    let texts = [
        task.input.as_deref(),
        task.output.as_deref(),
        task.extra.as_deref(),
    ];
    texts.into_iter().flatten().any(is_told)
        || task.error.as_ref().is_some_and(|error| {
            let details = error.details.as_ref().map(ToString::to_string);
            is_told(&error.message) || is_told(&details.unwrap_or_default())
        })
}

impl World {
    /// The end of an attempt that knows secrets, and what it says about a failure: it repeats all that it was told, and the
    /// product's worker takes the secrets out.
    pub(crate) fn repeat_secrets(&mut self, message: &TaskMessage, ending: Ending) -> (Ending, String) {
        if message.secrets.is_empty() {
            return (ending, FAULT.to_owned());
        }
        let value = |name: &String| (name.clone(), format!("{HUSH}{name}-{:x}", self.plot.seed));
        let values: BTreeMap<String, String> = message.secrets.iter().map(value).collect();
        let secrets = match Secrets::of(message, values) {
            Ok(secrets) => secrets,
            Err(error) => {
                self.oracle
                    .fail("state", format!("a secret is refused: {error:?}"));
                return (ending, FAULT.to_owned());
            }
        };
        let mut input: Value = serde_json::from_str(message.input.get()).unwrap_or_default();
        secrets.reveal(&mut input);
        if !is_told(&input.to_string()) {
            let text = format!("{} is not told the secret that its input names", message.key);
            self.oracle.fail("secret", text);
        }
        let redactor = secrets.into_redactor();
        let is_kept = self.plot.defect != Some(Defect::SecretTold);
        let mut fault = format!("{FAULT} with {input}");
        if is_kept {
            fault = redactor.text(fault);
            redactor.value(&mut input);
        }
        let ending = match ending {
            Ending::Output(mut output) => {
                self.reached(Reach::SecretInOutput);
                output["told"] = input["token"].take();
                Ending::Output(output)
            }
            Ending::Failure(is_retryable) => {
                self.reached(Reach::SecretInFailure);
                Ending::Failure(is_retryable)
            }
        };
        (ending, fault)
    }
}
