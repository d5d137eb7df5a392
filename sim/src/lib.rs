//! Runnel's simulator: orchestrators, a database, queues, workers and operators in one thread, with a clock that is moved by
//! hand and a scheduler that draws who takes the next step.
//!
//! Guarantees: everything comes from one seed; the same seed gives the same steps on every machine. What decides is the code
//! of the product: the engine, and of the shell what `runnel_runtime::offline` gives (batches, the cache of states, the
//! relay's books, messages, reports). What is SQL or a loop there is played here, a transaction a step: see `store`,
//! `applier`, `relay`, `intake`, `waker`, each of which names what it stands for. `docs/testing.md` tells how to use it.

pub mod applier;
pub mod calm;
pub mod chance;
pub mod client;
pub mod defect;
pub mod errand;
pub mod fault;
pub mod feature;
pub mod gate;
pub mod hunt;
pub mod intake;
pub mod operator;
pub mod oracle;
pub mod outside;
pub mod promise;
pub mod queue;
pub mod reach;
pub mod relay;
pub mod replica;
pub mod script;
pub mod secret;
pub mod store;
pub mod truth;
pub mod wait;
pub mod waker;
pub mod worker;
pub mod world;
pub mod writer;
