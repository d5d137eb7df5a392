//! What `infra/` deploys: the templates go to an emulator as they go to AWS, and a workflow runs through exactly that.

use anyhow::Context as _;
use runnel_tests::deployment::{Deployment, text};
use runnel_tests::origin::Origin;
use runnel_tests::stack::play;
use runnel_tests::{databases::TestDatabase, process, programs};
use serde_json::json;
use tokio::process::Command;

/// Tasks for the deployed function and for a container; a value too large for a message goes through the deployed bucket.
fn workflow(origin: &Origin) -> String {
    let tasks = json!({
        "list": { "type": "http", "input": { "url": format!("{}/gate/list", origin.url()) } },
        "each": {
            "needs": ["list"],
            "for_each": { "items": (0..12).collect::<Vec<u32>>() },
            "type": "http",
            "input": { "url": format!("{}/gate/each", origin.url()) },
        },
        "send": {
            "needs": ["each"],
            "type": "http",
            "input": { "method": "POST", "url": format!("{}/gate/send", origin.url()), "json": { "text": "${{ inputs.text }}" } },
        },
        "pack": { "needs": ["send"], "queue": "containers", "run": "echo '{\"packed\": true}'" },
    });
    json!({ "version": 1, "id": "deployed", "inputs": { "text": { "type": "string" } }, "tasks": tasks })
        .to_string()
}

#[test]
fn a_workflow_runs_through_what_was_deployed_and_the_stack_is_updated_and_deleted() {
    play(async {
        let deployment = Deployment::start()?;
        deployment.upload_worker().await?;
        let settings = ["CodeBucket=code", "CodeKey=worker.zip", "HttpAllowPrivate=true"];
        let core = deployment.deploy("core", "core", &settings).await?;
        let database = TestDatabase::sqlite()?;
        let directory = tempfile::tempdir()?;
        let data_dir = directory.path().display().to_string();
        let mut server = deployment.start_process(
            &core,
            "server",
            &["serve"],
            &[
                ("RUNNEL_LISTEN", "127.0.0.1:0"),
                ("RUNNEL_DATABASE_URL", &database.url),
                ("RUNNEL_DATA_DIR", &data_dir),
                ("RUNNEL_QUEUE_NAMES", text(&core, "ContainerQueue")?),
                ("RUNNEL_FUNCTIONS", text(&core, "FunctionQueue")?),
            ],
        )?;
        let client = server.client().await?;
        let queue = [("RUNNEL_QUEUE_NAME", text(&core, "ContainerQueue")?)];
        let mut container = deployment.start_process(&core, "container", &["worker"], &queue)?;
        let origin = Origin::start().await?;
        origin.open_gate();
        let key = client.publish(&workflow(&origin)).await?;
        let inputs = json!({ "text": "large ".repeat(50_000) });
        let run = client.start(json!({ "workflow": key, "inputs": inputs })).await?;
        let ended = client.until_ended(&run).await.with_context(|| server.output())?;
        assert_eq!(ended["status"], "SUCCEEDED", "{ended:#}\n{}", server.output());
        assert_eq!((origin.hits("each"), origin.hits("send")), (12, 1));

        // an update of the settings keeps the queues, and the next run goes through the same function
        let updated = deployment
            .deploy("core", "core", &["BatchSize=3", "FunctionTimeoutSeconds=60"])
            .await?;
        assert_eq!(updated["FunctionTasksUrl"], core["FunctionTasksUrl"]);
        let run = client.start(json!({ "workflow": key, "inputs": inputs })).await?;
        let ended = client.until_ended(&run).await.with_context(|| server.output())?;
        assert_eq!(ended["status"], "SUCCEEDED", "{ended:#}\n{}", server.output());

        assert!(server.terminate().await?.success(), "{}", server.output());
        assert!(container.terminate().await?.success(), "{}", container.output());
        deployment.delete("core").await
    });
}

