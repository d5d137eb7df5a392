//! Schedules on real databases: what is due fires once, whatever restarts, races and jumps.

use std::time::Duration;

use anyhow::Context as _;
use runnel_engine::run::{CancelMode, RunStatus};
use runnel_engine::schedule::{CatchUp, Overlap, Policy, Spec, When};
use runnel_engine::trigger::TriggerKind;
use runnel_engine::{RunId, Timestamp};
use runnel_runtime::schedule::{
    BackfillRequest, BackfillStatus, NewSchedule, OutcomeFilter, OutcomeStatus, OutcomeView, ScheduleError,
    ScheduleView, StartWhen,
};
use runnel_runtime::view::{PageRequest, RunFilter, RunOrder, RunView};
use runnel_runtime::{Clock as _, OnConflict, StartError, StartRequest};
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::ScriptedWorker;
use runnel_tests::stack::Stack;
use serde_json::{Map, Value, json};
use uuid::Uuid;

runnel_tests::on_both_databases!(
    a_schedule_fires_at_its_time_and_the_run_knows_it,
    replicas_that_race_fire_each_time_once,
    after_downtime_the_catch_up_decides,
    while_a_run_goes_on_the_overlap_policy_decides,
    cancel_other_starts_the_newest_when_the_run_has_ended,
    a_schedule_is_paused_after_failures_in_a_row,
    a_paused_schedule_makes_up_for_nothing,
    the_triggers_of_a_file_are_schedules_and_survive_a_new_version,
    a_backfill_runs_a_range_with_its_own_limit,
    a_start_with_a_delay_takes_place_once,
    a_start_that_meets_its_key_does_as_it_was_told,
    what_cannot_be_a_schedule_is_refused,
);

const HOUR: Duration = Duration::from_secs(3_600);

/// A workflow that ends by itself.
fn instant() -> Value {
    let mut file = workflow(
        "report",
        json!({ "only": { "type": "pass", "input": { "day": "${{ inputs.day }}" } } }),
    );
    file["inputs"] = json!({ "day": { "type": "string", "default": "${{ run.scheduled_at.date() }}" } });
    file["outputs"] = json!({ "day": "${{ tasks.only.output.day }}" });
    file
}

/// A workflow that ends when a scripted worker says so.
fn held() -> Value {
    workflow("held", json!({ "only": { "type": "scripted" } }))
}

fn hourly(key: &str, workflow: &str, policy: Policy) -> NewSchedule {
    NewSchedule {
        key: key.to_owned(),
        workflow: workflow.to_owned(),
        version: None,
        spec: Spec {
            when: When::Every {
                every_ms: 3_600_000,
                anchor: Timestamp(0),
            },
            start_at: None,
            end_at: None,
            jitter_ms: 0,
        },
        policy,
        inputs: Map::new(),
        priority: None,
        tags: vec!["hourly".to_owned()],
        is_paused: false,
    }
}

fn policy(overlap: Overlap, catch_up: CatchUp) -> Policy {
    Policy {
        overlap,
        catch_up,
        ..Policy::default()
    }
}

async fn scheduled(cluster: &Cluster, new: NewSchedule) -> anyhow::Result<ScheduleView> {
    let (schedule, is_new) = cluster
        .orchestrator()
        .create_schedule(&cluster.actor, new)
        .await?;
    anyhow::ensure!(is_new, "the schedule was there");
    Ok(schedule)
}

/// Says again that the scripted worker is there: one that was not heard of for a minute and a half is gone.
async fn awake(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.scripted("scripted-1", &["scripted"]).await.map(drop)
}

/// Moves to just after the next full hour, and waits until all that is due was done.
async fn next_hour(cluster: &Cluster) -> Timestamp {
    let now = cluster.clock.now();
    let hour = Timestamp((now.0.div_euclid(3_600_000_000) + 1) * 3_600_000_000);
    cluster.clock.advance(hour.since(now) + Duration::from_millis(1));
    for replica in &cluster.replicas {
        replica.settle().await;
    }
    hour
}

async fn outcomes(cluster: &Cluster, owner: Uuid) -> anyhow::Result<Vec<OutcomeView>> {
    let filter = OutcomeFilter {
        owner: Some(owner),
        status_in: None,
    };
    let page = PageRequest {
        first: 200,
        after: None,
    };
    let mut page = cluster
        .orchestrator()
        .list_outcomes(&cluster.actor, filter, page)
        .await?
        .items;
    page.reverse();
    Ok(page)
}

