//! What a task asks of a container.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::task::{TaskContext, TaskError};

const IMAGE_BYTES_MAX: usize = 512;
const CPU_MAX: f64 = 192.0;
const MEMORY_MB_MAX: u64 = 4 << 20;

/// A container to run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spec {
    pub(super) image: String,
    /// Empty: the image's own.
    pub(super) command: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    /// Processors.
    pub(super) cpu: Option<f64>,
    pub(super) memory_mb: Option<u64>,
}

impl Spec {
    pub(super) fn read(ctx: &TaskContext) -> Result<Self, TaskError> {
        let image = ctx.required_text("image")?;
        // it becomes an argument of a program: it must not look like an option
        let is_legal = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
        if !image.starts_with(|c: char| c.is_ascii_alphanumeric())
            || image.len() > IMAGE_BYTES_MAX
            || !image.chars().all(is_legal)
        {
            return Err(TaskError::input(
                "`image` must be the reference of an image, as `alpine:3.22`",
            ));
        }
        let resources = ctx.field("resources").unwrap_or(&Value::Null);
        if !(resources.is_object() || resources.is_null()) {
            return Err(TaskError::input(
                "`resources` must be a mapping with `cpu` and `memory_mb`",
            ));
        }
        Ok(Self {
            image: image.to_owned(),
            command: command(ctx)?,
            env: env(ctx)?,
            cpu: match resources.get("cpu").filter(|cpu| !cpu.is_null()) {
                None => None,
                Some(cpu) => Some(
                    cpu.as_f64()
                        .filter(|cpu| *cpu > 0.0 && *cpu <= CPU_MAX)
                        .ok_or_else(|| {
                            TaskError::input(format!(
                                "`resources.cpu` must be a number of processors, at most {CPU_MAX}"
                            ))
                        })?,
                ),
            },
            memory_mb: match resources.get("memory_mb").filter(|memory| !memory.is_null()) {
                None => None,
                Some(memory) => Some(
                    memory
                        .as_u64()
                        .filter(|mb| (4..=MEMORY_MB_MAX).contains(mb))
                        .ok_or_else(|| {
                            TaskError::input(format!(
                                "`resources.memory_mb` must be a number from 4 to {MEMORY_MB_MAX}"
                            ))
                        })?,
                ),
            },
        })
    }
}

/// `command`, and after it `args`.
fn command(ctx: &TaskContext) -> Result<Vec<String>, TaskError> {
    let mut all = Vec::new();
    for key in ["command", "args"] {
        let refused = || {
            TaskError::input(format!(
                "`{key}` must be a list of arguments without NUL characters"
            ))
        };
        let Some(given) = ctx.field(key) else { continue };
        for argument in given.as_array().ok_or_else(refused)? {
            match argument {
                Value::String(text) if !text.contains('\0') => all.push(text.clone()),
                Value::Number(number) => all.push(number.to_string()),
                _ => return Err(refused()),
            }
        }
    }
    Ok(all)
}

/// The task's environment, that of the input on top, and what every attempt is told.
fn env(ctx: &TaskContext) -> Result<BTreeMap<String, String>, TaskError> {
    let mut env = ctx.env.clone();
    match ctx.field("env") {
        None => {}
        Some(Value::Object(given)) => env.extend(given.iter().map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        })),
        Some(_) => return Err(TaskError::input("`env` must be a mapping of names to values")),
    }
    env.extend([
        ("RUNNEL_RUN_ID".to_owned(), ctx.run.clone()),
        ("RUNNEL_TASK".to_owned(), ctx.key.clone()),
        ("RUNNEL_ATTEMPT".to_owned(), ctx.attempt.to_string()),
        ("RUNNEL_IDEMPOTENCY_KEY".to_owned(), ctx.idempotency_key.clone()),
    ]);
    if let Some(traceparent) = &ctx.traceparent {
        env.insert("TRACEPARENT".to_owned(), traceparent.clone());
    }
    let is_name = |name: &String| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    match env.keys().find(|name| !is_name(name)) {
        Some(name) => Err(TaskError::input(format!(
            "`{name}` cannot be the name of a variable"
        ))),
        None => Ok(env),
    }
}
