//! `runnel migrate`: brings a database to the schema of this program, before its servers are replaced.

use clap::Args;
use serde_json::json;

use crate::command::options::{Output, OutputArgs, print_json, print_line};
use crate::exit::{Ended, Exit};
use crate::host::options::database;
use crate::host::store_failed;

/// Options of `runnel migrate`.
#[derive(Debug, Args)]
pub struct Migrate {
    /// postgres://… or sqlite://…
    #[arg(long, env = "RUNNEL_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: String,
    #[command(flatten)]
    form: OutputArgs,
}

impl Migrate {
    /// Applies what is missing; prints the names.
    pub async fn execute(self) -> Ended {
        let applied = runnel_runtime::migrate(&database(&self.database_url)?)
            .await
            .map_err(store_failed)?;
        match self.form.output {
            Output::Json => print_json(&json!({ "applied": applied }))?,
            Output::Table if applied.is_empty() => print_line("the schema is up to date")?,
            Output::Table => {
                for name in applied {
                    print_line(&format!("applied {name}"))?;
                }
            }
        }
        Ok(Exit::Ok)
    }
}
