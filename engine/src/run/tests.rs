//! The rules of a run, one test each, named after the rule.

mod fanouts;
mod handlers;
mod operating;
mod order;
mod reports;
mod scale;
mod timing;
