//! The rail of mutations: every one of them is in the audit log, and a repeated one answers as before.
//!
//! An extension of the schema that mutations are executed on, so that no resolver has to think of it and none can forget it.
//! It knows what a mutation did from its own payload: the document is given selections of `userErrors` and of the objects
//! that the payload holds, and the answer is cleared of them again. `dryRun: true` leaves nothing anywhere.

mod document;
mod keyed;
mod refusal;
mod shape;

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextParseQuery, NextResolve, ResolveInfo,
};
use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{PathSegment, Pos, ServerError, ServerResult, Value, Variables};
use runnel_runtime::audit::{self, AuditEnd, AuditIntent, AuditOutcome};
use runnel_runtime::{Actor, Orchestrator};

use crate::auth::Viewer;
use crate::error::{ApiError, Code};
use crate::request_id::RequestId;
use document::Input;
use keyed::{Key, Turn};
use refusal::{Asking, Fragments};
use shape::Shapes;

pub(crate) use shape::CHANGES_NOTHING;

/// Makes the rail of each request.
pub(crate) struct Rail {
    shapes: Arc<Shapes>,
}

impl Rail {
    /// The rail of a schema.
    pub(crate) fn of_schema(sdl: &str) -> Self {
        Self {
            shapes: Arc::new(Shapes::of_schema(sdl)),
        }
    }
}

impl ExtensionFactory for Rail {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(RailOfRequest {
            shapes: Arc::clone(&self.shapes),
            asked: Mutex::default(),
        })
    }
}

struct RailOfRequest {
    shapes: Arc<Shapes>,
    asked: Mutex<Asked>,
}

/// What the request says; known once its document is parsed.
#[derive(Debug, Clone, Default)]
struct Asked {
    text: Arc<str>,
    variables: Variables,
    /// Of a document with mutations.
    fragments: Arc<Fragments>,
}

#[async_graphql::async_trait::async_trait]
impl Extension for RailOfRequest {
    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let mut document = next.run(ctx, query, variables).await?;
        document::instrument(&mut document, &self.shapes);
        let mut operations = document.operations.iter();
        let fragments = if operations.any(|(_, operation)| operation.node.ty == OperationType::Mutation) {
            document.fragments.clone()
        } else {
            Fragments::new()
        };
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Asked {
            text: query.into(),
            variables: variables.clone(),
            fragments: Arc::new(fragments),
        };
        Ok(document)
    }

    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        if info.parent_type != "Mutation" {
            return next.run(ctx, info).await;
        }
        let (Some(orchestrator), Some(viewer)) = (ctx.data_opt::<Orchestrator>(), ctx.data_opt::<Viewer>())
        else {
            return next.run(ctx, info).await;
        };
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let input = Input::of(info.field, &asked.variables);
        if input.is_dry_run() || CHANGES_NOTHING.contains(&info.name) {
            let value = next.run(ctx, info).await?;
            return Ok(value.map(|value| document::take_notes(value).0));
        }
        let key = Key::of(&input, info.name, &asked.text, viewer);
        let asking = Asking {
            fragments: &asked.fragments,
            variables: &asked.variables,
        };
        let shape = self.shapes.get(info.name).filter(|_| key.is_some());
        let key_taken = shape
            .and_then(|shape| refusal::key_taken(info.field, shape, input.text("clientMutationId"), &asking));
        let mutation = Mutation {
            orchestrator,
            viewer,
            name: info.name.to_owned(),
            place: Place {
                key: info.alias.unwrap_or(info.name).to_owned(),
                pos: info.field.name.pos,
            },
            intent: AuditIntent {
                action: info.name.to_owned(),
                target: input.target(info.name),
                reason: input.text("reason"),
                request_id: ctx.data_opt::<RequestId>().map(|id| id.text.clone()),
                trace: ctx.data_opt::<RequestId>().and_then(|id| id.trace),
            },
            key,
            key_taken,
            replayed: document::replay_keys(info.field),
        };
        mutation.run(next.run(ctx, info)).await
    }
}

