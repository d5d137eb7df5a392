//! SQLite.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use runnel_runtime::store::ATTEMPTS_MAX;
use runnel_runtime::{Schema, Store, StoreError, migrate};
use sea_orm::ConnectionTrait;

use crate::{increment, number, open, run_sql, sqlite_config, with_counter};

#[tokio::test]
async fn writers_sync_each_commit_by_default() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut config = sqlite_config(dir.path());
    for (is_relaxed, synchronous) in [(false, 2), (true, 1)] {
        config.is_sqlite_relaxed = is_relaxed;
        let store = open(&config).await;
        let handle = store.clone();
        let found = store
            .tx("read a pragma", move |tx| {
                let handle = handle.clone();
                Box::pin(async move { number(tx, &handle, "PRAGMA synchronous").await })
            })
            .await;
        assert_eq!(found.expect("a pragma"), synchronous);
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_read_then_write_transactions_all_commit() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&sqlite_config(dir.path())).await;
    // a second store stands for a second process, whose writer knows nothing of the first
    let other = open(&sqlite_config(dir.path())).await;
    with_counter(&store).await;
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let store = if n % 2 == 0 { store.clone() } else { other.clone() };
            tokio::spawn(async move {
                for _ in 0..10 {
                    increment(&store).await?;
                }
                Ok::<_, StoreError>(())
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic").expect("every transaction commits");
    }
    assert_eq!(
        number(store.read(), &store, "SELECT value FROM counter")
            .await
            .expect("a number"),
        80
    );
}

#[tokio::test]
async fn an_error_rolls_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&sqlite_config(dir.path())).await;
    with_counter(&store).await;
    let refused = store
        .tx("refuse", |tx| {
            Box::pin(async move {
                run_sql(tx, "UPDATE counter SET value = 7").await?;
                Err::<(), _>(StoreError::Stopping)
            })
        })
        .await;
    assert!(matches!(refused, Err(StoreError::Stopping)));
    assert_eq!(
        number(store.read(), &store, "SELECT value FROM counter")
            .await
            .expect("a number"),
        0
    );
}

#[tokio::test]
async fn a_panic_rolls_back_and_the_store_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&sqlite_config(dir.path())).await;
    with_counter(&store).await;
    let aborted = store
        .tx("panic", |tx| {
            Box::pin(async move {
                run_sql(tx, "UPDATE counter SET value = 7").await?;
                panic!("a bug")
            })
        })
        .await;
    assert!(matches!(aborted, Err::<(), _>(StoreError::Aborted { .. })));
    increment(&store).await.expect("the writer is free again");
    assert_eq!(
        number(store.read(), &store, "SELECT value FROM counter")
            .await
            .expect("a number"),
        1
    );
}

#[tokio::test]
async fn a_lost_guard_is_tried_again_a_bounded_number_of_times() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&sqlite_config(dir.path())).await;
    let tries = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&tries);
    let busy = store
        .tx("lose", move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Err::<(), _>(StoreError::Conflict { action: "save" }) })
        })
        .await;
    assert!(matches!(
        busy,
        Err(StoreError::Busy {
            attempts: ATTEMPTS_MAX,
            ..
        })
    ));
    assert_eq!(tries.load(Ordering::SeqCst), ATTEMPTS_MAX);
}

#[tokio::test]
async fn reads_cannot_write() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&sqlite_config(dir.path())).await;
    assert!(
        store
            .read()
            .execute_unprepared("DELETE FROM namespace")
            .await
            .is_err()
    );
    assert_eq!(
        number(store.read(), &store, "SELECT count(*) FROM namespace")
            .await
            .expect("a number"),
        1
    );
}

#[tokio::test]
async fn statements_are_counted_on_both_kinds_of_connection() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&sqlite_config(dir.path())).await;
    with_counter(&store).await;
    let before = store.statements();
    increment(&store).await.expect("committed");
    let after_write = store.statements();
    number(store.read(), &store, "SELECT 1").await.expect("a number");
    assert_eq!((after_write - before, store.statements() - after_write), (2, 1));
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = sqlite_config(dir.path());
    let store = open(&config).await;
    store
        .tx("pretend", |tx| {
            Box::pin(run_sql(
                tx,
                "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_later', 0)",
            ))
        })
        .await
        .expect("inserted");
    assert!(matches!(store.check().await, Err(StoreError::NewerSchema { .. })));
    store.close().await;
    match migrate(&config).await {
        Err(StoreError::NewerSchema { found }) => assert_eq!(found, "m29990101_000001_later"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_older_schema_is_refused_when_it_may_not_be_changed() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = sqlite_config(dir.path());
    let entropy = Arc::new(runnel_runtime::SystemEntropy);
    let refused = Store::open(&config, entropy.clone(), Schema::Require).await;
    assert!(matches!(refused, Err(StoreError::OlderSchema { .. })));
    assert_eq!(
        migrate(&config).await.expect("migrated").len(),
        crate::migrations()
    );
    assert!(migrate(&config).await.expect("nothing to do").is_empty());
    Store::open(&config, entropy, Schema::Require)
        .await
        .expect("current")
        .check()
        .await
        .expect("current");
}

#[tokio::test]
async fn an_in_memory_database_is_one_database() {
    let config = runnel_runtime::DatabaseConfig {
        url: "sqlite::memory:".to_owned(),
        connections: 4,
        is_sqlite_relaxed: false,
    };
    let store = open(&config).await;
    with_counter(&store).await;
    increment(&store).await.expect("committed");
    assert_eq!(
        number(store.read(), &store, "SELECT value FROM counter")
            .await
            .expect("a number"),
        1
    );
}
