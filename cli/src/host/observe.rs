//! What can be seen of a service from outside: its log, its traces, its metrics.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::exit::{Exit, Failure};

/// Form of the lines of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// How a service is watched. Traces are configured by the standard variables OTEL_*.
#[derive(Debug, Clone, Args)]
pub struct ObserveArgs {
    /// Form of the log on stderr [default: text on a terminal, json elsewhere]
    #[arg(long, env = "RUNNEL_LOG_FORMAT", value_enum, value_name = "FORM")]
    pub log_format: Option<LogFormat>,
    /// Workflows with metrics of their own, at most 1000; all others share one series
    #[arg(
        long,
        env = "RUNNEL_METRICS_WORKFLOWS",
        value_delimiter = ',',
        value_name = "KEYS"
    )]
    pub metrics_workflows: Vec<String>,
}

/// Begins to record metrics and to export traces; before anything that is to be measured.
pub fn begin(role: &'static str, args: &ObserveArgs) -> Result<(), Failure> {
    runnel_api::install_metrics();
    runnel_runtime::watch_workflows(args.metrics_workflows.iter().cloned());
    runnel_worker::telemetry::describe();
    runnel_telemetry::install(role)
        .map(drop)
        .map_err(|error| Failure {
            exit: Exit::Usage,
            error: error.into(),
            hint: Some("unset it, or see docs/observability.md".to_owned()),
        })
}

/// Sends what has not been sent.
pub async fn end() {
    runnel_telemetry::flush().await;
}

/// Serves `/metrics` and `/livez` for a role without an API, until `stop`.
pub async fn serve_metrics(address: SocketAddr, stop: CancellationToken) -> Result<SocketAddr, Failure> {
    let failed = |error: std::io::Error| {
        Failure::caused(
            Exit::Unreachable,
            "cannot listen for metrics",
            anyhow::Error::from(error).context(address.to_string()),
        )
        .hint("choose another address with --metrics-listen; 127.0.0.1:0 takes a free port")
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tokio::spawn(runnel_api::serve_metrics(listener, stop));
    Ok(address)
}
