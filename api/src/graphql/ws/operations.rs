//! The operations that run on one connection, polled fairly: a hot stream does not starve the others.

use std::collections::HashMap;

use async_graphql::Response;
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, SelectAll, once};
use tokio::sync::oneshot;

/// Most operations at once on one connection.
pub(super) const LIVE_MAX: usize = 64;

/// What an operation says.
pub(super) enum Said {
    /// One answer; whether it is the first.
    Next(Box<Response>, bool),
    /// There is no more.
    End,
}

/// Live operations. An id may be used again once its operation has ended, so each use has a number of its own: what an
/// ended operation still had to say is never taken for the word of its successor.
#[derive(Default)]
pub(super) struct Operations {
    live: HashMap<String, Live>,
    streams: SelectAll<BoxStream<'static, (String, u64, Said)>>,
    next_number: u64,
}

struct Live {
    number: u64,
    /// Dropping it ends the stream.
    _stop: oneshot::Sender<()>,
}

impl Operations {
    /// Whether an operation of this id runs.
    pub(super) fn contains(&self, id: &str) -> bool {
        self.live.contains_key(id)
    }

    /// Whether there is no room for another.
    pub(super) fn is_full(&self) -> bool {
        self.live.len() >= LIVE_MAX
    }

    /// Whether nothing can be said.
    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Begins an operation.
    pub(super) fn begin(&mut self, id: String, answers: BoxStream<'static, Response>) {
        let (stop, stopped) = oneshot::channel();
        let number = self.next_number;
        self.next_number += 1;
        self.live.insert(id.clone(), Live { number, _stop: stop });
        let name = id.clone();
        let said = answers
            .enumerate()
            .map(move |(index, answer)| (name.clone(), number, Said::Next(Box::new(answer), index == 0)))
            .chain(once(async move { (id, number, Said::End) }))
            .take_until(stopped);
        self.streams.push(said.boxed());
    }

    /// Ends an operation; nothing more is heard of it.
    pub(super) fn end(&mut self, id: &str) {
        self.live.remove(id);
    }

    /// What a live operation says next; never resolves to anything of an ended one.
    pub(super) async fn said(&mut self) -> Option<(String, Said)> {
        loop {
            let (id, number, said) = self.streams.next().await?;
            if self.live.get(&id).is_some_and(|live| live.number == number) {
                return Some((id, said));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Response;
    use futures_util::StreamExt;
    use futures_util::stream;

    use super::{Operations, Said};

    fn numbered(count: i32) -> stream::BoxStream<'static, Response> {
        stream::iter((0..count).map(Response::new)).boxed()
    }

    #[tokio::test]
    async fn an_ended_operation_is_not_heard_when_its_id_is_used_again() {
        let mut operations = Operations::default();
        operations.begin("a".into(), numbered(1_000));
        operations.said().await.unwrap();
        operations.end("a");
        operations.begin("a".into(), numbered(1));
        let mut heard = Vec::new();
        while let Some((id, said)) = operations.said().await {
            match said {
                Said::Next(answer, is_first) => heard.push((answer.data.to_string(), is_first)),
                Said::End => operations.end(&id),
            }
        }
        assert_eq!(heard, [("0".to_owned(), true)]);
    }

    #[tokio::test]
    async fn a_hot_stream_does_not_starve_another() {
        let mut operations = Operations::default();
        operations.begin("hot".into(), stream::repeat_with(|| Response::new(1)).boxed());
        operations.begin("cold".into(), numbered(1));
        for _ in 0..1_000 {
            if operations.said().await.is_some_and(|(id, _)| id == "cold") {
                return;
            }
        }
        panic!("the cold stream was never heard");
    }
}
