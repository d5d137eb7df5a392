//! The GraphQL transports. All three share one way from a text to an answer: parameters, limits, cost, execution.

mod answer;
mod cost;
mod execute;
pub(crate) mod http;
mod lexer;
mod params;
pub(crate) mod sse;
pub(crate) mod ws;

#[cfg(test)]
pub(crate) use cost::PAGE_SIZES;
