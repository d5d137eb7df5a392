//! `graphql-transport-ws`: GraphQL over one WebSocket, with what the protocol demands and the limits it leaves open.

mod message;
mod operations;
mod session;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};

use crate::app::{NAMESPACE, SharedApp};
use crate::error::{ApiError, Code};
use crate::reply;
use crate::request_id::RequestId;

const PROTOCOL: &str = "graphql-transport-ws";
/// Largest message of a client.
const FRAME_BYTES_MAX: usize = 256 << 10;

/// Handles `/graphql/ws`. The origin was checked before (see [`crate::origin`]).
pub(crate) async fn handle(State(app): State<SharedApp>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let id = RequestId::of(&parts.extensions);
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    if !offers_protocol(&parts.headers) {
        let message = format!("the WebSocket must offer the subprotocol `{PROTOCOL}`");
        return reply::error(&ApiError::new(Code::BadRequest, message), &id);
    }
    let authorization = parts
        .headers
        .get(header::AUTHORIZATION)
        .map(|v| v.to_str().unwrap_or_default().to_owned());
    let namespace = parts
        .headers
        .get(NAMESPACE)
        .map(|v| v.to_str().unwrap_or_default().to_owned());
    upgrade
        .protocols([PROTOCOL])
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .on_upgrade(move |socket| session::serve(socket, app, authorization, namespace))
}

fn offers_protocol(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    offers
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|name| name.trim() == PROTOCOL)
}
