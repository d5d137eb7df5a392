//! `runnel run`: starts a run of a published workflow or of a file, and follows it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};

use runnel_runtime::PayloadConfig;

use crate::client::model::Run as RunModel;
use crate::client::watch::Finished;
use crate::client::{Client, decode, documents};
use crate::command::call::CallArgs;
use crate::command::options::{Output, existing, print_json, print_line, read_text, shown, switch};
use crate::command::publish::publish;
use crate::exit::{Ended, Exit, Failure};
use crate::host::data_dir::DataDir;
use crate::host::options::{database, duration, embedded_queue, local_worker, payload_directory};
use crate::host::{Host, Plan, keys};
use crate::progress;

/// Attempts at once of a run without a server.
const EMBEDDED_CONCURRENCY: usize = 16;

/// Options of `runnel run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Key of a published workflow, or a workflow file (published first)
    #[arg(value_name = "KEY|FILE")]
    what: String,
    /// An input as key=value; the value is read as JSON where it is JSON, else as text
    #[arg(short, long = "input", value_name = "KEY=VALUE", value_parser = key_value, env = "RUNNEL_INPUT", value_delimiter = None)]
    input: Vec<(String, Value)>,
    /// File with the inputs as a JSON object; `-` reads stdin
    #[arg(long, value_name = "FILE", env = "RUNNEL_INPUT_FILE")]
    input_file: Option<PathBuf>,
    /// Version of the workflow [default: the latest]
    #[arg(long, env = "RUNNEL_WORKFLOW_VERSION", value_name = "NUMBER")]
    workflow_version: Option<i32>,
    /// Follow the run to its end; the exit code tells how it ended
    #[arg(short, long, env = "RUNNEL_WATCH", conflicts_with = "detach", value_parser = switch())]
    watch: bool,
    /// Only print the id of the run (as without --watch)
    #[arg(short, long, env = "RUNNEL_DETACH", value_parser = switch())]
    detach: bool,
    /// At most one run is ever started under this key
    #[arg(long, env = "RUNNEL_IDEMPOTENCY_KEY", value_name = "KEY")]
    idempotency_key: Option<String>,
    /// With --watch: stop following after this time, as 90s or 5m (exit code 7); the run goes on
    #[arg(long, env = "RUNNEL_TIMEOUT", value_parser = duration, value_name = "DURATION")]
    timeout: Option<Duration>,
    /// Directory of a run without a server
    #[arg(long, env = "RUNNEL_DATA_DIR", default_value = ".runnel", value_name = "DIR")]
    data_dir: PathBuf,
    #[command(flatten)]
    call: CallArgs,
}

impl Run {
    /// Starts the run.
    pub async fn execute(self) -> Ended {
        let file = self.file()?;
        let client = self.call.client()?;
        let may_be_alone = file.is_some() && self.call.server.server.is_none() && !self.detach;
        if may_be_alone && !client.is_reachable().await {
            return self.execute_alone(file.as_deref(), &client).await;
        }
        let run = self.start(&client, file.as_deref()).await?;
        if self.watch {
            self.follow(&client, &run, true).await
        } else {
            self.tell_started(&client, &run)
        }
    }

    /// Without a server: an orchestrator of our own on the data directory, for the time of this run.
    async fn execute_alone(&self, file: Option<&Path>, absent: &Client) -> Ended {
        let dir = DataDir::open(&self.data_dir)?;
        eprintln!(
            "no server at {}: running in this process, kept in {}",
            absent.server(),
            dir.database_file().display()
        );
        let plan = Plan {
            listen: ([127, 0, 0, 1], 0).into(),
            database: database(&dir.database_url())?,
            queue: embedded_queue(),
            token_keys: keys::kept(dir.path())?,
            payloads: PayloadConfig::new(payload_directory(dir.path())?),
            secret_keys: keys::kept_secret(dir.path())?,
            public_url: None,
            audit_kept: runnel_runtime::config::AUDIT_KEPT,
            runs_kept_days: runnel_runtime::config::RUNS_KEPT_DAYS,
            api: runnel_api::ApiConfig::default(),
            worker: Some(local_worker(&["default".to_owned()], EMBEDDED_CONCURRENCY, true)),
            functions: Vec::new(),
        };
        let host = Host::start(plan).await?;
        let ended = self.execute_on(&host, file).await;
        let stopped = host.stop().await;
        ended.and_then(|exit| stopped.map(|()| exit))
    }

