//! What `run --watch` shows while a run goes on: a bounded live view on a terminal, one line per change elsewhere.
//! On stderr, because stdout belongs to the result.

use std::io::IsTerminal;

use crate::client::watch::Observer;

mod lines;
mod live;

/// The view that suits where stderr goes.
pub fn observer() -> Box<dyn Observer + Send> {
    if std::io::stderr().is_terminal() {
        Box::new(live::Live::new())
    } else {
        Box::new(lines::Lines::new(std::io::stderr()))
    }
}
