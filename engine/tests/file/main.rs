//! What a workflow file means: from text to a checked workflow, or to the list of what is wrong with it.

mod canonical;
mod dialects;
mod expressions;
mod features;
mod graph;
mod loops;
mod random;
mod schema;
mod support;
mod tasks;
mod text;
mod waits;