    async fn execute_on(&self, host: &Host, file: Option<&Path>) -> Ended {
        let client = Client::new(&format!("http://{}", host.address), None)?;
        let run = self.start(&client, file).await?;
        self.follow(&client, &run, false).await
    }

    /// The file, when a file is meant. A key never has a slash or a dot.
    fn file(&self) -> Result<Option<PathBuf>, Failure> {
        let path = Path::new(&self.what);
        let is_meant = self.what == "-" || self.what.contains(['/', '.']) || path.is_file();
        is_meant.then(|| existing(path)).transpose()
    }

    async fn start(&self, client: &Client, file: Option<&Path>) -> Result<Value, Failure> {
        let (key, version) = match file {
            None => (self.what.clone(), json!(self.workflow_version)),
            Some(file) => {
                let source = read_text(file)?;
                let published = publish(client, &shown(file), &source, false).await?;
                let key = published["workflow"]["key"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                (key, published["version"]["number"].clone())
            }
        };
        let input = json!({
            "workflow": key,
            "version": version,
            "inputs": self.inputs()?,
            "idempotencyKey": self.idempotency_key,
        });
        let mut payload = client.mutate(documents::START, "runStart", input).await?;
        Ok(payload["run"].take())
    }

    fn inputs(&self) -> Result<Value, Failure> {
        let mut inputs = match &self.input_file {
            None => Map::new(),
            Some(path) => match serde_json::from_str(&read_text(path)?) {
                Ok(Value::Object(inputs)) => inputs,
                Ok(_) => return Err(Failure::usage(format!("{} is not a JSON object", path.display()))),
                Err(error) => return Err(Failure::usage(format!("{} is not JSON: {error}", path.display()))),
            },
        };
        inputs.extend(self.input.iter().cloned());
        Ok(Value::Object(inputs))
    }

    fn tell_started(&self, client: &Client, run: &Value) -> Ended {
        match self.call.output() {
            Output::Json => print_json(run)?,
            Output::Table => {
                let id = run["id"].as_str().unwrap_or_default();
                print_line(id)?;
                eprintln!(
                    "started on {}; follow it with `runnel show {id}`",
                    client.server()
                );
            }
        }
        Ok(Exit::Ok)
    }

    async fn follow(&self, client: &Client, run: &Value, is_detachable: bool) -> Ended {
        let id = decode::<RunModel>(run)?.id;
        eprintln!("run {id}");
        let mut observer = progress::observer();
        let finished = tokio::select! {
            finished = client.follow(&id, observer.as_mut()) => finished?,
            () = expired(self.timeout) => {
                eprintln!("stopped following after the time given; the run goes on: `runnel show {id}`");
                return Ok(Exit::TimedOut);
            }
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.map_err(|error| Failure::internal("cannot listen for ctrl-C", error))?;
                if is_detachable {
                    eprintln!("detached; the run goes on. Cancel it with `runnel cancel {id}`");
                } else {
                    eprintln!("stopped; the run goes on at the next `runnel dev` on {}", self.data_dir.display());
                }
                return Ok(Exit::Interrupted);
            }
        };
        drop(observer);
        self.tell_finished(&finished)?;
        Ok(finished.run.exit())
    }

    fn tell_finished(&self, finished: &Finished) -> Result<(), Failure> {
        if self.call.output() == Output::Json {
            return print_json(&finished.raw);
        }
        let run = &finished.run;
        print_line(&format!("{}  {}", run.id, run.status))?;
        if let Some(error) = &run.error {
            eprintln!("error: {}", error.line());
        }
        match &run.outputs {
            Value::Null => Ok(()),
            outputs => print_json(outputs),
        }
    }
}

async fn expired(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

/// Reads `key=value`; the value is JSON where it is JSON.
pub(crate) fn key_value(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("write key=value")?;
    if key.is_empty() {
        return Err("the key is empty".to_owned());
    }
    Ok((
        key.to_owned(),
        serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned())),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::key_value;

    #[test]
    fn a_value_is_json_where_it_is_json_and_text_elsewhere() {
        for (text, value) in [
            ("n=3", json!(3)),
            ("on=true", json!(true)),
            ("list=[1,2]", json!([1, 2])),
            ("name=Ada Lovelace", json!("Ada Lovelace")),
            ("quoted=\"3\"", json!("3")),
            ("id=007", json!("007")),
            ("url=http://a/?b=c", json!("http://a/?b=c")),
        ] {
            assert_eq!(key_value(text).unwrap().1, value, "{text}");
        }
        assert!(key_value("novalue").is_err());
        assert!(key_value("=1").is_err());
    }
}
