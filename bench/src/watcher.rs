//! The clients of `subscribers`, in a process of their own: so many WebSockets need as many open files here as on the server's side.
//!
//! Reads one line of JSON ([`Order`]), opens a socket for each run, and says `ready`. Then a line for each event: the place of the
//! run in the order, the sequence number, the kind, and when it came. Ends with its standard input.

use std::io::{Read as _, Write as _};

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::machine;

/// Sockets that are opened at once.
const OPENED_AT_ONCE: usize = 64;
/// Open files beside the sockets.
pub const OTHER_FILES: u64 = 200;

const EVENTS: &str = "subscription($run: ID!) { events(filter: { run: $run }) { kind event { seq kind } } }";

/// What to watch.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// Address of the server.
    pub address: String,
    /// Ids of the runs.
    pub runs: Vec<String>,
}

/// What came to one subscriber.
#[derive(Debug)]
pub struct Heard {
    /// Which run, by its place in the order.
    pub at: usize,
    /// Sequence number of the event.
    pub seq: u64,
    /// Kind of the event.
    pub kind: String,
    /// When it came, on the clock that all processes share.
    pub came_us: i64,
}

impl Heard {
    fn to_line(&self) -> String {
        format!("{} {} {} {}", self.at, self.seq, self.kind, self.came_us)
    }

    /// Reads what [`watch`] has printed.
    pub fn parse(line: &str) -> anyhow::Result<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let [at, seq, kind, came_us] = words[..] else {
            anyhow::bail!("a subscriber has failed: {line}")
        };
        Ok(Self {
            at: at.parse()?,
            seq: seq.parse()?,
            kind: kind.to_owned(),
            came_us: came_us.parse()?,
        })
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Watches until standard input ends.
pub async fn watch() -> anyhow::Result<()> {
    // nothing else happens in this process until the order is there
    let mut order = String::new();
    std::io::stdin().read_line(&mut order)?;
    let order: Order = serde_json::from_str(&order)?;
    machine::raise_open_files(u64::try_from(order.runs.len())? + OTHER_FILES);
    let (tell, mut heard) = mpsc::unbounded_channel::<String>();
    let address = order.address.replacen("http", "ws", 1) + "/graphql/ws";
    stream::iter(order.runs.into_iter().enumerate().map(anyhow::Ok))
        .try_for_each_concurrent(OPENED_AT_ONCE, |(at, run)| {
            let (address, tell) = (address.as_str(), tell.clone());
            async move {
                let socket = open(address, &run)
                    .await
                    .with_context(|| format!("socket {at}"))?;
                // at once: the server pings while the others are opened
                tokio::spawn(async move {
                    if let Err(error) = listen(socket, at, &tell).await {
                        let _ = tell.send(format!("{error:#}")); // nobody listens any more when the process ends
                    }
                });
                Ok(())
            }
        })
        .await?;
    print("ready")?;
    let (end, mut ended) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        // an error is an end too
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(end);
    });
    loop {
        tokio::select! {
            line = heard.recv() => {
                let Some(line) = line else { return Ok(()) };
                print(&line)?;
            }
            _ = &mut ended => return Ok(()),
        }
    }
}

fn print(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Opens a socket and subscribes; everything that happens to the run from now on will be told.
async fn open(address: &str, run: &str) -> anyhow::Result<Socket> {
    let mut request = address.into_client_request()?;
    request
        .headers_mut()
        .insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    say(&mut socket, &json!({ "type": "connection_init" })).await?;
    let payload = json!({ "query": EVENTS, "variables": { "run": run } });
    say(
        &mut socket,
        &json!({ "type": "subscribe", "id": "1", "payload": payload }),
    )
    .await?;
    loop {
        let message = next(&mut socket).await?;
        if message["type"] == "next" {
            let first = &message["payload"]["data"]["events"]["kind"];
            anyhow::ensure!(first == "SYNC", "{message}");
            return Ok(socket);
        }
        anyhow::ensure!(message["type"] == "connection_ack", "{message}");
    }
}

async fn listen(mut socket: Socket, at: usize, tell: &mpsc::UnboundedSender<String>) -> anyhow::Result<()> {
    loop {
        let message = next(&mut socket).await?;
        let came_us = machine::shared_clock_us();
        let event = &message["payload"]["data"]["events"]["event"];
        let (Some(seq), Some(kind)) = (event["seq"].as_u64(), event["kind"].as_str()) else {
            anyhow::bail!("{message}")
        };
        let heard = Heard {
            at,
            seq,
            kind: kind.to_owned(),
            came_us,
        };
        tell.send(heard.to_line())?;
    }
}

async fn say(socket: &mut Socket, message: &Value) -> anyhow::Result<()> {
    Ok(socket.send(Message::text(message.to_string())).await?)
}

/// The next message that is no ping; pings are answered.
async fn next(socket: &mut Socket) -> anyhow::Result<Value> {
    loop {
        match socket.next().await.context("the socket ended")?? {
            Message::Text(text) => {
                let message: Value = serde_json::from_str(&text)?;
                if message["type"] != "ping" {
                    return Ok(message);
                }
                say(socket, &json!({ "type": "pong" })).await?;
            }
            Message::Close(frame) => anyhow::bail!("the server closed: {frame:?}"),
            _ => {}
        }
    }
}
