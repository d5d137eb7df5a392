//! Node ids: opaque to clients, `<type>_<32 hex digits>`, so that an id of one type is never taken for another.

use async_graphql::ID;
use runnel_engine::{RunId, TaskIx, WorkflowId, WorkflowVersionId};
use runnel_runtime::view::NodeRef;
use uuid::Uuid;

/// Does something to what an id names. Text that is no id of its type names what there is not.
pub(crate) async fn act_on<I, T, E>(
    named: Option<I>,
    unknown: E,
    act: impl AsyncFnOnce(I) -> Result<T, E>,
) -> Result<T, E> {
    match named {
        Some(id) => act(id).await,
        None => Err(unknown),
    }
}

/// The id of a run.
pub(crate) fn run(id: RunId) -> ID {
    ID(format!("run_{}", id.0.simple()))
}

/// The id of a workflow.
pub(crate) fn workflow(id: WorkflowId) -> ID {
    ID(format!("workflow_{}", id.0.simple()))
}

/// The id of a workflow version.
pub(crate) fn version(id: WorkflowVersionId) -> ID {
    ID(format!("version_{}", id.0.simple()))
}

/// The id of a task: that of its run with the index.
pub(crate) fn task(run: RunId, ix: TaskIx) -> ID {
    ID(format!("task_{}_{}", run.0.simple(), ix.0))
}

/// The id of an approval: that of its task.
pub(crate) fn approval(run: RunId, ix: TaskIx) -> ID {
    ID(format!("approval_{}_{}", run.0.simple(), ix.0))
}

/// The id of a schedule.
pub(crate) fn schedule(id: Uuid) -> ID {
    ID(format!("schedule_{}", id.simple()))
}

/// The id of a trigger.
pub(crate) fn trigger(id: Uuid) -> ID {
    ID(format!("trigger_{}", id.simple()))
}

/// The id of an outcome.
pub(crate) fn outcome(id: Uuid) -> ID {
    ID(format!("outcome_{}", id.simple()))
}

/// The id of a backfill.
pub(crate) fn backfill(id: Uuid) -> ID {
    ID(format!("backfill_{}", id.simple()))
}

/// Reads the id of a schedule.
pub(crate) fn parse_schedule(id: &str) -> Option<Uuid> {
    hex(id.strip_prefix("schedule_")?)
}

/// Reads the id of a trigger.
pub(crate) fn parse_trigger(id: &str) -> Option<Uuid> {
    hex(id.strip_prefix("trigger_")?)
}

/// Reads the id of a backfill.
pub(crate) fn parse_backfill(id: &str) -> Option<Uuid> {
    hex(id.strip_prefix("backfill_")?)
}

/// The id of an operation on many runs.
pub(crate) fn bulk(id: Uuid) -> ID {
    ID(format!("bulk_{}", id.simple()))
}

/// The id of a dead letter.
pub(crate) fn dead_letter(id: Uuid) -> ID {
    ID(format!("deadletter_{}", id.simple()))
}

/// Reads the id of a dead letter.
pub(crate) fn parse_dead_letter(id: &str) -> Option<Uuid> {
    hex(id.strip_prefix("deadletter_")?)
}

/// Reads any node id; `None` for everything else.
pub(crate) fn parse(id: &str) -> Option<NodeRef> {
    let (tag, rest) = id.split_once('_')?;
    match tag {
        "run" => hex(rest).map(NodeRef::Run),
        "workflow" => hex(rest).map(NodeRef::Workflow),
        "version" => hex(rest).map(NodeRef::WorkflowVersion),
        "schedule" => hex(rest).map(NodeRef::Schedule),
        "trigger" => hex(rest).map(NodeRef::Trigger),
        "bulk" => hex(rest).map(NodeRef::Bulk),
        "task" => place(rest).map(|(run, ix)| NodeRef::Task(run, ix)),
        "approval" => place(rest).map(|(run, ix)| NodeRef::Approval(run, ix)),
        _ => None,
    }
}

/// Reads the id of a run: the node id, or the bare UUID that logs and workers show.
pub(crate) fn parse_run(id: &str) -> Option<RunId> {
    match parse(id) {
        Some(NodeRef::Run(uuid)) => Some(RunId(uuid)),
        Some(_) => None,
        None => Uuid::try_parse(id).ok().map(RunId),
    }
}

/// Reads the id of a task.
pub(crate) fn parse_task(id: &str) -> Option<(RunId, TaskIx)> {
    match parse(id) {
        Some(NodeRef::Task(run, ix)) => Some((RunId(run), TaskIx(ix))),
        _ => None,
    }
}

/// Run and index of a task.
fn place(rest: &str) -> Option<(Uuid, u32)> {
    let (run, ix) = rest.split_once('_')?;
    let is_plain = ix == "0" || (!ix.starts_with('0') && ix.bytes().all(|b| b.is_ascii_digit()));
    is_plain.then_some(())?;
    Some((hex(run)?, ix.parse().ok()?))
}

fn hex(text: &str) -> Option<Uuid> {
    let is_canonical = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    is_canonical.then(|| Uuid::try_parse(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use runnel_engine::{RunId, TaskIx, WorkflowId, WorkflowVersionId};
    use runnel_runtime::view::NodeRef;
    use uuid::Uuid;

    use super::{parse, parse_run};

    const ID: Uuid = Uuid::from_u128(0x0198_7c0f_0000_7000_8000_0000_0000_00ab);

    #[test]
    fn an_id_reads_back_as_what_it_was_made_of() {
        assert_eq!(parse(&super::run(RunId(ID))), Some(NodeRef::Run(ID)));
        assert_eq!(
            parse(&super::workflow(WorkflowId(ID))),
            Some(NodeRef::Workflow(ID))
        );
        assert_eq!(
            parse(&super::version(WorkflowVersionId(ID))),
            Some(NodeRef::WorkflowVersion(ID))
        );
        assert_eq!(
            parse(&super::task(RunId(ID), TaskIx(7))),
            Some(NodeRef::Task(ID, 7))
        );
    }

    #[test]
    fn a_run_is_found_by_node_id_and_by_bare_uuid_only() {
        assert_eq!(parse_run(&ID.to_string()), Some(RunId(ID)));
        assert_eq!(parse_run(&ID.simple().to_string()), Some(RunId(ID)));
        assert_eq!(parse_run(&super::run(RunId(ID))), Some(RunId(ID)));
        assert_eq!(parse_run(&super::workflow(WorkflowId(ID))), None);
    }

    #[test]
    fn anything_else_is_no_id() {
        for text in [
            "",
            "_",
            "run_",
            "run_zz",
            "run",
            "task_",
            "task_ab_1",
            "user_00000000000000000000000000000000",
            "🦀_🦀",
        ] {
            assert_eq!(parse(text), None, "{text}");
            assert_eq!(parse_run(text), None, "{text}");
        }
        let task = super::task(RunId(ID), TaskIx(7)).to_string();
        for bad in [
            task.replace("_7", "_07"),
            task.replace("_7", "_-7"),
            task.replace("_7", "_99999999999"),
        ] {
            assert_eq!(parse(&bad), None, "{bad}");
        }
    }
}
