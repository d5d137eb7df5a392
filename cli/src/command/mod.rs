//! The commands, one file each, and the options that several of them share.

use clap::{Parser, Subcommand};

use crate::exit::Ended;
use crate::host::observe::LogFormat;

mod bulk;
mod call;
mod circuit;
mod convert;
mod dev;
mod dlq;
mod doctor;
mod event;
mod health;
mod logs;
mod migrate;
mod operate;
pub mod options;
mod publish;
mod rerun;
mod run;
mod runs;
mod schedule;
mod schema;
mod secret;
mod serve;
mod show;
mod task;
mod validate;
mod verify;
mod version;
mod wait;
mod webhook;
mod why;
mod worker;

/// Durable workflows with a GraphQL API: describe a DAG of tasks, run it, watch it.
///
/// Every option can also be given as an environment variable (see each command's --help).
/// Exit codes: 0 ok, 1 run failed, 2 usage or invalid file, 3 cannot reach, 4 not found, 5 not authorised, 6 conflict,
/// 7 timed out, 8 cancelled, 130 interrupted.
#[derive(Debug, Parser)]
#[command(
    name = "runnel",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start everything on this machine: API, GraphiQL, orchestrator and a worker, with SQLite
    Dev(dev::Dev),
    /// Start an orchestrator with its API
    Serve(serve::Serve),
    /// Start a worker that executes tasks from SQS
    Worker(worker::Worker),
    /// Bring a database to the schema of this program
    Migrate(migrate::Migrate),
    /// Ask a server on this machine whether it is ready
    Health(health::Health),
    /// Check a database against the invariants
    Verify(verify::Verify),
    /// Check configuration, database, queues, payload store and server, and say what to do about what is wrong
    Doctor(doctor::Doctor),
    /// Check workflow files without a server
    Validate(validate::Validate),
    /// Print a workflow file of another dialect as v1
    Convert(convert::Convert),
    /// Store workflow files as versions
    Publish(publish::Publish),
    /// Start a run of a workflow or of a file
    Run(run::Run),
    /// List runs, newest first
    Runs(runs::Runs),
    /// Show a run and its tasks
    Show(show::Show),
    /// Say why a run or a task does not run now, and where its time went
    Why(why::Why),
    /// Print what the tasks of a run printed
    Logs(logs::Logs),
    /// Cancel a run
    Cancel(operate::Cancel),
    /// Pause a run: running attempts finish, nothing new starts
    Pause(operate::Pause),
    /// Resume a paused run
    Resume(operate::Resume),
    /// Retry a failed task
    Retry(operate::Retry),
    /// Skip a task that has not ended
    Skip(operate::Skip),
    /// Store, list and delete secrets
    Secret(secret::Secret),
    /// Change a task of a run
    Task(task::TaskCommand),
    /// List, make, pause, preview and backfill schedules
    Schedule(schedule::Schedule),
    /// Send events
    Event(event::Event),
    /// List, make and rotate the secrets of webhooks
    Webhook(webhook::Webhook),
    /// List and close circuit breakers
    Circuit(circuit::Circuit),
    /// Approve what a task asks
    Approve(wait::Approve),
    /// Reject what a task asks
    Reject(wait::Reject),
    /// List approvals that wait for a decision, the oldest first
    Approvals(wait::Approvals),
    /// Send a signal to a run
    Signal(wait::Signal),
    /// Use the callback token of a task
    Callback(wait::Callback),
    /// Run a run again that has ended: what failed, all of it, or chosen tasks
    Rerun(rerun::Rerun),
    /// End a task with a result set by hand
    Override(rerun::Override),
    /// List, replay and discard dead letters: what failed for good
    Dlq(dlq::Dlq),
    /// Print the JSON Schema of workflow files or the GraphQL schema
    Schema(schema::Schema),
    /// Print the version
    Version(version::Version),
}

impl Command {
    /// Whether it runs until it is stopped.
    pub fn is_service(&self) -> bool {
        matches!(self, Self::Dev(_) | Self::Serve(_) | Self::Worker(_))
    }

    /// Form of the log, where the command has an option for it.
    pub fn log_format(&self) -> Option<LogFormat> {
        match self {
            Self::Dev(dev) => dev.log_format(),
            Self::Serve(serve) => serve.log_format(),
            Self::Worker(worker) => worker.log_format(),
            _ => None,
        }
    }

    /// Whether the machine is there for it, and not for the work of who typed it.
    pub fn owns_machine(&self) -> bool {
        matches!(self, Self::Serve(_) | Self::Worker(_))
    }
}

/// Does it.
pub async fn execute(command: Command) -> Ended {
    match command {
        Command::Dev(dev) => dev.execute().await,
        Command::Serve(serve) => serve.execute().await,
        Command::Worker(worker) => worker.execute().await,
        Command::Migrate(migrate) => migrate.execute().await,
        Command::Health(health) => health.execute().await,
        Command::Verify(verify) => verify.execute().await,
        Command::Doctor(doctor) => doctor.execute().await,
        Command::Validate(validate) => validate.execute(),
        Command::Convert(convert) => convert.execute(),
        Command::Publish(publish) => publish.execute().await,
        Command::Run(run) => run.execute().await,
        Command::Runs(runs) => runs.execute().await,
        Command::Show(show) => show.execute().await,
        Command::Why(why) => why.execute().await,
        Command::Logs(logs) => logs.execute().await,
        Command::Cancel(cancel) => cancel.execute().await,
        Command::Pause(pause) => pause.execute().await,
        Command::Resume(resume) => resume.execute().await,
        Command::Retry(retry) => retry.execute().await,
        Command::Skip(skip) => skip.execute().await,
        Command::Secret(secret) => secret.execute().await,
        Command::Task(task) => task.execute().await,
        Command::Schedule(schedule) => schedule.execute().await,
        Command::Event(event) => event.execute().await,
        Command::Webhook(webhook) => webhook.execute().await,
        Command::Circuit(circuit) => circuit.execute().await,
        Command::Approve(approve) => approve.execute().await,
        Command::Reject(reject) => reject.execute().await,
        Command::Approvals(approvals) => approvals.execute().await,
        Command::Signal(signal) => signal.execute().await,
        Command::Callback(callback) => callback.execute().await,
        Command::Rerun(rerun) => rerun.execute().await,
        Command::Override(set) => set.execute().await,
        Command::Dlq(dlq) => dlq.execute().await,
        Command::Schema(schema) => schema.execute(),
        Command::Version(version) => version.execute(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_has_an_environment_variable() {
        for command in Cli::command().get_subcommands() {
            for arg in command.get_arguments().filter(|a| a.get_long().is_some()) {
                let id = arg.get_id().as_str();
                // Switches of one call only: a variable that detaches every run or follows every log surprises.
                if matches!(id, "help" | "version") {
                    continue;
                }
                let env = arg.get_env().and_then(|name| name.to_str()).unwrap_or_default();
                assert!(
                    env.starts_with("RUNNEL_"),
                    "`{} --{id}` has no RUNNEL_ variable",
                    command.get_name()
                );
            }
        }
    }
}
