//! Fairness between namespaces where they share something, as a task queue.

use std::collections::BTreeMap;

/// Deals `places` to candidates: the namespaces take turns, each with its first by `order`, and what each holds already
/// counts as turns that it had; a namespace that has no more leaves its turns to the others. The first turn of a round goes
/// to the namespace whose candidate is first of all.
///
/// Answers the positions of the chosen, in the order of the deal. The relay's claim does the same in SQL.
#[must_use]
pub fn deal<N: Ord, O: Ord>(candidates: &[(N, O)], held: &BTreeMap<N, usize>, places: usize) -> Vec<usize> {
    let mut lanes: BTreeMap<&N, Vec<usize>> = BTreeMap::new();
    for (at, (namespace, _)) in candidates.iter().enumerate() {
        lanes.entry(namespace).or_default().push(at);
    }
    let mut turns: Vec<(usize, &O, usize)> = Vec::with_capacity(candidates.len());
    for (namespace, lane) in &mut lanes {
        let had = held.get(*namespace).copied().unwrap_or(0);
        lane.sort_by_key(|at| (&candidates[*at].1, *at));
        turns.extend(
            lane.iter()
                .enumerate()
                .map(|(turn, at)| (had + turn, &candidates[*at].1, *at)),
        );
    }
    turns.sort_unstable();
    turns.into_iter().take(places).map(|(_, _, at)| at).collect()
}
