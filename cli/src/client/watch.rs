//! Follows a run to its end, through cuts of the connection, without a gap and without a repeat.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::client::model::{Run, RunUpdate};
use crate::client::sse::{Cut, Said};
use crate::client::{Client, decode, documents, run_ref};
use crate::exit::{Exit, Failure};

const BACKOFF_FIRST: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(8);
/// A server that stays away for this long is reported; the run goes on without us.
const ABSENCE_MAX: Duration = Duration::from_secs(120);

/// What the follower tells as it happens.
pub trait Observer {
    /// Something changed.
    fn update(&mut self, update: &RunUpdate);
    /// The connection is lost; what is shown is not live until the next update.
    fn lost(&mut self, reason: &str);
}

/// A run at its end.
#[derive(Debug)]
pub struct Finished {
    /// What the commands look into.
    pub run: Run,
    /// As the server said it.
    pub raw: Value,
}

impl Client {
    /// Follows the run until it has ended.
    pub async fn follow(&self, id: &str, observer: &mut (dyn Observer + Send)) -> Result<Finished, Failure> {
        let mut after: Option<String> = None;
        let mut backoff = BACKOFF_FIRST;
        let mut heard_at = Instant::now();
        loop {
            let mut stream =
                std::pin::pin!(self.subscribe(documents::RUN_UPDATES, json!({ "id": id, "after": after })));
            let reason = loop {
                match stream.next().await {
                    Some(Ok(Said::Next(data))) => {
                        let update: RunUpdate = decode(&data["runUpdates"])?;
                        heard_at = Instant::now();
                        backoff = BACKOFF_FIRST;
                        after = update.cursor.clone().or(after);
                        observer.update(&update);
                        if update.kind == "END" {
                            return self.finished(id).await;
                        }
                    }
                    Some(Ok(Said::Complete)) => break "the server ended the stream".to_owned(),
                    Some(Err(Cut::Lost(reason))) => break reason,
                    Some(Err(Cut::Refused(failure))) => return Err(failure),
                    None => break "the stream ended".to_owned(),
                }
            };
            if heard_at.elapsed() > ABSENCE_MAX {
                return Err(Failure::new(
                    Exit::Unreachable,
                    format!("lost the server at {}: {reason}", self.server()),
                )
                .hint(format!(
                    "the run goes on without us; `runnel show {id}` tells how it stands"
                )));
            }
            observer.lost(&reason);
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
            // An end that happened while we were away is found by asking.
            if let Ok(finished) = self.finished(id).await
                && finished.run.is_terminal()
            {
                return Ok(finished);
            }
        }
    }

    /// The run as it is now.
    pub async fn finished(&self, id: &str) -> Result<Finished, Failure> {
        let mut data = self.send(documents::RUN, json!({ "id": id })).await?;
        let mut raw = data.get_mut("run").map(Value::take).unwrap_or_default();
        if raw.is_null() {
            return Err(run_ref::unknown(id));
        }
        if let Some(id) = raw["id"].as_str().map(str::to_owned) {
            self.fill_run(&id, &mut raw).await?;
        }
        Ok(Finished {
            run: decode(&raw)?,
            raw,
        })
    }
}
