//! Runs that many callers ask for at the same moment, each for one: they are read with one statement.
//!
//! With a commit come the ends of many runs, and whoever waits for one of them reads it then. A question is never answered by
//! a statement that began before it was asked.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runnel_engine::RunId;
use tokio::sync::oneshot;

use super::{Reads, runs, tasks::Payloads};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::view::RunView;

/// Most runs of one statement.
const RUNS_MAX: usize = 500;

/// The questions that wait for the next statement.
#[derive(Clone, Default)]
pub(crate) struct Together {
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    questions: Vec<Question>,
    /// Somebody reads, and will take up what waits after it.
    is_reading: bool,
}

struct Question {
    actor: Actor,
    run: RunId,
    answer: oneshot::Sender<Option<RunView>>,
}

impl Reads {
    /// One run, read with those that others ask for at the same time.
    pub(crate) async fn run_together(
        &self,
        actor: &Actor,
        run: RunId,
    ) -> Result<Option<RunView>, StoreError> {
        let (answer, answered) = oneshot::channel();
        let question = Question {
            actor: actor.clone(),
            run,
            answer,
        };
        if self.together.ask(question) {
            let reads = self.clone();
            // a task of its own, because a caller may go away while others still wait for their answers
            tokio::spawn(async move { reads.answer_questions().await });
        }
        match answered.await {
            Ok(found) => Ok(found),
            // the statement for all has failed: this caller learns why from its own
            Err(_) => Ok(runs::by_id(self, actor, &[run], Payloads::Read)
                .await?
                .remove(&run)),
        }
    }

    async fn answer_questions(&self) {
        while let Some(questions) = self.together.take() {
            let mut by_namespace: HashMap<Arc<str>, Vec<Question>> = HashMap::new();
            for question in questions {
                let namespace = Arc::clone(&question.actor.namespace);
                by_namespace.entry(namespace).or_default().push(question);
            }
            for questions in by_namespace.into_values() {
                self.answer(questions).await;
            }
        }
    }

    async fn answer(&self, questions: Vec<Question>) {
        let Some(first) = questions.first() else { return };
        let mut ids: Vec<RunId> = questions.iter().map(|question| question.run).collect();
        ids.sort_unstable();
        ids.dedup();
        // the callers of one namespace may read the same; who they are makes no difference
        if let Ok(found) = runs::by_id(self, &first.actor, &ids, Payloads::Read).await {
            for question in questions {
                // nobody waits for the answer of a caller that went away
                let _ = question.answer.send(found.get(&question.run).cloned());
            }
        }
    }
}

impl Together {
    /// Whether the caller must see to the answers.
    fn ask(&self, question: Question) -> bool {
        let mut waiting = self.waiting();
        waiting.questions.push(question);
        !mem::replace(&mut waiting.is_reading, true)
    }

    /// What waits for the next statement; after `None` the next question is to be seen to by who asks it.
    fn take(&self) -> Option<Vec<Question>> {
        let mut waiting = self.waiting();
        if waiting.questions.is_empty() {
            waiting.is_reading = false;
            return None;
        }
        let now = waiting.questions.len().min(RUNS_MAX);
        let later = waiting.questions.split_off(now);
        Some(mem::replace(&mut waiting.questions, later))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
