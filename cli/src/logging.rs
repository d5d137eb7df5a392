//! Logs on stderr: for people on a terminal, JSON lines for services elsewhere. `RUNNEL_LOG` filters.

use std::io::IsTerminal;

use runnel_telemetry::WithIds;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Format;

use crate::host::observe::LogFormat;

/// The pool rolls back what a connection may have left open, which PostgreSQL remarks upon each time: not shown.
/// Services tell what they do; the client commands only what went wrong.
const SERVICE_FILTER: &str = "info,sqlx=warn,sqlx::postgres::notice=error,sea_orm_migration=warn,aws_config=warn,aws_smithy_runtime=warn,hyper=warn";
const CLIENT_FILTER: &str = "warn,sqlx::postgres::notice=error";

/// Installs the subscriber. An invalid `RUNNEL_LOG` is said and ignored: a typo there must not stop a server.
pub fn install(is_service: bool, format: Option<LogFormat>) {
    let fallback = if is_service { SERVICE_FILTER } else { CLIENT_FILTER };
    let filter = match std::env::var("RUNNEL_LOG") {
        Ok(text) if !text.is_empty() => EnvFilter::try_new(&text).unwrap_or_else(|error| {
            eprintln!("warning: RUNNEL_LOG={text} is ignored: {error}");
            EnvFilter::new(fallback)
        }),
        _ => EnvFilter::new(fallback),
    };
    let is_terminal = std::io::stderr().is_terminal();
    let chosen = if is_service && !is_terminal {
        LogFormat::Json
    } else {
        LogFormat::Text
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format.unwrap_or(chosen) {
        LogFormat::Json => subscriber.json().event_format(WithIds::json()).init(),
        LogFormat::Text => {
            let people = Format::default().with_target(false).compact();
            subscriber
                .with_ansi(is_terminal && !is_colour_refused())
                .event_format(WithIds::text(people))
                .init();
        }
    }
}

/// Whether the user asked for no colour (<https://no-color.org>).
pub fn is_colour_refused() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
