//! What browsers may do: the defence against foreign pages, in one place for every route.
//!
//! - A request with a foreign `Origin` must not change anything nor open a WebSocket. Browsers send `Origin` with every
//!   cross-site request that is not a plain GET, also with the "simple" form posts that need no preflight.
//! - Where no token is configured, the `Host` must be a loopback name: a page that rebinds its DNS name to 127.0.0.1
//!   is same-origin with this server in the browser's eyes, but still says its own name.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::app::SharedApp;
use crate::error::{ApiError, Code};
use crate::reply;
use crate::request_id::RequestId;

/// From where browsers are let in.
#[derive(Debug)]
pub(crate) struct Origins {
    allowed: Vec<String>,
    is_loopback_only: bool,
}

/// How a request stands to its origin.
#[derive(Debug, PartialEq, Eq)]
enum Relation {
    /// No browser, or the server's own page.
    Own,
    /// A page that the configuration allows.
    Allowed,
    /// Any other page.
    Foreign,
}

impl Origins {
    /// Allows the given origins besides the server's own.
    pub(crate) fn new(allowed: &[String], is_loopback_only: bool) -> Self {
        let allowed = allowed
            .iter()
            .map(|origin| origin.trim_end_matches('/').to_ascii_lowercase())
            .collect();
        Self {
            allowed,
            is_loopback_only,
        }
    }

    fn relation(&self, headers: &HeaderMap) -> Relation {
        let text = |name| {
            headers
                .get(name)
                .map(|v: &HeaderValue| v.to_str().unwrap_or("").to_ascii_lowercase())
        };
        let Some(origin) = text(header::ORIGIN) else {
            let is_cross =
                text(header::HeaderName::from_static("sec-fetch-site")).is_some_and(|s| s == "cross-site");
            return if is_cross {
                Relation::Foreign
            } else {
                Relation::Own
            };
        };
        let host = text(header::HOST).unwrap_or_default();
        let (scheme, authority) = origin.split_once("://").unwrap_or_default();
        if !host.is_empty() && without_default_port(scheme, authority) == without_default_port(scheme, &host)
        {
            Relation::Own
        } else if self.allowed.contains(&origin) {
            Relation::Allowed
        } else {
            Relation::Foreign
        }
    }

    fn refuse_host(&self, headers: &HeaderMap) -> Option<ApiError> {
        let host = headers
            .get(header::HOST)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default();
        let is_fine = !self.is_loopback_only || host.is_empty() || is_loopback(host);
        (!is_fine).then(|| {
            ApiError::new(
                Code::Forbidden,
                "without a token this server answers to loopback host names only",
            )
        })
    }
}

fn without_default_port<'a>(scheme: &str, authority: &'a str) -> &'a str {
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return authority,
    };
    authority.strip_suffix(port).unwrap_or(authority)
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Lets a request through, or refuses it.
pub(crate) async fn layer(State(app): State<SharedApp>, request: Request, next: Next) -> Response {
    let id = RequestId::of(request.extensions());
    if let Some(error) = app.origins.refuse_host(request.headers()) {
        return reply::error(&error, &id);
    }
    let relation = app.origins.relation(request.headers());
    let is_upgrade = request.headers().contains_key(header::UPGRADE);
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) && !is_upgrade;
    match relation {
        Relation::Own => next.run(request).await,
        Relation::Foreign if is_reading => next.run(request).await,
        Relation::Foreign => {
            let error = ApiError::new(
                Code::Forbidden,
                "this origin is not allowed to change anything here",
            );
            reply::error(&error, &id)
        }
        Relation::Allowed => {
            let origin = request.headers().get(header::ORIGIN).cloned();
            let is_preflight = request.method() == Method::OPTIONS;
            let mut response = if is_preflight {
                StatusCode::NO_CONTENT.into_response()
            } else {
                next.run(request).await
            };
            allow(response.headers_mut(), origin, is_preflight);
            response
        }
    }
}

fn allow(headers: &mut HeaderMap, origin: Option<HeaderValue>, is_preflight: bool) {
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    if is_preflight {
        let methods = HeaderValue::from_static("GET, POST, DELETE");
        let names =
            HeaderValue::from_static("accept, authorization, content-type, last-event-id, x-request-id");
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{Origins, Relation, is_loopback};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
            .collect()
    }

    #[test]
    fn only_the_own_and_the_configured_origins_are_not_foreign() {
        let origins = Origins::new(&["https://ops.example".to_owned()], false);
        let check =
            |pairs: &[_], expected| assert_eq!(origins.relation(&headers(pairs)), expected, "{pairs:?}");
        check(&[("host", "localhost:7420")], Relation::Own);
        check(
            &[("host", "localhost:7420"), ("origin", "http://localhost:7420")],
            Relation::Own,
        );
        check(
            &[
                ("host", "runnel.example"),
                ("origin", "https://runnel.example:443"),
            ],
            Relation::Own,
        );
        check(
            &[("host", "localhost:7420"), ("origin", "https://OPS.example")],
            Relation::Allowed,
        );
        check(
            &[("host", "localhost:7420"), ("origin", "http://localhost:7421")],
            Relation::Foreign,
        );
        check(
            &[
                ("host", "localhost:7420"),
                ("origin", "https://ops.example.evil.example"),
            ],
            Relation::Foreign,
        );
        check(
            &[("host", "localhost:7420"), ("origin", "null")],
            Relation::Foreign,
        );
        check(&[("origin", "http://a.example")], Relation::Foreign);
        check(
            &[("host", "localhost:7420"), ("sec-fetch-site", "cross-site")],
            Relation::Foreign,
        );
    }

    #[test]
    fn rebound_names_are_no_loopback_names() {
        for host in [
            "localhost",
            "localhost:7420",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:80",
            "LOCALHOST",
            "a.localhost:1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "[::2]",
            "0.0.0.0",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
