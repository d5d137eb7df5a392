//! `runnel version`.

use clap::Args;
use serde_json::json;

use crate::command::options::{Output, OutputArgs, print_json, print_line};
use crate::exit::{Ended, Exit};

/// Version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Options of `runnel version`.
#[derive(Debug, Args)]
pub struct Version {
    #[command(flatten)]
    form: OutputArgs,
}

impl Version {
    /// Prints the versions of the program and of the formats that it speaks.
    pub fn execute(self) -> Ended {
        match self.form.output {
            Output::Table => print_line(&format!("runnel {VERSION}"))?,
            Output::Json => print_json(&json!({
                "version": VERSION,
                "messageVersion": runnel_queue::message::MESSAGE_VERSION,
                "workflowVersion": 1,
            }))?,
        }
        Ok(Exit::Ok)
    }
}
