//! The reads against both databases.

use runnel_engine::TaskIx;
use runnel_engine::run::TaskStatus;
use runnel_engine::source::Format;
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, Database, EntityTrait, QueryFilter, QueryTrait, Statement, TransactionTrait};

use super::owned::is_own;
use super::sample::{NOW, Sample, actor, events, log, run, run_id, task, worker};
use super::{events as feed, logs, runs, tasks, workflows};
use crate::orchestrator::PublishRequest;
use crate::store::Store;
use crate::view::{EventFilter, FeedCursor, PageRequest, RunFilter, RunOrder, TaskFilter};
use crate::workflows::{Lookup, Versions, publish};

const FLOW: &str =
    "id: flow\ntasks:\n  a: { type: http, input: { url: 'http://x' } }\n  b: { run: echo, needs: [a] }\n";

fn first<C>(first: u32, after: Option<C>) -> PageRequest<C> {
    PageRequest { first, after }
}

/// Runs a check on both databases.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Sample::sqlite().await.unwrap()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Sample::postgres().await.unwrap()).await;
            })*
        }
    };
}

on_both!(
    publishing_numbers_versions,
    a_run_is_looked_up_by_its_key,
    a_reader_of_one_run_begins_at_its_cursor,
    runs_are_listed_by_keyset,
    tasks_say_what_they_wait_for,
    events_are_unpacked_and_resumed,
    a_scan_advances_past_what_it_filters_out,
    logs_are_read_from_a_cursor,
);

async fn publishing_numbers_versions(sample: Sample) {
    let reads = &sample.reads;
    let one = sample.publish(FLOW).await.unwrap();
    let same = sample.publish(&format!("# a comment\n{FLOW}")).await.unwrap();
    assert_eq!(
        (one.is_new, same.is_new, same.version.id == one.version.id),
        (true, false, true)
    );
    let changed = FLOW.replace("echo", "date");
    let request = PublishRequest {
        source: changed.clone(),
        format: Format::Yaml,
        is_dry_run: true,
    };
    let dry = publish(reads, &sample.actor, request).await.expect("checked");
    assert_eq!((dry.is_new, dry.version.number), (true, 2));
    let found = workflows::find(reads, &sample.actor, "flow")
        .await
        .expect("read")
        .expect("exists");
    assert_eq!(found.latest_version, 1, "a dry run stores nothing");

    // publishers at the same time get different numbers without a gap
    let sources: Vec<String> = (0..6)
        .map(|n| FLOW.replace("echo", &format!("echo {n}")))
        .collect();
    let published = sources.iter().map(|source| sample.publish(source));
    let mut numbers: Vec<i32> = futures_util::future::join_all(published)
        .await
        .iter()
        .map(|p| p.as_ref().unwrap().version.number)
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3, 4, 5, 6, 7]);
    let page = workflows::list_versions(reads, &sample.actor, one.workflow.id, first(3, None).into())
        .await
        .expect("read");
    assert_eq!(page.items.iter().map(|v| v.number).collect::<Vec<_>>(), [7, 6, 5]);
    assert!(page.has_next);
    let other = workflows::list_versions(reads, &actor("other"), one.workflow.id, first(3, None).into())
        .await
        .expect("read");
    assert!(other.items.is_empty(), "another namespace sees nothing");

    // another replica sees the newest version at once, and an old one by number
    let replica = Versions::new(reads.store.clone());
    let latest = |found| match found {
        Lookup::Found(version) => version.number,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        latest(replica.find("default", "flow", None).await.expect("read")),
        7
    );
    sample.publish(&changed).await.unwrap();
    assert_eq!(
        latest(replica.find("default", "flow", None).await.expect("read")),
        8
    );
    assert_eq!(
        latest(replica.find("default", "flow", Some(2)).await.expect("read")),
        2
    );
    let missing = replica.find("default", "flow", Some(9)).await.expect("read");
    assert!(matches!(missing, Lookup::UnknownVersion { latest: 8 }));
    assert!(matches!(
        replica.find("other", "flow", None).await.expect("read"),
        Lookup::UnknownWorkflow
    ));
    let keys = workflows::upstream_keys(reads, &sample.actor, one.version.id)
        .await
        .expect("read");
    assert_eq!(*keys, [vec![], vec!["a".to_owned()]]);
}

/// In a database without statistics, as every new one is.
async fn a_run_is_looked_up_by_its_key(sample: Sample) {
    let store = &sample.reads.store;
    let by_key = runnel_entity::run::Entity::find()
        .filter(runnel_entity::run::Column::Id.eq(run_id(1).0))
        .filter(is_own(&sample.actor))
        .build(store.backend().into());
    let plan = plan_of(store, by_key).await;
    let key = store.backend().pick("run_pkey", "sqlite_autoindex_run_1");
    assert!(plan.contains(key), "{plan}");
}

