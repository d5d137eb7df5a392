//! Coordinates: columns from left to right, and within a column as near to the neighbours as the order allows.

use super::order::Layers;
use super::{Edge, Layout, NODE_HEIGHT, NODE_WIDTH};

/// Space between two ranks, for the edges.
const RANK_GAP: i32 = 88;
/// Space between the columns of one rank that is wrapped.
const COLUMN_GAP: i32 = 24;
/// Space between two nodes of a column.
const NODE_GAP: i32 = 16;
/// Space that a passing edge takes.
const DUMMY_HEIGHT: i32 = 16;
/// More vertices than this are not read one by one: no alignment.
const ALIGNED_MAX: usize = 2_000;
/// A rank with more vertices than this, at least, is wrapped into several columns.
const ROWS_MIN: usize = 60;
/// Rounds of alignment, to and fro.
const ROUNDS: usize = 12;
/// A chain of dummies is to be straight before anything else is.
const CHAIN_WEIGHT: f64 = 8.0;

/// Places everything.
pub(super) fn place(layers: &Layers, ranks: Vec<u32>, edges: &[(u32, u32)]) -> Layout {
    let rows_max = ROWS_MIN.max(2 * layers.nodes.isqrt());
    let widest = layers.ranks.iter().map(Vec::len).max().unwrap_or(0);
    let centres = if layers.len() <= ALIGNED_MAX && widest <= rows_max {
        Centres::aligned(layers)
    } else {
        Centres::stacked(layers, rows_max)
    };
    centres.into_layout(layers, ranks, edges)
}

/// The middle of every vertex.
struct Centres {
    /// Left side of the column.
    x: Vec<i32>,
    y: Vec<f64>,
    width: i32,
}

impl Centres {
    /// Columns around one middle line; a long one is wrapped.
    fn stacked(layers: &Layers, rows_max: usize) -> Self {
        let mut centres = Self {
            x: vec![0; layers.len()],
            y: vec![0.0; layers.len()],
            width: 0,
        };
        let mut left = 0;
        for rank in &layers.ranks {
            let columns = rank.len().div_ceil(rows_max).max(1);
            let rows = rank.len().div_ceil(columns).max(1);
            for (at, column) in rank.chunks(rows).enumerate() {
                if at > 0 {
                    left += NODE_WIDTH + COLUMN_GAP;
                }
                let mut y = -column.iter().map(|v| room(layers, *v)).sum::<f64>() / 2.0;
                for vertex in column {
                    let half = room(layers, *vertex) / 2.0;
                    centres.x[*vertex as usize] = left;
                    centres.y[*vertex as usize] = y + half;
                    y += 2.0 * half;
                }
            }
            centres.width = left + NODE_WIDTH;
            left += NODE_WIDTH + RANK_GAP;
        }
        centres
    }

    /// From the stacked form each rank moves towards its neighbours, in order: the least sum of squared distances.
    fn aligned(layers: &Layers) -> Self {
        let mut centres = Self::stacked(layers, usize::MAX);
        let last = layers.ranks.len();
        for round in 0..ROUNDS {
            let is_forward = round % 2 == 0;
            // the last rounds listen to both sides, so that nothing hangs at the far end of an edge
            let is_both = round + 2 >= ROUNDS;
            for step in 0..last {
                let rank = &layers.ranks[if is_forward { step } else { last - 1 - step }];
                let wishes: Vec<Wish> = rank
                    .iter()
                    .map(|vertex| {
                        let before = if is_forward || is_both {
                            layers.before(*vertex)
                        } else {
                            &[]
                        };
                        let after = if !is_forward || is_both {
                            layers.after(*vertex)
                        } else {
                            &[]
                        };
                        centres.wish(layers, *vertex, before.iter().chain(after))
                    })
                    .collect();
                for (vertex, y) in rank.iter().zip(settle(&wishes)) {
                    centres.y[*vertex as usize] = y;
                }
            }
        }
        centres
    }

