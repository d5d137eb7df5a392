//! What an attempt asks of the gates: names and keys rendered from the templates of its task.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::TaskIx;
use crate::expr::Template;
use crate::gate::{
    BreakerPolicy, CacheRequest, CircuitRequest, GateRequest, GroupRequest, KEY_CHARS_MAX, RateRequest,
};
use crate::run::machine::Machine;
use crate::run::readiness::expression_failure;
use crate::run::scope::RunScope;
use crate::run::{Category, TaskFailure};

/// Stands for the mark of secrets in a derived cache key: their names count, not the one-time marks.
const CACHE_MARK: &str = "cache";

impl Machine<'_> {
    pub(super) fn render_request(&self, ix: TaskIx) -> Result<GateRequest, Box<TaskFailure>> {
        let definition = self.definition(ix);
        let Some(gate) = &self.plan.compiled(self.task(ix).template).gate else {
            return Ok(GateRequest::default());
        };
        let named = |template: &Option<Template>, place: &str| {
            template
                .as_ref()
                .map(|template| self.name_of(Some(ix), template, place))
                .transpose()
        };
        let group = definition
            .concurrency
            .as_ref()
            .map(|concurrency| {
                let name = named(&gate.group, "concurrency.group")?.map_or_else(
                    || format!("task/{}/{}", self.plan.workflow().id, definition.key),
                    |name| format!("task:{name}"),
                );
                Ok::<_, Box<TaskFailure>>(GroupRequest {
                    name,
                    limit: concurrency.limit,
                    on_conflict: concurrency.on_conflict,
                })
            })
            .transpose()?;
        let rate = definition
            .rate_limit
            .as_ref()
            .zip(named(&gate.rate, "rate_limit.key")?);
        let circuit = definition
            .circuit
            .as_ref()
            .zip(named(&gate.circuit, "circuit.key")?);
        Ok(GateRequest {
            group,
            rate: rate.map(|(rate, key)| RateRequest {
                key,
                count: rate.count,
                per: rate.per,
            }),
            circuit: circuit.map(|(circuit, key)| CircuitRequest {
                key,
                policy: BreakerPolicy {
                    failures: circuit.failures,
                    window: circuit.window,
                    cooldown: circuit.cooldown,
                },
            }),
            cache: self.cache_request(ix)?,
        })
    }

    fn cache_request(&self, ix: TaskIx) -> Result<Option<CacheRequest>, Box<TaskFailure>> {
        let definition = self.definition(ix);
        let gate = &self.plan.compiled(self.task(ix).template).gate;
        let (Some(policy), Some(gate)) = (&definition.cache, gate) else {
            return Ok(None);
        };
        let key = match &gate.cache {
            Some(template) => {
                let scope = RunScope::new(self.plan, self.state, Some(ix));
                template
                    .render(&scope)
                    .map_err(|error| Box::new(expression_failure("cache.key", &error)))?
            }
            None => self
                .resolve_with_mark(ix, CACHE_MARK)
                .map(|resolved| json!([resolved.input, resolved.extra.env, resolved.extra.secrets]))?,
        };
        let identity = json!([self.plan.workflow().id, definition.key, gate.definition_hash, key]);
        Ok(Some(CacheRequest {
            key: hex::encode(Sha256::digest(identity.to_string())),
            ttl: policy.ttl,
            is_read: !self.state.extra.is_cache_ignored,
        }))
    }

    /// The rendered name of a gate: a text or a number, not empty, not too long.
    pub(super) fn name_of(
        &self,
        ix: Option<TaskIx>,
        template: &Template,
        place: &str,
    ) -> Result<String, Box<TaskFailure>> {
        let scope = RunScope::new(self.plan, self.state, ix);
        let value = template
            .render(&scope)
            .map_err(|error| Box::new(expression_failure(place, &error)))?;
        let refused =
            |message: String| Box::new(TaskFailure::new(Category::Input, "GATE_KEY", message, false));
        let name = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                return Err(refused(format!("`{place}` is neither a text nor a number")));
            }
        };
        let chars = name.chars().count();
        if chars == 0 || chars > KEY_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(refused(format!(
                "`{place}` must give 1 to {KEY_CHARS_MAX} characters without control characters, it gives {chars}"
            )));
        }
        Ok(name)
    }
}
