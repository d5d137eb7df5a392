//! Triggers of a file, and what events do to them.

use serde_json::{Map, Value, json};

use super::{Evaluated, EventRule, FileTriggerKind, Rate, TriggerFacts, evaluate, of_workflow};
use crate::schedule::{CatchUp, Overlap, When};
use crate::source::{Format, read};
use crate::time::Timestamp;

fn file(triggers: &str) -> String {
    format!("id: w\ntriggers:\n{triggers}\ntasks: {{ t: {{ run: x }} }}\n")
}

fn accepted(triggers: &str) -> Vec<super::FileTrigger> {
    let reading = read(&file(triggers), Format::Yaml);
    assert_eq!(reading.diagnostics, [], "{triggers}");
    of_workflow(&reading.workflow.expect("a workflow")).expect("triggers")
}

fn problems(triggers: &str) -> Vec<(String, String)> {
    let reading = read(&file(triggers), Format::Yaml);
    reading
        .diagnostics
        .into_iter()
        .map(|d| (d.code, d.path))
        .collect()
}

fn rule(text: &str) -> EventRule {
    match accepted(text).remove(0).kind {
        FileTriggerKind::Event(rule) | FileTriggerKind::Webhook(rule) => rule,
        FileTriggerKind::Schedule { .. } => panic!("no event"),
    }
}

fn apply(text: &str, event: &Value) -> Evaluated {
    let vars = Map::from_iter([("region".to_owned(), json!("eu"))]);
    let facts = TriggerFacts {
        workflow: "w",
        vars: &vars,
        scheduled_at: "2026-01-01T00:00:00Z",
        now: Timestamp(0),
    };
    evaluate(&rule(text), event, &facts)
}

#[test]
fn a_schedule_of_a_file_has_its_calendar_and_its_policy() {
    let text = "  - { schedule: '0 2 * * *', timezone: Europe/Madrid, catchup: all, catchup_window: 3d, catchup_limit: 5, overlap: buffer_one, pause_after_failures: 3, jitter: 90s, enabled: false }";
    let trigger = accepted(text).remove(0);
    assert!(!trigger.is_enabled);
    let FileTriggerKind::Schedule { spec, policy, .. } = trigger.kind else {
        panic!("a schedule")
    };
    assert!(matches!(&spec.when, When::Cron { timezone, .. } if timezone == "Europe/Madrid"));
    assert_eq!(spec.jitter_ms, 90_000);
    assert_eq!(
        (policy.overlap, policy.catch_up),
        (Overlap::BufferOne, CatchUp::All)
    );
    assert_eq!(
        (policy.window_ms, policy.limit, policy.pause_after),
        (3 * 86_400_000, 5, Some(3))
    );
}

#[test]
fn intervals_and_one_offs_are_schedules_too() {
    let triggers = accepted("  - every: 15m\n  - { at: '2026-05-01T10:00:00+02:00', name: launch }");
    assert!(matches!(
        &triggers[0].kind,
        FileTriggerKind::Schedule { spec, .. } if spec.when == When::Every { every_ms: 900_000, anchor: Timestamp(0) }
    ));
    assert_eq!(triggers[1].slot, "launch");
}

#[test]
fn a_trigger_is_the_same_from_version_to_version_by_its_name_or_by_what_it_is_about() {
    let slot = |text: &str| accepted(text).remove(0).slot;
    let plain = slot("  - schedule: '0 2 * * *'");
    assert_eq!(
        plain,
        slot("  - { schedule: '0 2 * * *', catchup: all, inputs: { a: 1 } }")
    );
    assert_ne!(plain, slot("  - schedule: '0 3 * * *'"));
    assert_eq!(slot("  - { schedule: '0 2 * * *', name: nightly }"), "nightly");
    assert_ne!(
        slot("  - event: a"),
        slot("  - { event: a, match: event.data.x }")
    );
}

