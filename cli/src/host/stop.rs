//! How a service is asked to stop: the first SIGTERM or ctrl-C drains, a second one quits at once.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::{Exit, Failure};

/// Longest drain after the first signal, unless an option says otherwise.
pub const DRAIN_GRACE: Duration = Duration::from_secs(30);

/// A token that is cancelled by the first signal. The second signal ends the process.
pub fn on_signal() -> Result<CancellationToken, Failure> {
    let failed = |error| Failure::internal("cannot listen for signals", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        tracing::info!("stopping: draining what is in flight; once more to quit at once");
        asked.cancel();
        either(&mut terminate, &mut interrupt).await;
        tracing::warn!("quitting without waiting; what was running is run again after the next start");
        std::process::exit(Exit::Interrupted as i32);
    });
    Ok(stop)
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
