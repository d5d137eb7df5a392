//! Values read a moment ago, because the same one is often needed by several tasks of a wave.

use std::collections::VecDeque;
use std::sync::Arc;

use runnel_queue::PayloadRef;

/// Bytes held at most; the value used longest ago goes first.
const BYTES_MAX: usize = 64 << 20;

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The one used last is last.
    values: VecDeque<(PayloadRef, Arc<str>)>,
    bytes: usize,
}

impl Memory {
    pub(super) fn get(&mut self, reference: &PayloadRef) -> Option<Arc<str>> {
        let at = self.values.iter().position(|(known, _)| known == reference)?;
        let found = self.values.remove(at)?;
        let text = Arc::clone(&found.1);
        self.values.push_back(found);
        Some(text)
    }

    pub(super) fn put(&mut self, reference: &PayloadRef, text: &Arc<str>) {
        if self.get(reference).is_some() {
            return;
        }
        self.bytes += text.len();
        self.values.push_back((reference.clone(), Arc::clone(text)));
        while self.bytes > BYTES_MAX
            && let Some((_, oldest)) = self.values.pop_front()
        {
            self.bytes -= oldest.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let mut memory = Memory::default();
        let values: Vec<Arc<str>> = ["a", "b", "c"]
            .map(|letter| Arc::from(letter.repeat(BYTES_MAX / 2)))
            .to_vec();
        let names: Vec<PayloadRef> = values
            .iter()
            .map(|text| PayloadRef::of(text.as_bytes()))
            .collect();
        memory.put(&names[0], &values[0]);
        memory.put(&names[1], &values[1]);
        assert!(memory.get(&names[0]).is_some());
        memory.put(&names[2], &values[2]);
        assert!(
            memory.get(&names[1]).is_none(),
            "the one used longest ago is still there"
        );
        assert!(memory.get(&names[0]).is_some() && memory.get(&names[2]).is_some());
        assert!(memory.bytes <= BYTES_MAX);
    }
}
