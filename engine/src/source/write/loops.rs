//! Matrix, loop and alerts of a task as they are written in a file.

use serde_json::{Map, Value, json};

use super::{put, put_some, time};
use crate::definition::{Matrix, Repeat, Sla, Tolerate};

pub(super) fn limits(out: &mut Map<String, Value>, max_parallel: Option<u32>, tolerate: Tolerate) {
    put_some(out, "max_parallel", max_parallel.map(|n| json!(n)));
    match tolerate {
        Tolerate::Count(0) => {}
        Tolerate::Count(n) => put(out, "tolerate", json!(n)),
        Tolerate::Percent(percent) => put(out, "tolerate", json!(format!("{percent}%"))),
    }
}

pub(super) fn matrix(matrix: &Matrix) -> Value {
    let mut out: Map<String, Value> = matrix
        .axes
        .iter()
        .map(|axis| (axis.name.clone(), axis.values.clone()))
        .collect();
    for (key, list) in [("include", &matrix.include), ("exclude", &matrix.exclude)] {
        put_some(&mut out, key, (!list.is_empty()).then(|| json!(list)));
    }
    limits(&mut out, matrix.max_parallel, matrix.tolerate);
    Value::Object(out)
}

pub(super) fn repeat(repeat: &Repeat) -> Value {
    let mut out = Map::new();
    let until = repeat.until.as_ref();
    put_some(
        &mut out,
        "until",
        until.map(|cel| json!(format!("${{{{ {cel} }}}}"))),
    );
    put(&mut out, "max", json!(repeat.max));
    put_some(
        &mut out,
        "every",
        (!repeat.every.is_zero()).then(|| time(repeat.every)),
    );
    Value::Object(out)
}

pub(super) fn sla(sla: &Sla) -> Value {
    let mut out = Map::new();
    put_some(&mut out, "finish_within", sla.finish_within.map(time));
    put_some(&mut out, "start_within", sla.start_within.map(time));
    Value::Object(out)
}