/// Also in a database without statistics; what lies before the cursor, or belongs to other runs, is not read.
async fn a_reader_of_one_run_begins_at_its_cursor(sample: Sample) {
    let store = &sample.reads.store;
    let one = EventFilter {
        run: Some(run_id(1)),
        ..EventFilter::default()
    };
    let statement = feed::feed_rows(
        store.backend(),
        &sample.actor,
        &one,
        FeedCursor::default(),
        true,
        10,
    );
    let plan = plan_of(store, statement).await;
    let step = store.backend().pick(
        "Index Cond: ((run_id = ",
        "SEARCH event USING INDEX event_seq (run_id=? AND first_seq>?)",
    );
    assert!(plan.contains(step), "{plan}");
    assert!(
        store.backend().pick(plan.contains("AND (first_seq >= "), true),
        "{plan}"
    );
}

async fn plan_of(store: &Store, statement: Statement) -> String {
    let explain = store.backend().pick("EXPLAIN", "EXPLAIN QUERY PLAN");
    let statement = Statement {
        sql: format!("{explain} {}", statement.sql),
        ..statement
    };
    let column = store.backend().pick(0, 3);
    let steps = store.rows("explain", statement, |row| row.try_get_by_index::<String>(column));
    steps.await.expect("explained").join("\n")
}

#[tokio::test]
async fn runs_that_are_asked_for_at_once_are_read_together() {
    let sample = Sample::sqlite().await.unwrap();
    let published = sample.publish(FLOW).await.unwrap();
    let mut rows: Vec<_> = (1..=20).map(|n| run(n, &published)).collect();
    rows[4].namespace = Set("other".to_owned());
    sample.insert(rows).await.unwrap();
    let before = sample.reads.store.statements();
    let questions = (1..=20).map(|n| sample.reads.run_together(&sample.actor, run_id(n)));
    let answers = futures_util::future::join_all(questions).await;
    assert_eq!(sample.reads.store.statements() - before, 1);
    for (n, answer) in (1..).zip(answers) {
        let found = answer.expect("read").map(|run| run.id);
        assert_eq!(found, (n != 5).then(|| run_id(n)), "5 is in another namespace");
    }
}