    fn wish<'a>(&self, layers: &Layers, vertex: u32, near: impl Iterator<Item = &'a u32>) -> Wish {
        let mut weight = 0.0;
        let mut sum = 0.0;
        for other in near {
            let strength = if layers.is_dummy(vertex) && layers.is_dummy(*other) {
                CHAIN_WEIGHT
            } else {
                1.0
            };
            weight += strength;
            sum += strength * self.y[*other as usize];
        }
        let room = room(layers, vertex);
        if weight > 0.0 {
            Wish {
                y: sum / weight,
                weight,
                room,
            }
        } else {
            // nobody pulls: it stays unless it is pushed
            Wish {
                y: self.y[vertex as usize],
                weight: 0.1,
                room,
            }
        }
    }

    fn into_layout(self, layers: &Layers, ranks: Vec<u32>, edges: &[(u32, u32)]) -> Layout {
        let half = f64::from(NODE_HEIGHT) / 2.0;
        let top = self.y.iter().copied().fold(f64::INFINITY, f64::min) - half;
        let bottom = self.y.iter().copied().fold(f64::NEG_INFINITY, f64::max) + half;
        let middle = |vertex: u32| pixels(self.y[vertex as usize] - top);
        let bends = |from: u32, to: u32| {
            let steps = (ranks[to as usize] - ranks[from as usize]) as usize;
            let points = layers.passed(from, steps).iter();
            points
                .flat_map(|dummy| {
                    let (x, y) = (self.x[*dummy as usize], middle(*dummy));
                    // in and out of the column, so that the edge is level where nodes are beside it
                    [(x, y), (x + NODE_WIDTH, y)]
                })
                .collect()
        };
        let edges = edges
            .iter()
            .map(|&(from, to)| Edge {
                from,
                to,
                bends: bends(from, to),
            })
            .collect();
        let nodes = 0..u32::try_from(layers.nodes).unwrap_or(u32::MAX);
        Layout {
            width: self.width,
            height: if layers.nodes == 0 {
                0
            } else {
                pixels(bottom - top)
            },
            x: self.x[..layers.nodes].to_vec(),
            y: nodes.map(|node| middle(node) - NODE_HEIGHT / 2).collect(),
            edges,
            ranks,
        }
    }
}

/// Height of a vertex with the space around it.
fn room(layers: &Layers, vertex: u32) -> f64 {
    f64::from(if layers.is_dummy(vertex) {
        DUMMY_HEIGHT
    } else {
        NODE_HEIGHT + NODE_GAP
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a picture of the most tasks of a workflow is far smaller"
)]
fn pixels(y: f64) -> i32 {
    y.round() as i32
}

/// Where a vertex would like to be.
struct Wish {
    y: f64,
    weight: f64,
    room: f64,
}

/// Vertices that touch one another and move together.
struct Block {
    y: f64,
    weight: f64,
    count: usize,
}

/// Places in the given order that are nearest to the wishes without overlap: isotonic regression by pooling neighbours
/// (Ayer et al. 1955), on the wishes less the room that those above take.
fn settle(wishes: &[Wish]) -> Vec<f64> {
    let mut blocks: Vec<Block> = Vec::with_capacity(wishes.len());
    let mut offsets = Vec::with_capacity(wishes.len());
    let mut above = 0.0;
    for wish in wishes {
        let offset = above + wish.room / 2.0;
        above += wish.room;
        offsets.push(offset);
        let mut block = Block {
            y: wish.y - offset,
            weight: wish.weight,
            count: 1,
        };
        while let Some(last) = blocks.pop_if(|last| last.y > block.y) {
            let weight = last.weight + block.weight;
            block = Block {
                y: (last.y * last.weight + block.y * block.weight) / weight,
                weight,
                count: last.count + block.count,
            };
        }
        blocks.push(block);
    }
    let settled = blocks
        .iter()
        .flat_map(|block| std::iter::repeat_n(block.y, block.count));
    settled.zip(offsets).map(|(y, offset)| y + offset).collect()
}
