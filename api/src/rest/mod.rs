//! The HTTP aliases: the few calls that people make with curl, over the same services as GraphQL.
use crate::app::SharedApp;
use axum::Router;
/// Routes of this module.
pub(crate) fn routes() -> Router<SharedApp> {
    Router::new()
}