/// Where an error of the rail is shown.
struct Place {
    key: String,
    pos: Pos,
}

impl Place {
    fn error(&self, error: ApiError) -> ServerError {
        let mut error = async_graphql::Error::from(error).into_server_error(self.pos);
        error.path = vec![PathSegment::Field(self.key.clone())];
        error
    }
}

/// One mutation of a request.
struct Mutation<'a> {
    orchestrator: &'a Orchestrator,
    viewer: &'a Viewer,
    name: String,
    place: Place,
    intent: AuditIntent,
    key: Option<Key>,
    /// The answer when the key belongs to another request.
    key_taken: Option<Value>,
    /// Keys of the answer that say whether it is a replay.
    replayed: Vec<String>,
}

impl Mutation<'_> {
    async fn run(
        mut self,
        resolving: impl Future<Output = ServerResult<Option<Value>>>,
    ) -> ServerResult<Option<Value>> {
        let actor: &Actor = &self.viewer.actor;
        let draft = self.orchestrator.begin_audit(actor, self.intent.clone());
        let turn = match &self.key {
            None => Turn::Begin,
            Some(key) => key.claim(self.orchestrator, actor).await,
        };
        let (answer, end) = match turn {
            Turn::Begin => {
                let answer = audit::scope(Arc::clone(&draft), resolving).await;
                let (answer, end) = self.judge(answer);
                if let Some(key) = &self.key {
                    key.settle(self.orchestrator, actor, &answer, end.outcome).await;
                }
                (answer, end)
            }
            Turn::Replay(answer) => (Ok(Some(self.replay(answer))), replayed()),
            Turn::Taken => {
                let refused = self.key_taken.take();
                self.judge(Ok(refused))
            }
            Turn::Refuse(error) => {
                let end = ended(AuditOutcome::Refused, Some(error.code.as_str().to_owned()));
                (Err(self.place.error(error)), end)
            }
        };
        self.orchestrator.finish_audit(&draft, end).await;
        answer
    }

    /// What the answer says about what was done, and the answer without what was only asked to know that.
    fn judge(&self, answer: ServerResult<Option<Value>>) -> (ServerResult<Option<Value>>, AuditEnd) {
        match answer {
            Err(error) => {
                let code = document::code_of(&error);
                let is_refusal = code.as_deref().is_some_and(is_refusal);
                let outcome = if is_refusal {
                    AuditOutcome::Refused
                } else {
                    AuditOutcome::Failed
                };
                (Err(error), ended(outcome, code))
            }
            Ok(None) => (Ok(None), ended(AuditOutcome::Failed, None)),
            Ok(Some(value)) => {
                let (value, notes) = document::take_notes(value);
                let end = match notes.code {
                    Some(code) => ended(AuditOutcome::Refused, Some(code)),
                    None => AuditEnd {
                        target: notes.target,
                        ..ended(AuditOutcome::Ok, None)
                    },
                };
                (Ok(Some(value)), end)
            }
        }
    }

    fn replay(&self, mut answer: Value) -> Value {
        if let Value::Object(fields) = &mut answer {
            for key in &self.replayed {
                if let Some(value) = fields.get_mut(key.as_str()) {
                    *value = Value::Boolean(true);
                }
            }
        }
        tracing::debug!(mutation = self.name, "answered from its idempotency key");
        answer
    }
}

fn ended(outcome: AuditOutcome, code: Option<String>) -> AuditEnd {
    AuditEnd {
        outcome,
        code,
        target: None,
        state_after: None,
    }
}

fn replayed() -> AuditEnd {
    AuditEnd {
        state_after: Some(r#"{"isReplay":true}"#.to_owned()),
        ..ended(AuditOutcome::Ok, None)
    }
}

/// Whether the code says that nothing was done.
fn is_refusal(code: &str) -> bool {
    let refusals = [
        Code::Forbidden,
        Code::BadUserInput,
        Code::FilterInvalid,
        Code::NotFound,
        Code::Conflict,
    ];
    refusals.iter().any(|refusal| refusal.as_str() == code)
}
