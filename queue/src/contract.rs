//! What every [`TaskQueue`] must do, written once and run against each implementation.
//!
//! A check waits with long polls only, so it runs in no time under a paused clock and in seconds against a real service.
//! Each check uses queues of its own, named after `scope`, so that they may run side by side and repeatedly.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use crate::message::MESSAGE_BYTES_MAX;
use crate::task_queue::{Delivery, Depth, Outgoing, QueueName, Receipt, TaskQueue};

/// Answer of a check; a broken rule panics with the rule, a failed call is an error.
pub type Checked = Result<(), Box<dyn Error + Send + Sync>>;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs every check of this module. `max_receive_count` is what the queue was configured with.
///
/// # Errors
/// A call to the queue failed.
///
/// # Panics
/// A rule is broken.
pub async fn check_all(queue: Arc<dyn TaskQueue>, scope: &str, max_receive_count: u32) -> Checked {
    sent_messages_arrive_once_each(&queue, scope).await?;
    a_message_that_is_not_deleted_comes_again(&queue, scope).await?;
    an_extended_message_stays_away_and_a_released_one_returns(&queue, scope).await?;
    a_delayed_message_waits(&queue, scope).await?;
    an_oversized_message_is_refused_alone(&queue, scope).await?;
    a_gone_receipt_is_reported_by_extend_and_ignored_by_delete(&queue, scope).await?;
    an_exhausted_message_becomes_a_dead_letter(&queue, scope, max_receive_count).await
}

/// Forty messages, more than four batches of SQS, all arrive, and nothing remains.
///
/// # Errors
/// A call to the queue failed.
///
/// # Panics
/// The rule is broken.
pub async fn sent_messages_arrive_once_each(queue: &Arc<dyn TaskQueue>, scope: &str) -> Checked {
    let name = fresh(queue, scope, "arrive").await?;
    let sent: BTreeSet<String> = (0..40)
        .map(|i| format!("message {i} — ünïcode \"quoted\" <&>"))
        .collect();
    let refused = queue
        .send(&name, sent.iter().map(|body| outgoing(body)).collect())
        .await?;
    assert!(refused.is_empty(), "refused: {refused:?}");

    let mut arrived = Vec::new();
    while arrived.len() < sent.len() {
        let deliveries = queue.receive(&name, 25, PATIENCE, LONG).await?;
        assert!(
            !deliveries.is_empty(),
            "{} of {} messages arrived",
            arrived.len(),
            sent.len()
        );
        assert!(deliveries.len() <= 25, "more messages than asked for");
        arrived.extend(deliveries);
    }
    assert!(arrived.iter().all(|d| d.receive_count == 1));
    assert_eq!(
        arrived.iter().map(|d| d.body.clone()).collect::<BTreeSet<_>>(),
        sent
    );

    queue.delete(&name, &receipts(&arrived)).await?;
    assert!(
        queue.receive(&name, 10, Duration::ZERO, LONG).await?.is_empty(),
        "deleted messages came again"
    );
    assert_eq!(queue.depth(&name).await?, Depth::default());
    Ok(())
}

/// After its visibility a message is delivered again, with a higher receive count and a new receipt.
///
/// # Errors
/// A call to the queue failed.
///
/// # Panics
/// The rule is broken.
pub async fn a_message_that_is_not_deleted_comes_again(queue: &Arc<dyn TaskQueue>, scope: &str) -> Checked {
    let name = fresh(queue, scope, "again").await?;
    queue.send(&name, vec![outgoing("once more")]).await?;
    let first = one(queue, &name, SHORT).await?;
    assert!(
        queue.receive(&name, 1, Duration::ZERO, LONG).await?.is_empty(),
        "an invisible message was delivered"
    );
    let second = one(queue, &name, LONG).await?;
    assert_eq!(second.body, "once more");
    assert_eq!((first.receive_count, second.receive_count), (1, 2));
    assert_ne!(first.receipt, second.receipt);
    assert_eq!(queue.depth(&name).await?.in_flight, 1);
    queue.delete(&name, &[second.receipt]).await?;
    Ok(())
}

/// Extending moves the end of the visibility; zero makes the message visible at once.
///
/// # Errors
/// A call to the queue failed.
///
/// # Panics
/// The rule is broken.
pub async fn an_extended_message_stays_away_and_a_released_one_returns(
    queue: &Arc<dyn TaskQueue>,
    scope: &str,
) -> Checked {
    let name = fresh(queue, scope, "extend").await?;
    queue.send(&name, vec![outgoing("held")]).await?;
    let held = one(queue, &name, SHORT).await?;
    let lost = queue
        .extend(&name, std::slice::from_ref(&held.receipt), LONG)
        .await?;
    assert!(lost.is_empty(), "a held receipt was called lost");
    assert!(
        queue.receive(&name, 1, SHORT * 2, LONG).await?.is_empty(),
        "an extended message came again"
    );
    let lost = queue.extend(&name, &[held.receipt], Duration::ZERO).await?;
    assert!(lost.is_empty(), "a held receipt was called lost");
    let again = one(queue, &name, LONG).await?;
    assert_eq!(again.receive_count, 2);
    queue.delete(&name, &[again.receipt]).await?;
    Ok(())
}

