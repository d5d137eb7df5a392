//! Options that several commands share.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::client::Client;
use crate::exit::{Exit, Failure};

/// Where `runnel dev` listens and the client commands look when nothing else is said.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:7420";

/// Form of the data on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Columns for people.
    Table,
    /// JSON in the shape of the GraphQL API.
    Json,
}

/// `-o`.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputArgs {
    /// Form of the data on stdout
    #[arg(
        short = 'o',
        long,
        value_enum,
        default_value = "table",
        env = "RUNNEL_OUTPUT_FORMAT"
    )]
    pub output: Output,
}

/// Which server, as whom.
#[derive(Debug, Clone, Args)]
pub struct ServerArgs {
    /// Address of the server [default: http://127.0.0.1:7420]
    #[arg(long, env = "RUNNEL_SERVER", value_name = "URL")]
    pub server: Option<String>,
    /// Bearer token of the API
    #[arg(long, env = "RUNNEL_API_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub api_token: Option<String>,
    /// Namespace to act in [default: default]
    #[arg(long, env = "RUNNEL_NAMESPACE", value_name = "NAME")]
    pub namespace: Option<String>,
}

impl ServerArgs {
    /// A client of the named server, or of the default one.
    pub fn client(&self) -> Result<Client, Failure> {
        let default = format!("http://{DEFAULT_LISTEN}");
        let client = Client::new(self.server.as_deref().unwrap_or(&default), self.api_token.clone())?;
        Ok(client.in_namespace(self.namespace.clone()))
    }
}

/// How the variable of a switch is read: `1`, `yes` and `true` switch it on; `0`, `no`, `false` and nothing do not.
pub fn switch() -> clap::builder::FalseyValueParser {
    clap::builder::FalseyValueParser::new()
}

/// Reads a text file; `-` is stdin.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = bytes.map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::usage(format!(
            "{} is not UTF-8 text: the byte at offset {at} is not valid",
            path.display()
        ))
    })
}

/// Writes data to stdout. A reader that has gone (`| head`) is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::internal("cannot write to stdout", error))
        }
        _ => Ok(()),
    }
}

/// Writes a line of data to stdout.
pub fn print_line(line: &str) -> Result<(), Failure> {
    print(&format!("{line}\n"))
}

/// Writes JSON to stdout, indented.
pub fn print_json(value: &Value) -> Result<(), Failure> {
    print_line(&format!("{value:#}"))
}

/// The name of a file in messages.
pub fn shown(path: &Path) -> String {
    if path == Path::new("-") {
        "<stdin>".to_owned()
    } else {
        path.display().to_string()
    }
}

/// A file that must be there.
pub fn existing(path: &Path) -> Result<PathBuf, Failure> {
    if path == Path::new("-") || path.is_file() {
        Ok(path.to_owned())
    } else {
        Err(Failure::new(
            Exit::Usage,
            format!("there is no file {}", path.display()),
        ))
    }
}
