//! What the server is.

use async_graphql::{Context, Object, SimpleObject};
use runnel_runtime::bulk::BULK_RUNS_MAX;
use runnel_runtime::query::count::COUNT_MAX;
use runnel_runtime::start::{IDEMPOTENCY_KEY_BYTES_MAX, TAGS_MAX};

use super::cursor::{IDS_MAX, PAGE_MAX};
use super::session::open;
use crate::auth::Permission;
use crate::error::ApiError;

/// What the server is, and what it takes.
#[derive(Debug, SimpleObject)]
pub(crate) struct ServerInfo {
    /// Version of Runnel.
    version: &'static str,
    /// Limits of requests.
    limits: ServerLimits,
}

/// Limits of requests; what is over one is refused with it in the message.
#[derive(Debug, SimpleObject)]
pub(crate) struct ServerLimits {
    /// Most items of a page.
    page_size: u32,
    /// Most ids of `nodes`.
    ids: u32,
    /// Where counting stops.
    count: u32,
    /// Most runs of one operation on many runs.
    bulk_runs: u32,
    /// Most tags of a run.
    tags: u32,
    /// Longest idempotency key in bytes.
    idempotency_key_bytes: u32,
}

/// Queries about the server.
#[derive(Debug, Default)]
pub(crate) struct ServerQuery;

/// Queries about the server.
#[Object]
impl ServerQuery {
    /// What the server is, and what it takes.
    async fn server_info(&self, ctx: &Context<'_>) -> Result<ServerInfo, ApiError> {
        open(ctx, Permission::RunsRead)?;
        let number = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
        Ok(ServerInfo {
            version: env!("CARGO_PKG_VERSION"),
            limits: ServerLimits {
                page_size: PAGE_MAX,
                ids: number(IDS_MAX),
                count: COUNT_MAX,
                bulk_runs: BULK_RUNS_MAX,
                tags: number(TAGS_MAX),
                idempotency_key_bytes: number(IDEMPOTENCY_KEY_BYTES_MAX),
            },
        })
    }
}
