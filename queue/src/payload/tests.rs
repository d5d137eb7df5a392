use bytes::Bytes;

use super::{PAYLOAD_BYTES_MAX, PayloadError, PayloadLocation, PayloadRef, PayloadStore, is_digest};

#[test]
fn a_reference_reads_back_and_no_json_text_is_one() {
    let reference = PayloadRef::of(b"[1,2,3]");
    let text = reference.to_string();
    assert_eq!(PayloadRef::read(&text), Some(reference));
    assert!(PayloadRef::is_text(&text));
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_err());
    let quoted = serde_json::to_string(&text).expect("a string");
    for value in [
        "",
        "{}",
        "null",
        "@",
        "@payload:sha256:",
        "@payload:sha256:ab:1",
        &quoted,
    ] {
        assert_eq!(PayloadRef::read(value), None, "{value}");
    }
}

#[test]
fn digests_are_sixty_four_lower_case_digits() {
    assert!(is_digest(&"0a".repeat(32)));
    for bad in ["", &"0A".repeat(32), &"0a".repeat(31), "../../etc/passwd"] {
        assert!(!is_digest(bad), "{bad}");
    }
}

#[test]
fn places_are_directories_and_buckets() {
    let s3 = |bucket: &str, prefix: &str| PayloadLocation::S3 {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
    };
    let read = |text: &str| text.parse::<PayloadLocation>().ok();
    assert_eq!(read("s3://bucket/a/b/"), Some(s3("bucket", "a/b")));
    assert_eq!(read("s3://bucket"), Some(s3("bucket", "")));
    assert_eq!(
        read("data/payloads"),
        Some(PayloadLocation::Directory("data/payloads".into()))
    );
    assert_eq!(
        read("file:///var/payloads"),
        Some(PayloadLocation::Directory("/var/payloads".into()))
    );
    for bad in ["", " ", "s3://", "s3:///x", "http://host/x", "file://x"] {
        assert_eq!(read(bad), None, "{bad}");
    }
}

async fn keeps_what_it_was_given(store: PayloadStore) {
    let value = Bytes::from(vec![b'7'; 300_000]);
    let reference = store.put(value.clone()).await.expect("written");
    assert_eq!(reference, PayloadRef::of(&value));
    assert_eq!(store.put(value.clone()).await.expect("written again"), reference);
    assert_eq!(store.get(&reference).await.expect("read"), value);
    assert_eq!(
        store.get_start(&reference, 4).await.expect("read"),
        Bytes::from("7777")
    );
    let found = store
        .find(&reference.sha256)
        .await
        .expect("found")
        .expect("there");
    assert_eq!(found.reference, reference);
    let later = found.written_us + 1;
    assert_eq!(
        store.written_before(later, 10).await.expect("listed"),
        std::slice::from_ref(&found)
    );
    assert_eq!(
        store.written_before(found.written_us, 10).await.expect("listed"),
        []
    );
    store.delete(&reference.sha256).await.expect("deleted");
    store.delete(&reference.sha256).await.expect("deleted again");
    assert!(matches!(
        store.get(&reference).await,
        Err(PayloadError::NotFound { .. })
    ));
    assert_eq!(store.find(&reference.sha256).await.expect("looked"), None);
}

#[tokio::test]
async fn memory_keeps_what_it_was_given() {
    keeps_what_it_was_given(PayloadStore::in_memory()).await;
}

#[tokio::test]
async fn a_directory_keeps_what_it_was_given() {
    let directory = tempfile::tempdir().expect("a directory");
    keeps_what_it_was_given(PayloadStore::directory(&directory.path().join("new")).expect("opened")).await;
}

#[tokio::test]
async fn a_value_that_was_changed_behind_the_store_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = PayloadStore::directory(directory.path()).expect("opened");
    let reference = store.put(Bytes::from("[1,2,3]")).await.expect("written");
    let file = directory
        .path()
        .join(&reference.sha256[..2])
        .join(&reference.sha256);
    std::fs::write(&file, "[1,2,4]").expect("changed");
    assert!(matches!(
        store.get(&reference).await,
        Err(PayloadError::Damaged { .. })
    ));
    std::fs::write(&file, "[1,2,3,4]").expect("changed");
    assert!(matches!(
        store.get(&reference).await,
        Err(PayloadError::Damaged { .. })
    ));
}

#[tokio::test]
async fn a_value_over_the_limit_is_neither_written_nor_read() {
    let store = PayloadStore::in_memory();
    let value = Bytes::from(vec![b'7'; PAYLOAD_BYTES_MAX + 1]);
    assert!(matches!(
        store.put(value).await,
        Err(PayloadError::TooLarge { .. })
    ));
    let reference = PayloadRef {
        sha256: "0".repeat(64),
        bytes: PAYLOAD_BYTES_MAX as u64 + 1,
    };
    assert!(matches!(
        store.get(&reference).await,
        Err(PayloadError::TooLarge { .. })
    ));
}
