//! CEL expressions and `${{ }}` templates behind an own type, with bounded compilation and evaluation.
//!
//! Guarantees: compiling and evaluating never panic and never recurse deeper than the limits below, whatever the text; data is
//! never parsed again as an expression; the same scope gives the same value.
//!
//! Contexts are listed in [`CONTEXTS`]. `tasks` and `secrets` are read by a literal name only (`tasks.load.output`,
//! `tasks["load"].output`), so that what an expression depends on is known before it runs. A secret evaluates to a mark
//! `‹secret:NAME:MARK›`; only the worker that executes the attempt puts the value in its place.
//!
//! Functions: those of CEL (`size`, `has`, `string`, `int`, `double`, `type`, `matches`, `all`, `exists`, `map`, `filter`, …), its
//! strings extension (`split`, `join`, `replace`, `trim`, `lowerAscii`, `format`, …), and these of our own, which the conversion of
//! foreign dialects uses:
//!
//! | function | meaning |
//! | --- | --- |
//! | `loose_eq(a, b)`, `loose_ne(a, b)` | equality; by number when both sides are numbers or texts of numbers, `"True"`/`"False"` are booleans |
//! | `loose_lt(a, b)`, `loose_le`, `loose_gt`, `loose_ge` | order; by number as above, else by text |
//! | `truthy(x)` | `false` for `null`, `false`, `0`, an empty list or map, and the texts `""`, `"false"`, `"0"`, `"none"`, `"null"` in any case |
//! | `merge(a, b)` | one map of both; `b` wins |
//! | `text(x)` | what `x` becomes inside a longer text |
//! | `x.date()` | the date of a time, `2026-01-31`, as its own offset has it |

mod functions;
mod guard;
mod reference;
mod template;
mod value;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use cel::common::types::{CelMap, CelMapKey};
use cel::common::value::Val;
use cel::{Context, Env, Program};
use serde_json::Value;

pub use template::Template;

/// Longest expression, in bytes; a longer one is refused.
pub const SOURCE_BYTES_MAX: usize = 4096;
/// Deepest nesting of brackets; the parser recurses per level.
pub const NESTING_MAX: usize = 32;
/// Most operators and selections; evaluation recurses per operator of a chain.
pub const OPERATORS_MAX: usize = 512;
/// Deepest nesting of `map`, `filter`, `all`, `exists`: CEL has no cost budget, so the degree of the cost is capped.
pub const LOOPS_MAX: usize = 2;
/// Most steps of all loops of one evaluation, estimated from the longest list in reach.
pub const STEPS_MAX: usize = 1_000_000;
/// Largest result of an expression or a template, in bytes of JSON.
pub const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// The names an expression may start from.
pub const CONTEXTS: &[&str] = &[
    "inputs", "tasks", "run", "workflow", "each", "task", "vars", "secrets", "env", "event", "error",
];

/// Why an expression does not compile or did not evaluate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExprError {
    /// One sentence.
    pub message: String,
    /// Byte offset in the text that was compiled; 0 where no place is known.
    pub offset: usize,
}

impl ExprError {
    fn new(message: impl Into<String>, offset: usize) -> Self {
        Self {
            message: message.into(),
            offset,
        }
    }
}

/// How much of a context an expression reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// All of it, or a part that is known only when it runs.
    Whole,
    /// These members.
    Members(BTreeSet<String>),
}

/// What an expression reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct References {
    /// Names it starts from, known contexts or not.
    pub roots: BTreeSet<String>,
    /// Keys of the tasks it reads.
    pub tasks: BTreeSet<String>,
    /// Those of `tasks` whose output it may read (and not only status, error or attempt).
    pub outputs: BTreeSet<String>,
    /// Names of secrets.
    pub secrets: BTreeSet<String>,
    /// How much it reads of each root but `tasks` and `secrets`.
    pub reach: BTreeMap<String, Reach>,
}

impl References {
    /// Adds everything that `other` reads.
    pub fn extend(&mut self, other: &Self) {
        self.roots.extend(other.roots.iter().cloned());
        self.tasks.extend(other.tasks.iter().cloned());
        self.outputs.extend(other.outputs.iter().cloned());
        self.secrets.extend(other.secrets.iter().cloned());
        for (root, reach) in &other.reach {
            self.add_reach(root, reach.clone());
        }
    }

    fn add_reach(&mut self, root: &str, reach: Reach) {
        let merged = match (self.reach.remove(root), reach) {
            (None, reach) => reach,
            (Some(Reach::Members(mut a)), Reach::Members(b)) => {
                a.extend(b);
                Reach::Members(a)
            }
            (Some(_), _) => Reach::Whole,
        };
        self.reach.insert(root.to_owned(), merged);
    }
}

/// What an expression is evaluated against; asked only for what the expression reads.
pub trait Scope {
    /// A whole context, as `each`; never asked for `tasks` or `secrets`.
    fn whole(&self, root: &str) -> Option<Cow<'_, Value>>;

    /// One member of a context, as `inputs.url`; never asked for `tasks` or `secrets`.
    fn member(&self, root: &str, name: &str) -> Option<Cow<'_, Value>>;

    /// `{status, output, error, attempt}` of a task; `output` may be left out unless `with_output`.
    fn task(&self, key: &str, with_output: bool) -> Option<Cow<'_, Value>>;