/// A delayed message cannot be received before its delay.
///
/// # Errors
/// A call to the queue failed.
///
/// # Panics
/// The rule is broken.
pub async fn a_delayed_message_waits(queue: &Arc<dyn TaskQueue>, scope: &str) -> Checked {
    let name = fresh(queue, scope, "delay").await?;
    queue
        .send(
            &name,
            vec![Outgoing {
                body: "later".to_owned(),
                delay: SHORT * 2,
                traceparent: None,
            }],
        )
        .await?;
    assert!(
        queue.receive(&name, 1, Duration::ZERO, LONG).await?.is_empty(),
        "a delayed message came early"
    );
    assert_eq!(queue.depth(&name).await?.delayed, 1);
    let later = one(queue, &name, LONG).await?;
    assert_eq!((later.body.as_str(), later.receive_count), ("later", 1));
    queue.delete(&name, &[later.receipt]).await?;
    Ok(())
}

/// A message over the limit is a permanent failure of its own; the others in the call are accepted. A call may hold more
/// bytes than one batch of the service.
///
/// # Errors
/// A call to the queue failed.
///
/// # Panics
/// The rule is broken.
pub async fn an_oversized_message_is_refused_alone(queue: &Arc<dyn TaskQueue>, scope: &str) -> Checked {
    let name = fresh(queue, scope, "size").await?;
    let half = "h".repeat(MESSAGE_BYTES_MAX / 2 + 1);
    let bodies = [
        half.clone(),
        "x".repeat(MESSAGE_BYTES_MAX + 1),
        half,
        "small".to_owned(),
    ];
    let refused = queue
        .send(&name, bodies.iter().map(|b| outgoing(b)).collect())
        .await?;
    assert_eq!(
        refused
            .iter()
            .map(|f| (f.index, f.is_permanent))
            .collect::<Vec<_>>(),
        [(1, true)]
    );
    let mut arrived = Vec::new();
    while arrived.len() < 3 {
        let deliveries = queue.receive(&name, 3, PATIENCE, LONG).await?;
        assert!(!deliveries.is_empty(), "{} of 3 messages arrived", arrived.len());
        arrived.extend(deliveries);
    }
    queue.delete(&name, &receipts(&arrived)).await?;
    Ok(())
}

/// After a deletion the receipt is void: `extend` names it, `delete` accepts it.
///
/// # Errors
/// A call to the queue failed.
///
/// # Panics
/// The rule is broken.
pub async fn a_gone_receipt_is_reported_by_extend_and_ignored_by_delete(
    queue: &Arc<dyn TaskQueue>,
    scope: &str,
) -> Checked {
    let name = fresh(queue, scope, "gone").await?;
    queue
        .send(&name, vec![outgoing("first"), outgoing("second")])
        .await?;
    let (gone, held) = (one(queue, &name, LONG).await?, one(queue, &name, LONG).await?);
    queue.delete(&name, std::slice::from_ref(&gone.receipt)).await?;
    queue.delete(&name, std::slice::from_ref(&gone.receipt)).await?;
    let lost = queue
        .extend(&name, &[held.receipt.clone(), gone.receipt.clone()], LONG)
        .await?;
    assert_eq!(lost, [gone.receipt]);
    queue.delete(&name, &[held.receipt]).await?;
    Ok(())
}

/// A message received `max_receive_count` times and never deleted ends in the dead-letter queue.
///
/// # Errors
/// A call to the queue failed.
///
/// # Panics
/// The rule is broken.
pub async fn an_exhausted_message_becomes_a_dead_letter(
    queue: &Arc<dyn TaskQueue>,
    scope: &str,
    max_receive_count: u32,
) -> Checked {
    let name = fresh(queue, scope, "dead").await?;
    queue.send(&name, vec![outgoing("poison")]).await?;
    for count in 1..=max_receive_count {
        let delivery = one(queue, &name, LONG).await?;
        assert_eq!(delivery.receive_count, count);
        queue.extend(&name, &[delivery.receipt], Duration::ZERO).await?;
    }
    assert!(
        queue.receive(&name, 1, SHORT, LONG).await?.is_empty(),
        "a message came over its receive limit"
    );
    let dead = one(queue, &queue.dead_letter(&name), LONG).await?;
    assert_eq!(dead.body, "poison");
    queue.delete(&queue.dead_letter(&name), &[dead.receipt]).await?;
    assert_eq!(queue.depth(&name).await?, Depth::default());
    Ok(())
}

async fn fresh(
    queue: &Arc<dyn TaskQueue>,
    scope: &str,
    check: &str,
) -> Result<QueueName, Box<dyn Error + Send + Sync>> {
    let name = QueueName(format!("{scope}-{check}"));
    queue.ensure(&name).await?;
    Ok(name)
}

async fn one(
    queue: &Arc<dyn TaskQueue>,
    name: &QueueName,
    visibility: Duration,
) -> Result<Delivery, Box<dyn Error + Send + Sync>> {
    let mut deliveries = queue.receive(name, 1, PATIENCE, visibility).await?;
    deliveries
        .pop()
        .ok_or_else(|| format!("no message on `{name}` within {PATIENCE:?}").into())
}

fn outgoing(body: &str) -> Outgoing {
    Outgoing {
        body: body.to_owned(),
        delay: Duration::ZERO,
        traceparent: None,
    }
}

fn receipts(deliveries: &[Delivery]) -> Vec<Receipt> {
    deliveries.iter().map(|d| d.receipt.clone()).collect()
}
