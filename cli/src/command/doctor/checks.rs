//! The checks, each of one thing.

use std::time::Duration;

use bytes::Bytes;
use runnel_queue::sqs::QueueFacts;
use runnel_queue::{QueueError, QueueName, SqsConfig, SqsQueue};
use runnel_runtime::diagnose::{DatabaseFacts, diagnose};
use runnel_runtime::store::Backend;

use super::Doctor;
use super::finding::Finding;
use crate::exit::Failure;
use crate::host::options::{QueueKind, database as database_of, shown_database};

/// Clocks further apart make alarms ring and leases end at the wrong time.
const SKEW_MAX: Duration = Duration::from_secs(1);

/// Below this, throttled receives alone make dead letters of healthy messages.
const RECEIVES_MIN: u32 = 20;

/// What AWS advises between a function's timeout and the visibility of its queue.
const VISIBILITY_FACTOR: u32 = 6;

/// Messages are kept at least so long, so that a weekend loses none.
const RETENTION_MIN: Duration = Duration::from_secs(4 * 24 * 3_600);

/// Longest wait for a server.
const SERVER_WAIT: Duration = Duration::from_secs(5);

/// Keys, and variables that look like ours and are not.
pub(super) fn configuration(doctor: &Doctor) -> Vec<Finding> {
    let mut findings = Vec::new();
    let tokens = doctor.keys.token_keys.is_some() || doctor.keys.token_keys_file.is_some();
    findings.push(keys(
        "token keys",
        tokens.then(|| doctor.keys.keys(&doctor.data_dir).map(drop)),
        doctor,
        "token-keys",
        "RUNNEL_TOKEN_KEYS",
    ));
    let secrets = doctor.secrets.secret_keys.is_some() || doctor.secrets.secret_keys_file.is_some();
    findings.push(keys(
        "secret keys",
        secrets.then(|| doctor.secrets.keys(&doctor.data_dir).map(drop)),
        doctor,
        "secret-keys",
        "RUNNEL_SEALING_KEYS",
    ));
    match runnel_telemetry::Settings::from_env("doctor") {
        Ok(Some(settings)) => findings.push(Finding::fine(
            "traces",
            format!("exported to {}", settings.endpoint),
        )),
        Ok(None) => findings.push(Finding::fine("traces", "not exported")),
        Err(error) => findings.push(Finding::broken(
            "traces",
            error.to_string(),
            format!(
                "set {} to what is said, or unset it: no service starts with it",
                error.variable
            ),
        )),
    }
    findings
}

fn keys(
    check: &'static str,
    given: Option<Result<(), Failure>>,
    doctor: &Doctor,
    file: &str,
    variable: &str,
) -> Finding {
    match given {
        Some(Ok(())) => Finding::fine(check, "given"),
        Some(Err(failure)) => Finding::broken(
            check,
            format!("{:#}", failure.error),
            failure.hint.unwrap_or_default(),
        ),
        None if doctor.queue == QueueKind::Embedded => {
            Finding::fine(check, format!("kept in {}", doctor.data_dir.display()))
        }
        None => {
            let kept = doctor.data_dir.join(file);
            let state = if kept.exists() { "kept" } else { "would be made" };
            Finding::doubtful(
                check,
                format!(
                    "{state} in {}; replicas with other keys refuse each other",
                    kept.display()
                ),
                format!("make keys once (`openssl rand -hex 32`) and set {variable} on every replica"),
            )
        }
    }
}

/// The database: reached, at the right schema, durable, with a clock that is right.
pub(super) async fn database(doctor: &Doctor) -> Vec<Finding> {
    let Some(url) = &doctor.database_url else {
        return vec![Finding::doubtful(
            "database",
            "no database was named",
            "name it with --database-url or RUNNEL_DATABASE_URL",
        )];
    };
    let config = match database_of(url) {
        Ok(config) => config,
        Err(failure) => {
            let advice = failure.hint.unwrap_or_default();
            return vec![Finding::broken(
                "database",
                format!("{:#}", failure.error),
                advice,
            )];
        }
    };
    match diagnose(&config, doctor.function_timeout).await {
        Ok(facts) => facts_of(doctor, &shown_database(url), &facts),
        Err(error) => {
            let error = anyhow::Error::from(error);
            vec![Finding::broken(
                "database",
                format!("{} cannot be read: {error:#}", shown_database(url)),
                "check address, name and password, and that the network lets this machine through; `runnel migrate` makes the tables",
            )]
        }
    }
}

