//! The contract of queues, against the emulator; `queue` itself runs it against the embedded one under a paused clock.

use std::sync::Arc;

use runnel_queue::contract;
use runnel_queue::embedded::{EmbeddedConfig, EmbeddedQueue};
use runnel_tests::stack::{play, sqs_queue, unique};

/// The least that a queue at SQS is created with: throttled receives count, too.
const RECEIVES_MAX: u32 = 20;

#[test]
fn the_sqs_queue_keeps_the_contract() {
    play(async {
        let queue = Arc::new(sqs_queue().await?);
        contract::check_all(queue, &unique("contract-"), RECEIVES_MAX)
            .await
            .map_err(|error| anyhow::anyhow!(error))
    });
}

#[test]
fn the_embedded_queue_keeps_the_contract() {
    play(async {
        let queue = Arc::new(EmbeddedQueue::new(EmbeddedConfig {
            max_receive_count: RECEIVES_MAX,
        }));
        contract::check_all(queue, &unique("contract-"), RECEIVES_MAX)
            .await
            .map_err(|error| anyhow::anyhow!(error))
    });
}
