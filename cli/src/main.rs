//! The `runnel` command: one binary for the laptop (`dev`), the server (`serve`), the workers (`worker`) and the client.
//!
//! Guarantees: data goes to stdout and everything else to stderr; the exit code says how it went (see [`exit::Exit`]).
//! Decides nothing about workflows: the client commands ask the API, the servers start what the other crates hold.

use std::process::ExitCode;

use clap::Parser;

mod client;
mod command;
mod diagnostics;
mod exit;
mod host;
mod logging;
mod progress;
mod table;

/// The system allocator spends a fifth of the applier's time under many small JSON values.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Parsers recurse within their limits; tokio's default of 2 MiB is too tight for them in unoptimised builds.
const THREAD_STACK_BYTES: usize = 8 << 20;

fn main() -> ExitCode {
    // With no default provider every TLS client would panic at its first use. An error means that one is set already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = command::Cli::parse();
    logging::install(cli.command.is_service(), cli.command.log_format());
    if !cli.command.owns_machine() {
        use_small_pages();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(THREAD_STACK_BYTES)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return exit::Failure::internal("cannot start the async runtime", error).report(),
    };
    let ended = runtime.block_on(command::execute(cli.command));
    // A blocking thread that is stuck (a name look-up, a terminal) must not hold the process back.
    runtime.shutdown_background();
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(),
    }
}

/// The allocator asks for pages of 2 MiB, which makes a busy server faster and an idle one more than twice as large: each is
/// resident as soon as one of its bytes is. Children inherit the setting.
fn use_small_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "memory is used in large pages");
    }
}
