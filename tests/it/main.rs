//! The integration suite: one program, so that its dependencies are linked once.
//!
//! A scenario is an async function over a [`runnel_tests::stack::Stack`]; `on_each_stack!` makes a test of it for every
//! combination of database and queue. Nothing sleeps: a scenario waits for what it needs, and a limit turns a hang into a
//! failure.

mod again;
mod aliases;
mod approvals;
mod audit;
mod bad_input;
mod bulk;
mod callbacks;
mod children;
mod choice;
mod cli;
mod crash;
mod dead_letters;
mod dialect_files;
mod dialects;
mod diamond;
mod errands;
mod examples;
mod explain;
mod external;
mod failing;
mod fanout;
mod findings;
mod flow;
mod idempotency;
mod large_values;
mod lifecycle;
mod long_lists;
mod old_runs;
mod operate;
mod payloads;
mod processes;
mod progress;
mod queues;
mod recovery;
mod rerun;
mod retention;
mod rivals;
mod saga;
mod schedules;
mod screens;
mod secrets;
mod sockets;
mod standings;
mod statements;
mod subscriptions;
mod times;
mod traces;
mod transport;
mod triggers;
mod waits;
mod wide;