fn facts_of(doctor: &Doctor, url: &str, facts: &DatabaseFacts) -> Vec<Finding> {
    let name = match facts.backend {
        Backend::Postgres => "PostgreSQL",
        Backend::Sqlite => "SQLite",
    };
    let mut findings = vec![Finding::fine(
        "database",
        format!("{name} {} at {url}", facts.version),
    )];
    findings.push(migrations(facts));
    let unsafe_settings: Vec<String> = facts
        .durability
        .iter()
        .filter(|(name, value)| is_unsafe(name, value))
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    let all = facts
        .durability
        .iter()
        .map(|(name, value)| format!("{name} = {value}"))
        .collect::<Vec<_>>()
        .join(", ");
    findings.push(if unsafe_settings.is_empty() {
        Finding::fine("durability", all)
    } else {
        Finding::doubtful(
            "durability",
            format!(
                "{}: accepted runs may be lost when the machine fails",
                unsafe_settings.join(", ")
            ),
            "set fsync, full_page_writes and synchronous_commit to on",
        )
    });
    if let Some(skew) = facts.skew {
        findings.push(if skew > SKEW_MAX {
            Finding::doubtful(
                "clock",
                format!("the database's clock is {:.1} s off this machine's", skew.as_secs_f64()),
                "synchronise both with NTP: alarms and leases follow the clocks of the machines that run Runnel",
            )
        } else {
            Finding::fine("clock", "agrees with the database's")
        });
    }
    if let Some(limit) = doctor.function_timeout {
        findings.extend(facts.long_timeouts.iter().map(|(workflow, task, seconds)| {
            Finding::doubtful(
                "timeouts",
                format!(
                    "task `{task}` of `{workflow}` may take {seconds} s, the function {} s",
                    limit.as_secs()
                ),
                "send such tasks to a queue of container workers (`queue:`), or shorten their timeout",
            )
        }));
    }
    findings
}

fn migrations(facts: &DatabaseFacts) -> Finding {
    match (&facts.unknown_migration, facts.pending_migrations.as_slice()) {
        (Some(unknown), _) => Finding::broken(
            "migrations",
            format!("the database has {unknown}, which this program does not know: it is newer"),
            "use a program at least as new as the newest that has run on this database",
        ),
        (None, []) => Finding::fine("migrations", "the schema is the one of this program"),
        (None, pending) => Finding::broken(
            "migrations",
            format!(
                "{} migrations are missing, the first is {}",
                pending.len(),
                pending[0]
            ),
            "run `runnel migrate` with this program",
        ),
    }
}

fn is_unsafe(name: &str, value: &str) -> bool {
    match name {
        "fsync" | "full_page_writes" => value != "on",
        "synchronous_commit" => value == "off",
        _ => false,
    }
}

/// The queues: there, with dead letters that somebody reads, and with a visibility that fits those who receive.
pub(super) async fn queues(doctor: &Doctor) -> Vec<Finding> {
    if doctor.queue == QueueKind::Embedded {
        return vec![Finding::fine("queues", "in the process of the server")];
    }
    let config = SqsConfig {
        endpoint: doctor.sqs.sqs_endpoint.clone(),
        region: doctor.sqs.sqs_region.clone(),
        queue_prefix: doctor.sqs.queue_prefix.clone(),
        create_queues: false,
        attempt_timeout: Duration::from_secs(5),
        operation_timeout: Duration::from_secs(10),
        ..SqsConfig::default()
    };
    let queue = SqsQueue::connect(config).await;
    let mut findings = Vec::new();
    for name in &doctor.queue_names {
        findings.extend(of_queue(doctor, &queue, &QueueName(name.clone())).await);
    }
    findings.extend(of_queue(doctor, &queue, &QueueName::completions()).await);
    findings
}

async fn of_queue(doctor: &Doctor, queue: &SqsQueue, name: &QueueName) -> Vec<Finding> {
    let facts = match queue.inspect(name).await {
        Ok(facts) => facts,
        Err(error) => {
            let advice = match &error {
                QueueError::NotFound { .. } => {
                    "create it: infra/ has a template; `--create-queues` lets Runnel do it"
                }
                QueueError::Unavailable { .. } => {
                    "check region, credentials and --sqs-endpoint; reading attributes needs sqs:GetQueueUrl and sqs:GetQueueAttributes"
                }
            };
            return vec![Finding::broken(
                "queues",
                format!("{:#}", anyhow::Error::from(error)),
                advice,
            )];
        }
    };
    let mut findings = vec![Finding::fine(
        "queues",
        format!("`{name}` is there, {} messages wait", facts.visible),
    )];
    findings.push(dead_letters(name, &facts));
    findings.push(visibility(doctor, name, &facts));
    if facts.retention < RETENTION_MIN {
        findings.push(Finding::doubtful(
            "retention",
            format!(
                "`{name}` keeps messages for {} hours",
                facts.retention.as_secs() / 3_600
            ),
            "keep them for four days at least: what is gone is sent again only when its attempt times out",
        ));
    }
    findings
}