    /// The unguessable part of the marks that stand for secrets.
    fn secret_mark(&self) -> &str;
}

/// A scope written as one JSON object with a member per context; secrets get an empty mark.
impl Scope for Value {
    fn whole(&self, root: &str) -> Option<Cow<'_, Value>> {
        self.get(root).map(Cow::Borrowed)
    }

    fn member(&self, root: &str, name: &str) -> Option<Cow<'_, Value>> {
        self.get(root)?.get(name).map(Cow::Borrowed)
    }

    fn task(&self, key: &str, _with_output: bool) -> Option<Cow<'_, Value>> {
        self.get("tasks")?.get(key).map(Cow::Borrowed)
    }

    fn secret_mark(&self) -> &str {
        ""
    }
}

/// The mark that stands for a secret until a worker puts the value in its place.
#[must_use]
pub fn secret_mark(name: &str, mark: &str) -> String {
    format!("‹secret:{name}:{mark}›")
}

// Built once: `Context::default()` builds the standard library again on each call (4x slower).
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    // Cannot fail on a fresh standard library; were it to, the functions would be missing and say so when used.
    let _ = env.add_extension(cel::extensions::strings);
    Arc::new(env)
});

/// A compiled CEL expression. Cheap to clone.
#[derive(Clone)]
pub struct Expr {
    program: Arc<Program>,
    references: Arc<References>,
    functions: Vec<&'static str>,
    loops: u32,
}

impl std::fmt::Debug for Expr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expr")
            .field("references", &self.references)
            .finish_non_exhaustive()
    }
}

impl Expr {
    /// Compiles the text of an expression, without its `${{ }}`.
    ///
    /// # Errors
    /// Text over the limits, bad syntax, an unknown function, or `tasks`/`secrets` read by anything but a literal name.
    pub fn compile(text: &str) -> Result<Self, ExprError> {
        guard::check_text(text)?;
        let program = ENV
            .compile(text)
            .map_err(|errors| guard::parse_error(text, &errors))?;
        let ast = program.expression();
        let loops = guard::check_loops(ast)?;
        let references = reference::collect(ast, text)?;
        let functions = functions::check_and_select(&program)?;
        Ok(Self {
            program: Arc::new(program),
            references: Arc::new(references),
            functions,
            loops,
        })
    }

    /// What it reads.
    #[must_use]
    pub fn references(&self) -> &References {
        &self.references
    }

    /// Its value.
    ///
    /// # Errors
    /// A missing name or path, a type that does not fit, or a limit.
    pub fn eval(&self, scope: &dyn Scope) -> Result<Value, ExprError> {
        self.eval_within(scope, OUTPUT_BYTES_MAX)
    }

    fn eval_within(&self, scope: &dyn Scope, bytes_max: usize) -> Result<Value, ExprError> {
        let mut context = Context::with_env(ENV.clone());
        functions::add(&mut context, &self.functions)?;
        let mut longest = 0;
        for (root, reach) in &self.references.reach {
            if let Some(bound) = bind_root(scope, root, reach, &mut longest) {
                context.add_variable_as_val(root.as_str(), bound);
            }
        }
        if !self.references.tasks.is_empty() {
            context.add_variable_as_val("tasks", self.bind_tasks(scope, &mut longest));
        }
        if !self.references.secrets.is_empty() {
            context.add_variable_as_val("secrets", self.bind_secrets(scope));
        }
        if longest.saturating_pow(self.loops) > STEPS_MAX {
            return Err(ExprError::new(
                format!(
                    "a loop over {longest} elements nested {} deep takes too many steps",
                    self.loops
                ),
                0,
            ));
        }
        let value = self
            .program
            .execute(&context)
            .map_err(|e| ExprError::new(value::describe(&e), 0))?;
        value::to_json(&value, bytes_max)
    }

    fn bind_tasks(&self, scope: &dyn Scope, longest: &mut usize) -> Box<dyn Val> {
        let bound = self.references.tasks.iter().filter_map(|key| {
            let task = scope.task(key, self.references.outputs.contains(key))?;
            Some((CelMapKey::from(key.clone()), value::to_cel(&task, longest)))
        });
        Box::new(CelMap::from(bound.collect::<std::collections::HashMap<_, _>>()))
    }

    fn bind_secrets(&self, scope: &dyn Scope) -> Box<dyn Val> {
        let bound = self.references.secrets.iter().map(|name| {
            let mark = Value::String(secret_mark(name, scope.secret_mark()));
            (CelMapKey::from(name.clone()), value::to_cel(&mark, &mut 0))
        });
        Box::new(CelMap::from(bound.collect::<std::collections::HashMap<_, _>>()))
    }
}

fn bind_root(scope: &dyn Scope, root: &str, reach: &Reach, longest: &mut usize) -> Option<Box<dyn Val>> {
    match reach {
        Reach::Whole => scope.whole(root).map(|value| value::to_cel(&value, longest)),
        Reach::Members(names) => {
            let bound = names.iter().filter_map(|name| {
                let value = scope.member(root, name)?;
                Some((CelMapKey::from(name.clone()), value::to_cel(&value, longest)))
            });
            Some(Box::new(CelMap::from(
                bound.collect::<std::collections::HashMap<_, _>>(),
            )))
        }
    }
}
