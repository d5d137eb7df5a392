//! The graph of each group of tasks: known upstreams, no edge twice, no cycle, and reads of ancestors only.
//!
//! Everything is iterative and O(V + E), but for the set of ancestors, which is one bit per pair of tasks.

use std::collections::{HashMap, HashSet};

use crate::source::check::expressions::{Group, Read, Reader};
use crate::source::check::{Checker, EDGES_MAX, Placed};
use crate::source::tree::{Extent, Path};

/// Tasks of a cycle that are named one by one; the message of a longer one leaves out its middle.
const CYCLE_NAMED_MAX: usize = 1_000;

type Handlers = [(&'static str, Group, Vec<Placed>)];

/// One group as indices.
struct Graph<'p> {
    name: &'static str,
    group: Group,
    tasks: &'p [Placed],
    index: HashMap<&'p str, usize>,
    /// Per task: its upstreams, with the place where each is named.
    upstreams: Vec<Vec<(usize, Extent)>>,
}

impl Checker<'_, '_> {
    pub(crate) fn graph(&mut self, main: &[Placed], handlers: &Handlers) {
        let main = self.link("tasks", Group::Main, main);
        let handlers: Vec<Graph<'_>> = handlers
            .iter()
            .map(|(name, group, tasks)| self.link(name, *group, tasks))
            .collect();
        self.unique(&main, &handlers);
        let edges: usize = main.upstreams.iter().map(Vec::len).sum();
        if edges > EDGES_MAX {
            let message = format!("{edges} edges; the limit is {EDGES_MAX}");
            self.report
                .error("runnel::dag::too_many_edges", Extent::default(), "tasks", message)
                .help("put a `pass` task between two large groups");
            return;
        }
        let mut ancestors = vec![(
            Group::Main,
            self.order(&main).map(|order| Ancestors::of(&main, &order)),
        )];
        for graph in &handlers {
            ancestors.push((
                graph.group,
                self.order(graph).map(|order| Ancestors::of(graph, &order)),
            ));
        }
        for read in std::mem::take(&mut self.reads) {
            self.read(&read, &main, &handlers, &ancestors);
        }
    }

    /// A task is read by its key alone, whatever its group.
    fn unique(&mut self, main: &Graph<'_>, handlers: &[Graph<'_>]) {
        let mut known: HashMap<&str, Extent> =
            main.tasks.iter().map(|p| (p.task.key.as_str(), p.at)).collect();
        for (graph, placed) in handlers
            .iter()
            .flat_map(|graph| graph.tasks.iter().map(move |placed| (graph, placed)))
        {
            let key = placed.task.key.as_str();
            if let Some(first) = known.insert(key, placed.at) {
                let label = self.report.label(first, "first used here");
                let message = format!("the key `{key}` is used by another task");
                let path = format!("{}.{key}", graph.name);
                let diagnostic = self
                    .report
                    .error("runnel::dag::duplicate_task", placed.at, path, message);
                diagnostic
                    .help("give the handler a key of its own")
                    .labels
                    .push(label);
            }
        }
    }

    fn link<'p>(&mut self, name: &'static str, group: Group, tasks: &'p [Placed]) -> Graph<'p> {
        let index: HashMap<&str, usize> = tasks
            .iter()
            .enumerate()
            .map(|(i, placed)| (placed.task.key.as_str(), i))
            .collect();
        let mut upstreams = Vec::with_capacity(tasks.len());
        for placed in tasks {
            let mut seen = HashSet::new();
            let mut own = Vec::new();
            for (position, (need, &at)) in placed.task.needs.iter().zip(&placed.need_extents).enumerate() {
                let path = format!("{name}.{}.needs[{position}]", placed.task.key);
                let key = &placed.task.key;
                if !seen.insert(need.task.as_str()) {
                    let message = format!("task `{key}` needs `{}` twice", super::shorten(&need.task));
                    self.report
                        .error("runnel::dag::duplicate_upstream", at, path, message)
                        .help("keep one of the two");
                    continue;
                }
                match index.get(need.task.as_str()) {
                    Some(&upstream) => own.push((upstream, at)),
                    None => {
                        let near_miss = self
                            .report
                            .near_miss(&need.task, keys(tasks).filter(|known| known != key));
                        let message = format!(
                            "task `{key}` needs `{}`, which does not exist",
                            super::shorten(&need.task)
                        );
                        self.report
                            .error("runnel::dag::unknown_upstream", at, path, message)
                            .did_you_mean(near_miss);
                    }
                }
            }
            upstreams.push(own);
        }
        Graph {
            name,
            group,
            tasks,
            index,
            upstreams,
        }
    }

    /// A topological order (Kahn 1962, "Topological sorting of large networks"); `None` after cycles, which are reported.
    fn order(&mut self, graph: &Graph<'_>) -> Option<Vec<usize>> {
        let mut waiting: Vec<usize> = graph.upstreams.iter().map(Vec::len).collect();
        let mut downstreams = vec![Vec::new(); graph.tasks.len()];
        for (task, upstreams) in graph.upstreams.iter().enumerate() {
            for &(upstream, _) in upstreams {
                downstreams[upstream].push(task);
            }
        }
        let mut order: Vec<usize> = (0..graph.tasks.len())
            .filter(|&task| waiting[task] == 0)
            .collect();
        let mut next = 0;
        while let Some(&task) = order.get(next) {
            next += 1;
            for &downstream in &downstreams[task] {
                waiting[downstream] -= 1;
                if waiting[downstream] == 0 {
                    order.push(downstream);
                }
            }
        }
        if order.len() == graph.tasks.len() {
            return Some(order);
        }
        self.cycles(graph, &waiting);
        None
    }

    /// Every task that still waits has an upstream that still waits, so walking upstream from it must meet a cycle.
    fn cycles(&mut self, graph: &Graph<'_>, waiting: &[usize]) {
        let mut walk_of = vec![usize::MAX; graph.tasks.len()];
        for start in (0..graph.tasks.len()).filter(|&task| waiting[task] > 0) {
            let mut trail: Vec<(usize, Extent)> = Vec::new();
            let mut task = start;
            while walk_of[task] == usize::MAX {
                walk_of[task] = start;
                let Some(&(upstream, at)) = graph.upstreams[task]
                    .iter()
                    .find(|(upstream, _)| waiting[*upstream] > 0)
                else {
                    break;
                };
                trail.push((task, at));
                task = upstream;
            }
            // Met an earlier walk: its cycle is reported already.
            if walk_of[task] == start
                && let Some(first) = trail.iter().position(|(visited, _)| *visited == task)
            {
                self.cycle(graph, &trail[first..]);
            }
        }
    }

    /// `edges`: each task of the cycle with the place where it names the next one, its upstream.
    fn cycle(&mut self, graph: &Graph<'_>, edges: &[(usize, Extent)]) {
        let key = |task: usize| graph.tasks[task].task.key.as_str();
        // From each task to the one it waits for, beginning at the first task of the file.
        let mut edges = edges.to_vec();
        let first = (0..edges.len()).min_by_key(|&i| edges[i].0).unwrap_or(0);
        edges.rotate_left(first);
        let mut names: Vec<&str> = edges
            .iter()
            .chain(edges.first())
            .map(|(task, _)| key(*task))
            .collect();
        let left_out;
        if names.len() > CYCLE_NAMED_MAX + 1 {
            left_out = format!("({} more)", names.len() - CYCLE_NAMED_MAX);
            let tail = names.split_off(names.len() - CYCLE_NAMED_MAX / 2);
            names.truncate(CYCLE_NAMED_MAX / 2);
            names.push(&left_out);
            names.extend(tail);
        }
        let labels: Vec<_> = edges
            .iter()
            .enumerate()
            .take(CYCLE_NAMED_MAX)
            .map(|(i, (task, at))| {
                let (upstream, _) = edges[(i + 1) % edges.len()];
                self.report
                    .label(*at, format!("`{}` waits for `{}`", key(*task), key(upstream)))
            })
            .collect();
        let (task, at) = edges[0];
        let path = format!("{}.{}.needs", graph.name, key(task));
        let message = format!("dependency cycle: {}", names.join(" → "));
        let diagnostic = self.report.error("runnel::dag::cycle", at, path, message);
        diagnostic.labels = labels;
        diagnostic.help("remove one of these edges");
    }

    fn read(
        &mut self,
        read: &Read,
        main: &Graph<'_>,
        handlers: &[Graph<'_>],
        ancestors: &[(Group, Option<Ancestors>)],
    ) {
        let (group, reader) = match read.reader {
            Reader::Outputs if main.index.contains_key(read.task.as_str()) => return,
            Reader::Outputs => return self.unknown_task(read, main),
            Reader::Start | Reader::Trigger { .. } => {
                let message = format!(
                    "no task has run yet when this is evaluated, so `{}` cannot be read",
                    super::shorten(&read.task)
                );
                let help = "read the task in the `env` or `input` of a task that needs it";
                self.report
                    .error("runnel::expr::not_an_ancestor", read.at, &read.path, message)
                    .help(help);
                return;
            }
            Reader::Task(group, reader) | Reader::Taker(group, reader) => (group, reader),
        };
        let own = std::iter::once(main)
            .chain(handlers)
            .find(|graph| graph.group == group)
            .unwrap_or(main);
        // A handler runs after the whole main group is decided.
        if group != Group::Main && main.index.contains_key(read.task.as_str()) {
            return;
        }
        let Some(&task) = own.index.get(read.task.as_str()) else {
            return self.unknown_task(read, own);
        };
        let Some((_, Some(ancestors))) = ancestors.iter().find(|(of, _)| *of == group) else {
            return;
        };
        if !ancestors.contains(reader, task) {
            let key = &own.tasks[reader].task.key;
            let label = self
                .report
                .label(own.tasks[task].at, "this task may run later, or at the same time");
            let (message, help) = if task == reader {
                (
                    format!("task `{key}` reads its own result"),
                    "read the result of an upstream".to_owned(),
                )
            } else {
                (
                    format!(
                        "task `{key}` reads `{}`, which is not one of its ancestors",
                        read.task
                    ),
                    format!("add it to needs: `needs: [{}]`", read.task),
                )
            };
            let diagnostic = self
                .report
                .error("runnel::expr::not_an_ancestor", read.at, &read.path, message);
            diagnostic.help(help);
            diagnostic.labels.push(label);
        }
    }

    fn unknown_task(&mut self, read: &Read, graph: &Graph<'_>) {
        let near_miss = self.report.near_miss(&read.task, keys(graph.tasks));
        let message = format!("there is no task `{}` to read", super::shorten(&read.task));
        self.report
            .error(
                "runnel::expr::unknown_task",
                read.at,
                Path::Root.key(&read.path),
                message,
            )
            .did_you_mean(near_miss);
    }
}

/// In the order of the file, so that the same file gives the same suggestions.
fn keys(tasks: &[Placed]) -> impl Iterator<Item = &str> {
    tasks.iter().map(|placed| placed.task.key.as_str())
}

/// One bit per pair of tasks: 12.5 MB for 10,000 tasks.
struct Ancestors {
    words: usize,
    bits: Vec<u64>,
}

impl Ancestors {
    fn of(graph: &Graph<'_>, order: &[usize]) -> Self {
        let words = graph.tasks.len().div_ceil(64);
        let mut all = Self {
            words,
            bits: vec![0; words * graph.tasks.len()],
        };
        for &task in order {
            for &(upstream, _) in &graph.upstreams[task] {
                all.bits[task * words + upstream / 64] |= 1 << (upstream % 64);
                for word in 0..words {
                    let inherited = all.bits[upstream * words + word];
                    all.bits[task * words + word] |= inherited;
                }
            }
        }
        all
    }

    fn contains(&self, task: usize, ancestor: usize) -> bool {
        self.bits[task * self.words + ancestor / 64] & (1 << (ancestor % 64)) != 0
    }
}
