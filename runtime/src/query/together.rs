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

/// Most runs of one statement: each may bring an input and an output of some 60 KiB.
const RUNS_MAX: usize = 100;

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
        if let Some(duty) = self.together.ask(question) {
            let reads = self.clone();
            // a task of its own, because a caller may go away while others still wait for their answers
            tokio::spawn(async move { reads.answer_questions(duty).await });
        }
        match answered.await {
            Ok(found) => Ok(found),
            // the statement for all has failed, or its task: this caller learns why from its own
            Err(_) => Ok(runs::by_id(self, actor, &[run], Payloads::Read)
                .await?
                .remove(&run)),
        }
    }

    async fn answer_questions(&self, mut duty: Duty) {
        while let Some(questions) = duty.take() {
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
    /// Adds a question; who gets the duty must see to the answers.
    fn ask(&self, question: Question) -> Option<Duty> {
        let mut waiting = self.waiting();
        waiting.questions.push(question);
        let is_first = !mem::replace(&mut waiting.is_reading, true);
        is_first.then(|| Duty {
            together: self.clone(),
            is_done: false,
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// To answer what is asked until nothing is. Given up before that, it leaves nobody waiting: the questions go, and who asked
/// them reads alone.
struct Duty {
    together: Together,
    is_done: bool,
}

impl Duty {
    /// What waits for the next statement. After `None` the next question comes with a duty of its own.
    fn take(&mut self) -> Option<Vec<Question>> {
        let mut waiting = self.together.waiting();
        if waiting.questions.is_empty() {
            waiting.is_reading = false;
            self.is_done = true;
            return None;
        }
        let now = waiting.questions.len().min(RUNS_MAX);
        let later = waiting.questions.split_off(now);
        Some(mem::replace(&mut waiting.questions, later))
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        if !self.is_done {
            *self.together.waiting() = Waiting::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn ask(together: &Together) -> (Option<Duty>, oneshot::Receiver<Option<RunView>>) {
        let (answer, answered) = oneshot::channel();
        let question = Question {
            actor: Actor {
                name: "test".into(),
                namespace: "default".into(),
            },
            run: RunId(Uuid::nil()),
            answer,
        };
        (together.ask(question), answered)
    }

    #[test]
    fn one_of_those_who_ask_at_once_has_the_duty() {
        let together = Together::default();
        let (duty, _first) = ask(&together);
        let (none, _second) = ask(&together);
        assert!(none.is_none());
        let mut duty = duty.expect("the first has it");
        assert_eq!(duty.take().map(|questions| questions.len()), Some(2));
        assert!(duty.take().is_none());
        let (next, _third) = ask(&together);
        drop(duty);
        assert_eq!(
            next.expect("another").take().map(|questions| questions.len()),
            Some(1)
        );
    }

    #[test]
    fn a_duty_that_is_given_up_leaves_nobody_waiting() {
        let together = Together::default();
        let (duty, mut first) = ask(&together);
        let (_, mut second) = ask(&together);
        drop(duty);
        for answered in [&mut first, &mut second] {
            assert_eq!(
                answered.try_recv().err(),
                Some(oneshot::error::TryRecvError::Closed)
            );
        }
        assert!(ask(&together).0.is_some(), "whoever asks next");
    }
}
