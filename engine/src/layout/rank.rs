//! Ranks: how many dependencies come before a node on the longest path.

use super::Graph;

/// The longest path to each node, never below its floor. Nodes on a cycle keep their floor.
pub(super) fn longest_paths(graph: &Graph) -> Vec<u32> {
    let count = graph.floors.len();
    let mut ranks = graph.floors.clone();
    let mut missing = vec![0_u32; count];
    let edges = || graph.edges.iter().filter(|edge| is_known(count, **edge));
    let mut down: Vec<Vec<u32>> = vec![Vec::new(); count];
    for &(from, to) in edges() {
        missing[to as usize] += 1;
        down[from as usize].push(to);
    }
    let mut ready: Vec<usize> = (0..count).filter(|node| missing[*node] == 0).collect();
    while let Some(node) = ready.pop() {
        for &to in &down[node] {
            let to = to as usize;
            ranks[to] = ranks[to].max(ranks[node] + 1);
            missing[to] -= 1;
            if missing[to] == 0 {
                ready.push(to);
            }
        }
    }
    without_gaps(ranks)
}

/// Floors may leave ranks without a node: they would be empty columns.
fn without_gaps(ranks: Vec<u32>) -> Vec<u32> {
    let mut used = ranks.clone();
    used.sort_unstable();
    used.dedup();
    let dense = |rank: u32| u32::try_from(used.partition_point(|other| *other < rank)).unwrap_or(u32::MAX);
    ranks.into_iter().map(dense).collect()
}

/// The edges that can be drawn, by upstream; each once.
pub(super) fn forward_edges(graph: &Graph, ranks: &[u32]) -> Vec<(u32, u32)> {
    let mut edges: Vec<(u32, u32)> = graph
        .edges
        .iter()
        .copied()
        .filter(|edge| is_known(ranks.len(), *edge) && ranks[edge.0 as usize] < ranks[edge.1 as usize])
        .collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}

fn is_known(count: usize, (from, to): (u32, u32)) -> bool {
    (from as usize) < count && (to as usize) < count && from != to
}
