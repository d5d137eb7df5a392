//! What a worker process is told by its environment.
//!
//! | variable | meaning | default |
//! | --- | --- | --- |
//! | `RUNNEL_SQS_ENDPOINT` | address of an SQS emulator; queues are created there | AWS itself |
//! | `RUNNEL_SQS_REGION` | region | the environment's |
//! | `RUNNEL_QUEUE_PREFIX` | begin of the names of all queues | `runnel-` |
//! | `RUNNEL_CREATE_QUEUES` | create queues that are missing | only with an endpoint |
//! | `RUNNEL_QUEUE_NAME` | task queue to receive from (containers) | `default` |
//! | `RUNNEL_CONCURRENCY` | attempts at once | 16; in a function 100 |
//! | `RUNNEL_WORKER_NAME` | name in reports | from host and process; in a function from its log stream |
//! | `RUNNEL_VISIBILITY` | how long a received message belongs to this worker (containers) | `60s` |
//! | `RUNNEL_DRAIN_GRACE` | how long attempts may go on after SIGTERM (containers) | `30s` |
//! | `RUNNEL_API_URL`, `RUNNEL_WORKER_TOKEN` | the API, for heartbeats, logs and cancels | none: all goes through the queue |
//! | `RUNNEL_PAYLOADS`, `RUNNEL_PAYLOADS_ENDPOINT`, `RUNNEL_PAYLOADS_REGION` | where large values are | through the API |
//! | `RUNNEL_LOG` | what is logged, as `info` or `runnel_worker=debug` | `info` |
//!
//! Durations are numbers with a unit: `ms`, `s`, `m` or `h`.

use std::time::Duration;

use runnel_queue::{QueueName, SqsConfig};

/// A variable that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{variable} is `{given}`: {problem}")]
pub struct SettingError {
    /// Its name.
    pub variable: &'static str,
    /// Its value.
    pub given: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Settings of a worker process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How SQS is reached.
    pub sqs: SqsConfig,
    /// Task queue to receive from.
    pub task_queue: QueueName,
    /// Name in reports, where one is given.
    pub name: Option<String>,
    /// Attempts at once, where a number is given.
    pub concurrency: Option<usize>,
    /// Visibility of a received message.
    pub visibility: Duration,
    /// How long attempts may go on after a stop.
    pub drain_grace: Duration,
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// A variable has a value that means nothing.
    pub fn from_env() -> Result<Self, SettingError> {
        Self::read(|name| std::env::var(name).ok())
    }

    fn read(variable: impl Fn(&'static str) -> Option<String>) -> Result<Self, SettingError> {
        let text = |name| variable(name).filter(|value| !value.is_empty());
        let endpoint = text("RUNNEL_SQS_ENDPOINT");
        let defaults = SqsConfig::default();
        let create = parsed("RUNNEL_CREATE_QUEUES", text("RUNNEL_CREATE_QUEUES"), switch)?;
        Ok(Self {
            sqs: SqsConfig {
                create_queues: create.unwrap_or(endpoint.is_some()),
                endpoint,
                region: text("RUNNEL_SQS_REGION"),
                queue_prefix: text("RUNNEL_QUEUE_PREFIX").unwrap_or_else(|| defaults.queue_prefix.clone()),
                ..defaults
            },
            task_queue: QueueName(text("RUNNEL_QUEUE_NAME").unwrap_or_else(|| "default".to_owned())),
            name: text("RUNNEL_WORKER_NAME"),
            concurrency: parsed("RUNNEL_CONCURRENCY", text("RUNNEL_CONCURRENCY"), at_least_one)?,
            visibility: parsed("RUNNEL_VISIBILITY", text("RUNNEL_VISIBILITY"), duration)?
                .unwrap_or(Duration::from_secs(60)),
            drain_grace: parsed("RUNNEL_DRAIN_GRACE", text("RUNNEL_DRAIN_GRACE"), duration)?
                .unwrap_or(Duration::from_secs(30)),
        })
    }
}

fn parsed<T>(
    variable: &'static str,
    given: Option<String>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, SettingError> {
    let Some(given) = given else { return Ok(None) };
    match read(&given) {
        Ok(value) => Ok(Some(value)),
        Err(problem) => Err(SettingError {
            variable,
            given,
            problem,
        }),
    }
}

fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("it must be true or false".to_owned()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("it must be a number from 1".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "it must be a duration, as 90s, 5m or 500ms".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at(digits);
    let count: u64 = count.parse().map_err(|_| wrong())?;
    let millis = match unit {
        "ms" => Some(count),
        "s" => count.checked_mul(1_000),
        "m" => count.checked_mul(60_000),
        "h" => count.checked_mul(3_600_000),
        _ => None,
    };
    millis.map(Duration::from_millis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingError> {
        Settings::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_set_means_the_defaults() {
        let settings = read(&[("RUNNEL_QUEUE_NAME", "")]).expect("settings");
        assert_eq!(settings.task_queue.0, "default");
        assert_eq!(settings.sqs.queue_prefix, "runnel-");
        assert!(!settings.sqs.create_queues);
        assert_eq!(
            (settings.visibility, settings.drain_grace, settings.concurrency),
            (Duration::from_secs(60), Duration::from_secs(30), None)
        );
    }

    #[test]
    fn an_emulator_gets_its_queues_unless_told_otherwise() {
        let endpoint = ("RUNNEL_SQS_ENDPOINT", "http://127.0.0.1:1");
        assert!(read(&[endpoint]).expect("settings").sqs.create_queues);
        let told = read(&[endpoint, ("RUNNEL_CREATE_QUEUES", "false")]).expect("settings");
        assert!(!told.sqs.create_queues);
    }

    #[test]
    fn a_value_without_meaning_is_refused_by_name() {
        for (variable, value) in [
            ("RUNNEL_CONCURRENCY", "0"),
            ("RUNNEL_VISIBILITY", "60"),
            ("RUNNEL_DRAIN_GRACE", "soon"),
            ("RUNNEL_CREATE_QUEUES", "perhaps"),
            ("RUNNEL_VISIBILITY", "9999999999999999999h"),
        ] {
            let error = read(&[(variable, value)]).expect_err("refused").to_string();
            assert!(error.contains(variable) && error.contains(value), "{error}");
        }
    }
}
