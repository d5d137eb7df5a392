//! The rules of a run, one test each, named after the rule.

mod alerts;
mod approvals;
mod callbacks;
mod children;
mod data;
mod failing;
mod fanouts;
mod gates;
mod handlers;
mod loops;
mod matrices;
mod model;
mod operating;
mod order;
mod payload;
mod properties;
mod reports;
mod rerunning;
mod saga;
mod scale;
mod standing;
mod timing;
mod waits;
