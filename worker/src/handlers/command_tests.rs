//! Shell and Python tasks as real processes.

use std::time::Duration;

use runnel_queue::FailureCategory;
use serde_json::{Value, json};

use super::command::CommandOptions;
use super::python::PythonHandler;
use super::shell::ShellHandler;
use crate::task::{Handler, TaskContext, TaskError};
use crate::testing::context;

async fn shell(script: &str) -> Result<Value, TaskError> {
    ShellHandler::new(CommandOptions::default())
        .execute(&context("shell", json!({ "run": script })))
        .await
}

async fn python_in(path: &std::path::Path, ctx: &TaskContext) -> Result<Value, TaskError> {
    let path = path.to_string_lossy().into_owned();
    PythonHandler::new("python3".to_owned(), Some(path), CommandOptions::default())
        .execute(ctx)
        .await
}

async fn python(input: Value) -> Result<Value, TaskError> {
    let directory = tempfile::tempdir().expect("a directory");
    let module = "import asyncio\n\
        def add(a, b=1):\n    print('adding')\n    return a + b\n\
        def one(x):\n    return x\n\
        async def later(a):\n    await asyncio.sleep(0)\n    return {'a': a}\n\
        def fail():\n    raise ValueError('bad thing')\n\
        class Box:\n    @staticmethod\n    def open():\n        return 'open'\n";
    std::fs::write(directory.path().join("tasks_under_test.py"), module).expect("written");
    python_in(directory.path(), &context("python", input)).await
}

#[tokio::test]
async fn a_command_gives_its_exit_its_tails_and_its_last_line() {
    let output = shell("echo one; echo two >&2; echo '{\"rows\": 3, \"stdout\": \"mine\"}'")
        .await
        .expect("succeeded");
    assert_eq!((&output["exit_code"], &output["rows"]), (&json!(0), &json!(3)));
    assert_eq!(
        (&output["stderr"], &output["stdout"]),
        (&json!("two\n"), &json!("mine"))
    );
}

#[tokio::test]
async fn the_result_file_wins_over_the_last_line() {
    let output = shell("echo '{\"from\": \"line\"}'; echo '{\"from\": \"file\"}' > \"$RUNNEL_OUTPUT\"").await;
    assert_eq!(output.expect("succeeded")["from"], "file");
}

#[tokio::test]
async fn exit_codes_and_signals_are_retryable_failures() {
    let error = shell("echo why >&2; exit 3").await.expect_err("failed");
    let failure = error.failure();
    assert_eq!(
        (failure.category, failure.code.as_str(), failure.retryable),
        (FailureCategory::User, "EXIT_CODE", true)
    );
    assert_eq!(failure.details.as_ref().expect("details")["stderr"], "why\n");
    let error = shell("kill -9 $$").await.expect_err("failed");
    assert_eq!(error.failure().code, "KILLED");
}

#[tokio::test]
async fn a_command_sees_named_variables_only() {
    let mut ctx = context(
        "shell",
        json!({ "run": "env | cut -d= -f1 | sort | tr '\\n' ' '; echo; echo \"[$A]\"" }),
    );
    ctx.env.insert("A".to_owned(), "$(id) `id` \"q\"".to_owned());
    let output = ShellHandler::new(CommandOptions::default())
        .execute(&ctx)
        .await
        .expect("succeeded");
    let text = output["stdout"].as_str().expect("text");
    assert!(text.contains("[$(id) `id` \"q\"]"), "{text}");
    assert!(!text.contains("CARGO"), "the worker's environment leaked: {text}");
    for name in [
        "RUNNEL_RUN_ID",
        "RUNNEL_TASK",
        "RUNNEL_ATTEMPT",
        "RUNNEL_IDEMPOTENCY_KEY",
        "RUNNEL_OUTPUT",
        "PATH",
    ] {
        assert!(text.contains(name), "{name} is missing in {text}");
    }
}

#[tokio::test]
async fn a_cancelled_command_dies_with_its_children() {
    let directory = tempfile::tempdir().expect("a directory");
    let pipe = directory.path().join("alive");
    // the child holds the pipe open until it dies, whatever it does with TERM
    let script = format!(
        "mkfifo {0}; (trap '' TERM; exec 9>{0}; while :; do sleep 60; done) & wait",
        pipe.display()
    );
    let ctx = context("shell", json!({ "run": script }));
    let cancelled = ctx.cancelled.clone();
    let reader = tokio::spawn(async move {
        while !pipe.exists() {
            tokio::task::yield_now().await;
        }
        let mut opened = tokio::fs::File::open(&pipe)
            .await
            .expect("opened when the child opened it");
        cancelled.cancel();
        let mut rest = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut opened, &mut rest)
            .await
            .expect("ends when the child is dead");
    });
    let result = ShellHandler::new(CommandOptions::default()).execute(&ctx).await;
    assert_eq!(result.expect_err("killed").failure().code, "KILLED");
    tokio::time::timeout(Duration::from_secs(20), reader)
        .await
        .expect("no child is left")
        .expect("joined");
}