async fn statuses(cluster: &Cluster, owner: Uuid) -> anyhow::Result<Vec<OutcomeStatus>> {
    Ok(outcomes(cluster, owner)
        .await?
        .into_iter()
        .map(|outcome| outcome.status)
        .collect())
}

async fn runs(cluster: &Cluster) -> anyhow::Result<Vec<RunView>> {
    let page = PageRequest {
        first: 200,
        after: None,
    };
    let listed = cluster
        .orchestrator()
        .list_runs(
            &cluster.actor,
            RunFilter::default(),
            RunOrder {
                is_descending: false,
                ..RunOrder::default()
            },
            page,
        )
        .await?;
    Ok(listed.items)
}

async fn schedule(cluster: &Cluster, id: Uuid) -> anyhow::Result<ScheduleView> {
    let found = cluster.orchestrator().find_schedule(&cluster.actor, id).await?;
    found.context("the schedule is gone")
}

fn run_of(outcome: &OutcomeView) -> anyhow::Result<RunId> {
    outcome.run.with_context(|| format!("no run: {outcome:?}"))
}

/// Ends a run: its attempt, and whatever comes before it. What waited for an hour was sent a second time.
async fn end_next(cluster: &Cluster, worker: &ScriptedWorker, run: RunId) -> anyhow::Result<()> {
    while worker
        .succeed_next(1)
        .await?
        .iter()
        .all(|held| held.at().run != run.0)
    {}
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.orchestrator().settle().await;
    Ok(())
}