/// A trigger, the code of its problem, and where it is.
const PROBLEMS: &[(&str, &str, &str)] = &[
    (
        "  - { schedule: '61 * * * *' }",
        "runnel::schema::schedule",
        "triggers[0]",
    ),
    (
        "  - { schedule: '0 0 * * *', timezone: Europe/Madird }",
        "runnel::schema::schedule",
        "triggers[0]",
    ),
    (
        "  - { schedule: '0 0 * * *', catchup: some }",
        "runnel::schema::choice",
        "triggers[0].catchup",
    ),
    (
        "  - { schedule: '0 0 * * *', jiter: 1s }",
        "runnel::schema::unknown_key",
        "triggers[0].jiter",
    ),
    (
        "  - { every: 15m, timezone: UTC }",
        "runnel::schema::conflict",
        "triggers[0].timezone",
    ),
    ("  - { at: tomorrow }", "runnel::schema::time", "triggers[0].at"),
    (
        "  - { every: 1h, event: x }",
        "runnel::schema::conflict",
        "triggers[0]",
    ),
    ("  - { inputs: {} }", "runnel::schema::missing", "triggers[0]"),
    (
        "  - { event: x, rate_limit: often }",
        "runnel::schema::rate",
        "triggers[0].rate_limit",
    ),
    (
        "  - { event: x, match: 'event.data ==' }",
        "runnel::expr::syntax",
        "triggers[0].match",
    ),
    (
        "  - { event: x, inputs: { a: '${{ inputs.b }}' } }",
        "runnel::expr::context",
        "triggers[0].inputs.a",
    ),
    (
        "  - { every: 1h, inputs: { a: '${{ event.id }}' } }",
        "runnel::expr::context",
        "triggers[0].inputs.a",
    ),
    (
        "  - { event: x, inputs: { a: '${{ secrets.B }}' } }",
        "runnel::expr::secret",
        "triggers[0].inputs.a",
    ),
    (
        "  - { every: 1h }\n  - { every: 60m }",
        "runnel::schema::conflict",
        "triggers[1]",
    ),
    (
        "  - { every: 1h, name: A }",
        "runnel::schema::id",
        "triggers[0].name",
    ),
    (
        "  - { webhook: { path: x } }",
        "runnel::schema::unknown_key",
        "triggers[0].webhook.path",
    ),
];

#[test]
fn every_problem_of_a_trigger_has_its_code_and_its_place() {
    for (text, code, path) in PROBLEMS {
        assert_eq!(
            problems(text),
            [((*code).to_owned(), (*path).to_owned())],
            "{text}"
        );
    }
}

#[test]
fn an_event_gives_the_inputs_of_a_run() {
    let text = "  - { event: order, match: event.data.total > 10, dedupe: '${{ event.subject }}', inputs: { order: '${{ event.data }}', region: '${{ vars.region }}' } }";
    let event = json!({"type": "order", "id": "1", "subject": "o-7", "data": {"total": 12}});
    let Evaluated::Start { inputs, dedupe } = apply(text, &event) else {
        panic!("starts")
    };
    assert_eq!(
        Value::Object(inputs),
        json!({"order": {"total": 12}, "region": "eu"})
    );
    assert_eq!(dedupe.as_deref(), Some("o-7"));
}

#[test]
fn an_event_that_is_not_meant_is_filtered_and_one_that_does_not_fit_is_rejected() {
    let text = "  - { event: order, source: shop, match: event.data.total > 10, inputs: { n: '${{ event.data.n }}' } }";
    let event =
        |source: &str, data: Value| json!({"type": "order", "source": source, "id": "1", "data": data});
    assert!(
        matches!(apply(text, &event("other", json!({"total": 12}))), Evaluated::Filtered(why) if why.contains("source"))
    );
    assert!(matches!(
        apply(text, &event("shop", json!({"total": 2}))),
        Evaluated::Filtered(_)
    ));
    assert!(
        matches!(apply(text, &event("shop", json!({}))), Evaluated::Filtered(why) if why.contains("total"))
    );
    assert!(
        matches!(apply(text, &event("shop", json!({"total": 12}))), Evaluated::Rejected(why) if why.contains("n:"))
    );
}

#[test]
fn a_key_of_deliveries_has_a_limit() {
    let text = "  - { event: order, dedupe: '${{ event.data.key }}' }";
    for key in [String::new(), "x".repeat(161)] {
        let event = json!({"type": "order", "data": {"key": key}});
        assert!(matches!(apply(text, &event), Evaluated::Rejected(_)));
    }
}

#[test]
fn escaped_values_render_to_themselves() {
    let values = json!({"a": "${{ inputs.x }}", "b": ["$${{ y }}", "plain $ {{", {"c": "$$${{ z }} and ${{ w }}"}], "d": 7});
    let vars = Map::new();
    let facts = TriggerFacts {
        workflow: "w",
        vars: &vars,
        scheduled_at: "2026-01-01T00:00:00Z",
        now: Timestamp(0),
    };
    let values = values.as_object().expect("an object").clone();
    assert_eq!(super::render_inputs(&super::escape(&values), &facts), Ok(values));
}

#[test]
fn rates_are_read_and_written() {
    for text in ["1/s", "50/m", "1000/h", "3/d"] {
        assert_eq!(Rate::parse(text).expect("a rate").to_string(), text);
    }
    for text in ["", "5", "0/m", "5/w", "x/m", "2000000/s", "-1/m"] {
        assert!(Rate::parse(text).is_err(), "{text}");
    }
    assert_eq!(Rate::parse("50/m").expect("a rate").each_us(), 1_200_000);
}
