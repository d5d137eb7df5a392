use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("valid JSON")
}

fn at() -> AttemptRef {
    AttemptRef {
        run: Uuid::from_u128(7),
        task: 3,
        attempt: 2,
        token: "k1.00ff".to_owned(),
    }
}

fn task() -> TaskMessage {
    TaskMessage {
        v: MESSAGE_VERSION,
        at: at(),
        namespace: "default".to_owned(),
        workflow: "etl".to_owned(),
        key: "clean[42]".to_owned(),
        kind: "http".to_owned(),
        input: raw(r#"{"b":1,"a":[1.50,null,"‹secret:K:m›"]}"#),
        input_ref: Some(PayloadRef::of(b"{}")),
        input_marks: BTreeMap::from([("‹callback:token:m›".to_owned(), "c.t".to_owned())]),
        env: BTreeMap::from([("MODE".to_owned(), "fast".to_owned())]),
        timeout_ms: Some(30_000),
        heartbeat_ms: None,
        deadline_us: Some(-1),
        idempotency_key: "charge-1".to_owned(),
        secrets: vec!["K".to_owned()],
        secret_mark: "m".to_owned(),
        checkpoint: Some(raw(r#"{"page":7}"#)),
        metadata: Some(raw("{\"owner\":\"data\"}")),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
    }
}

fn failure() -> Failure {
    Failure {
        category: FailureCategory::RateLimited,
        code: "HTTP_429".to_owned(),
        message: "too many requests".to_owned(),
        details: Some(json!({"status_code": 429})),
        retryable: true,
        traceback: Some("line 1\nline 2".to_owned()),
        retry_after_ms: Some(1500),
    }
}

fn heartbeat(progress: Option<Progress>, checkpoint: Option<&str>) -> Report {
    Report::Heartbeat {
        at: at(),
        progress,
        checkpoint: checkpoint.map(raw),
    }
}

fn batch() -> ReportBatch {
    let line = LogLine {
        at_us: 5,
        stream: LogStream::Stderr,
        text: "tab\t\"quoted\" ünïcode".to_owned(),
    };
    let ended = |outcome| {
        Report::Completed(Attempt {
            at: at(),
            outcome,
            started_us: 1,
            finished_us: 2,
            usage: None,
            traceparent: None,
        })
    };
    ReportBatch {
        v: MESSAGE_VERSION,
        worker: "w1".to_owned(),
        reports: vec![
            Report::Hello {
                types: vec!["http".to_owned()],
                queue: "default".to_owned(),
                slots: 8,
            },
            Report::Started {
                at: at(),
                started_us: 1,
            },
            heartbeat(None, None),
            heartbeat(
                Progress::read(&json!({"current": 3, "total": 12, "message": "page 3"})),
                Some("{\"page\":3}"),
            ),
            Report::Log {
                at: at(),
                lines: vec![line],
            },
            Report::Returned {
                at: at(),
                reason: "drain".to_owned(),
            },
            ended(Outcome::Output(raw(r#"{"z":1,"a":0.10}"#))),
            ended(Outcome::Output(raw("null"))),
            ended(Outcome::OutputRef(PayloadRef::of(b"[]"))),
            ended(Outcome::Error(failure())),
            Report::Goodbye {},
        ],
    }
}

/// Debug shows every field, raw JSON included.
fn shown<T: std::fmt::Debug>(value: &T) -> String {
    format!("{value:?}")
}

#[test]
fn a_task_survives_the_wire_byte_for_byte() {
    let body = encode_task(&task()).expect("encoded");
    let read = decode_task(&body).expect("decoded");
    assert_eq!(shown(&read), shown(&task()));
    assert_eq!(encode_task(&read).expect("encoded"), body);
    assert!(body.contains("1.50"), "numbers were rewritten: {body}");
}

#[test]
fn every_kind_of_report_survives_the_wire() {
    let body = encode_reports(&batch()).expect("encoded");
    let read = decode_reports(&body).expect("decoded");
    assert_eq!(shown(&read), shown(&batch()));
    assert_eq!(encode_reports(&read).expect("encoded"), body);
}

#[test]
fn a_newer_version_is_refused_even_when_nothing_else_is_known() {
    let mut known: Value = serde_json::from_str(&encode_task(&task()).expect("encoded")).expect("JSON");
    known["v"] = json!(MESSAGE_VERSION + 1);
    for body in [
        known.to_string(),
        json!({"v": MESSAGE_VERSION + 1, "shape": "other"}).to_string(),
    ] {
        let error = decode_task(&body).expect_err("a newer version was read");
        assert!(matches!(error, MessageError::NewerVersion { found, .. } if found == MESSAGE_VERSION + 1));
        let error = decode_reports(&body).expect_err("a newer version was read");
        assert!(matches!(error, MessageError::NewerVersion { .. }));
    }
}

#[test]
fn unknown_extra_fields_are_ignored() {
    let with_more = encode_task(&task())
        .expect("encoded")
        .replacen('{', r#"{"colour":{"deep":[1,2,3]},"#, 1);
    assert_eq!(shown(&decode_task(&with_more).expect("decoded")), shown(&task()));

    let whole = encode_reports(&batch()).expect("encoded");
    let with_more = whole.replace(r#"{"kind":"#, r#"{"colour":{"deep":3},"kind":"#);
    assert_ne!(with_more, whole);
    assert_eq!(
        shown(&decode_reports(&with_more).expect("decoded")),
        shown(&batch())
    );
}

#[test]
fn malformed_texts_are_errors_and_never_panic() {
    let whole = encode_reports(&batch()).expect("encoded");
    for cut in (0..whole.len()).filter(|cut| whole.is_char_boundary(*cut)) {
        assert!(matches!(
            decode_reports(&whole[..cut]),
            Err(MessageError::Malformed(_))
        ));
    }
    let deep = "[".repeat(200_000);
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "{\"v\":-1}",
        "{\"v\":1}",
        "\u{0}",
        deep.as_str(),
    ] {
        assert!(matches!(decode_task(body), Err(MessageError::Malformed(_))));
        assert!(matches!(decode_reports(body), Err(MessageError::Malformed(_))));
    }
    for report in [
        json!({"kind": "party"}),
        json!({"kind": "heartbeat", "run": Uuid::nil(), "task": 1, "attempt": 1}),
        json!({"kind": "completed", "run": Uuid::nil(), "task": 1, "attempt": 1, "token": "", "started_us": 1, "finished_us": 1}),
    ] {
        let body = json!({"v": 1, "worker": "w", "reports": [report]}).to_string();
        assert!(
            matches!(decode_reports(&body), Err(MessageError::Malformed(_))),
            "accepted {body}"
        );
    }
}

#[test]
fn a_message_over_the_limit_is_neither_written_nor_read() {
    let mut large = task();
    let room = MESSAGE_BYTES_MAX - encode_task(&large).expect("encoded").len() + large.input.get().len();
    large.input = raw(&format!("\"{}\"", "x".repeat(room - 2)));
    assert_eq!(
        encode_task(&large).expect("exactly at the limit").len(),
        MESSAGE_BYTES_MAX
    );
    large.input = raw(&format!("\"{}\"", "x".repeat(room - 1)));
    assert!(matches!(encode_task(&large), Err(MessageError::TooLarge { .. })));
    assert!(matches!(
        decode_task(&" ".repeat(MESSAGE_BYTES_MAX + 1)),
        Err(MessageError::TooLarge { .. })
    ));
}