async fn a_schedule_fires_at_its_time_and_the_run_knows_it(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    cluster.publish(&instant().to_string()).await?;
    let mut new = hourly("reports", "report", Policy::default());
    new.spec.when = When::Cron {
        expression: "0 * * * *".to_owned(),
        timezone: "Asia/Kolkata".to_owned(),
    };
    let made = scheduled(&cluster, new.clone()).await?;
    let (again, is_new) = cluster
        .orchestrator()
        .create_schedule(&cluster.actor, new)
        .await?;
    assert_eq!((again.id, is_new), (made.id, false), "the same again is the same");
    cluster.orchestrator().settle().await;
    assert_eq!(statuses(&cluster, made.id).await?, [], "nothing before its time");

    // full hours of Kolkata are half past in UTC
    next_hour(&cluster).await;
    cluster.clock.advance(HOUR / 2);
    cluster.orchestrator().settle().await;
    let listed = outcomes(&cluster, made.id).await?;
    let fired = listed.last().context("it fired")?;
    assert_eq!(
        (fired.status, fired.kind),
        (OutcomeStatus::Started, TriggerKind::Schedule)
    );
    let nominal = fired.nominal_at.context("a nominal time")?;
    assert_eq!(nominal.0.rem_euclid(3_600_000_000), 1_800_000_000);
    let run = cluster.ends(run_of(fired)?, RunStatus::Succeeded).await?;
    let trigger = run.trigger.context("the run knows what started it")?;
    let scheduled_at = trigger.scheduled_at.context("a time")?;
    assert!(scheduled_at.ends_with(":00:00+05:30"), "{scheduled_at}");
    assert_eq!(
        run.outputs.as_deref(),
        Some(format!(r#"{{"day":"{}"}}"#, &scheduled_at[..10]).as_str())
    );
    assert_eq!(run.created_by, "schedule:reports");
    assert!(run.tags.contains(&"hourly".to_owned()));
    assert!(
        run.idempotency_key
            .is_some_and(|key| key.starts_with(&format!("schedule/{}/", made.id)))
    );
    cluster.finish().await
}

async fn replicas_that_race_fire_each_time_once(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    // two replicas on one SQLite file are two processes that write one file: legal, if not usual
    cluster.add_replica().await?;
    cluster.add_replica().await?;
    cluster.publish(&instant().to_string()).await?;
    let mut ids = Vec::new();
    for n in 0..5 {
        let new = hourly(
            &format!("racing-{n}"),
            "report",
            policy(Overlap::Allow, CatchUp::All),
        );
        ids.push(scheduled(&cluster, new).await?.id);
    }
    for _ in 0..4 {
        next_hour(&cluster).await;
    }
    for id in &ids {
        let listed = outcomes(&cluster, *id).await?;
        let times: std::collections::BTreeSet<_> = listed.iter().filter_map(|o| o.nominal_at).collect();
        assert_eq!((listed.len(), times.len()), (4, 4), "{listed:#?}");
        assert!(
            listed.iter().all(|o| o.status == OutcomeStatus::Started),
            "{listed:#?}"
        );
    }
    assert_eq!(runs(&cluster).await?.len(), 20);
    cluster.finish().await
}

async fn after_downtime_the_catch_up_decides(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    cluster.publish(&instant().to_string()).await?;
    let mut ids = Vec::new();
    for (key, catch_up) in [
        ("none", CatchUp::None),
        ("latest", CatchUp::Latest),
        ("all", CatchUp::All),
    ] {
        ids.push(
            scheduled(&cluster, hourly(key, "report", policy(Overlap::Allow, catch_up)))
                .await?
                .id,
        );
    }
    next_hour(&cluster).await;
    for replica in cluster.replicas.drain(..) {
        replica.stop(Duration::from_secs(10)).await;
    }
    // five full hours pass, and half of the sixth
    cluster.clock.advance(HOUR * 5 + HOUR / 2);
    cluster.add_replica().await?;
    cluster.orchestrator().settle().await;
    let mut counts = Vec::new();
    for id in &ids {
        let listed = outcomes(&cluster, *id).await?;
        let started = listed
            .iter()
            .filter(|o| o.status == OutcomeStatus::Started)
            .count();
        let missed: Vec<_> = listed
            .iter()
            .filter(|o| o.reason.as_deref() == Some("MISSED"))
            .collect();
        let detail = missed.first().and_then(|o| o.detail.clone()).unwrap_or_default();
        counts.push((started, detail.split(' ').next().unwrap_or_default().to_owned()));
    }
    // each fired once before the end
    assert_eq!(
        counts,
        [(1, "5".to_owned()), (2, "4".to_owned()), (6, String::new())]
    );
    cluster.finish().await
}

async fn while_a_run_goes_on_the_overlap_policy_decides(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    cluster.publish(&held().to_string()).await?;
    let skips = scheduled(
        &cluster,
        hourly("skips", "held", policy(Overlap::Skip, CatchUp::Latest)),
    )
    .await?;
    next_hour(&cluster).await;
    awake(&cluster).await?;
    next_hour(&cluster).await;
    awake(&cluster).await?;
    let listed = outcomes(&cluster, skips.id).await?;
    assert_eq!(listed[1].reason.as_deref(), Some("OVERLAP"));
    end_next(&cluster, &worker, run_of(&listed[0])?).await?;
    next_hour(&cluster).await;
    awake(&cluster).await?;
    use OutcomeStatus::{Buffered, Skipped, Started};
    assert_eq!(statuses(&cluster, skips.id).await?, [Started, Skipped, Started]);
    let third = run_of(&outcomes(&cluster, skips.id).await?[2])?;
    end_next(&cluster, &worker, third).await?;
    cluster
        .orchestrator()
        .delete_schedule(&cluster.actor, skips.id)
        .await?;

    let waits = scheduled(
        &cluster,
        hourly("waits", "held", policy(Overlap::BufferOne, CatchUp::Latest)),
    )
    .await?;
    for _ in 0..3 {
        next_hour(&cluster).await;
        awake(&cluster).await?;
    }
    assert_eq!(statuses(&cluster, waits.id).await?, [Started, Buffered, Skipped]);
    assert_eq!(schedule(&cluster, waits.id).await?.buffered.len(), 1);
    // the end of the run starts what waited, without waiting for the next time
    let first = run_of(&outcomes(&cluster, waits.id).await?[0])?;
    end_next(&cluster, &worker, first).await?;
    assert_eq!(statuses(&cluster, waits.id).await?, [Started, Started, Skipped]);
    let second = run_of(&outcomes(&cluster, waits.id).await?[1])?;
    end_next(&cluster, &worker, second).await?;
    assert!(schedule(&cluster, waits.id).await?.buffered.is_empty());
    cluster.finish().await
}

async fn cancel_other_starts_the_newest_when_the_run_has_ended(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    cluster.publish(&held().to_string()).await?;
    let made = scheduled(
        &cluster,
        hourly("fresh", "held", policy(Overlap::CancelOther, CatchUp::Latest)),
    )
    .await?;
    next_hour(&cluster).await;
    awake(&cluster).await?;
    let first = run_of(&outcomes(&cluster, made.id).await?[0])?;
    let taken = worker.take(1).await?;
    next_hour(&cluster).await;
    awake(&cluster).await?;
    // the attempt does not answer: its grace ends it
    cluster.clock.advance(Duration::from_secs(31));
    cluster.ends(first, RunStatus::Cancelled).await?;
    cluster.orchestrator().settle().await;
    let listed = outcomes(&cluster, made.id).await?;
    assert_eq!(
        listed.iter().map(|o| o.status).collect::<Vec<_>>(),
        [OutcomeStatus::Started, OutcomeStatus::Started]
    );
    worker.delete(&taken).await?;
    end_next(&cluster, &worker, run_of(&listed[1])?).await?;
    assert_eq!(
        schedule(&cluster, made.id).await?.failures,
        0,
        "a cancel is no failure"
    );
    cluster.finish().await
}

async fn a_schedule_is_paused_after_failures_in_a_row(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let file = workflow(
        "broken",
        json!({ "only": { "type": "eval", "input": { "x": "${{ int('x') }}" } } }),
    );
    cluster.publish(&file.to_string()).await?;
    let pausing = Policy {
        pause_after: Some(2),
        ..Policy::default()
    };
    let made = scheduled(&cluster, hourly("broken", "broken", pausing)).await?;
    for _ in 0..4 {
        next_hour(&cluster).await;
    }
    let now = schedule(&cluster, made.id).await?;
    assert!(now.is_paused, "{now:?}");
    assert_eq!(
        now.pause_reason.as_deref(),
        Some("2 runs in a row did not succeed")
    );
    assert_eq!(runs(&cluster).await?.len(), 2);
    let resumed = cluster
        .orchestrator()
        .resume_schedule(&cluster.actor, made.id)
        .await?;
    assert_eq!((resumed.is_paused, resumed.failures), (false, 0));
    next_hour(&cluster).await;
    assert_eq!(runs(&cluster).await?.len(), 3);
    cluster.finish().await
}

async fn a_paused_schedule_makes_up_for_nothing(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    cluster.publish(&instant().to_string()).await?;
    let made = scheduled(
        &cluster,
        hourly("paused", "report", policy(Overlap::Allow, CatchUp::All)),
    )
    .await?;
    let orchestrator = cluster.orchestrator();
    let paused = orchestrator
        .pause_schedule(&cluster.actor, made.id, Some("holidays".to_owned()))
        .await?;
    assert_eq!(paused.pause_reason.as_deref(), Some("holidays"));
    next_hour(&cluster).await;
    next_hour(&cluster).await;
    orchestrator.resume_schedule(&cluster.actor, made.id).await?;
    orchestrator.settle().await;
    assert_eq!(statuses(&cluster, made.id).await?, []);
    // now, beside its times, twice under one key
    for _ in 0..2 {
        let now = orchestrator
            .trigger_schedule(&cluster.actor, made.id, Some("k".to_owned()))
            .await?;
        cluster.ends(run_of(&now)?, RunStatus::Succeeded).await?;
    }
    assert_eq!(
        statuses(&cluster, made.id).await?,
        [OutcomeStatus::Started, OutcomeStatus::Deduped]
    );
    next_hour(&cluster).await;
    assert_eq!(runs(&cluster).await?.len(), 2);
    cluster.finish().await
}

async fn the_triggers_of_a_file_are_schedules_and_survive_a_new_version(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let orchestrator = cluster.orchestrator();
    let mut file = instant();
    file["triggers"] = json!([
        { "name": "hourly", "every": "1h", "inputs": { "day": "${{ run.scheduled_at }}" } },
        { "schedule": "0 2 * * *", "timezone": "Europe/Madrid" },
    ]);
    cluster.publish(&file.to_string()).await?;
    let page = || PageRequest {
        first: 50,
        after: None,
    };
    let listed = orchestrator
        .list_schedules(&cluster.actor, Some("report"), page())
        .await?;
    assert_eq!(listed.items.len(), 2);
    let found = orchestrator
        .find_schedule_by_key(&cluster.actor, "report/hourly")
        .await?
        .context("by its key")?;
    let refused = orchestrator.delete_schedule(&cluster.actor, found.id).await;
    assert!(
        matches!(refused, Err(ScheduleError::OwnedByFile { .. })),
        "{refused:?}"
    );
    orchestrator
        .pause_schedule(&cluster.actor, found.id, None)
        .await?;

    file["triggers"] = json!([{ "name": "hourly", "every": "2h" }]);
    cluster.publish(&file.to_string()).await?;
    let listed = orchestrator.list_schedules(&cluster.actor, None, page()).await?;
    assert_eq!(listed.items.len(), 1, "what the file no longer has goes");
    let kept = &listed.items[0];
    assert_eq!(
        (kept.id, kept.is_paused),
        (found.id, true),
        "what was paused stays paused"
    );
    assert!(matches!(
        kept.spec.when,
        When::Every {
            every_ms: 7_200_000,
            ..
        }
    ));
    orchestrator.resume_schedule(&cluster.actor, found.id).await?;
    next_hour(&cluster).await;
    next_hour(&cluster).await;
    assert_eq!(runs(&cluster).await?.len(), 1, "every two hours");
    cluster.finish().await
}

async fn a_backfill_runs_a_range_with_its_own_limit(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    cluster.publish(&held().to_string()).await?;
    let made = scheduled(&cluster, hourly("past", "held", Policy::default())).await?;
    let orchestrator = cluster.orchestrator();
    orchestrator.pause_schedule(&cluster.actor, made.id, None).await?;
    let hour = |n: i64| {
        Timestamp(1_700_000_000_000_000_i64.div_euclid(3_600_000_000) * 3_600_000_000 + n * 3_600_000_000)
    };
    let mut request = BackfillRequest {
        from: hour(0),
        until: hour(5),
        max_parallel: 2,
        is_dry_run: true,
    };
    let counted = orchestrator
        .backfill_schedule(&cluster.actor, made.id, &request)
        .await?;
    assert_eq!(counted.total, 5);
    orchestrator.settle().await;
    assert!(runs(&cluster).await?.is_empty(), "a dry run starts nothing");

    request.is_dry_run = false;
    let backfill = orchestrator
        .backfill_schedule(&cluster.actor, made.id, &request)
        .await?;
    orchestrator.settle().await;
    for ended in 0..5_usize {
        let all = runs(&cluster).await?;
        let live: Vec<_> = all.iter().filter(|run| !run.status.is_terminal()).collect();
        assert!(live.len() <= 2, "{} at once", live.len());
        assert_eq!(live.len(), (5 - ended).min(2));
        let first = worker.succeed_next(1).await?;
        cluster
            .ends(RunId(first[0].at().run), RunStatus::Succeeded)
            .await?;
        orchestrator.settle().await;
    }
    let done = orchestrator
        .find_backfill(&cluster.actor, backfill.id)
        .await?
        .context("kept")?;
    assert_eq!((done.status, done.begun), (BackfillStatus::Done, 5));
    // the same range again: every time has had its run
    let again = orchestrator
        .backfill_schedule(&cluster.actor, made.id, &request)
        .await?;
    orchestrator.settle().await;
    assert_eq!(runs(&cluster).await?.len(), 5);
    let again = orchestrator
        .find_backfill(&cluster.actor, again.id)
        .await?
        .context("kept")?;
    assert_eq!(again.status, BackfillStatus::Done);
    cluster.finish().await
}

fn request(key: &str, day: &str) -> StartRequest {
    StartRequest {
        workflow: "report".to_owned(),
        inputs: Map::from_iter([("day".to_owned(), Value::from(day))]),
        idempotency_key: Some(key.to_owned()),
        ..StartRequest::default()
    }
}

async fn a_start_with_a_delay_takes_place_once(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    cluster.publish(&instant().to_string()).await?;
    let orchestrator = cluster.orchestrator();
    let when = StartWhen::Delay(HOUR);
    // what looks like an expression stays a text
    let later = orchestrator
        .start_later(&cluster.actor, request("k", "${{ x }}"), when)
        .await?;
    let again = orchestrator
        .start_later(&cluster.actor, request("k", "${{ x }}"), when)
        .await?;
    assert_eq!((again.schedule.id, again.is_replay), (later.schedule.id, true));
    let other = orchestrator
        .start_later(&cluster.actor, request("k", "y"), when)
        .await;
    assert!(
        matches!(other, Err(StartError::DelayedConflict { .. })),
        "{other:?}"
    );
    let mut wrong = request("w", "y");
    wrong.inputs = Map::from_iter([("day".to_owned(), Value::from(7))]);
    let wrong = orchestrator.start_later(&cluster.actor, wrong, when).await;
    assert!(
        matches!(wrong, Err(StartError::Inputs(_))),
        "refused now and not in an hour: {wrong:?}"
    );
    orchestrator.settle().await;
    assert!(runs(&cluster).await?.is_empty());
    // long after: a start that was asked for takes place, however late
    cluster.clock.advance(HOUR * 30);
    orchestrator.settle().await;
    let started = runs(&cluster).await?;
    assert_eq!(started.len(), 1);
    let ended = cluster.ends(started[0].id, RunStatus::Succeeded).await?;
    assert_eq!(ended.outputs.as_deref(), Some(r#"{"day":"${{ x }}"}"#));
    cluster.clock.advance(HOUR * 30);
    orchestrator.settle().await;
    assert_eq!(runs(&cluster).await?.len(), 1);
    cluster.finish().await
}

async fn a_start_that_meets_its_key_does_as_it_was_told(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let _worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let mut file = held();
    file["inputs"] = json!({ "n": { "type": "integer" } });
    cluster.publish(&file.to_string()).await?;
    let orchestrator = cluster.orchestrator();
    let start = |n: u32, on_conflict: Option<OnConflict>| StartRequest {
        workflow: "held".to_owned(),
        inputs: Map::from_iter([("n".to_owned(), Value::from(n))]),
        idempotency_key: Some("k".to_owned()),
        on_conflict,
        ..StartRequest::default()
    };
    let first = orchestrator
        .start_run(&cluster.actor, start(1, None))
        .await?
        .run
        .id;
    let refused = orchestrator
        .start_run(&cluster.actor, start(1, Some(OnConflict::Fail)))
        .await;
    assert!(matches!(refused, Err(StartError::IdempotencyConflict { run }) if run == first));
    let existing = orchestrator
        .start_run(&cluster.actor, start(2, Some(OnConflict::ReturnExisting)))
        .await?;
    assert_eq!((existing.run.id, existing.is_replay), (first, true));
    let second = orchestrator
        .start_run(&cluster.actor, start(2, Some(OnConflict::CancelExisting)))
        .await?;
    assert!(!second.is_replay && second.run.id != first);
    let replay = orchestrator
        .start_run(&cluster.actor, start(2, Some(OnConflict::CancelExisting)))
        .await?;
    assert_eq!((replay.run.id, replay.is_replay), (second.run.id, true));
    // nobody answers for its attempt: the grace ends it
    cluster.clock.advance(Duration::from_secs(31));
    cluster.ends(first, RunStatus::Cancelled).await?;
    orchestrator
        .cancel_run(&cluster.actor, second.run.id, CancelMode::Now, None)
        .await?;
    cluster.ends(second.run.id, RunStatus::Cancelled).await?;
    cluster.finish().await
}

async fn what_cannot_be_a_schedule_is_refused(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    cluster.publish(&instant().to_string()).await?;
    let orchestrator = cluster.orchestrator();
    let good = || hourly("good", "report", Policy::default());
    let made = scheduled(&cluster, good()).await?;
    let refused = |new: NewSchedule| orchestrator.create_schedule(&cluster.actor, new);
    let taken = NewSchedule {
        tags: Vec::new(),
        ..good()
    };
    assert!(matches!(
        refused(taken).await,
        Err(ScheduleError::KeyTaken { .. })
    ));
    let unknown = NewSchedule {
        key: "other".to_owned(),
        workflow: "nothing".to_owned(),
        ..good()
    };
    assert!(matches!(
        refused(unknown).await,
        Err(ScheduleError::UnknownWorkflow { .. })
    ));
    let key = NewSchedule {
        key: "No/Key".to_owned(),
        ..good()
    };
    assert!(matches!(
        refused(key).await,
        Err(ScheduleError::Invalid { field: "key", .. })
    ));
    let inputs = NewSchedule {
        key: "inputs".to_owned(),
        inputs: Map::from_iter([("dya".to_owned(), Value::from("x"))]),
        ..good()
    };
    assert!(matches!(refused(inputs).await, Err(ScheduleError::Inputs(_))));
    let stranger = runnel_runtime::Actor {
        name: "stranger".into(),
        namespace: "elsewhere".into(),
    };
    let foreign = orchestrator.pause_schedule(&stranger, made.id, None).await;
    assert!(
        matches!(foreign, Err(ScheduleError::UnknownSchedule)),
        "not yours answers not found"
    );
    assert!(!orchestrator.delete_schedule(&stranger, made.id).await?);
    assert!(orchestrator.delete_schedule(&cluster.actor, made.id).await?);
    assert!(
        !orchestrator.delete_schedule(&cluster.actor, made.id).await?,
        "and again"
    );
    cluster.finish().await
}
