//! The rules of a run, one test each, named after the rule.

mod approvals;
mod callbacks;
mod failing;
mod fanouts;
mod gates;
mod handlers;
mod model;
mod operating;
mod order;
mod payload;
mod properties;
mod reports;
mod rerunning;
mod saga;
mod scale;
mod timing;
mod waits;
