//! Calls for many messages: split to the limits of the service, made in parallel, failures sorted by message.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    MessageAttributeValue, SendMessageBatchRequestEntry,
};
use futures_util::{StreamExt, stream};

use super::queues::Queues;
use super::{ServiceError, describe, seconds};
use crate::message::MESSAGE_BYTES_MAX;
use crate::task_queue::{DELAY_MAX, Outgoing, QueueError, QueueName, Receipt, SendFailure, VISIBILITY_MAX};

/// Most messages of one call.
const BATCH_MAX: usize = 10;

/// Name of the attribute that carries the trace context, as instrumentations of others write and read it.
const TRACEPARENT: &str = "traceparent";

/// Type of that attribute.
const TEXT: &str = "String";

/// Calls at once.
const CALLS_AT_ONCE: usize = 16;

/// Sends everything that fits; the answer lists what was not accepted.
pub(super) async fn send(
    client: &Client,
    queues: &Queues,
    queue: &QueueName,
    url: &str,
    messages: Vec<Outgoing>,
) -> Result<Vec<SendFailure>, QueueError> {
    let (batches, mut failures) = split(&messages);
    let count = batches.len();
    let messages = &messages;
    let calls = batches.into_iter().map(|indexes| async move {
        let entries = indexes
            .iter()
            .map(|index| entry(*index, &messages[*index]))
            .collect::<Result<_, _>>()?;
        let answer = client
            .send_message_batch()
            .queue_url(url)
            .set_entries(Some(entries))
            .send()
            .await;
        Ok::<_, aws_sdk_sqs::error::BuildError>((indexes, answer))
    });
    let answers: Vec<_> = stream::iter(calls)
        .buffer_unordered(CALLS_AT_ONCE)
        .collect()
        .await;
    let mut last_error = None;
    let mut failed_calls = 0;
    for answer in answers {
        let (indexes, answer) =
            answer.map_err(|e| unavailable("send", queue, ServiceError(e.to_string())))?;
        match answer {
            Ok(answer) => failures.extend(answer.failed().iter().filter_map(send_failure)),
            Err(error) => {
                failed_calls += 1;
                // a batch of one that is refused as a whole is refused for what it is
                let is_permanent = indexes.len() == 1 && is_senders_fault(&error);
                let message = describe(&error).to_string();
                failures.extend(indexes.into_iter().map(|index| SendFailure {
                    index,
                    is_permanent,
                    message: message.clone(),
                }));
                last_error = Some(queues.failed("send", queue, error));
            }
        }
    }
    match last_error {
        // a single refused message is its own failure, not the queue's
        Some(error) if failed_calls == count && !failures.iter().any(|failure| failure.is_permanent) => {
            Err(error)
        }
        _ => {
            failures.sort_unstable_by_key(|failure| failure.index);
            Ok(failures)
        }
    }
}

/// Sets the visibility; the answer lists receipts that are void.
pub(super) async fn extend(
    client: &Client,
    queues: &Queues,
    queue: &QueueName,
    url: &str,
    receipts: &[Receipt],
    visibility: Duration,
) -> Result<Vec<Receipt>, QueueError> {
    let visibility = seconds(visibility.min(VISIBILITY_MAX));
    let calls = chunks(receipts.len()).map(|range| async move {
        let entries = range.clone().map(|index| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(&receipts[index].0)
                .visibility_timeout(visibility)
                .build()
        });
        let entries = entries
            .collect::<Result<_, _>>()
            .map_err(|e| ServiceError(e.to_string()));
        let entries = entries.map_err(|e| unavailable("extend", queue, e))?;
        let answer = client
            .change_message_visibility_batch()
            .queue_url(url)
            .set_entries(Some(entries))
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(lost(answer.failed())),
            Err(error) => Err(queues.failed("extend", queue, error)),
        }
    });
    let answers: Vec<Result<Vec<usize>, QueueError>> = stream::iter(calls)
        .buffer_unordered(CALLS_AT_ONCE)
        .collect()
        .await;
    let mut lost_receipts = Vec::new();
    for answer in answers {
        lost_receipts.extend(
            answer?
                .into_iter()
                .filter_map(|index| receipts.get(index).cloned()),
        );
    }
    Ok(lost_receipts)
}

/// Deletes; a void receipt counts as deleted.
pub(super) async fn delete(
    client: &Client,
    queues: &Queues,
    queue: &QueueName,
    url: &str,
    receipts: &[Receipt],
) -> Result<(), QueueError> {
    let calls = chunks(receipts.len()).map(|range| async move {
        let entries = range.clone().map(|index| {
            DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(&receipts[index].0)
                .build()
        });
        let entries = entries
            .collect::<Result<_, _>>()
            .map_err(|e| ServiceError(e.to_string()));
        let entries = entries.map_err(|e| unavailable("delete", queue, e))?;
        let answer = client
            .delete_message_batch()
            .queue_url(url)
            .set_entries(Some(entries))
            .send()
            .await;
        let answer = answer.map_err(|error| queues.failed("delete", queue, error))?;
        match answer.failed().iter().find(|failed| !failed.sender_fault()) {
            Some(failed) => Err(unavailable("delete", queue, ServiceError(entry_message(failed)))),
            None => Ok(()),
        }
    });
    let answers: Vec<Result<(), QueueError>> = stream::iter(calls)
        .buffer_unordered(CALLS_AT_ONCE)
        .collect()
        .await;
    answers.into_iter().collect()
}

