//! From a workflow to its plan: Kahn's algorithm per section, then adjacency arrays in index order.

use std::collections::HashMap;

use serde_json::Value;

use super::compiled::{CompiledTask, template};
use super::{Edges, Place, Plan, PlanError, Section, section_tasks, task_at};
use crate::definition::{Accepts, Task, Workflow};
use crate::ids::TaskIx;

pub(super) fn build(workflow: Workflow) -> Result<Plan, PlanError> {
    let mut places = Vec::new();
    let mut depth = Vec::new();
    let mut section_starts = [0; 6];
    for section in Section::ALL {
        section_starts[section as usize] = index_of(places.len());
        let tasks = section_tasks(&workflow, section);
        for (position, task_depth) in sort(tasks)? {
            if section == Section::Compensation && tasks[position].compensate.is_none() {
                continue;
            }
            places.push(Place {
                section,
                position: index_of(position),
            });
            depth.push(task_depth);
        }
    }
    section_starts[Section::ALL.len()] = index_of(places.len());

    let task_at = |place: &Place| task_at(&workflow, *place);
    let mut index = HashMap::with_capacity(places.len());
    for (at, place) in places.iter().enumerate() {
        index
            .entry(task_at(place).key.clone())
            .or_insert(TaskIx(index_of(at)));
    }
    let compensations = compensations(&places, task_at, &index);
    let (up, down) = adjacency(&places, task_at, &index)?;
    let compiled = places
        .iter()
        .map(|place| CompiledTask::compile(task_at(place), &workflow.env))
        .collect::<Result<Vec<_>, _>>()?;
    let outputs = template("outputs", &Value::Object(workflow.outputs.clone()))?;
    let run_group = workflow
        .concurrency
        .as_ref()
        .and_then(|concurrency| concurrency.group.clone())
        .map(|group| template("concurrency", &Value::String(group)))
        .transpose()?;
    let mut is_output_read = outputs_read(&compiled, &outputs, &index);
    for (at, place) in places.iter().enumerate() {
        is_output_read[at] |= task_at(place).repeat.is_some();
    }
    let main_tasks = section_starts[1] as usize;
    let critical_path_depth = depth[..main_tasks].iter().max().map_or(0, |deepest| deepest + 1);
    Ok(Plan {
        workflow,
        places,
        index,
        up,
        down,
        depth,
        compiled,
        outputs,
        run_group,
        is_output_read,
        section_starts,
        compensations,
        critical_path_depth,
    })
}

