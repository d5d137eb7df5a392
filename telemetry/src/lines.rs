//! Lines of the log with the attempt that they are about, at the top level where queries find it.

use std::fmt::{self, Write as _};

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::ambient::{LogContext, current_log_context};

/// Form of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineForm {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Adds `run`, `task`, `attempt` and `trace_id` to what another format writes.
#[derive(Debug, Clone)]
pub struct WithIds<F> {
    inner: F,
    form: LineForm,
}

impl WithIds<()> {
    /// JSON with the fields of the event at the top level.
    #[must_use]
    pub fn json() -> WithIds<Format<Json>> {
        WithIds {
            inner: Format::default().json().flatten_event(true),
            form: LineForm::Json,
        }
    }

    /// Around a format for people.
    #[must_use]
    pub fn text<F>(inner: F) -> WithIds<F> {
        WithIds {
            inner,
            form: LineForm::Text,
        }
    }
}

impl<S, N, F> FormatEvent<S, N> for WithIds<F>
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(context) = current_log_context() else {
            return self.inner.format_event(ctx, writer, event);
        };
        let mut line = String::new();
        self.inner.format_event(ctx, Writer::new(&mut line), event)?;
        writer.write_str(&with_ids(&line, &context, self.form)?)
    }
}

fn with_ids(line: &str, context: &LogContext, form: LineForm) -> Result<String, fmt::Error> {
    let line = line.trim_end();
    let ids = [
        ("run", Some(context.run.to_string())),
        ("task", Some(context.task.to_string())),
        ("attempt", Some(context.attempt.to_string())),
        ("trace_id", context.trace.map(|trace| trace.to_string())),
    ];
    let ids = ids.into_iter().filter_map(|(name, id)| Some((name, id?)));
    let mut out = String::with_capacity(line.len() + 160);
    match (form, line.strip_suffix('}')) {
        (LineForm::Json, Some(open)) => {
            out.push_str(open);
            for (name, id) in ids {
                // the event itself may say it
                if open.contains(&format!("\"{name}\":")) {
                    continue;
                }
                match name {
                    "attempt" => write!(out, ",\"{name}\":{id}")?,
                    _ => write!(out, ",\"{name}\":\"{}\"", escaped(&id))?,
                }
            }
            out.push('}');
        }
        (LineForm::Json | LineForm::Text, _) => {
            out.push_str(line);
            for (name, id) in ids {
                if !line.contains(&format!("{name}=")) {
                    write!(out, " {name}={id}")?;
                }
            }
        }
    }
    out.push('\n');
    Ok(out)
}

/// For the inside of a JSON string.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TraceId;

    fn context() -> LogContext {
        LogContext {
            run: uuid::Uuid::from_u128(1),
            task: "load[\"a\"]".into(),
            attempt: 2,
            trace: Some(TraceId([0xab; 16])),
        }
    }

    #[test]
    fn a_json_line_stays_one_object_and_says_nothing_twice() {
        let line = with_ids("{\"level\":\"WARN\",\"attempt\":7}\n", &context(), LineForm::Json).unwrap();
        assert_eq!(
            line,
            "{\"level\":\"WARN\",\"attempt\":7,\"run\":\"00000000-0000-0000-0000-000000000001\",\
             \"task\":\"load[\\\"a\\\"]\",\"trace_id\":\"abababababababababababababababab\"}\n"
        );
    }

    #[test]
    fn a_text_line_ends_with_the_ids() {
        let line = with_ids("WARN something\n", &context(), LineForm::Text).unwrap();
        assert!(line.starts_with("WARN something run=00000000-"), "{line}");
        assert!(line.contains(" attempt=2 trace_id=abab"), "{line}");
    }
}
