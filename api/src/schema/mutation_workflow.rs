//! Mutations of workflows.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use runnel_engine::Plan;
use runnel_engine::diagnostic::Severity as EngineSeverity;
use runnel_runtime::{PublishError, PublishRequest};

use super::diagnostic::{self, Diagnostic};
use super::enums::{Dialect, SourceFormat};
use super::layout::GraphLayout;
use super::session::open;
use super::user_error::UserError;
use super::workflow::{Workflow, WorkflowVersion};
use crate::auth::Permission;
use crate::error::ApiError;

/// Arguments of `workflowValidate`.
#[derive(Debug, InputObject)]
pub(crate) struct WorkflowValidateInput {
    /// The file: v1 or any accepted dialect, 1 MiB at most.
    source: String,
    /// How to read it.
    #[graphql(default_with = "SourceFormat::Auto")]
    format: SourceFormat,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// What `workflowValidate` found.
#[derive(Debug, SimpleObject)]
pub(crate) struct WorkflowValidatePayload {
    /// Whether the file would be accepted.
    is_valid: bool,
    /// All problems, errors and warnings, in the order of the text.
    diagnostics: Vec<Diagnostic>,
    /// The form the file was recognised as.
    dialect: Dialect,
    /// The v1 file that a foreign dialect was converted to; null for v1.
    converted_source: Option<String>,
    /// Where the tasks stand on a screen; null when the file would be refused.
    layout: Option<GraphLayout>,
    /// Why it was not checked. A file with problems is no error here.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// Arguments of `workflowPublish`.
#[derive(Debug, InputObject)]
pub(crate) struct WorkflowPublishInput {
    /// The file: v1 or any accepted dialect, 1 MiB at most.
    source: String,
    /// How to read it.
    #[graphql(default_with = "SourceFormat::Auto")]
    format: SourceFormat,
    /// Check and number it, store nothing.
    #[graphql(default)]
    dry_run: bool,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// What `workflowPublish` did.
#[derive(Debug, SimpleObject)]
pub(crate) struct WorkflowPublishPayload {
    /// The workflow; null when the file was refused.
    workflow: Option<Workflow>,
    /// The version that holds the content; null when the file was refused.
    version: Option<WorkflowVersion>,
    /// Whether the version was made now; false when identical content had been published before.
    is_new: bool,
    /// Warnings about an accepted file.
    diagnostics: Vec<Diagnostic>,
    /// The v1 file that a foreign dialect was converted to; null for v1.
    converted_source: Option<String>,
    /// Why the file was refused.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// Mutations of workflows.
#[derive(Debug, Default)]
pub(crate) struct WorkflowMutation;

/// Mutations of workflows.
#[Object]
impl WorkflowMutation {
    /// Reads a workflow file and says what is wrong with it, without storing or running anything.
    async fn workflow_validate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to check.")] input: WorkflowValidateInput,
    ) -> Result<WorkflowValidatePayload, ApiError> {
        let session = open(ctx, Permission::WorkflowsRead)?;
        let orchestrator = session.orchestrator.clone();
        let WorkflowValidateInput {
            source,
            format,
            client_mutation_id,
        } = input;
        // a file of 1 MiB takes long enough to keep a request thread from its other callers
        let has_picture = ctx.look_ahead().field("layout").exists();
        let reading = tokio::task::spawn_blocking(move || {
            let reading = orchestrator.validate(&source, format.into());
            let workflow = reading.workflow.clone().filter(|_| has_picture);
            let plan = workflow.and_then(|workflow| Plan::build(workflow).ok());
            (reading, plan.map(|plan| GraphLayout::of(&plan)))
        });
        let (reading, layout) = reading
            .await
            .map_err(|_| ApiError::internal("reading a workflow file panicked"))?;
        let has_error = reading
            .diagnostics
            .iter()
            .any(|d| d.severity == EngineSeverity::Error);
        Ok(WorkflowValidatePayload {
            is_valid: reading.workflow.is_some() && !has_error,
            diagnostics: diagnostic::all(reading.diagnostics),
            dialect: reading.dialect.into(),
            converted_source: reading.converted,
            layout,
            user_errors: Vec::new(),
            client_mutation_id,
        })
    }

    /// Stores a workflow file as a version. Identical content answers the version that holds it.
    async fn workflow_publish(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to publish.")] input: WorkflowPublishInput,
    ) -> Result<WorkflowPublishPayload, ApiError> {
        let session = open(ctx, Permission::WorkflowsWrite)?;
        let WorkflowPublishInput {
            source,
            format,
            dry_run,
            client_mutation_id,
        } = input;
        let request = PublishRequest {
            source,
            format: format.into(),
            is_dry_run: dry_run,
        };
        match session.orchestrator.publish(session.actor, request).await {
            Ok(published) => Ok(WorkflowPublishPayload {
                workflow: Some(Workflow(published.workflow)),
                version: Some(WorkflowVersion(published.version)),
                is_new: published.is_new,
                diagnostics: diagnostic::all(published.reading.diagnostics),
                converted_source: published.reading.converted,
                user_errors: Vec::new(),
                client_mutation_id,
            }),
            Err(PublishError::Invalid(problems)) => Ok(WorkflowPublishPayload {
                workflow: None,
                version: None,
                is_new: false,
                diagnostics: diagnostic::all(problems.clone()),
                converted_source: None,
                user_errors: vec![UserError::validation(diagnostic::all(problems))],
                client_mutation_id,
            }),
            Err(PublishError::Store(error)) => Err(ApiError::store(&error)),
        }
    }
}
