use std::collections::HashMap;

use super::*;
use crate::contract;

const LONG: Duration = Duration::from_secs(60);

fn queue() -> Arc<EmbeddedQueue> {
    Arc::new(EmbeddedQueue::new(EmbeddedConfig::default()))
}

fn name() -> QueueName {
    QueueName("default".to_owned())
}

fn messages(count: usize) -> Vec<Outgoing> {
    (0..count)
        .map(|i| Outgoing {
            body: i.to_string(),
            delay: Duration::ZERO,
            traceparent: None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn keeps_the_contract() {
    contract::check_all(queue(), "check", 20)
        .await
        .expect("the embedded queue never fails");
}

#[tokio::test(start_paused = true)]
async fn one_receive_takes_as_many_as_asked() {
    let queue = queue();
    queue.send(&name(), messages(1000)).await.expect("sent");
    assert_eq!(
        queue
            .receive(&name(), 300, LONG, LONG)
            .await
            .expect("received")
            .len(),
        300
    );
    assert_eq!(
        queue
            .receive(&name(), 1000, LONG, LONG)
            .await
            .expect("received")
            .len(),
        700
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_receive_ends_after_its_wait_and_not_before() {
    let (queue, begin) = (queue(), Instant::now());
    assert!(
        queue
            .receive(&name(), 1, LONG, LONG)
            .await
            .expect("received")
            .is_empty()
    );
    assert_eq!(begin.elapsed().as_secs(), LONG.as_secs());
}

#[tokio::test(start_paused = true)]
async fn every_waiting_receiver_gets_its_message() {
    let queue = queue();
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move {
                queue
                    .receive(&name(), 1, LONG, LONG)
                    .await
                    .expect("received")
                    .len()
            })
        })
        .collect();
    tokio::task::yield_now().await;
    let begin = Instant::now();
    queue.send(&name(), messages(8)).await.expect("sent");
    for receiver in waiting {
        assert_eq!(receiver.await.expect("joined"), 1);
    }
    assert_eq!(
        begin.elapsed(),
        Duration::ZERO,
        "a receiver slept although a message was there"
    );
}

#[tokio::test(start_paused = true)]
async fn a_waiting_receiver_learns_of_a_visibility_that_began_later() {
    let queue = queue();
    let receiver = |visibility: Duration| {
        let queue = Arc::clone(&queue);
        tokio::spawn(async move {
            queue
                .receive(&name(), 1, LONG, visibility)
                .await
                .expect("received")
                .len()
        })
    };
    let (brief, other) = (receiver(Duration::from_secs(5)), receiver(LONG));
    tokio::task::yield_now().await;
    let begin = Instant::now();
    queue.send(&name(), messages(1)).await.expect("sent");
    assert_eq!(brief.await.expect("joined"), 1);
    assert_eq!(other.await.expect("joined"), 1);
    assert_eq!(begin.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_receiver_passes_its_wake_up_on() {
    let queue = queue();
    let receiver = |queue: Arc<EmbeddedQueue>| {
        tokio::spawn(async move {
            queue
                .receive(&name(), 1, LONG, LONG)
                .await
                .expect("received")
                .len()
        })
    };
    let (first, second) = (receiver(Arc::clone(&queue)), receiver(Arc::clone(&queue)));
    tokio::task::yield_now().await;
    queue.send(&name(), messages(1)).await.expect("sent");
    first.abort();
    let taken_by_first = first.await.unwrap_or(0);
    if taken_by_first == 0 {
        assert_eq!(second.await.expect("joined"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_delete_counts_until_the_message_is_delivered_again() {
    let queue = queue();
    queue.send(&name(), messages(1)).await.expect("sent");
    let held = queue
        .receive(&name(), 1, LONG, Duration::from_secs(1))
        .await
        .expect("received");
    tokio::time::advance(Duration::from_secs(2)).await;
    queue
        .delete(&name(), &[held[0].receipt.clone()])
        .await
        .expect("deleted");
    assert_eq!(queue.depth(&name()).await.expect("depth"), Depth::default());
    assert!(
        queue
            .receive(&name(), 1, Duration::ZERO, LONG)
            .await
            .expect("received")
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn an_old_receipt_cannot_delete_a_newer_delivery() {
    let queue = queue();
    queue.send(&name(), messages(1)).await.expect("sent");
    let old = queue
        .receive(&name(), 1, LONG, Duration::from_secs(1))
        .await
        .expect("received");
    queue.receive(&name(), 1, LONG, LONG).await.expect("received");
    queue
        .delete(&name(), &[old[0].receipt.clone()])
        .await
        .expect("deleted");
    assert_eq!(queue.depth(&name()).await.expect("depth").in_flight, 1);
    let lost = queue
        .extend(&name(), &[old[0].receipt.clone()], LONG)
        .await
        .expect("extended");
    assert_eq!(lost, [old[0].receipt.clone()]);
}

/// Receives and deletes everything; answers the bodies in order of delivery.
async fn drain(queue: &EmbeddedQueue) -> Vec<String> {
    let mut bodies = Vec::new();
    loop {
        let deliveries = queue.receive(&name(), 7, LONG * 2, LONG).await.expect("received");
        if deliveries.is_empty() {
            return bodies;
        }
        let receipts: Vec<_> = deliveries.iter().map(|d| d.receipt.clone()).collect();
        bodies.extend(deliveries.into_iter().map(|d| d.body));
        queue.delete(&name(), &receipts).await.expect("deleted");
    }
}

#[tokio::test(start_paused = true)]
async fn faults_repeat_and_reorder_but_never_lose() {
    let mut orders = Vec::new();
    for seed in [1, 1, 2] {
        let queue = EmbeddedQueue::new(EmbeddedConfig::default()).with_faults(FaultPlan::rough(seed));
        queue.send(&name(), messages(200)).await.expect("sent");
        let bodies = drain(&queue).await;
        let mut times: HashMap<&str, u32> = HashMap::new();
        for body in &bodies {
            *times.entry(body).or_default() += 1;
        }
        assert_eq!(times.len(), 200, "a message was lost");
        assert!(bodies.len() > 220, "hardly a delivery was repeated");
        assert!(
            bodies.windows(2).any(|w| w[0].len() > w[1].len()),
            "nothing was reordered"
        );
        orders.push(bodies);
    }
    assert_eq!(orders[0], orders[1], "the same seed gave other deliveries");
    assert_ne!(orders[0], orders[2]);
}

#[tokio::test(start_paused = true)]
async fn without_faults_the_order_of_arrival_is_kept() {
    let queue = queue();
    queue.send(&name(), messages(50)).await.expect("sent");
    assert_eq!(
        drain(&queue).await,
        (0..50).map(|i| i.to_string()).collect::<Vec<_>>()
    );
}
