//! Pages and files for people: the dashboard, GraphiQL, the schemas, the pages about errors. All are in the binary.

use axum::Router;
use axum::extract::Path;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::RustEmbed;

use crate::app::SharedApp;
use crate::error::{ApiError, Code};
use crate::reply;
use crate::request_id::RequestId;

/// What `npm run build` left in `web/dist`, compressed; empty in a build without Node.
#[derive(RustEmbed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct WebFiles;

/// The pages about error codes.
#[derive(RustEmbed)]
#[folder = "../docs/errors"]
#[allow_missing = true]
struct ErrorPages;

const WORKFLOW_SCHEMA: &str = include_str!("../../docs/workflow.v1.schema.json");
const START_PAGE: &str = include_str!("start.html");
const NO_GRAPHIQL_PAGE: &str = include_str!("no_graphiql.html");

/// Plain pages: no script at all.
const PLAIN_CSP: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
/// The dashboard: own scripts and styles, nothing inline, nothing from elsewhere.
const DASHBOARD_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// GraphiQL: own scripts and workers; its editor writes inline styles.
const GRAPHIQL_CSP: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; \
     font-src 'self' data:; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// Routes of this module.
pub(crate) fn routes() -> Router<SharedApp> {
    Router::new()
        .route("/", get(start))
        .route("/graphiql", get(graphiql))
        .route("/assets/{*path}", get(asset))
        .route("/favicon.svg", get(favicon))
        .route("/schema.graphql", get(schema))
        .route("/schema/workflow.v1.json", get(workflow_schema))
        .route("/errors/{code}", get(error_page))
}

fn html(text: &'static str, csp: &'static str) -> Response {
    let mut response = reply::body(StatusCode::OK, "text/html; charset=utf-8", text);
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(csp));
    response
}

async fn schema() -> Response {
    reply::body(StatusCode::OK, "text/plain; charset=utf-8", crate::sdl())
}

async fn workflow_schema() -> Response {
    reply::body(StatusCode::OK, "application/schema+json", WORKFLOW_SCHEMA)
}

async fn error_page(Path(code): Path<String>) -> Response {
    match ErrorPages::get(&format!("{code}.md")) {
        Some(page) => reply::body(
            StatusCode::OK,
            "text/markdown; charset=utf-8",
            page.data.into_owned(),
        ),
        None => no_file(),
    }
}

fn no_file() -> Response {
    reply::error(
        &ApiError::new(Code::NotFound, "there is nothing at this path"),
        &RequestId::fresh(),
    )
}

/// The dashboard, or where to get it from.
async fn start(headers: HeaderMap) -> Response {
    document(&headers, "index.html", DASHBOARD_CSP).unwrap_or_else(|| html(START_PAGE, PLAIN_CSP))
}

/// The dashboard at one of its own addresses: a path that a browser asks for and that nothing else serves. Its router finds the
/// screen, or says that there is none. `None` for what is a file or what a program asked for.
pub(crate) fn screen(request: &Request) -> Option<Response> {
    is_screen(request.method(), request.uri().path(), request.headers())
        .then(|| document(request.headers(), "index.html", DASHBOARD_CSP))?
}

fn is_screen(method: &Method, path: &str, headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    // keys of tasks have no dot, but those of items and compensations do
    let is_file = path.rsplit('/').next().is_some_and(|last| last.contains('.')) && !path.contains("/tasks/");
    (method == Method::GET || method == Method::HEAD) && accept.contains("text/html") && !is_file
}

async fn graphiql(headers: HeaderMap) -> Response {
    document(&headers, "graphiql.html", GRAPHIQL_CSP).unwrap_or_else(|| html(NO_GRAPHIQL_PAGE, PLAIN_CSP))
}

/// A page of the web build. It names the hashed files, so it is asked for each time.
fn document(headers: &HeaderMap, name: &str, csp: &'static str) -> Option<Response> {
    let mut page = web(headers, name)?;
    let headers = page.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(csp));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(page)
}

async fn asset(headers: HeaderMap, Path(path): Path<String>) -> Response {
    web(&headers, &format!("assets/{path}")).unwrap_or_else(no_file)
}

async fn favicon(headers: HeaderMap) -> Response {
    document(&headers, "favicon.svg", PLAIN_CSP).unwrap_or_else(no_file)
}

/// A file of the web build. Its name holds a hash of its content, so it may be kept for ever.
fn web(headers: &HeaderMap, path: &str) -> Option<Response> {
    let file = WebFiles::get(&format!("{path}.gz"))?;
    let accepts = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    if accepts.is_some_and(|value| !value.contains("gzip") && !value.contains('*')) {
        let error = ApiError::new(Code::NotAcceptable, "this file is served with gzip encoding only");
        return Some(reply::error(&error, &RequestId::fresh()));
    }
    let mut response = file.data.into_owned().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    // a worker is held by the policy of its own response
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(GRAPHIQL_CSP),
    );
    Some(response)
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("ttf") => "font/ttf",
        Some("woff2") => "font/woff2",
        Some("json" | "map") => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_browser_that_asks_for_a_page_gets_a_screen() {
        let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
        for (method, path, accept, expected) in [
            (Method::GET, "/runs/run_1", browser, true),
            (Method::HEAD, "/workflows/etl", browser, true),
            (Method::GET, "/runs/run_1/tasks/load.compensate", browser, true),
            (Method::GET, "/runs/run_1", "application/json", false),
            (Method::GET, "/runs/run_1", "*/*", false),
            (Method::GET, "/runs/run_1", "", false),
            (Method::GET, "/missing.js", browser, false),
            (Method::POST, "/runs/run_1/cancel", browser, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(
                is_screen(&method, path, &headers),
                expected,
                "{method} {path} {accept}"
            );
        }
    }

    #[test]
    fn a_build_without_node_says_how_to_get_the_dashboard() {
        assert!(START_PAGE.contains("npm ci") && START_PAGE.contains("cargo build"));
        assert!(!START_PAGE.contains("<script"));
    }
}
