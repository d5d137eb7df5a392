//! Traces of runs: who caused what, across processes, sent to any receiver of OTLP.
//!
//! Guarantees: with no receiver configured nothing is computed, allocated or sent (one atomic load decides); a receiver that
//! is slow or away never holds up a run, its spans are dropped and counted instead; ids of spans that several processes speak of
//! are derived from the run, so that nobody has to ask and a tree stays connected when one of them dies.
//!
//! Knows nothing of workflows: the other crates say what a span is called and where it hangs.

mod ambient;
mod context;
mod derive;
mod export;
mod labels;
mod lines;
mod otlp;
mod sampler;
mod settings;
mod span;

use std::sync::OnceLock;

pub use ambient::{LogContext, current_log_context, with_log_context};
pub use context::{SpanContext, SpanId, TraceId};
pub use derive::{DerivedFrom, derived, trace_of};
pub use export::Tracer;
pub use labels::LabelCap;
pub use lines::{LineForm, WithIds};
pub use otlp::encode;
pub use sampler::Sampler;
pub use settings::{Settings, SettingsError};
pub use span::{Kind, Span, Status, Value};

static TRACER: OnceLock<Tracer> = OnceLock::new();

/// The tracer of this process; `None` where no receiver is configured.
#[must_use]
pub fn tracer() -> Option<&'static Tracer> {
    TRACER.get()
}

/// Begins to export as the environment says (`OTEL_*`, see [`Settings::from_env`]). Must be called within a tokio runtime, once; a
/// second call changes nothing. Answers whether spans are exported.
///
/// # Errors
/// A variable has a value that cannot be meant; what is said must not be guessed at.
pub fn install(role: &'static str) -> Result<bool, SettingsError> {
    let Some(settings) = Settings::from_env(role)? else {
        return Ok(false);
    };
    let endpoint = settings.endpoint.clone();
    if TRACER.set(Tracer::start(settings)).is_ok() {
        tracing::debug!(%endpoint, "traces are exported");
    }
    Ok(true)
}

/// Sends what has not been sent yet, for the end of a process or of an invocation. Returns when it is sent, or given up.
pub async fn flush() {
    if let Some(tracer) = tracer() {
        tracer.flush().await;
    }
}
