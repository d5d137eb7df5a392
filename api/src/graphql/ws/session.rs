//! One connection from its first message to its close.

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use serde_json::{Map, Value};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use super::message::{self, Incoming};
use super::operations::{LIVE_MAX, Operations, Said};
use crate::SocketConfig;
use crate::app::{NAMESPACE, SharedApp};
use crate::auth::Viewer;
use crate::error::{ApiError, Code};
use crate::graphql::answer::Answer;
use crate::graphql::execute;
use crate::graphql::params::Params;
use crate::request_id::RequestId;
use crate::schema::subscription::Resume;

/// Why the server closes: code and reason.
type Close = (u16, &'static str);

/// Runs one connection.
pub(super) async fn serve(
    socket: WebSocket,
    app: SharedApp,
    authorization: Option<String>,
    namespace: Option<String>,
) {
    let SocketConfig {
        ping_every,
        close_wait,
        ..
    } = app.socket;
    let mut pings = interval_at(Instant::now() + ping_every, ping_every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut session = Session {
        socket,
        app,
        authorization,
        namespace,
        viewer: None,
        operations: Operations::default(),
        unanswered: 0,
    };
    let Err((code, reason)) = session.run(pings).await else {
        return;
    };
    let Session {
        mut socket,
        operations,
        ..
    } = session;
    drop(operations);
    let frame = CloseFrame {
        code,
        reason: reason.into(),
    };
    let closing = async {
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            // the peer reads the frame before the connection is reset
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    // a peer that never answers is dropped without its goodbye
    let _ = timeout(close_wait, closing).await;
}

struct Session {
    socket: WebSocket,
    app: SharedApp,
    /// Header of the upgrade request, for clients that can set one.
    authorization: Option<String>,
    /// The same of the namespace.
    namespace: Option<String>,
    /// Known once the connection is acknowledged.
    viewer: Option<Viewer>,
    operations: Operations,
    /// Pings since the last sign of life.
    unanswered: u32,
}

impl Session {
    /// `Ok` when the client is gone.
    async fn run(&mut self, mut pings: Interval) -> Result<(), Close> {
        let deadline = Instant::now() + self.app.socket.init_wait;
        let app = self.app.clone();
        loop {
            let is_open = self.viewer.is_some();
            tokio::select! {
                () = app.stop.cancelled() => return Err((1001, "Going away")),
                () = tokio::time::sleep_until(deadline), if !is_open => {
                    return Err((4408, "Connection initialisation timeout"));
                }
                received = self.socket.recv() => match received {
                    Some(Ok(message)) => {
                        self.unanswered = 0;
                        if !self.receive(message).await? {
                            return Ok(());
                        }
                    }
                    // over the frame limit, or not WebSocket any more
                    Some(Err(_)) => return Err((1009, "Message too big or not valid")),
                    None => return Ok(()),
                },
                Some((id, said)) = self.operations.said(), if !self.operations.is_empty() => self.say(id, said).await?,
                _ = pings.tick(), if is_open => self.ping().await?,
            }
        }
    }

    /// `false` when the client has closed.
    async fn receive(&mut self, message: Message) -> Result<bool, Close> {
        let text = match message {
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) => return Ok(true),
            Message::Close(_) => return Ok(false),
            Message::Binary(_) => return Err((4400, "Invalid message")),
        };
        match message::read(&text).ok_or((4400, "Invalid message"))? {
            Incoming::Init(payload) => self.init(&payload).await?,
            Incoming::Ping(payload) => self.send(message::pong(payload)).await?,
            Incoming::Pong => {}
            Incoming::Subscribe { id, payload } => self.subscribe(id, payload).await?,
            Incoming::Complete(id) => self.operations.end(&id),
        }
        Ok(true)
    }

    async fn init(&mut self, payload: &Value) -> Result<(), Close> {
        if self.viewer.is_some() {
            return Err((4429, "Too many initialisation requests"));
        }
        let given = ["authorization", "Authorization"]
            .iter()
            .find_map(|name| payload.get(name)?.as_str());
        let authorization = given.or(self.authorization.as_deref());
        let viewer = self
            .app
            .credentials
            .identify(authorization)
            .map_err(|_| (4403, "Forbidden"))?;
        let given = payload.get(NAMESPACE).and_then(Value::as_str);
        let viewer = match given.or(self.namespace.as_deref()) {
            None => viewer,
            Some(name) => self
                .app
                .enter(viewer, name)
                .await
                .map_err(|_| (4403, "Forbidden"))?,
        };
        self.viewer = Some(viewer);
        self.send(message::ack()).await
    }

    async fn subscribe(&mut self, id: String, payload: Map<String, Value>) -> Result<(), Close> {
        let viewer = self.viewer.clone().ok_or((4401, "Unauthorized"))?;
        if self.operations.contains(&id) {
            return Err((4409, "Subscriber already exists"));
        }
        let operation = if self.operations.is_full() {
            let message = format!("a connection may have {LIVE_MAX} operations at once");
            Err(ApiError::new(Code::TooManyOperations, message))
        } else {
            Params::from_json(payload).and_then(Params::prepare)
        };
        match operation {
            Ok(operation) => {
                self.operations.begin(
                    id,
                    execute::stream(
                        &self.app,
                        operation,
                        viewer,
                        Resume::default(),
                        RequestId::fresh(),
                    ),
                );
                Ok(())
            }
            Err(error) => {
                self.send(message::error(&id, &Answer::refused(&error, &RequestId::fresh())))
                    .await
            }
        }
    }

    async fn say(&mut self, id: String, said: Said) -> Result<(), Close> {
        match said {
            Said::Next(response, is_first) => {
                let answer = Answer::of(*response, &RequestId::fresh());
                // a subscription whose source could not be made has failed as a request
                if answer.is_refused() || (is_first && answer.is_failed()) {
                    self.operations.end(&id);
                    return self.send(message::error(&id, &answer)).await;
                }
                self.send(message::next(&id, &answer)).await
            }
            Said::End => {
                self.operations.end(&id);
                self.send(message::complete(&id)).await
            }
        }
    }

    async fn ping(&mut self) -> Result<(), Close> {
        if self.unanswered >= self.app.socket.pings_max {
            return Err((4499, "No sign of life"));
        }
        self.unanswered += 1;
        self.send(message::ping()).await
    }

    async fn send(&mut self, text: String) -> Result<(), Close> {
        match timeout(
            self.app.socket.send_wait,
            self.socket.send(Message::Text(text.into())),
        )
        .await
        {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err((1011, "Sending failed")),
            Err(_) => Err((4500, "Slow consumer")),
        }
    }
}
