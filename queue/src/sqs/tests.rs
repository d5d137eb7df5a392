//! What needs no service; the integration suite holds the queue against the contract on an emulator.

use super::*;

#[test]
fn with_an_endpoint_only_the_path_of_a_queue_address_counts() {
    let url = "http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/runnel-default";
    let reachable = reachable_url(url, Some("http://127.0.0.1:9/"));
    assert_eq!(reachable, "http://127.0.0.1:9/000000000000/runnel-default");
    assert_eq!(reachable_url(url, None), url);
}

#[test]
fn part_of_a_second_is_a_second() {
    assert_eq!(seconds(Duration::ZERO), 0);
    assert_eq!(seconds(Duration::from_millis(1)), 1);
    assert_eq!(seconds(Duration::from_secs(2)), 2);
}