/// Network, database, servers and workers are only accepted by the emulator, which runs none of them; what they are told is checked
/// against the program that is told it.
#[test]
fn the_platform_is_deployed_and_tells_its_containers_only_what_the_program_knows() {
    play(async {
        let deployment = Deployment::start()?;
        let core = deployment.deploy("core", "core", &[]).await?;
        assert!(core.get("FunctionName").is_none(), "{core:#}");
        let network = deployment.deploy("network", "network", &[]).await?;
        let setting = |name: &str| anyhow::Ok(format!("{name}={}", text(&network, name)?));
        let (vpc, public, private) = (
            setting("VpcId")?,
            setting("PublicSubnetIds")?,
            setting("PrivateSubnetIds")?,
        );
        let settings = [
            "CoreStackName=core",
            "Image=runnel:1",
            "HasFunction=true",
            &vpc,
            &public,
            &private,
        ];
        let platform = deployment.deploy("platform", "platform", &settings).await?;
        assert!(text(&platform, "Url")?.starts_with("http://"), "{platform:#}");
        deployment.delete("platform").await?;
        deployment.delete("network").await?;
        deployment.delete("core").await?;

        for (verb, file) in [("serve", "server"), ("worker", "worker")] {
            let help = process::finish(process::command(&programs::runnel()?, &[verb, "--help"])).await?;
            for variable in variables(file)? {
                assert!(
                    help.stdout.contains(&format!("[env: {variable}")),
                    "`runnel {verb}` knows no {variable}"
                );
            }
        }
        Ok(())
    });
}

/// The variables that start with RUNNEL_ in the part of platform.yaml about these containers, and in the chart's file about them.
fn variables(container: &str) -> anyhow::Result<Vec<String>> {
    let platform = std::fs::read_to_string(runnel_tests::deployment::infra("cloudformation/platform.yaml"))?;
    let begin = platform
        .find(&format!("        - Name: {container}\n"))
        .context("the container")?;
    let part = &platform[begin..];
    let part = &part[..part.find("LogConfiguration").context("its end")?];
    let found: Vec<String> = part
        .split(|c: char| !(c.is_ascii_uppercase() || c == '_'))
        .filter(|word| word.starts_with("RUNNEL_"))
        .map(str::to_owned)
        .collect();
    anyhow::ensure!(found.len() >= 4, "{found:?}");
    Ok(found)
}

/// A part of `scripts/check-infra.sh`: linters, scanners and schemas of others, without network.
async fn check(part: &str) -> anyhow::Result<()> {
    let mut command = Command::new("bash");
    command
        .arg(programs::workspace().join("scripts/check-infra.sh"))
        .arg(part)
        .kill_on_drop(true);
    let ended = process::finish(command).await?;
    // a check that was left out says why
    eprintln!("{}", ended.stdout);
    anyhow::ensure!(
        ended.status.success(),
        "{part}: {}\n{}",
        ended.stdout,
        ended.stderr
    );
    Ok(())
}

#[test]
fn templates_are_clean() {
    play(check("cloudformation"));
}

#[test]
fn the_chart_renders_to_what_kubernetes_takes() {
    play(check("helm"));
}

#[test]
fn the_image_and_the_composition_are_clean() {
    play(check("container"));
}

#[test]
fn alerts_and_dashboard_are_sound() {
    play(check("monitoring"));
}

#[test]
fn the_workflow_of_continuous_integration_is_valid() {
    play(check("ci"));
}

/// The image starts in a root directory of its own: read-only, as nobody, without a shell.
#[test]
fn the_image_is_put_together_and_starts() {
    play(async {
        let port = runnel_tests::services::free_port()?.to_string();
        let directory = programs::runnel()?;
        let directory = directory.parent().context("the directory of the programs")?;
        let mut command = Command::new("python3");
        command
            .arg(programs::workspace().join("scripts/container-steps.py"))
            .arg("--programs")
            .arg(directory)
            .args(["--port", &port])
            .kill_on_drop(true);
        let ended = process::finish(command).await?;
        eprintln!("{}", ended.stdout);
        anyhow::ensure!(ended.status.success(), "{}\n{}", ended.stdout, ended.stderr);
        Ok(())
    });
}

/// Terraform deploys the same template, where Terraform is installed.
#[test]
fn the_terraform_module_is_applied() {
    play(async {
        let deployment = Deployment::start()?;
        let mut command = Command::new("bash");
        command
            .arg(programs::workspace().join("scripts/terraform-apply.sh"))
            .args([&deployment.endpoint(), "terraform"])
            .kill_on_drop(true);
        let ended = process::finish(command).await?;
        eprintln!("{}", ended.stdout);
        anyhow::ensure!(ended.status.success(), "{}\n{}", ended.stdout, ended.stderr);
        Ok(())
    });
}
