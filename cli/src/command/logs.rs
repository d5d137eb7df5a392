//! `runnel logs`: what the tasks of a run printed, one after the other, or one of them as it prints.

use std::time::Duration;

use clap::Args;
use futures_util::StreamExt;
use serde_json::json;

use crate::client::model::{LogMessage, Task};
use crate::client::sse::{Cut, Said};
use crate::client::{Client, decode, documents};
use crate::command::options::{ServerArgs, print, switch};
use crate::command::show::tasks;
use crate::exit::{Ended, Exit, Failure};

/// Pause before a cut stream is taken up again.
const RESUME_PAUSE: Duration = Duration::from_millis(500);
/// Cuts in a row, without a line between them, after which the server counts as gone.
const CUTS_MAX: u32 = 60;

/// What is stored comes at once, so without `--follow` a pause of this length means that it has all come.
const IDLE_MAX: Duration = Duration::from_secs(1);

/// Options of `runnel logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// Id of the run, its UUID, or @last
    run: String,
    /// Key of the task; all tasks when none is given
    task: Option<String>,
    /// Only this attempt
    #[arg(long, env = "RUNNEL_ATTEMPT")]
    attempt: Option<u32>,
    /// Go on until the task has ended
    #[arg(short, long, requires = "task", env = "RUNNEL_FOLLOW", value_parser = switch())]
    follow: bool,
    /// Put the time before every line
    #[arg(long, env = "RUNNEL_TIMESTAMPS", value_parser = switch())]
    timestamps: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Logs {
    /// Prints them.
    pub async fn execute(self) -> Ended {
        let client = self.server.client()?;
        let run = client.run_id(&self.run).await?;
        client.finished(&run).await?;
        if let Some(task) = &self.task {
            self.print_task(&client, &run, task, "").await?;
            return Ok(Exit::Ok);
        }
        for raw in tasks(&client, &run).await? {
            let task: Task = decode(&raw)?;
            if task.attempt > 0 {
                self.print_task(&client, &run, &task.key, &format!("{} │ ", task.key))
                    .await?;
            }
        }
        Ok(Exit::Ok)
    }

    /// Prints what is there, and with `--follow` what comes, across cuts of the connection.
    async fn print_task(&self, client: &Client, run: &str, task: &str, prefix: &str) -> Result<(), Failure> {
        let mut after: Option<String> = None;
        let mut cuts = 0;
        loop {
            let variables = json!({ "run": run, "task": task, "attempt": self.attempt, "after": after });
            let mut stream = std::pin::pin!(client.subscribe(documents::TASK_LOGS, variables));
            let reason = loop {
                let said = if self.follow {
                    stream.next().await
                } else {
                    match tokio::time::timeout(IDLE_MAX, stream.next()).await {
                        Ok(said) => said,
                        Err(_) => return Ok(()),
                    }
                };
                match said {
                    Some(Ok(Said::Next(data))) => {
                        let message: LogMessage = decode(&data["taskLogs"])?;
                        cuts = 0;
                        after = message.cursor.clone().or(after);
                        self.print_lines(&message, prefix)?;
                        if message.kind == "END" {
                            return Ok(());
                        }
                    }
                    Some(Ok(Said::Complete)) | None => return Ok(()),
                    Some(Err(Cut::Refused(failure))) => return Err(failure),
                    Some(Err(Cut::Lost(reason))) => break reason,
                }
            };
            cuts += 1;
            if cuts > CUTS_MAX {
                let message = format!("lost the server at {}: {reason}", client.server());
                return Err(Failure::new(Exit::Unreachable, message));
            }
            tokio::time::sleep(RESUME_PAUSE).await;
        }
    }

    fn print_lines(&self, message: &LogMessage, prefix: &str) -> Result<(), Failure> {
        for line in message.lines.iter().flatten() {
            let time = if self.timestamps {
                format!("{} ", line.at.to_rfc3339())
            } else {
                String::new()
            };
            print(&format!("{time}{prefix}{}\n", line.text))?;
        }
        Ok(())
    }
}
