//! `runnel secret set`, `list` and `delete`: secrets that the server keeps, encrypted.
//!
//! A value is never an argument, where every user of the machine would see it: it comes from stdin, or is asked for.

use std::io::{IsTerminal, Read};

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;

use crate::client::{decode, documents};
use crate::command::call::CallArgs;
use crate::exit::{Ended, Failure};
use crate::table;

/// Longest value that is read; the server's own limit is lower and says so.
const VALUE_BYTES_MAX: u64 = 1 << 20;

/// Options of `runnel secret`.
#[derive(Debug, Args)]
pub struct Secret {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Store a secret; its value is read from stdin, or asked for on a terminal
    Set(Named),
    /// List the names of the stored secrets; nobody can read their values
    List(List),
    /// Delete a secret
    Delete(Named),
}

#[derive(Debug, Args)]
struct Named {
    /// Name, as in secrets.NAME
    name: String,
    #[command(flatten)]
    call: CallArgs,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    call: CallArgs,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    name: String,
    updated_at: String,
    updated_by: String,
}

impl Secret {
    /// Does it.
    pub async fn execute(self) -> Ended {
        match self.action {
            Action::Set(named) => named.set().await,
            Action::List(list) => list.execute().await,
            Action::Delete(named) => named.delete().await,
        }
    }
}

impl Named {
    async fn set(&self) -> Ended {
        let client = self.call.client()?;
        let value = read_value(&self.name)?;
        let input = json!({ "name": self.name, "value": value });
        let payload = client.mutate(documents::SECRET_SET, "secretSet", input).await?;
        self.call
            .show(&payload["secret"], || Ok(format!("{}  stored\n", self.name)))
    }

    async fn delete(&self) -> Ended {
        let client = self.call.client()?;
        let payload = client
            .mutate(
                documents::SECRET_DELETE,
                "secretDelete",
                json!({ "name": self.name }),
            )
            .await?;
        self.call
            .show(&json!({ "deletedName": payload["deletedName"] }), || {
                Ok(format!("{}  deleted\n", self.name))
            })
    }
}

impl List {
    async fn execute(&self) -> Ended {
        let client = self.call.client()?;
        let data = client.send(documents::SECRETS, json!({})).await?;
        let nodes = &data["secrets"];
        self.call.show(nodes, || {
            let stored: Vec<Stored> = decode(nodes)?;
            let rows = stored
                .into_iter()
                .map(|secret| vec![secret.name, secret.updated_at, secret.updated_by]);
            Ok(table::render(&["secret", "updated", "by"], rows))
        })
    }
}

/// A line break at the end is no part of the value: editors and `echo` add one.
fn read_value(name: &str) -> Result<String, Failure> {
    let stdin = std::io::stdin();
    let value = if stdin.is_terminal() {
        let terminal = console::Term::stderr();
        terminal
            .write_str(&format!("value of {name} (not shown): "))
            .and_then(|()| terminal.read_secure_line())
            .map_err(|error| Failure::internal("cannot read the value from the terminal", error))?
    } else {
        let mut bytes = Vec::new();
        stdin
            .lock()
            .take(VALUE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::internal("cannot read the value from stdin", error))?;
        if bytes.len() as u64 > VALUE_BYTES_MAX {
            return Err(Failure::usage(format!(
                "the value has more than {VALUE_BYTES_MAX} bytes"
            )));
        }
        String::from_utf8(bytes)
            .map_err(|_| Failure::usage("the value is not UTF-8 text; encode it, as with base64"))?
    };
    let value = value.strip_suffix('\n').unwrap_or(&value);
    Ok(value.strip_suffix('\r').unwrap_or(value).to_owned())
}