/// Saturates: more tasks than fit are refused long before.
fn index_of(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Positions of the tasks by (depth, position in the file), with their depths.
fn sort(tasks: &[Task]) -> Result<Vec<(usize, u32)>, PlanError> {
    let position: HashMap<&str, usize> = tasks
        .iter()
        .enumerate()
        .map(|(at, task)| (task.key.as_str(), at))
        .collect();
    let mut unmet = vec![0_usize; tasks.len()];
    let mut downs: Vec<Vec<usize>> = vec![Vec::new(); tasks.len()];
    for (at, task) in tasks.iter().enumerate() {
        for need in &task.needs {
            let Some(&upstream) = position.get(need.task.as_str()) else {
                return Err(PlanError::UnknownUpstream {
                    task: task.key.clone(),
                    upstream: need.task.clone(),
                });
            };
            downs[upstream].push(at);
            unmet[at] += 1;
        }
    }
    let mut depth = vec![0_u32; tasks.len()];
    let mut queue: Vec<usize> = (0..tasks.len()).filter(|&at| unmet[at] == 0).collect();
    let mut next = 0;
    while let Some(&at) = queue.get(next) {
        next += 1;
        for &down in &downs[at] {
            depth[down] = depth[down].max(depth[at] + 1);
            unmet[down] -= 1;
            if unmet[down] == 0 {
                queue.push(down);
            }
        }
    }
    if queue.len() < tasks.len() {
        return Err(PlanError::Cycle(find_cycle(tasks, &position, &unmet)));
    }
    Ok(by_depth(&depth))
}

/// Counting sort: stable, so ties stay in file order.
fn by_depth(depth: &[u32]) -> Vec<(usize, u32)> {
    let mut levels: Vec<Vec<usize>> = vec![Vec::new(); depth.iter().max().map_or(0, |d| *d as usize + 1)];
    for (at, &task_depth) in depth.iter().enumerate() {
        levels[task_depth as usize].push(at);
    }
    levels.into_iter().flatten().map(|at| (at, depth[at])).collect()
}

/// Every task that Kahn's algorithm left over has an upstream that was left over too: walking up must come back.
fn find_cycle(tasks: &[Task], position: &HashMap<&str, usize>, unmet: &[usize]) -> Vec<String> {
    let Some(start) = unmet.iter().position(|&n| n > 0) else {
        return Vec::new();
    };
    let mut seen_at = vec![usize::MAX; tasks.len()];
    let mut path = Vec::new();
    let mut at = start;
    while seen_at[at] == usize::MAX {
        seen_at[at] = path.len();
        path.push(at);
        let upstream = tasks[at]
            .needs
            .iter()
            .filter_map(|need| position.get(need.task.as_str()))
            .find(|&&up| unmet[up] > 0);
        match upstream {
            Some(&up) => at = up,
            None => return Vec::new(),
        }
    }
    let mut cycle: Vec<String> = path[seen_at[at]..]
        .iter()
        .rev()
        .map(|&task| tasks[task].key.clone())
        .collect();
    if let Some(first) = cycle.first().cloned() {
        cycle.push(first);
    }
    cycle
}

/// Which task undoes which.
fn compensations<'a>(
    places: &[Place],
    task_at: impl Fn(&Place) -> &'a Task,
    index: &HashMap<String, TaskIx>,
) -> HashMap<TaskIx, TaskIx> {
    let undone = |(at, place): (usize, &Place)| {
        let key = task_at(place).key.strip_suffix(super::COMPENSATE_SUFFIX)?;
        let is_compensation = place.section == Section::Compensation;
        let owner = index.get(key).filter(|_| is_compensation)?;
        Some((*owner, TaskIx(index_of(at))))
    };
    places.iter().enumerate().filter_map(undone).collect()
}

fn adjacency<'a>(
    places: &[Place],
    task_at: impl Fn(&Place) -> &'a Task,
    index: &HashMap<String, TaskIx>,
) -> Result<(Edges, Edges), PlanError> {
    let mut up = Edges {
        starts: vec![0],
        ..Edges::default()
    };
    let mut downs: Vec<Vec<(TaskIx, Accepts)>> = vec![Vec::new(); places.len()];
    for (at, place) in places.iter().enumerate() {
        let task = task_at(place);
        let mut row = Vec::with_capacity(task.needs.len());
        for need in &task.needs {
            let Some(&upstream) = index.get(&need.task) else {
                return Err(PlanError::UnknownUpstream {
                    task: task.key.clone(),
                    upstream: need.task.clone(),
                });
            };
            row.push((upstream, need.accepts));
            downs[upstream.at()].push((TaskIx(index_of(at)), need.accepts));
        }
        row.sort_unstable_by_key(|(upstream, _)| *upstream);
        push_row(&mut up, row);
    }
    let mut down = Edges {
        starts: vec![0],
        ..Edges::default()
    };
    for row in downs {
        push_row(&mut down, row);
    }
    Ok((up, down))
}

fn push_row(edges: &mut Edges, row: Vec<(TaskIx, Accepts)>) {
    for (end, accepts) in row {
        edges.ends.push(end);
        edges.accepts.push(accepts);
    }
    edges.starts.push(index_of(edges.ends.len()));
}

fn outputs_read(
    compiled: &[CompiledTask],
    outputs: &crate::expr::Template,
    index: &HashMap<String, TaskIx>,
) -> Vec<bool> {
    let mut read: Vec<bool> = compiled.iter().map(|task| task.fanout.is_some()).collect();
    let mut mark = |references: &crate::expr::References| {
        for key in &references.outputs {
            if let Some(ix) = index.get(key) {
                read[ix.at()] = true;
            }
        }
    };
    mark(outputs.references());
    for task in compiled {
        task.each_references(&mut mark);
    }
    read
}
