//! PostgreSQL.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use runnel_runtime::{DatabaseConfig, Store, StoreError};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement, TransactionTrait};

use crate::temporary_postgres::TemporaryPostgres;
use crate::{increment, number, open, run_sql, with_counter};

fn config(server: &TemporaryPostgres) -> DatabaseConfig {
    DatabaseConfig { url: server.url(), connections: 4, is_sqlite_relaxed: false }
}

/// A connection beside the store, to see what others see.
async fn observer(server: &TemporaryPostgres) -> DatabaseConnection {
    Database::connect(server.url()).await.expect("an observer connects")
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
async fn callers_that_hang_up_leave_no_open_transaction() {
    let server = TemporaryPostgres::start();
    let store = open(&config(&server)).await;
    with_counter(&store).await;
    for polls in 0..60 {
        drop_after(polls % 6, increment(&store)).await;
    }
    // every transaction ends whole, so that as many are counted as were begun; nothing of them is left open
    increment(&store).await.expect("the pool is sound");
    let observer = observer(&server).await;
    let committed = wait_for_quiet(&observer, &store).await;
    assert!((1..=61).contains(&committed), "{committed} transactions were committed");
    store.close().await;
}

/// Waits until no connection has an open transaction, and answers the counter as somebody else sees it.
async fn wait_for_quiet(observer: &DatabaseConnection, store: &Store) -> i64 {
    let open = "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' \
                AND xact_start IS NOT NULL";
    for _ in 0..2_000 {
        if number(observer, store, open).await.expect("a number") == 0 {
            return number(observer, store, "SELECT value FROM counter").await.expect("a number");
        }
    }
    panic!("a transaction stays open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_connection_is_cleaned_before_it_is_used_again() {
    use sea_orm::{SqlxPostgresConnector, sqlx};
    let server = TemporaryPostgres::start();
    let store = open(&DatabaseConfig { connections: 2, ..config(&server) }).await;
    with_counter(&store).await;
    // what a dropped `begin` leaves behind: a transaction that the driver does not know of, on every connection
    let poison = |store: Store| async move {
        store
            .tx("poison", |tx| {
                Box::pin(async move {
                    run_sql(tx, "COMMIT").await?;
                    run_sql(tx, "BEGIN").await?;
                    run_sql(tx, "UPDATE counter SET value = value + 100").await
                })
            })
            .await
    };
    let _ = poison(store.clone()).await;
    increment(&store).await.expect("committed");
    let seen = wait_for_quiet(&observer(&server).await, &store).await;
    assert!(seen == 1 || seen == 101, "an acknowledged write is missing: {seen}");
    let _ = std::any::type_name::<(SqlxPostgresConnector, sqlx::PgPool)>();
}

#[tokio::test(flavor = "multi_thread")]
async fn deadlocks_are_retried_and_invisible() {
    let server = TemporaryPostgres::start();
    let store = open(&DatabaseConfig { connections: 8, ..config(&server) }).await;
    store
        .tx("make two rows", |tx| {
            Box::pin(async move {
                run_sql(tx, "CREATE TABLE pair (id INT PRIMARY KEY, value BIGINT NOT NULL)").await?;
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
                        run_sql(tx, &format!("UPDATE pair SET value = value + 1 WHERE id = {first}")).await?;
                        if is_first_try.swap(false, std::sync::atomic::Ordering::SeqCst) {
                            barrier.wait().await;
                        }
                        run_sql(tx, &format!("UPDATE pair SET value = value + 1 WHERE id = {second}")).await
                    })
                })
                .await
        })
    });
    for task in both {
        task.await.expect("no panic").expect("both commit");
    }
    assert_eq!(number(store.read(), &store, "SELECT sum(value)::bigint FROM pair").await.expect("a number"), 4);
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
    assert!(matches!(outcome, Err(StoreError::CommitUnknown { .. })), "{outcome:?}");
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
                    let kill = Statement::from_string(observer.get_database_backend(), format!("SELECT pg_terminate_backend({pid})"));
                    observer.query_one_raw(kill).await.expect("killed");
                }
                run_sql(tx, "UPDATE counter SET value = value + 1").await
            })
        })
        .await
        .expect("the second try commits");
    assert_eq!(number(store.read(), &store, "SELECT value FROM counter").await.expect("a number"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_together_migrate_once() {
    let server = TemporaryPostgres::start();
    let config = config(&server);
    let opened = futures_util::future::join_all((0..4).map(|_| runnel_runtime::migrate(&config))).await;
    let applied: usize = opened.into_iter().map(|names| names.expect("migrated").len()).sum();
    assert_eq!(applied, 1);
    let store = open(&config).await;
    assert!(store.read().begin().await.is_ok_and(|_| true));
    assert!(store.read().execute_unprepared("DELETE FROM namespace").await.is_err(), "reads cannot write");
}
