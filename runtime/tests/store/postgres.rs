//! PostgreSQL.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use runnel_runtime::{DatabaseConfig, StoreError};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};

use crate::temporary_postgres::TemporaryPostgres;
use crate::{increment, number, open, run_sql, with_counter};

fn config(server: &TemporaryPostgres) -> DatabaseConfig {
    DatabaseConfig {
        url: server.url(),
        connections: 4,
        is_sqlite_relaxed: false,
    }
}

/// A connection beside the store, to see what others see.
async fn observer(server: &TemporaryPostgres) -> DatabaseConnection {
    Database::connect(server.url())
        .await
        .expect("an observer connects")
}

/// Polls a future once or a few times and drops it, as a caller does that hangs up.
async fn drop_after<F: Future>(polls: usize, future: F) {
    let mut future = pin!(future);
    for _ in 0..polls {
        let done = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await;
        if done {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_ends_whole_when_its_caller_hangs_up() {
    let server = TemporaryPostgres::start();
    let store = open(&config(&server)).await;
    with_counter(&store).await;
    for polls in 1..=50 {
        drop_after(1 + polls % 5, increment(&store)).await;
    }
    // every one of them goes on by itself; the limit only ends a test that would wait for ever
    let all = async {
        while number(store.read(), &store, "SELECT value FROM counter")
            .await
            .expect("a number")
            != 50
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), all)
        .await
        .expect("all fifty are committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn deadlocks_are_retried_and_invisible() {
    let server = TemporaryPostgres::start();
    let store = open(&DatabaseConfig {
        connections: 8,
        ..config(&server)
    })
    .await;
    store
        .tx("make two rows", |tx| {
            Box::pin(async move {
                run_sql(
                    tx,
                    "CREATE TABLE pair (id INT PRIMARY KEY, value BIGINT NOT NULL)",
                )
                .await?;
                run_sql(tx, "INSERT INTO pair VALUES (1, 0), (2, 0)").await
            })
        })
        .await
        .expect("made");
    // two transactions that lock the same rows in opposite order, and meet in the middle the first time
    let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(2));
    let both = [(1, 2), (2, 1)].map(|(first, second)| {
        let (store, barrier) = (store.clone(), barrier.clone());
        let is_first_try = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
        tokio::spawn(async move {
            store
                .tx("meet", move |tx| {
                    let (barrier, is_first_try) = (barrier.clone(), is_first_try.clone());
                    Box::pin(async move {
                        run_sql(
                            tx,
                            &format!("UPDATE pair SET value = value + 1 WHERE id = {first}"),
                        )
                        .await?;
                        if is_first_try.swap(false, std::sync::atomic::Ordering::SeqCst) {
                            barrier.wait().await;
                        }
                        run_sql(
                            tx,
                            &format!("UPDATE pair SET value = value + 1 WHERE id = {second}"),
                        )
                        .await
                    })
                })
                .await
        })
    });
    for task in both {
        task.await.expect("no panic").expect("both commit");
    }
    assert_eq!(
        number(store.read(), &store, "SELECT sum(value)::bigint FROM pair")
            .await
            .expect("a number"),
        4
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_in_the_commit_is_told_as_unknown() {
    let server = TemporaryPostgres::start();
    let store = open(&config(&server)).await;
    with_counter(&store).await;
    // the trigger runs inside the commit and ends the session there
    let url = server.url();
    let observer = Database::connect(&url).await.expect("an observer connects");
    for sql in [
        "CREATE FUNCTION hang_up() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER hang_up AFTER UPDATE ON counter DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION hang_up()",
    ] {
        observer.execute_unprepared(sql).await.expect("made");
    }
    let outcome = increment(&store).await;
    assert!(
        matches!(outcome, Err(StoreError::CommitUnknown { .. })),
        "{outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_before_the_commit_is_tried_again() {
    let server = TemporaryPostgres::start();
    let store = open(&config(&server)).await;
    with_counter(&store).await;
    let observer = observer(&server).await;
    let killed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let handle = store.clone();
    store
        .tx("lose a connection", move |tx| {
            let (observer, killed, handle) = (observer.clone(), killed.clone(), handle.clone());
            Box::pin(async move {
                let pid = number(tx, &handle, "SELECT pg_backend_pid()::bigint").await?;
                if !killed.swap(true, std::sync::atomic::Ordering::SeqCst) {
                    let kill = Statement::from_string(
                        observer.get_database_backend(),
                        format!("SELECT pg_terminate_backend({pid})"),
                    );
                    observer.query_one_raw(kill).await.expect("killed");
                }
                run_sql(tx, "UPDATE counter SET value = value + 1").await
            })
        })
        .await
        .expect("the second try commits");
    assert_eq!(
        number(store.read(), &store, "SELECT value FROM counter")
            .await
            .expect("a number"),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_together_migrate_once() {
    let server = TemporaryPostgres::start();
    let config = config(&server);
    let opened = futures_util::future::join_all((0..4).map(|_| runnel_runtime::migrate(&config))).await;
    let applied: usize = opened
        .into_iter()
        .map(|names| names.expect("migrated").len())
        .sum();
    assert_eq!(applied, crate::migrations());
    let store = open(&config).await;
    assert!(
        store
            .read()
            .execute_unprepared("DELETE FROM namespace")
            .await
            .is_err(),
        "reads cannot write"
    );
}
