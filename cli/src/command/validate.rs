//! `runnel validate`: every problem of every file in one pass, with its place. Needs no server.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use runnel_engine::source::{Format, read};
use serde_json::{Value, json};

use crate::command::options::{print, print_json, read_text, shown, switch};
use crate::diagnostics::{has_errors, render};
use crate::exit::{Ended, Exit};

/// Options of `runnel validate`.
#[derive(Debug, Args)]
pub struct Validate {
    /// Workflow files; `-` reads stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Form of the report
    #[arg(long, value_enum, default_value = "human", env = "RUNNEL_VALIDATE_FORMAT")]
    format: ReportFormat,
    /// Say which files are valid too
    #[arg(short, long, env = "RUNNEL_VERBOSE", value_parser = switch())]
    verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// Lines of the file with the problems marked, on stderr.
    Human,
    /// One JSON list on stdout.
    Json,
}

impl Validate {
    /// Checks the files. Silent when all is well.
    pub fn execute(self) -> Ended {
        let mut is_valid = true;
        let mut reports = Vec::new();
        for file in &self.files {
            let source = read_text(file)?;
            let name = shown(file);
            let reading = read(&source, Format::Auto);
            let is_refused = reading.workflow.is_none() || has_errors(&reading.diagnostics);
            is_valid &= !is_refused;
            match self.format {
                ReportFormat::Json => reports.push(report(&name, !is_refused, &reading)?),
                ReportFormat::Human => {
                    eprint!("{}", render(&name, &source, &reading.diagnostics));
                    if self.verbose
                        && let Some(workflow) = &reading.workflow
                    {
                        print(&format!(
                            "{name}: valid, workflow {} with {} tasks\n",
                            workflow.id,
                            workflow.tasks.len()
                        ))?;
                    }
                }
            }
        }
        if self.format == ReportFormat::Json {
            print_json(&Value::Array(reports))?;
        }
        Ok(if is_valid { Exit::Ok } else { Exit::Usage })
    }
}

fn report(
    name: &str,
    is_valid: bool,
    reading: &runnel_engine::source::Reading,
) -> Result<Value, crate::exit::Failure> {
    let diagnostics = serde_json::to_value(&reading.diagnostics)
        .map_err(|error| crate::exit::Failure::internal("cannot write the report", error))?;
    Ok(json!({
        "file": name,
        "isValid": is_valid,
        "dialect": format!("{:?}", reading.dialect).to_uppercase(),
        "workflow": reading.workflow.as_ref().map(|workflow| workflow.id.clone()),
        "diagnostics": diagnostics,
    }))
}
