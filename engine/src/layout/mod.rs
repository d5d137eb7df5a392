//! Where the tasks of a graph stand on a screen: left to right in the order of their dependencies.
//!
//! Layered drawing (Sugiyama, Tagawa, Toda 1981): longest-path ranks, dummy nodes where an edge passes a rank, barycentre sweeps
//! against crossings, and for graphs that people read node by node an alignment that makes chains straight.
//!
//! Guarantees: nodes do not overlap; every edge goes to the right; the same graph has the same layout; never fails, whatever
//! the edges. Linear in nodes and edges but for the sorting of ranks. Called by `api`, which sends it to screens.

mod order;
mod place;
mod rank;
#[cfg(test)]
mod tests;

use crate::plan::{Plan, Section};

/// Width of a node.
pub const NODE_WIDTH: i32 = 168;
/// Height of a node.
pub const NODE_HEIGHT: i32 = 40;

/// More dummies than this for each node, and long edges are drawn behind the nodes: nobody follows them there anyway.
const DUMMIES_PER_NODE: usize = 4;
/// Dummies that even a small graph may have.
const DUMMIES_FREE: usize = 400;

/// What is laid out: nodes by index, and edges between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// For each node the lowest rank it may have, 0 for most.
    pub floors: Vec<u32>,
    /// From upstream to downstream. An edge to nowhere or on a cycle is left out.
    pub edges: Vec<(u32, u32)>,
}

/// An edge and where it bends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Index of the upstream.
    pub from: u32,
    /// Index of the downstream.
    pub to: u32,
    /// Points between the two, from left to right; empty where nothing is in the way.
    pub bends: Vec<(i32, i32)>,
}

/// Where everything is. The origin is the upper left corner of the picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// Width of the picture.
    pub width: i32,
    /// Height of the picture.
    pub height: i32,
    /// Left side of each node.
    pub x: Vec<i32>,
    /// Upper side of each node.
    pub y: Vec<i32>,
    /// Rank of each node: the number of columns of dependencies before it.
    pub ranks: Vec<u32>,
    /// Edges, by upstream and then as given.
    pub edges: Vec<Edge>,
}

/// Lays out the tasks of a plan, handlers after the main graph, compensations after what they undo.
#[must_use]
pub fn of_plan(plan: &Plan) -> Layout {
    layout(&graph(plan))
}

fn graph(plan: &Plan) -> Graph {
    let mut graph = Graph {
        floors: vec![0; plan.len()],
        edges: Vec::new(),
    };
    let mut floor = 0;
    // the sections that run one after the other; both outcomes stand in the same columns, since only one of them runs
    for sections in [
        &[Section::Main][..],
        &[Section::OnFailure, Section::OnSuccess, Section::Compensation],
        &[Section::Finally],
    ] {
        let mut depth = 0;
        for ix in sections.iter().flat_map(|section| plan.section_tasks(*section)) {
            if let Some(own) = graph.floors.get_mut(ix.at()) {
                *own = floor;
            }
            depth = depth.max(plan.depth(ix) + 1);
            graph
                .edges
                .extend(plan.upstreams(ix).iter().map(|up| (up.0, ix.0)));
        }
        floor += depth;
    }
    graph
}

/// Lays out a graph.
#[must_use]
pub fn layout(graph: &Graph) -> Layout {
    let ranks = rank::longest_paths(graph);
    let edges = rank::forward_edges(graph, &ranks);
    let mut layers = order::Layers::new(&ranks, &edges, DUMMIES_PER_NODE * ranks.len() + DUMMIES_FREE);
    layers.sweep();
    place::place(&layers, ranks, &edges)
}
