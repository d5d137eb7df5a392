//! A WebSocket to the API, as a client that speaks `graphql-transport-ws` opens it.

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::client::Client;
use crate::cluster::PATIENCE;

/// An open WebSocket.
#[derive(Debug)]
pub struct Socket(WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>);

/// What the server says.
#[derive(Debug)]
pub enum Heard {
    /// A message of the protocol.
    Message(Value),
    /// It closed, with this code.
    Closed(u16),
}

impl Socket {
    /// Opens a socket and says nothing yet; `origin` is what a browser would say of the page.
    ///
    /// # Errors
    /// The server refuses it.
    pub async fn connect(client: &Client, origin: Option<&str>) -> anyhow::Result<Self> {
        let address = client.at("/graphql/ws").replacen("http", "ws", 1);
        let mut request = address.into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
        if let Some(origin) = origin {
            headers.insert("origin", origin.parse()?);
        }
        let (socket, _) = tokio_tungstenite::connect_async(request)
            .await
            .context("opening a WebSocket")?;
        Ok(Self(socket))
    }

    /// Opens a socket that is ready for operations.
    ///
    /// # Errors
    /// The server refuses it, or does not acknowledge it.
    pub async fn open(client: &Client) -> anyhow::Result<Self> {
        let mut socket = Self::connect(client, None).await?;
        socket.say(&json!({ "type": "connection_init" })).await?;
        let ack = socket.next().await?;
        anyhow::ensure!(ack["type"] == "connection_ack", "{ack}");
        Ok(socket)
    }

    /// Says something.
    ///
    /// # Errors
    /// The socket is closed.
    pub async fn say(&mut self, message: &Value) -> anyhow::Result<()> {
        Ok(self.0.send(Message::text(message.to_string())).await?)
    }

    /// Begins an operation.
    ///
    /// # Errors
    /// The socket is closed.
    pub async fn subscribe(&mut self, id: &str, query: &str, variables: Value) -> anyhow::Result<()> {
        let payload = json!({ "query": query, "variables": variables });
        let message = json!({ "type": "subscribe", "id": id, "payload": payload });
        self.say(&message).await
    }

    /// What the server says next; its pings are heard and left unanswered.
    ///
    /// # Errors
    /// It says nothing, or ends without a code.
    pub async fn hear(&mut self) -> anyhow::Result<Heard> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next())
                .await
                .context("nothing came")?;
            match message.context("the socket ended without a close")?? {
                Message::Text(text) => return Ok(Heard::Message(serde_json::from_str(&text)?)),
                Message::Close(Some(frame)) => return Ok(Heard::Closed(frame.code.into())),
                _ => {}
            }
        }
    }

    /// The next message that is no ping; pings are answered.
    ///
    /// # Errors
    /// The server says nothing, or closes.
    pub async fn next(&mut self) -> anyhow::Result<Value> {
        loop {
            match self.hear().await? {
                Heard::Message(message) if message["type"] == "ping" => {
                    self.say(&json!({ "type": "pong" })).await?;
                }
                Heard::Message(message) => return Ok(message),
                Heard::Closed(code) => anyhow::bail!("the server closed with {code}"),
            }
        }
    }

    /// The code with which the server closes the socket, whatever it says before.
    ///
    /// # Errors
    /// It does not close, or without a code.
    pub async fn close_code(&mut self) -> anyhow::Result<u16> {
        loop {
            if let Heard::Closed(code) = self.hear().await? {
                return Ok(code);
            }
        }
    }
}
