//! The rules of the layout.

use proptest::prelude::*;

use super::{Graph, Layout, NODE_HEIGHT, NODE_WIDTH, layout, of_plan};
use crate::plan::Plan;
use crate::source::{Format, read};

fn graph(nodes: usize, edges: &[(u32, u32)]) -> Graph {
    Graph {
        floors: vec![0; nodes],
        edges: edges.to_vec(),
    }
}

/// Nodes of one column are apart; columns of one rank and of neighbouring ranks are apart.
fn overlapping(layout: &Layout) -> Option<(usize, usize)> {
    let mut by_place: Vec<usize> = (0..layout.x.len()).collect();
    by_place.sort_by_key(|node| (layout.x[*node], layout.y[*node]));
    by_place.windows(2).find_map(|pair| {
        let (a, b) = (pair[0], pair[1]);
        let (across, along) = (layout.x[b] - layout.x[a], layout.y[b] - layout.y[a]);
        let is_apart = if across == 0 {
            along >= NODE_HEIGHT
        } else {
            across >= NODE_WIDTH
        };
        (!is_apart).then_some((a, b))
    })
}

fn check(graph: &Graph) {
    let found = layout(graph);
    assert_eq!(found.x.len(), graph.floors.len());
    assert_eq!(overlapping(&found), None);
    for edge in &found.edges {
        let mut x = found.x[edge.from as usize] + NODE_WIDTH;
        for bend in &edge.bends {
            assert!(bend.0 >= x, "an edge goes back: {edge:?}");
            x = bend.0;
        }
        assert!(found.x[edge.to as usize] > x, "an edge goes back: {edge:?}");
    }
    for node in 0..graph.floors.len() {
        assert!((0..=found.width - NODE_WIDTH).contains(&found.x[node]));
        assert!((0..=found.height - NODE_HEIGHT).contains(&found.y[node]));
    }
    assert_eq!(found, layout(graph), "the same graph, the same layout");
}

#[test]
fn nothing_has_an_empty_layout() {
    assert_eq!(layout(&Graph::default()), Layout::default());
}

#[test]
fn a_chain_is_a_straight_line() {
    let found = layout(&graph(4, &[(0, 1), (1, 2), (2, 3)]));
    assert_eq!(found.ranks, [0, 1, 2, 3]);
    assert!(found.y.iter().all(|y| *y == found.y[0]), "{:?}", found.y);
}

#[test]
fn a_diamond_is_symmetric() {
    let found = layout(&graph(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]));
    assert_eq!(found.y[0], found.y[3]);
    assert_eq!(found.y[1] + found.y[2], 2 * found.y[0]);
    assert_eq!(found.x[1], found.x[2]);
}

#[test]
fn a_long_edge_passes_beside_the_nodes_between() {
    let found = layout(&graph(4, &[(0, 1), (1, 2), (2, 3), (0, 3)]));
    let long = found
        .edges
        .iter()
        .find(|edge| (edge.from, edge.to) == (0, 3))
        .unwrap();
    assert_eq!(long.bends.len(), 4, "two ranks are passed, in and out");
    for (x, y) in &long.bends {
        let is_inside = (0..4).any(|node| {
            (found.x[node]..found.x[node] + NODE_WIDTH).contains(x)
                && (found.y[node]..found.y[node] + NODE_HEIGHT).contains(y)
        });
        assert!(!is_inside, "({x}, {y}) is inside a node");
    }
}

#[test]
fn crossed_pairs_are_uncrossed() {
    // 0 and 1 lead to 5 and 4, which the indices would cross
    let found = layout(&graph(6, &[(0, 3), (1, 2), (3, 4), (2, 5)]));
    assert_eq!(found.y[0] < found.y[1], found.y[3] < found.y[2]);
    assert_eq!(found.y[3] < found.y[2], found.y[4] < found.y[5]);
}

#[test]
fn a_wide_rank_is_wrapped() {
    let edges: Vec<(u32, u32)> = (1..=10_000).map(|task| (0, task)).collect();
    let wide = graph(10_001, &edges);
    let found = layout(&wide);
    assert!(
        found.width < 3 * found.height && found.height < 3 * found.width,
        "{} × {}",
        found.width,
        found.height
    );
    check(&wide);
}

#[test]
fn edges_that_make_no_sense_are_left_out() {
    let found = layout(&graph(3, &[(0, 0), (0, 9), (9, 0), (1, 2), (2, 1)]));
    assert!(found.edges.is_empty());
    assert_eq!(overlapping(&found), None);
}

#[test]
fn handlers_stand_after_the_main_graph() {
    let source = "id: sections\ntasks:\n  a: { type: pass }\n  b: { type: pass, needs: [a] }\n\
                  on_failure:\n  mail: { type: pass }\nfinally:\n  clean: { type: pass }\n";
    let plan = Plan::build(read(source, Format::Auto).workflow.unwrap()).unwrap();
    let rank = |key: &str| of_plan(&plan).ranks[plan.find(key).unwrap().at()];
    assert_eq!(["a", "b", "mail", "clean"].map(rank), [0, 1, 2, 3]);
}

/// Five thousand tasks as the budgets of the dashboard have them: 50 ranks of 100.
#[test]
fn five_thousand_tasks_keep_the_rules() {
    let edges: Vec<(u32, u32)> = (100..5_000_u32)
        .flat_map(|task| {
            [
                (task - 100, task),
                (task / 100 * 100 - 100 + (task * 37 % 100), task),
            ]
        })
        .collect();
    let large = graph(5_000, &edges);
    check(&large);
    assert_eq!(layout(&large).ranks[4_999], 49);
}

fn graphs() -> impl Strategy<Value = Graph> {
    (1_usize..160, 0_u32..3).prop_flat_map(|(nodes, floor)| {
        let last = u32::try_from(nodes).unwrap();
        let edges = prop::collection::vec((0..last, 0..last), 0..nodes * 2);
        let floors = prop::collection::vec(0..=floor, nodes);
        (floors, edges).prop_map(|(floors, edges)| Graph {
            floors,
            edges: edges.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect(),
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_overlaps_and_every_edge_goes_to_the_right(graph in graphs()) {
        check(&graph);
        let found = layout(&graph);
        let mut wanted: Vec<(u32, u32)> = graph.edges.iter().copied().filter(|(a, b)| a != b).collect();
        wanted.sort_unstable();
        wanted.dedup();
        prop_assert_eq!(found.edges.iter().map(|e| (e.from, e.to)).collect::<Vec<_>>(), wanted);
    }
}
