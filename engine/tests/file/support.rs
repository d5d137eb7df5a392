//! Shared by the tests of workflow files: what a text is read as, in short form.

use runnel_engine::source::{Format, Reading, read};
use runnel_engine::{Severity, Workflow};

/// The workflow of a text that must be accepted.
#[track_caller]
pub fn accepted(text: &str) -> Workflow {
    let reading = read(text, Format::Auto);
    let Some(workflow) = reading.workflow else {
        panic!("refused:\n{}\n{text}", list(&reading).join("\n"))
    };
    workflow
}

/// The codes of all errors, in the order of the text.
pub fn error_codes(text: &str) -> Vec<String> {
    let reading = read(text, Format::Auto);
    assert_eq!(
        reading.workflow.is_none(),
        has_error(&reading),
        "a workflow exactly when there is no error"
    );
    reading
        .diagnostics
        .into_iter()
        .filter(|d| d.severity == Severity::Error)
        .map(|d| d.code)
        .collect()
}

/// `code line:column path: message (help)` of each diagnostic.
pub fn list(reading: &Reading) -> Vec<String> {
    reading
        .diagnostics
        .iter()
        .map(|d| {
            let place = d
                .span
                .map_or_else(|| "-".to_owned(), |span| format!("{}:{}", span.line, span.column));
            let help = d
                .help
                .as_ref()
                .map_or_else(String::new, |help| format!(" ({help})"));
            format!("{} {place} {}: {}{help}", d.code, d.path, d.message)
        })
        .collect()
}

pub fn has_error(reading: &Reading) -> bool {
    reading.diagnostics.iter().any(|d| d.severity == Severity::Error)
}

/// One task in an otherwise plain workflow.
pub fn with_task(task: &str) -> String {
    let indented: String = task.lines().map(|line| format!("    {line}\n")).collect();
    format!("id: sample\ntasks:\n  before: {{ run: \"true\" }}\n  subject:\n{indented}")
}