async fn runs_are_listed_by_keyset(sample: Sample) {
    let published = sample.publish(FLOW).await.unwrap();
    let mut rows: Vec<_> = (1..=5).map(|n| run(n, &published)).collect();
    // two of the same moment: the id decides
    rows[3].created_at = Set(NOW + 3_000_000);
    rows[1].tags = Set(r#"["red","a\"b","x,","y","]"]"#.to_owned());
    rows[4].namespace = Set("other".to_owned());
    sample.insert(rows).await.unwrap();
    let list = |filter: RunFilter, order, page: PageRequest<(i64, runnel_engine::RunId)>| {
        let reads = &sample.reads;
        runs::list(
            reads,
            &sample.actor,
            filter,
            order,
            page.into(),
            tasks::Payloads::Read,
        )
    };
    let all = |order, page| list(RunFilter::default(), order, page);

    let page = all(RunOrder::default(), first(2, None)).await.expect("read");
    assert_eq!(
        page.items.iter().map(|run| run.id).collect::<Vec<_>>(),
        [run_id(4), run_id(3)]
    );
    assert_eq!((page.has_next, page.has_previous), (true, false));
    let last = page.items.last().expect("an item");
    let page = all(RunOrder::default(), first(2, Some((last.created_at.0, last.id))))
        .await
        .expect("read");
    assert_eq!(
        page.items.iter().map(|run| run.id).collect::<Vec<_>>(),
        [run_id(2), run_id(1)]
    );
    assert_eq!((page.has_next, page.has_previous), (false, true));
    let page = all(
        RunOrder {
            is_descending: false,
            ..RunOrder::default()
        },
        first(9, Some((NOW + 3_000_000, run_id(3)))),
    )
    .await
    .expect("read");
    assert_eq!(
        page.items.iter().map(|run| run.id).collect::<Vec<_>>(),
        [run_id(4)]
    );
    runs_are_filtered(&sample).await;
}

async fn runs_are_filtered(sample: &Sample) {
    let list = |filter: RunFilter| {
        runs::list(
            &sample.reads,
            &sample.actor,
            filter,
            RunOrder::default(),
            first(9, None).into(),
            tasks::Payloads::Read,
        )
    };
    for (tag, found) in [
        ("red", 1),
        ("a\"b", 1),
        ("b", 0),
        ("re", 0),
        ("%", 0),
        ("x,", 1),
        (",", 0),
        ("]", 1),
    ] {
        let filter = RunFilter {
            tag: Some(tag.to_owned()),
            ..RunFilter::default()
        };
        let page = list(filter).await.expect("read");
        assert_eq!(page.items.len(), found, "{tag}");
    }
    for (key, found) in [("flow", 4), ("flo", 0)] {
        let filter = RunFilter {
            workflow_key: Some(key.to_owned()),
            ..RunFilter::default()
        };
        let page = list(filter).await.expect("read");
        assert_eq!(page.items.len(), found, "{key}");
    }
    let found = runs::by_id(
        &sample.reads,
        &sample.actor,
        &[run_id(1), run_id(5)],
        tasks::Payloads::Left,
    )
    .await
    .expect("read");
    assert_eq!(
        found.keys().copied().collect::<Vec<_>>(),
        [run_id(1)],
        "the other one is of another namespace"
    );
}

async fn tasks_say_what_they_wait_for(sample: Sample) {
    let published = sample.publish(FLOW).await.unwrap();
    sample.insert(vec![run(1, &published)]).await.unwrap();
    let item = task(run_id(1), 2, "a[x]", "http", TaskStatus::Queued);
    let mut item = item;
    item.template = Set(0);
    sample
        .insert(vec![
            task(run_id(1), 0, "a", "http", TaskStatus::Queued),
            task(run_id(1), 1, "b", "shell", TaskStatus::Queued),
            item,
        ])
        .await
        .unwrap();
    let reads = &sample.reads;
    let waits = |page: &[crate::view::TaskView]| page.iter().map(|task| task.waiting_for).collect::<Vec<_>>();
    let all = || {
        tasks::list(
            reads,
            &sample.actor,
            run_id(1),
            TaskFilter::default(),
            first(9, None).into(),
            tasks::Payloads::Read,
        )
    };

    // a built-in worker runs `shell`; nobody runs `http` yet
    assert_eq!(
        waits(&all().await.expect("read").items),
        [Some("NO_WORKER"), Some("QUEUED"), Some("NO_WORKER")]
    );
    sample
        .insert(vec![worker("w1", r#"["http"]"#, NOW)])
        .await
        .unwrap();
    assert_eq!(waits(&all().await.expect("read").items), [Some("QUEUED"); 3]);
    sample
        .clock
        .advance(super::workers::WORKER_SEEN_WITHIN + std::time::Duration::from_secs(1));
    assert_eq!(
        waits(&all().await.expect("read").items)[0],
        Some("NO_WORKER"),
        "silent for too long"
    );
    tasks_are_found_by_key(&sample).await;

    // a page costs the same number of statements whatever it holds
    let before = reads.store.statements();
    all().await.expect("read");
    assert_eq!(reads.store.statements() - before, 3);
}

async fn tasks_are_found_by_key(sample: &Sample) {
    let reads = &sample.reads;
    let found = tasks::find(reads, &sample.actor, run_id(1), "a[x]")
        .await
        .expect("read")
        .expect("an item");
    assert_eq!((found.ix, found.template), (TaskIx(2), TaskIx(0)));
    let found = tasks::find(reads, &sample.actor, run_id(1), "b")
        .await
        .expect("read")
        .expect("a task");
    assert_eq!(found.ix, TaskIx(1));
    assert!(
        tasks::find(reads, &sample.actor, run_id(1), "c")
            .await
            .expect("read")
            .is_none()
    );
    assert!(
        tasks::find(reads, &actor("other"), run_id(1), "a")
            .await
            .expect("read")
            .is_none()
    );
    let filter = TaskFilter {
        key_prefix: Some("a".to_owned()),
        ..TaskFilter::default()
    };
    let page = tasks::list(
        reads,
        &sample.actor,
        run_id(1),
        filter,
        first(1, None).into(),
        tasks::Payloads::Left,
    )
    .await
    .expect("read");
    assert_eq!((page.items[0].key.as_str(), page.has_next), ("a", true));
}

async fn events_are_unpacked_and_resumed(sample: Sample) {
    for row in [
        events("default", run_id(1), 1..=3).unwrap(),
        events("default", run_id(2), 1..=1).unwrap(),
        events("other", run_id(3), 1..=2).unwrap(),
        events("default", run_id(1), 4..=5).unwrap(),
    ] {
        sample.insert(vec![row]).await.unwrap();
    }
    let reads = &sample.reads;
    // every place of a run is a place to resume at
    for after in 0..=5 {
        let page = feed::of_run(reads, &sample.actor, run_id(1), first(2, Some(after)))
            .await
            .expect("read");
        let seqs: Vec<i64> = page.items.iter().map(|event| event.record.seq).collect();
        assert_eq!(seqs, (after + 1..=5).take(2).collect::<Vec<_>>());
        assert_eq!(page.has_next, after < 3, "after {after}");
    }
    assert!(
        feed::of_run(reads, &actor("other"), run_id(1), first(2, None))
            .await
            .expect("read")
            .items
            .is_empty()
    );

    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = feed::list(reads, &sample.actor, EventFilter::default(), first(2, cursor))
            .await
            .expect("read");
        seen.extend(page.items.iter().map(|event| (event.run_id, event.record.seq)));
        cursor = page.items.last().map(|event| event.cursor);
        if !page.has_next {
            break;
        }
    }
    let expected = [(1, 1), (1, 2), (1, 3), (2, 1), (1, 4), (1, 5)];
    assert_eq!(seen, expected.map(|(n, seq)| (run_id(n), seq)));
    assert_eq!(feed::head(reads).await.expect("read"), cursor.expect("a place"));

    let of_one = EventFilter {
        run: Some(run_id(1)),
        task_key: Some("t4".to_owned()),
        kind_in: None,
        ..EventFilter::default()
    };
    let page = feed::list(reads, &sample.actor, of_one, first(9, None))
        .await
        .expect("read");
    assert_eq!(
        page.items
            .iter()
            .map(|event| event.record.seq)
            .collect::<Vec<_>>(),
        [4]
    );
}

async fn a_scan_advances_past_what_it_filters_out(sample: Sample) {
    // more rows than one call looks at, and none that passes
    let rows = (1..=1_200)
        .map(|n| events("other", run_id(n), 1..=1).unwrap())
        .collect();
    sample.insert(rows).await.unwrap();
    sample
        .insert(vec![events("default", run_id(2_000), 1..=1).unwrap()])
        .await
        .unwrap();
    let filter = EventFilter::default();
    let scan = |cursor| feed::scan(&sample.reads, &sample.actor, &filter, first(9, cursor));
    let page = scan(None).await.expect("read");
    assert!(page.items.is_empty() && page.has_next && page.scanned_to > Some(FeedCursor::default()));
    let page = scan(page.scanned_to).await.expect("read");
    assert_eq!((page.items.len(), page.has_next), (1, false));
    let end = page.scanned_to;
    let page = scan(end).await.expect("read");
    assert!(page.items.is_empty() && !page.has_next && page.scanned_to == end);
}

async fn logs_are_read_from_a_cursor(sample: Sample) {
    let published = sample.publish(FLOW).await.unwrap();
    sample.insert(vec![run(1, &published)]).await.unwrap();
    sample
        .insert(vec![
            log(run_id(1), 0, 1, "one"),
            log(run_id(1), 1, 1, "no"),
            log(run_id(1), 0, 2, "two"),
        ])
        .await
        .unwrap();
    let read =
        |attempt, page| logs::of_task(&sample.reads, &sample.actor, run_id(1), TaskIx(0), attempt, page);
    let page = read(None, first(1, None)).await.expect("read");
    assert_eq!(
        (page.items[0].lines[0].text.as_str(), page.has_next),
        ("one", true)
    );
    let page = read(None, first(9, Some(page.items[0].cursor)))
        .await
        .expect("read");
    assert_eq!(
        (page.items[0].lines[0].text.as_str(), page.items.len()),
        ("two", 1)
    );
    assert_eq!(read(Some(2), first(9, None)).await.expect("read").items.len(), 1);
    let other = logs::of_task(
        &sample.reads,
        &actor("other"),
        run_id(1),
        TaskIx(0),
        None,
        first(9, None),
    )
    .await;
    assert!(other.expect("read").items.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_waits_for_older_transactions_and_keeps_runs_in_order() {
    let sample = Sample::postgres().await.unwrap();
    let other = Database::connect(&sample.url).await.expect("connects");
    let insert = runnel_entity::event::Entity::insert;
    let seen = || async {
        let page = feed::list(
            &sample.reads,
            &sample.actor,
            EventFilter::default(),
            first(99, None),
        )
        .await;
        page.expect("read")
            .items
            .iter()
            .map(|event| (event.run_id, event.record.seq))
            .collect::<Vec<_>>()
    };
    // an older transaction writes run 1, and later goes on with run 2, which a younger one has written meanwhile
    let older = other.begin().await.expect("begun");
    insert(events("default", run_id(1), 1..=1).unwrap())
        .exec_without_returning(&older)
        .await
        .expect("inserted");
    sample
        .insert(vec![events("default", run_id(2), 1..=1).unwrap()])
        .await
        .unwrap();
    assert_eq!(
        seen().await,
        [],
        "what the older one writes would appear behind the cursor"
    );
    insert(events("default", run_id(2), 2..=2).unwrap())
        .exec_without_returning(&older)
        .await
        .expect("inserted");
    older.commit().await.expect("committed");
    assert_eq!(
        seen().await,
        [(1, 1), (2, 1), (2, 2)].map(|(n, seq)| (run_id(n), seq))
    );
}