#[tokio::test]
async fn a_dropped_command_dies_too() {
    let ctx = context("shell", json!({ "run": "echo $$; while :; do sleep 60; done" }));
    let handler = ShellHandler::new(CommandOptions::default());
    let first_line = async {
        loop {
            if let Some(lines) = ctx.log.take_chunk() {
                break lines[0].text.clone();
            }
            tokio::task::yield_now().await;
        }
    };
    let pid = tokio::select! {
        _ = handler.execute(&ctx) => panic!("the command ended"),
        pid = first_line => pid,
    };
    let is_alive = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.contains("State:") && !status.contains("Z (zombie)")
    };
    let gone = async {
        while is_alive() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone)
        .await
        .expect("the process is gone");
}

#[tokio::test]
async fn no_memory_fails_the_command_and_not_the_worker() {
    let options = CommandOptions {
        memory_bytes: Some(64 << 20),
        ..CommandOptions::default()
    };
    let script = "x=0123456789abcdef; while :; do x=$x$x; done";
    let result = ShellHandler::new(options)
        .execute(&context("shell", json!({ "run": script })))
        .await;
    assert_eq!(
        result.expect_err("out of memory").failure().category,
        FailureCategory::User
    );
}

#[tokio::test]
async fn endless_output_is_capped() {
    let ctx = context("shell", json!({ "run": "yes 0123456789 | head -n 200000" }));
    let handler = ShellHandler::new(CommandOptions::default());
    let drain = async {
        loop {
            let _ = ctx.log.take_chunk();
            tokio::task::yield_now().await;
        }
    };
    let output = tokio::select! {
        output = handler.execute(&ctx) => output.expect("succeeded"),
        () = drain => Value::Null,
    };
    assert!(
        output["stdout"]
            .as_str()
            .is_some_and(|text| text.len() <= 8 * 1024 && text.ends_with("0123456789\n"))
    );
}

#[tokio::test]
async fn callables_of_all_kinds_are_called() {
    let cases = [
        (
            json!({ "callable": "tasks_under_test:add", "args": { "a": 2, "b": 3 } }),
            json!(5),
        ),
        (
            json!({ "callable": "tasks_under_test.add", "args": { "a": 2 } }),
            json!(3),
        ),
        (
            json!({ "callable": "tasks_under_test.one", "args": { "not": "a keyword" } }),
            json!({ "not": "a keyword" }),
        ),
        (
            json!({ "callable": "tasks_under_test:one", "args": [1, 2] }),
            json!([1, 2]),
        ),
        (
            json!({ "callable": "tasks_under_test:later", "args": { "a": null } }),
            json!({ "a": null }),
        ),
        (json!({ "callable": "tasks_under_test.Box.open" }), json!("open")),
    ];
    for (input, expected) in cases {
        assert_eq!(
            python(input.clone())
                .await
                .unwrap_or_else(|e| panic!("{input}: {e}")),
            expected
        );
    }
}

#[tokio::test]
async fn metadata_stands_in_for_arguments() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("m.py"), "def f(a):\n    return a\n").expect("written");
    let mut ctx = context("python", json!({ "callable": "m:f" }));
    ctx.metadata = Some(json!({ "a": "from metadata" }));
    assert_eq!(
        python_in(directory.path(), &ctx).await.expect("succeeded"),
        "from metadata"
    );
}

#[tokio::test]
async fn an_exception_comes_with_its_traceback() {
    let error = python(json!({ "callable": "tasks_under_test:fail" }))
        .await
        .expect_err("failed");
    let failure = error.failure();
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        ("PYTHON_EXCEPTION", "ValueError: bad thing")
    );
    assert!(
        failure
            .traceback
            .as_deref()
            .is_some_and(|t| t.contains("tasks_under_test.py")),
        "{failure:?}"
    );
    let error = python(json!({ "callable": "no_such_module:f" }))
        .await
        .expect_err("failed");
    assert!(error.failure().message.contains("no_such_module"), "{error}");
}

#[tokio::test]
async fn scripts_are_run_and_read_their_inputs() {
    let script = "import json\nprint('hello')\nprint(json.dumps({'double': inputs['n'] * 2}))";
    let output = python(json!({ "script": script, "args": { "n": 21 } }))
        .await
        .expect("succeeded");
    assert_eq!((&output["double"], &output["exit_code"]), (&json!(42), &json!(0)));
    let error = python(json!({ "script": "import sys; sys.exit(4)" }))
        .await
        .expect_err("failed");
    assert_eq!(error.failure().code, "EXIT_CODE");
    let error = python(json!({ "script": "x = [" })).await.expect_err("failed");
    assert!(error.failure().message.starts_with("SyntaxError"), "{error}");
}
