//! Labels of metrics whose values users choose: each value is a time series that somebody pays for.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// What stands for the values beyond the limit.
const OTHER: &str = "other";

/// Lets the first so many values through and calls the rest `other`.
#[derive(Debug)]
pub struct LabelCap {
    most: usize,
    seen: Mutex<HashSet<Box<str>>>,
}

impl LabelCap {
    /// At most so many values.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most,
            seen: Mutex::default(),
        }
    }

    /// The value to use.
    pub fn value<'v>(&self, value: &'v str) -> &'v str {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(value) {
            return value;
        }
        if seen.len() < self.most {
            seen.insert(value.into());
            return value;
        }
        OTHER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_values_give_no_more_than_the_limit() {
        let cap = LabelCap::new(3);
        let used: HashSet<String> = (0..1_000).map(|n| cap.value(&n.to_string()).to_owned()).collect();
        assert_eq!(used.len(), 4, "{used:?}");
        assert_eq!(cap.value("1"), "1", "who came early stays");
    }
}
