//! `runnel schema`: the JSON Schema of workflow files, for editors, and the GraphQL schema, for clients.

use clap::{Args, ValueEnum};

use crate::command::options::print;
use crate::exit::{Ended, Exit};

const WORKFLOW_SCHEMA: &str = include_str!("../../../docs/workflow.v1.schema.json");

/// Options of `runnel schema`.
#[derive(Debug, Args)]
pub struct Schema {
    /// Which schema
    #[arg(value_enum, default_value = "workflow")]
    which: Which,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// JSON Schema (draft 7) of workflow files.
    Workflow,
    /// SDL of the GraphQL API.
    Graphql,
    /// Fields, arguments and values of the GraphQL API, one a line: what changed from one version to another is a diff.
    Members,
}

impl Schema {
    /// Prints the schema.
    pub fn execute(self) -> Ended {
        match self.which {
            Which::Workflow => print(WORKFLOW_SCHEMA)?,
            Which::Graphql => print(&runnel_api::sdl())?,
            Which::Members => print(&runnel_api::schema_members())?,
        }
        Ok(Exit::Ok)
    }
}
