//! What the Lambda program is made of: it starts cold in the time that its size allows, so it has no part that it does not need.
#![expect(clippy::expect_used, reason = "a test")]

use std::process::Command;

/// Web servers and database drivers, and what else would come in with a careless dependency.
const UNWANTED: [&str; 14] = [
    "axum",
    "actix-web",
    "warp",
    "tonic",
    "rocket",
    "async-graphql",
    "sqlx",
    "sqlx-core",
    "sea-orm",
    "libsqlite3-sys",
    "rusqlite",
    "tokio-postgres",
    "cel",
    "jsonschema",
];

/// The crates that the Lambda program is made of, one a line in this format of `cargo tree`.
fn crates_of_the_program(format: &str) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args(["tree", "--offline", "--locked", "-p", "runnel-worker"])
        .args(["-e", "normal", "--prefix", "none", "-f", format])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    String::from_utf8(tree.stdout).expect("text")
}

#[test]
fn the_lambda_program_has_no_web_server_and_no_database_driver() {
    let text = crates_of_the_program("{p}");
    let crates: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(
        crates.contains(&"lambda_runtime"),
        "the list is not what it should be: {text}"
    );
    let found: Vec<&&str> = UNWANTED.iter().filter(|name| crates.contains(name)).collect();
    assert!(found.is_empty(), "{found:?}");
    // of the in-house crates only the messages and the spans
    let ours: std::collections::BTreeSet<&str> = crates
        .iter()
        .copied()
        .filter(|name| name.starts_with("runnel-"))
        .collect();
    assert_eq!(
        ours.into_iter().collect::<Vec<_>>(),
        ["runnel-queue", "runnel-telemetry", "runnel-worker"]
    );
}

/// A server could also come in as a feature of the HTTP library that clients use.
#[test]
fn the_http_library_of_the_lambda_program_is_a_client_only() {
    let text = crates_of_the_program("{p} {f}");
    let hyper = text
        .lines()
        .find(|line| line.starts_with("hyper v"))
        .expect("hyper");
    assert!(!hyper.contains("server"), "{hyper}");
}
