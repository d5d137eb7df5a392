//! `runnel convert`: a file of another dialect as v1.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use runnel_engine::source::{Format, read};
use serde_json::Value;

use crate::command::options::{print, print_json, read_text, shown};
use crate::diagnostics::render;
use crate::exit::{Ended, Exit, Failure};

/// Options of `runnel convert`.
#[derive(Debug, Args)]
pub struct Convert {
    /// Workflow file of any dialect; `-` reads stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Form of the converted file
    #[arg(
        short = 'o',
        long,
        value_enum,
        default_value = "yaml",
        env = "RUNNEL_CONVERT_OUTPUT"
    )]
    output: ConvertedForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ConvertedForm {
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

impl Convert {
    /// Prints the v1 form; a v1 file is printed as it is. Warnings go to stderr.
    pub fn execute(self) -> Ended {
        let source = read_text(&self.file)?;
        let reading = read(&source, Format::Auto);
        eprint!("{}", render(&shown(&self.file), &source, &reading.diagnostics));
        if reading.workflow.is_none() {
            return Ok(Exit::Usage);
        }
        let yaml = reading.converted.unwrap_or(source);
        match self.output {
            ConvertedForm::Yaml => print(&yaml)?,
            ConvertedForm::Json => {
                let value: Value = serde_saphyr::from_str_with_options(
                    &yaml,
                    serde_saphyr::options! { strict_booleans: true },
                )
                .map_err(|error| Failure::internal("the converted file cannot be read back", error))?;
                print_json(&value)?;
            }
        }
        Ok(Exit::Ok)
    }
}
