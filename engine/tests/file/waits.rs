//! Waits, approvals and callbacks in a file: what is accepted, and every slip that is told.

use runnel_engine::source::{Format, read};

use crate::support::{accepted, error_codes, list, with_task};

#[test]
fn waits_approvals_and_callbacks_are_accepted() {
    for task in [
        "type: wait\ninput: { event: x }",
        "type: wait\nneeds: before\ninput: { event: x, match: event.data.id == tasks.before.output.id, timeout: 3d }",
        "type: wait\ninput: { event: x, match: '${{ event.data.id == 1 }}', look_back: 0s, on_timeout: skip }",
        "type: wait\ninput: { event: 'order.${{ run.id }}', timeout: '${{ 60 }}' }",
        "type: wait\ninput: { signal: go, match: event.data.ok, timeout: 1h, on_timeout: succeed }",
        "type: wait\nfor_each: [1, 2]\ninput: { event: x, match: event.data.n == each.item }",
        "type: approval\ninput: { message: ok? }",
        "type: approval\ninput:\n  message: 'ok ${{ run.id }}?'\n  approvers: [ana, 'group:risk', '${{ run.id }}']\n  form: { type: object }\n  quorum: 2\n  no_self_approval: true\n  remind_every: 1h\n  escalate: { after: 2h, approvers: ['group:leads'] }\n  expires: 24h\n  on_expire: reject\n  on_reject: continue",
        "run: x\ncallback: true\nenv: { T: '${{ task.callback_token }}', U: '${{ task.callback_url }}' }",
        "type: http\ncallback: true\ninput: { url: 'http://x/', json: { token: '${{ task.callback_token }}' } }",
    ] {
        let text = with_task(task);
        let reading = read(&text, Format::Auto);
        assert!(list(&reading).is_empty(), "{task}: {:#?}", list(&reading));
    }
    let workflow = accepted(&with_task("run: x\ncallback: true"));
    assert!(workflow.tasks[1].callback && !workflow.tasks[0].callback);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn every_slip_is_told() {
    for (task, code) in [
        (
            "type: wait\ninput: { event: x, for: 3s }",
            "runnel::schema::conflict",
        ),
        (
            "type: wait\ninput: { event: x, signal: y }",
            "runnel::schema::conflict",
        ),
        (
            "type: wait\ninput: { for: 3s, match: 'true' }",
            "runnel::schema::conflict",
        ),
        (
            "type: wait\ninput: { signal: x, look_back: 1m }",
            "runnel::schema::conflict",
        ),
        (
            "type: wait\ninput: { event: x, on_timeout: skipp }",
            "runnel::schema::choice",
        ),
        (
            "type: wait\ninput: { event: x, match: 'event.data ==' }",
            "runnel::expr::syntax",
        ),
        (
            "type: wait\ninput: { event: x, match: evnt.data }",
            "runnel::expr::context",
        ),
        (
            "type: wait\ninput: { event: x, match: secrets.a == event.id }",
            "runnel::expr::secret",
        ),
        (
            "type: wait\ninput: { event: x, match: tasks.before.output == 1 }",
            "runnel::expr::not_an_ancestor",
        ),
        (
            "type: wait\ninput: { event: '${{ event.id }}' }",
            "runnel::feature::unsupported",
        ),
        ("type: wait\ninput: { evnt: x }", "runnel::schema::unknown_key"),
        ("type: approval", "runnel::task::input"),
        (
            "type: approval\ninput: { message: x, aprovers: [a] }",
            "runnel::schema::unknown_key",
        ),
        (
            "type: approval\ninput: { message: x, approvers: [''] }",
            "runnel::schema::approver",
        ),
        (
            "type: approval\ninput: { message: x, approvers: [a], quorum: 2 }",
            "runnel::schema::range",
        ),
        (
            "type: approval\ninput: { message: x, quorum: 101 }",
            "runnel::schema::range",
        ),
        (
            "type: approval\ninput: { message: x, remind_every: 1s }",
            "runnel::schema::range",
        ),
        (
            "type: approval\ninput: { message: x, on_expire: reject }",
            "runnel::schema::conflict",
        ),
        (
            "type: approval\ninput: { message: x, escalate: { after: 1h, approvers: [a] } }",
            "runnel::schema::conflict",
        ),
        (
            "type: approval\ninput: { message: x, approvers: [a], escalate: { after: 1h } }",
            "runnel::schema::missing",
        ),
        (
            "type: approval\ninput: { message: x, form: { type: nothing } }",
            "runnel::schema::form",
        ),
        ("type: pass\ncallback: true", "runnel::schema::conflict"),
        ("run: x\ncallback: 1", "runnel::schema::type"),
        (
            "run: x\nenv: { T: '${{ task.callback_token }}' }",
            "runnel::task::callback",
        ),
    ] {
        let codes = error_codes(&with_task(task));
        assert!(
            codes.iter().any(|found| found == code),
            "{task}: {:?}",
            list(&read(&with_task(task), Format::Auto))
        );
    }
}
