//! The GraphQL schema: parse, authorise, call the runtime, map. No rule of the product is decided here.

mod approval;
mod attempt;
mod audit;
mod blocker;
mod bulk;
mod circuit;
mod connection;
pub(crate) mod cursor;
pub(crate) mod dead_letter;
mod diagnostic;
mod enums;
mod event;
mod fanout;
mod filters;
pub(crate) mod id;
mod layout;
pub(crate) mod members;
mod mutation_run;
mod mutation_schedule;
mod mutation_trigger;
mod mutation_wait;
mod mutation_workflow;
mod namespace;
mod paging;
pub(crate) mod payload;
mod power_filter;
mod query;
mod query_schedule;
mod rail;
mod rerun;
mod run;
mod scalars;
mod schedule;
mod secret;
mod server;
mod session;
pub(crate) mod subscription;
mod task;
#[cfg(test)]
mod tests;
mod trigger;
mod user_error;
pub(crate) mod warnings;
mod workflow;

use async_graphql::{MergedObject, MergedSubscription, Request, SDLExportOptions, Schema, SchemaBuilder};
use runnel_runtime::Orchestrator;

use crate::app::App;
use crate::auth::Viewer;
use approval::WaitQuery;
use audit::AuditQuery;
use bulk::{BulkMutation, BulkQuery};
use circuit::{CircuitMutation, CircuitQuery};
use dead_letter::{DeadLetterMutation, DeadLetterQuery};
use fanout::FanoutMutation;
use mutation_run::RunMutation;
use mutation_schedule::ScheduleMutation;
use mutation_trigger::TriggerMutation;
use mutation_wait::WaitMutation;
use mutation_workflow::WorkflowMutation;
use namespace::{NamespaceMutation, NamespaceQuery};
use query::CoreQuery;
use query_schedule::ScheduleQuery;
use rerun::RerunMutation;
use secret::SecretMutation;
use server::ServerQuery;
use session::ReadLoader;
use subscription::{EventSubscription, LogSubscription, RunSubscription};

/// Queries: they change nothing, and what does not exist is null.
#[derive(Debug, Default, MergedObject)]
pub(crate) struct Query(
    CoreQuery,
    AuditQuery,
    CircuitQuery,
    NamespaceQuery,
    ScheduleQuery,
    BulkQuery,
    ServerQuery,
    WaitQuery,
    DeadLetterQuery,
);

/// Mutations: each takes one `input` and answers one payload, whose `userErrors` say why nothing was done.
#[derive(Debug, Default, MergedObject)]
pub(crate) struct Mutation(
    WorkflowMutation,
    RunMutation,
    FanoutMutation,
    CircuitMutation,
    NamespaceMutation,
    ScheduleMutation,
    TriggerMutation,
    BulkMutation,
    SecretMutation,
    WaitMutation,
    RerunMutation,
    DeadLetterMutation,
);

/// Subscriptions, over WebSocket (`/graphql/ws`) and SSE (`/graphql/stream`). Each message has a cursor to resume after.
#[derive(Debug, Default, MergedSubscription)]
pub(crate) struct Subscription(EventSubscription, RunSubscription, LogSubscription);

/// The schema of this server.
pub(crate) type ApiSchema = Schema<Query, Mutation, Subscription>;

fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    // suggestions would tell an unauthenticated caller the names it does not know
    Schema::build(Query::default(), Mutation::default(), Subscription::default()).disable_suggestions()
}

/// The schema over an orchestrator, for queries and subscriptions.
pub(crate) fn build(orchestrator: Orchestrator) -> ApiSchema {
    builder().data(orchestrator).finish()
}

/// The same schema with the rail of mutations. They have one of their own because an extension costs every field.
pub(crate) fn build_for_mutations(orchestrator: Orchestrator) -> ApiSchema {
    let rail = rail::Rail::of_schema(&builder().finish().sdl());
    builder().data(orchestrator).extension(rail).finish()
}

/// Gives a request its caller and its loaders.
pub(crate) fn attach(request: Request, app: &App, viewer: Viewer) -> Request {
    let loader = ReadLoader::of_request(app.orchestrator.clone(), viewer.actor.clone(), app.loader_delay);
    request.data(viewer).data(loader).data(payload::Budget::default())
}

/// The schema as SDL, sorted.
pub(crate) fn sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by();
    builder().finish().sdl_with_options(options)
}
