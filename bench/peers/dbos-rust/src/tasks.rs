//! Workflows of tasks that do nothing, with each of the ways in which DBOS can run a task.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dbos::{
    DBOS, Enqueue, QueueConflict, QueueOptions, StartOptions, WorkflowHandle, WorkflowRef, join_workflows,
    step,
};
use futures_util::future::try_join_all;

use crate::Mode;

/// Tasks of the wide wave.
pub const WIDTH: u32 = 1_000;
/// Tasks of the chain.
pub const LENGTH: u32 = 200;

/// The queue of the mode that dispatches.
const QUEUE: &str = "tasks";

/// Everything that is registered.
#[derive(Debug)]
pub struct Application {
    dbos: DBOS,
    mode: Mode,
    /// One task, then [`WIDTH`], then one.
    pub fan_out: WorkflowRef<(), ()>,
    /// [`LENGTH`] tasks.
    pub chain: WorkflowRef<(), ()>,
    /// One task, two, one.
    pub diamond: WorkflowRef<(), ()>,
    single: WorkflowRef<(), ()>,
    task: WorkflowRef<String, ()>,
    /// When which task began.
    pub begun: Arc<Begun>,
}

/// Moments at which tasks began, by run.
#[derive(Debug, Default)]
pub struct Begun(Mutex<HashMap<String, Vec<Instant>>>);

impl Begun {
    fn note(&self, run: &str) {
        let now = Instant::now();
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match begun.get_mut(run) {
            Some(moments) => moments.push(now),
            None => drop(begun.insert(run.to_owned(), vec![now])),
        }
    }

    /// The moments of a run, in order; forgets them.
    pub fn take(&self, run: &str) -> Vec<Instant> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(run)
            .unwrap_or_default()
    }
}

impl Application {
    /// Registers the workflows.
    pub fn register(dbos: &DBOS, mode: Mode) -> anyhow::Result<Self> {
        let begun = Arc::new(Begun::default());
        let noted = Arc::clone(&begun);
        let task = dbos.register_workflow("task", move |run: String| {
            noted.note(&run);
            async move { dbos::Result::Ok(()) }
        })?;
        let tasks = Tasks {
            mode,
            task: task.clone(),
            begun: Arc::clone(&begun),
        };
        let workflow = |name: &str, waves: &'static [(u32, u32)]| {
            let tasks = tasks.clone();
            dbos.register_workflow(name, move |()| {
                let tasks = tasks.clone();
                async move {
                    for &(times, width) in waves {
                        for _ in 0..times {
                            tasks.wave(width).await?;
                        }
                    }
                    dbos::Result::Ok(())
                }
            })
        };
        Ok(Self {
            dbos: dbos.clone(),
            mode,
            fan_out: workflow("fan-out", &[(1, 1), (1, WIDTH), (1, 1)])?,
            chain: workflow("chain", &[(LENGTH, 1)])?,
            diamond: workflow("diamond", &[(1, 1), (1, 2), (1, 1)])?,
            single: workflow("single", &[(1, 1)])?,
            task,
            begun,
        })
    }

    /// Declares the queue, where the mode has one.
    pub async fn open_queue(&self, polling_interval: Duration) -> anyhow::Result<()> {
        if self.mode == Mode::Queue {
            // no limit on concurrency: the cheapest way to take work, see its documentation
            let options = QueueOptions {
                polling_interval,
                ..QueueOptions::default()
            };
            self.dbos
                .register_queue(QUEUE, options, QueueConflict::AlwaysUpdate)
                .await?;
            // queues are noticed by a sweep once a second; the warm-up waits for it
        }
        Ok(())
    }

    /// Starts a run of one task; answered when it is committed. Where a task is a workflow itself it needs no other around it.
    pub async fn start_single(&self) -> anyhow::Result<WorkflowHandle<()>> {
        Ok(match self.mode {
            Mode::Steps => self.single.start(()).await?,
            Mode::Children => self.task.start(String::new()).await?,
            Mode::Queue => self.task.start_with(String::new(), queued()).await?,
        })
    }

    /// Waits for the end of runs.
    pub async fn all_ended(&self, runs: Vec<WorkflowHandle<()>>) -> anyhow::Result<()> {
        if self.mode == Mode::Queue {
            let ids: Vec<&str> = runs.iter().map(WorkflowHandle::workflow_id).collect();
            self.dbos.join_workflows(&ids).await?;
        } else {
            for run in runs {
                run.result().await?;
            }
        }
        Ok(())
    }
}

/// What the body of a workflow runs its tasks with.
#[derive(Debug, Clone)]
struct Tasks {
    mode: Mode,
    task: WorkflowRef<String, ()>,
    begun: Arc<Begun>,
}

impl Tasks {
    /// Runs so many tasks at once and waits for all.
    async fn wave(&self, width: u32) -> dbos::Result<()> {
        let run = dbos::workflow_id().unwrap_or_default();
        match self.mode {
            Mode::Steps => {
                let body = || {
                    self.begun.note(&run);
                    async { dbos::Result::Ok(()) }
                };
                // built in one go and polled together, which is how its documentation lets steps run at once
                let steps: Vec<_> = (0..width).map(|_| step("task", body)).collect();
                try_join_all(steps).await?;
            }
            Mode::Children => {
                let children: Vec<_> = (0..width).map(|_| self.task.run(run.clone())).collect();
                try_join_all(children).await?;
            }
            Mode::Queue => {
                let starts: Vec<_> = (0..width)
                    .map(|_| self.task.start_with(run.clone(), queued()))
                    .collect();
                let handles = try_join_all(starts).await?;
                if width > 1 {
                    // one query for the whole set instead of one for each, as its documentation advises for a fan-out
                    let ids: Vec<&str> = handles.iter().map(WorkflowHandle::workflow_id).collect();
                    join_workflows(&ids).await?;
                }
                try_join_all(handles.into_iter().map(WorkflowHandle::result)).await?;
            }
        }
        Ok(())
    }
}

fn queued() -> StartOptions<'static> {
    StartOptions {
        queue: Some(Enqueue::new(QUEUE)),
        ..StartOptions::default()
    }
}
