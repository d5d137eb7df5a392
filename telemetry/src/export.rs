//! Sends ended spans: gathered, posted in batches, dropped when nobody takes them.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::{Client, StatusCode};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::context::{SpanContext, SpanId, TraceId};
use crate::otlp;
use crate::settings::Settings;
use crate::span::Span;

/// Tries of one post; what then still fails is dropped.
const TRIES_MAX: u32 = 4;

/// First pause between two tries; doubles.
const PAUSE: Duration = Duration::from_millis(200);

/// Longest wait of [`Tracer::flush`].
const FLUSH_MAX: Duration = Duration::from_secs(5);

const EXPORTED: &str = "runnel_trace_spans_exported_total";
const DROPPED: &str = "runnel_trace_spans_dropped_total";

/// Takes ended spans. One a process, see [`crate::install`].
#[derive(Debug)]
pub struct Tracer {
    calls: mpsc::Sender<Call>,
    settings: Settings,
    /// Ids of spans that only this process speaks of.
    seed: RandomState,
    next: AtomicU64,
}

#[derive(Debug)]
enum Call {
    Spans(Vec<Span>),
    Flush(oneshot::Sender<()>),
}

impl Tracer {
    /// Begins to export; within a tokio runtime, whose end is the end of the export.
    #[must_use]
    pub fn start(settings: Settings) -> Self {
        let (calls, receiver) = mpsc::channel(settings.queue_max);
        tokio::spawn(Exporter::new(settings.clone()).run(receiver));
        Self {
            calls,
            settings,
            seed: RandomState::new(),
            next: AtomicU64::new(1),
        }
    }

    /// A place for a new span below `parent`, or at the head of a trace of its own.
    #[must_use]
    pub fn begin(&self, parent: Option<SpanContext>) -> SpanContext {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let bits = |part: u64| self.seed.hash_one((number, part)).max(1).to_be_bytes();
        let trace = parent.map_or_else(
            || {
                let mut trace = [0; 16];
                trace[..8].copy_from_slice(&bits(1));
                trace[8..].copy_from_slice(&bits(2));
                TraceId(trace)
            },
            |parent| parent.trace,
        );
        SpanContext {
            trace,
            span: SpanId(bits(3)),
            is_sampled: self.settings.sampler.keeps(trace, parent),
        }
    }

    /// Whether spans of a trace are kept that begins with this span and whose id everybody knows.
    #[must_use]
    pub fn keeps(&self, trace: TraceId) -> bool {
        self.settings.sampler.keeps(trace, None)
    }

    /// Hands spans over; those of traces that are not kept are left out. Never waits: spans that find no room are dropped.
    pub fn export(&self, mut spans: Vec<Span>) {
        spans.retain(|span| span.context.is_sampled);
        let count = spans.len() as u64;
        if count > 0 && self.calls.try_send(Call::Spans(spans)).is_err() {
            metrics::counter!(DROPPED).increment(count);
        }
    }

    /// Waits until what was handed over before is sent or given up, a few seconds at most.
    pub async fn flush(&self) {
        let (done, is_done) = oneshot::channel();
        let flushed = async {
            if self.calls.send(Call::Flush(done)).await.is_ok() {
                // an error means that the exporter has ended: there is nothing to wait for
                let _ = is_done.await;
            }
        };
        if tokio::time::timeout(FLUSH_MAX, flushed).await.is_err() {
            tracing::warn!("the last spans were not sent in time");
        }
    }
}

struct Exporter {
    settings: Settings,
    client: Client,
    waiting: Vec<Span>,
    /// The receiver is said to be away once, not for each batch.
    is_away: bool,
}

impl Exporter {
    fn new(settings: Settings) -> Self {
        // the names of proxies in the environment are for what tasks call, not for the collector beside this process
        let client = Client::builder()
            .no_proxy()
            .timeout(settings.timeout)
            .build()
            .unwrap_or_default();
        Self {
            settings,
            client,
            waiting: Vec::new(),
            is_away: false,
        }
    }

    async fn run(mut self, mut calls: mpsc::Receiver<Call>) {
        let mut due = None;
        loop {
            let call = tokio::select! {
                call = calls.recv() => call,
                () = sleep_until(due) => {
                    self.send_all().await;
                    due = None;
                    continue;
                }
            };
            match call {
                Some(Call::Spans(spans)) => {
                    self.waiting.extend(spans);
                    if self.waiting.len() >= self.settings.batch_max {
                        self.send_all().await;
                        due = None;
                    } else if due.is_none() {
                        due = Some(Instant::now() + self.settings.delay);
                    }
                }
                Some(Call::Flush(done)) => {
                    self.send_all().await;
                    due = None;
                    // whoever waited may have given up
                    let _ = done.send(());
                }
                None => return self.send_all().await,
            }
        }
    }

    async fn send_all(&mut self) {
        while !self.waiting.is_empty() {
            let rest = self
                .waiting
                .split_off(self.waiting.len().min(self.settings.batch_max));
            let batch = std::mem::replace(&mut self.waiting, rest);
            let body = bytes::Bytes::from(otlp::encode(&self.settings.resource, &batch));
            let count = batch.len() as u64;
            match self.post(body).await {
                Ok(()) => {
                    self.is_away = false;
                    metrics::counter!(EXPORTED).increment(count);
                }
                Err(problem) => {
                    metrics::counter!(DROPPED).increment(count);
                    if !std::mem::replace(&mut self.is_away, true) {
                        let endpoint = &self.settings.endpoint;
                        tracing::warn!(%endpoint, problem, "spans are dropped until the receiver takes them");
                    }
                }
            }
        }
    }

    /// Posts a batch, again where that may help.
    async fn post(&self, body: bytes::Bytes) -> Result<(), String> {
        let mut pause = PAUSE;
        let mut tries = 0;
        loop {
            tries += 1;
            let mut request = self
                .client
                .post(&self.settings.endpoint)
                .header("content-type", "application/x-protobuf");
            for (name, value) in &self.settings.headers {
                request = request.header(name, value);
            }
            let (problem, may_help) = match request.body(body.clone()).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => (format!("status {}", answer.status()), may_pass(answer.status())),
                // the address is in the settings, and may hold credentials
                Err(error) => (error.without_url().to_string(), true),
            };
            // a receiver that was away a moment ago is not waited for again
            if !may_help || tries >= TRIES_MAX || self.is_away {
                return Err(problem);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
}

/// The statuses that OTLP calls retryable.
fn may_pass(status: StatusCode) -> bool {
    [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ]
    .contains(&status)
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
