//! `runnel verify`: checks the invariants on a database, also a live one.

use clap::Args;
use serde_json::json;

use crate::command::options::{Output, OutputArgs, print_json, print_line};
use crate::exit::{Ended, Exit};
use crate::host::options::database;
use crate::host::{schema, store_failed};

/// Options of `runnel verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// postgres://… or sqlite://…
    #[arg(long, env = "RUNNEL_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: String,
    #[command(flatten)]
    form: OutputArgs,
}

impl Verify {
    /// Prints the report; exit code 1 when an invariant is broken.
    pub async fn execute(self) -> Ended {
        let store = schema::open_current(&database(&self.database_url)?).await?;
        store.close().await;
        Ok(Exit::Failed)
    }
}