fn dead_letters(name: &QueueName, facts: &QueueFacts) -> Finding {
    let check = "dead letters";
    match &facts.dead_letter {
        None => Finding::broken(
            check,
            format!("`{name}` has no redrive policy: a message that nobody can handle comes for ever"),
            format!("give it a redrive policy to `{name}-dlq` with maxReceiveCount {RECEIVES_MIN} or more"),
        ),
        Some(dead) if !dead.is_read => Finding::broken(
            check,
            format!("`{name}` sends dead letters to a queue that Runnel does not read"),
            format!(
                "let the redrive policy name `{name}-dlq` with the same prefix: its letters end their attempts"
            ),
        ),
        Some(dead) if dead.max_receive_count < RECEIVES_MIN => Finding::doubtful(
            check,
            format!("`{name}` gives up after {} deliveries", dead.max_receive_count),
            format!(
                "set maxReceiveCount to {RECEIVES_MIN} or more: throttled receives count, and attempts are counted by Runnel"
            ),
        ),
        Some(dead) => Finding::fine(
            check,
            format!("`{name}` after {} deliveries", dead.max_receive_count),
        ),
    }
}

fn visibility(doctor: &Doctor, name: &QueueName, facts: &QueueFacts) -> Finding {
    let (check, seconds) = ("visibility", facts.visibility.as_secs());
    let is_of_tasks = *name != QueueName::completions();
    match doctor.function_timeout.filter(|_| is_of_tasks) {
        Some(timeout) if facts.visibility < timeout => Finding::broken(
            check,
            format!(
                "`{name}` shows messages again after {seconds} s, the function may take {} s",
                timeout.as_secs()
            ),
            format!(
                "set its visibility timeout to {} s, six times that of the function",
                timeout.as_secs() * 6
            ),
        ),
        Some(timeout) if facts.visibility < timeout * VISIBILITY_FACTOR => Finding::doubtful(
            check,
            format!("`{name}` shows messages again after {seconds} s"),
            format!(
                "set it to {} s, six times the function's timeout, so that throttling repeats nothing",
                timeout.as_secs() * 6
            ),
        ),
        None if is_of_tasks && doctor.visibility < Duration::from_secs(10) => Finding::doubtful(
            check,
            format!("workers keep a task for {} s", doctor.visibility.as_secs()),
            "give --visibility 30s or more: a worker that pauses for a moment loses its task",
        ),
        Some(_) | None => Finding::fine(check, format!("`{name}` {seconds} s")),
    }
}

/// The payload store: one value is written, read and deleted.
pub(super) async fn payloads(doctor: &Doctor) -> Vec<Finding> {
    let check = "payloads";
    let store = match doctor.payloads.store() {
        Ok(Some(store)) => store,
        Ok(None) if doctor.queue == QueueKind::Embedded => {
            return vec![Finding::fine(
                check,
                format!("kept in {}", doctor.data_dir.display()),
            )];
        }
        Ok(None) => {
            return vec![Finding::doubtful(
                check,
                "large values would be kept on each machine by itself",
                "name a place that servers and workers share with --payloads, as s3://bucket/prefix",
            )];
        }
        Err(failure) => {
            let advice = failure
                .hint
                .unwrap_or_else(|| "name a bucket as s3://bucket/prefix or a directory".to_owned());
            return vec![Finding::broken(check, format!("{:#}", failure.error), advice)];
        }
    };
    let place = store.place().to_owned();
    let probe = async {
        let value = Bytes::from(format!(
            "\"probe of {}\"",
            uuid::Uuid::from_u128(u128::from(std::process::id()))
        ));
        let reference = store.put(value.clone()).await?;
        let read = store.get(&reference).await;
        store.delete(&reference.sha256).await?;
        read.map(|read| read == value)
    };
    vec![match probe.await {
        Ok(true) => Finding::fine(check, format!("{place} can be written, read and deleted")),
        Ok(false) => Finding::broken(
            check,
            format!("{place} gives back another value"),
            "use a store that is consistent",
        ),
        Err(error) => Finding::broken(
            check,
            format!("{place}: {:#}", anyhow::Error::from(error)),
            "check name, region and credentials; Runnel needs to get, put, list and delete objects there",
        ),
    }]
}

/// A server, where one was named.
pub(super) async fn server(doctor: &Doctor) -> Vec<Finding> {
    let Some(base) = &doctor.server.server else {
        return Vec::new();
    };
    let check = "server";
    let address = format!("{}/readyz", base.trim_end_matches('/'));
    let asked = reqwest::Client::new()
        .get(&address)
        .timeout(SERVER_WAIT)
        .send()
        .await;
    vec![match asked {
        Ok(answer) if answer.status().is_success() => Finding::fine(check, format!("{base} is ready")),
        Ok(answer) => Finding::broken(
            check,
            format!("{address} answers {}", answer.status()),
            "see its log; a server is ready when its database answers",
        ),
        Err(error) => Finding::broken(
            check,
            format!(
                "{base} cannot be reached: {:#}",
                anyhow::Error::from(error.without_url())
            ),
            "check the address, and that the server runs and the network lets this machine through",
        ),
    }]
}