/// Groups messages into calls by count and by bytes; what can never be sent is a failure at once.
fn split(messages: &[Outgoing]) -> (Vec<Vec<usize>>, Vec<SendFailure>) {
    let (mut batches, mut failures) = (Vec::new(), Vec::new());
    let (mut current, mut bytes) = (Vec::new(), 0);
    for (index, message) in messages.iter().enumerate() {
        let size = size_of(message);
        if message.body.is_empty() || size > MESSAGE_BYTES_MAX {
            let message = format!("message has {size} bytes; 1 to {MESSAGE_BYTES_MAX} are allowed");
            failures.push(SendFailure {
                index,
                is_permanent: true,
                message,
            });
            continue;
        }
        if current.len() == BATCH_MAX || bytes + size > MESSAGE_BYTES_MAX {
            batches.push(std::mem::take(&mut current));
            bytes = 0;
        }
        bytes += size;
        current.push(index);
    }
    if !current.is_empty() {
        batches.push(current);
    }
    (batches, failures)
}

fn chunks(count: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count)
        .step_by(BATCH_MAX)
        .map(move |start| start..(start + BATCH_MAX).min(count))
}

fn entry(
    index: usize,
    message: &Outgoing,
) -> Result<SendMessageBatchRequestEntry, aws_sdk_sqs::error::BuildError> {
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(&message.body)
        .delay_seconds(seconds(message.delay.min(DELAY_MAX)))
        .set_message_attributes(trace_attribute(message)?)
        .build()
}

/// The trace context where tools look for it that do not know the body.
fn trace_attribute(
    message: &Outgoing,
) -> Result<Option<HashMap<String, MessageAttributeValue>>, aws_sdk_sqs::error::BuildError> {
    let Some(traceparent) = attached(message) else {
        return Ok(None);
    };
    let value = MessageAttributeValue::builder()
        .data_type(TEXT)
        .string_value(traceparent)
        .build()?;
    Ok(Some(HashMap::from([(TRACEPARENT.to_owned(), value)])))
}

/// Bytes of a message as the service counts them: names, types and values of attributes count too.
fn size_of(message: &Outgoing) -> usize {
    message.body.len() + attached(message).map_or(0, attribute_bytes)
}

/// The trace context, unless the body leaves no room for it: it is in there too.
fn attached(message: &Outgoing) -> Option<&str> {
    let value = message.traceparent.as_deref()?;
    (message.body.len() + attribute_bytes(value) <= MESSAGE_BYTES_MAX).then_some(value)
}

fn attribute_bytes(value: &str) -> usize {
    TRACEPARENT.len() + TEXT.len() + value.len()
}

fn send_failure(failed: &BatchResultErrorEntry) -> Option<SendFailure> {
    let index = failed.id().parse().ok()?;
    Some(SendFailure {
        index,
        is_permanent: failed.sender_fault(),
        message: entry_message(failed),
    })
}

fn entry_message(failed: &BatchResultErrorEntry) -> String {
    format!(
        "{}: {}",
        failed.code(),
        failed.message().unwrap_or("no reason given")
    )
}

/// Indexes of receipts that the service refuses for good; other failures are tried again by the next extension.
fn lost(failed: &[BatchResultErrorEntry]) -> Vec<usize> {
    failed
        .iter()
        .filter(|failed| failed.sender_fault())
        .filter_map(|failed| failed.id().parse().ok())
        .collect()
}

fn is_senders_fault<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let code = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
        .unwrap_or_default();
    [
        "InvalidMessageContents",
        "InvalidParameterValue",
        "BatchRequestTooLong",
    ]
    .iter()
    .any(|known| code.contains(known))
}

fn unavailable(action: &'static str, queue: &QueueName, source: ServiceError) -> QueueError {
    QueueError::Unavailable {
        action,
        queue: queue.to_string(),
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sizes: &[usize]) -> Vec<Outgoing> {
        sizes
            .iter()
            .map(|size| Outgoing {
                body: "x".repeat(*size),
                delay: Duration::ZERO,
                traceparent: None,
            })
            .collect()
    }

    #[test]
    fn batches_hold_ten_messages_and_a_mebibyte() {
        let sizes = [
            MESSAGE_BYTES_MAX,
            1,
            MESSAGE_BYTES_MAX - 1,
            1,
            1,
            1,
            1,
            1,
            1,
            1,
            1,
            1,
            1,
            1,
        ];
        let (batches, failures) = split(&of(&sizes));
        assert_eq!(batches, [vec![0], vec![1, 2], (3..13).collect(), vec![13]]);
        assert!(failures.is_empty());
    }

    #[test]
    fn impossible_messages_are_set_aside() {
        let (batches, failures) = split(&of(&[MESSAGE_BYTES_MAX + 1, 5, 0]));
        assert_eq!(batches, [vec![1]]);
        assert_eq!(
            failures
                .iter()
                .map(|f| (f.index, f.is_permanent))
                .collect::<Vec<_>>(),
            [(0, true), (2, true)]
        );
    }

    #[test]
    fn chunks_cover_everything_once() {
        assert_eq!(chunks(23).collect::<Vec<_>>(), [0..10, 10..20, 20..23]);
        assert_eq!(chunks(0).count(), 0);
    }
}
