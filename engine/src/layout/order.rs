//! The order within each rank: few crossings.

/// Sweeps over all ranks, to and fro.
const SWEEPS: usize = 8;
/// Up to this many vertices crossings are counted and the best sweep wins; the last one is nearly as good.
const COUNTED_MAX: usize = 2_000;

/// Neighbours of vertices, as compressed sparse rows.
#[derive(Debug, Default)]
struct Rows {
    starts: Vec<u32>,
    ends: Vec<u32>,
}

impl Rows {
    fn new(count: usize, pairs: &[(u32, u32)]) -> Self {
        let mut starts = vec![0_u32; count + 1];
        for (from, _) in pairs {
            starts[*from as usize + 1] += 1;
        }
        for at in 0..count {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut ends = vec![0; pairs.len()];
        for (from, to) in pairs {
            let place = &mut next[*from as usize];
            ends[*place as usize] = *to;
            *place += 1;
        }
        Self { starts, ends }
    }

    fn of(&self, vertex: u32) -> &[u32] {
        let at = vertex as usize;
        &self.ends[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
}

/// Nodes and dummies by rank. Vertices below the number of nodes are nodes, the others dummies.
#[derive(Debug)]
pub(super) struct Layers {
    /// The vertices of each rank, from top to bottom.
    pub(super) ranks: Vec<Vec<u32>>,
    /// Number of nodes.
    pub(super) nodes: usize,
    /// Place of each vertex within its rank.
    position: Vec<u32>,
    /// For each node, the dummies that its long edges pass, rank by rank; edges of one node share them.
    chains: Vec<Vec<u32>>,
    up: Rows,
    down: Rows,
}

impl Layers {
    /// Nodes in the order of their indices, and a dummy wherever an edge passes a rank, unless these were more than `dummies_max`.
    pub(super) fn new(ranks: &[u32], edges: &[(u32, u32)], dummies_max: usize) -> Self {
        let height = ranks.iter().max().map_or(0, |last| *last as usize + 1);
        let mut layers: Vec<Vec<u32>> = vec![Vec::new(); height];
        for (node, rank) in (0_u32..).zip(ranks) {
            layers[*rank as usize].push(node);
        }
        let mut reach = ranks.to_vec();
        for &(from, to) in edges {
            let farthest = &mut reach[from as usize];
            *farthest = (*farthest).max(ranks[to as usize]);
        }
        let passed = |node: usize| reach[node].saturating_sub(ranks[node]).saturating_sub(1);
        let dummies: usize = (0..ranks.len()).map(|node| passed(node) as usize).sum();
        let has_dummies = dummies <= dummies_max;

        let mut chains: Vec<Vec<u32>> = vec![Vec::new(); ranks.len()];
        let mut pairs: Vec<(u32, u32)> = Vec::with_capacity(edges.len() + dummies.min(dummies_max));
        let mut vertex = u32::try_from(ranks.len()).unwrap_or(u32::MAX);
        if has_dummies {
            for node in 0..ranks.len() {
                let mut before = u32::try_from(node).unwrap_or(u32::MAX);
                for step in 0..passed(node) {
                    layers[(ranks[node] + 1 + step) as usize].push(vertex);
                    chains[node].push(vertex);
                    pairs.push((before, vertex));
                    before = vertex;
                    vertex += 1;
                }
            }
        }
        for &(from, to) in edges {
            let steps = (ranks[to as usize] - ranks[from as usize]) as usize;
            let last = match steps.checked_sub(2) {
                Some(at) if has_dummies => chains[from as usize][at],
                _ => from,
            };
            // without dummies a long edge pulls nothing: its ends are not in neighbouring ranks
            if steps == 1 || has_dummies {
                pairs.push((last, to));
            }
        }
        Self::from_parts(layers, chains, pairs, vertex as usize)
    }

    fn from_parts(
        ranks: Vec<Vec<u32>>,
        chains: Vec<Vec<u32>>,
        mut pairs: Vec<(u32, u32)>,
        count: usize,
    ) -> Self {
        let down = Rows::new(count, &pairs);
        for pair in &mut pairs {
            *pair = (pair.1, pair.0);
        }
        let mut layers = Self {
            ranks,
            nodes: chains.len(),
            position: vec![0; count],
            chains,
            up: Rows::new(count, &pairs),
            down,
        };
        layers.number();
        layers
    }

    /// How many vertices there are.
    pub(super) fn len(&self) -> usize {
        self.position.len()
    }

    /// Whether a vertex is a dummy.
    pub(super) fn is_dummy(&self, vertex: u32) -> bool {
        vertex as usize >= self.nodes
    }

    /// Neighbours in the rank before.
    pub(super) fn before(&self, vertex: u32) -> &[u32] {
        self.up.of(vertex)
    }

    /// Neighbours in the rank after.
    pub(super) fn after(&self, vertex: u32) -> &[u32] {
        self.down.of(vertex)
    }

    /// The dummies that an edge over `steps` ranks passes.
    pub(super) fn passed(&self, from: u32, steps: usize) -> &[u32] {
        let chain = &self.chains[from as usize];
        &chain[..steps.saturating_sub(1).min(chain.len())]
    }

    /// Sorts every rank by the barycentre of the neighbours in the rank before, then after, and so on.
    pub(super) fn sweep(&mut self) {
        let is_counted = self.len() <= COUNTED_MAX;
        let mut best: Option<(u64, Vec<Vec<u32>>)> = None;
        for round in 0..SWEEPS {
            let is_forward = round % 2 == 0;
            for step in 0..self.ranks.len() {
                let rank = if is_forward {
                    step
                } else {
                    self.ranks.len() - 1 - step
                };
                self.sort(rank, is_forward);
            }
            if is_counted {
                let crossings = self.crossings();
                if best.as_ref().is_none_or(|(least, _)| crossings < *least) {
                    best = Some((crossings, self.ranks.clone()));
                }
            }
        }
        if let Some((_, ranks)) = best {
            self.ranks = ranks;
            self.number();
        }
    }

    fn number(&mut self) {
        for rank in &self.ranks {
            for (place, vertex) in (0_u32..).zip(rank) {
                self.position[*vertex as usize] = place;
            }
        }
    }

    fn sort(&mut self, rank: usize, is_forward: bool) {
        let rows = if is_forward { &self.up } else { &self.down };
        let position = &self.position;
        let barycentre = |vertex: u32| {
            let near = rows.of(vertex);
            if near.is_empty() {
                return f64::from(position[vertex as usize]);
            }
            let sum: f64 = near
                .iter()
                .map(|other| f64::from(position[*other as usize]))
                .sum();
            sum / f64::from(u32::try_from(near.len()).unwrap_or(u32::MAX))
        };
        let mut keyed: Vec<(f64, u32)> = self.ranks[rank].iter().map(|v| (barycentre(*v), *v)).collect();
        // stable: equals stay as they were
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (place, (_, vertex)) in (0_u32..).zip(&keyed) {
            self.position[*vertex as usize] = place;
        }
        self.ranks[rank] = keyed.into_iter().map(|(_, vertex)| vertex).collect();
    }

    /// Crossings of edges between neighbouring ranks: inversions, counted with a Fenwick tree.
    pub(super) fn crossings(&self) -> u64 {
        let mut sum = 0;
        for pair in self.ranks.windows(2) {
            let mut tree = vec![0_u64; pair[1].len() + 1];
            let mut seen = 0;
            for vertex in &pair[0] {
                let mut ends: Vec<usize> = self
                    .down
                    .of(*vertex)
                    .iter()
                    .map(|v| self.position[*v as usize] as usize)
                    .collect();
                ends.sort_unstable();
                sum += ends.iter().map(|end| seen - below(&tree, end + 1)).sum::<u64>();
                for end in ends {
                    add(&mut tree, end + 1);
                    seen += 1;
                }
            }
        }
        sum
    }
}

fn add(tree: &mut [u64], mut at: usize) {
    while at < tree.len() {
        tree[at] += 1;
        at += at & at.wrapping_neg();
    }
}

fn below(tree: &[u64], mut at: usize) -> u64 {
    let mut sum = 0;
    while at > 0 {
        sum += tree[at];
        at &= at - 1;
    }
    sum
}
