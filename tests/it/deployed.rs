//! What `infra/` deploys: the templates go to an emulator as they go to AWS, and a workflow runs through exactly that.

use std::process::Stdio;

use anyhow::Context as _;
use runnel_queue::sqs::{SqsConfig, SqsQueue};
use runnel_queue::{QueueName, TaskQueue as _};
use runnel_tests::deployment::{Deployment, text, tool};
use runnel_tests::origin::Origin;
use runnel_tests::process::{self, Process};
use runnel_tests::stack::{play, unique};
use runnel_tests::{databases::TestDatabase, programs, services};
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
        let (functions, containers) = (text(&core, "FunctionQueue")?, text(&core, "ContainerQueue")?);
        let settings = [
            ("RUNNEL_LISTEN", "127.0.0.1:0"),
            ("RUNNEL_DATABASE_URL", database.url.as_str()),
            ("RUNNEL_DATA_DIR", data_dir.as_str()),
            ("RUNNEL_QUEUE_NAMES", containers),
            ("RUNNEL_FUNCTIONS", functions),
        ];
        let mut server = Process::start("server", deployment.command(&core, &["serve"], &settings)?)?;
        let client = server.client().await?;
        let queue = [("RUNNEL_QUEUE_NAME", containers)];
        let mut container = Process::start("container", deployment.command(&core, &["worker"], &queue)?)?;
        for (queue, timeout) in [(functions, Some("300s")), (containers, None)] {
            let mut doctor = deployment.command(&core, &["doctor"], &settings)?;
            doctor
                .env("RUNNEL_QUEUE_NAMES", queue)
                .env("RUNNEL_SERVER", &client.base);
            doctor.envs(timeout.map(|timeout| ("RUNNEL_FUNCTION_TIMEOUT", timeout)));
            let found = process::finish(doctor).await?;
            assert!(found.status.success(), "{}{}", found.stdout, found.stderr);
            assert!(found.stdout.contains(" 0 broken"), "{}", found.stdout);
        }
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

/// One process, its own database, and tasks and completions through SQS.
#[test]
fn dev_with_an_endpoint_sends_its_tasks_through_sqs() {
    play(async {
        let (endpoint, prefix) = (services::sqs_endpoint()?, unique("dev-"));
        let arguments = ["dev", "--ephemeral", "--listen", "127.0.0.1:0"];
        let mut command = process::command(&programs::runnel()?, &arguments);
        command.args(["--sqs-endpoint", &endpoint, "--queue-prefix", &prefix]);
        let mut dev = Process::start("dev", command)?;
        let client = dev.client().await?;
        let tasks = json!({ "a": { "run": "echo a" }, "b": { "needs": ["a"], "run": "echo b" } });
        let file = json!({ "version": 1, "id": "through", "tasks": tasks });
        let key = client.publish(&file.to_string()).await?;
        let run = client.start(json!({ "workflow": key })).await?;
        let ended = client.until_ended(&run).await?;
        assert_eq!(ended["status"], "SUCCEEDED", "{ended:#}\n{}", dev.output());
        // nobody but the tasks' way through SQS makes these queues there
        let queue = SqsQueue::connect(SqsConfig {
            endpoint: Some(endpoint),
            region: Some("us-east-1".to_owned()),
            queue_prefix: prefix,
            ..SqsConfig::default()
        });
        let queue = queue.await;
        for name in [QueueName("default".to_owned()), QueueName::completions()] {
            queue.ensure(&name).await?;
        }
        assert!(dev.terminate().await?.success(), "{}", dev.output());
        Ok(())
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
            "RunContainerTasks=true",
            &vpc,
            &public,
            &private,
        ];
        let platform = deployment.deploy("platform", "platform", &settings).await?;
        assert!(text(&platform, "Url")?.starts_with("http://"), "{platform:#}");
        deployment.delete("platform").await?;
        deployment.delete("network").await?;
        deployment.delete("core").await?;

        for (verb, container) in [("serve", "server"), ("worker", "worker")] {
            let help = process::finish(process::command(&programs::runnel()?, &[verb, "--help"])).await?;
            // what the handlers of tasks read is no option of the command
            let handlers = std::fs::read_to_string(programs::workspace().join("worker/src/handlers.rs"))?;
            for variable in variables(container)? {
                if verb == "worker" && handlers.contains(&format!("\"{variable}\"")) {
                    continue;
                }
                assert!(
                    help.stdout.contains(&format!("[env: {variable}")),
                    "`runnel {verb}` knows no {variable}"
                );
            }
        }
        Ok(())
    });
}

/// The variables that platform.yaml and the chart give to these containers.
fn variables(container: &str) -> anyhow::Result<Vec<String>> {
    let read = |path: &str| std::fs::read_to_string(runnel_tests::deployment::infra(path));
    let platform = read("cloudformation/platform.yaml")?;
    let begin = platform
        .find(&format!("        - Name: {container}\n"))
        .context("the container")?;
    let end = platform[begin..].find("LogConfiguration").context("its end")?;
    let names = read("helm/runnel/templates/_names.tpl")?;
    let queue = names.find("runnel.queueEnv").context("the queue's variables")?;
    let queue_end = names.find("runnel.databaseEnv").context("their end")?;
    let chart = read(&format!(
        "helm/runnel/templates/{}.yaml",
        if container == "server" {
            "server"
        } else {
            "workers"
        }
    ))?;
    let found: Vec<String> = [&platform[begin..begin + end], &names[queue..queue_end], &chart]
        .iter()
        .flat_map(|text| text.split(|c: char| !(c.is_ascii_uppercase() || c == '_')))
        .filter(|word| word.starts_with("RUNNEL_"))
        .map(str::to_owned)
        .collect();
    anyhow::ensure!(found.len() >= 12, "{found:?}");
    Ok(found)
}

/// Runs a script to its end, however long that takes on a busy machine; answers what it printed.
async fn script(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<String> {
    let program = if name.ends_with(".py") { "python3" } else { "bash" };
    let ended = Command::new(program)
        .arg(programs::workspace().join("scripts").join(name))
        .args(arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    let errors = String::from_utf8_lossy(&ended.stderr);
    anyhow::ensure!(
        ended.status.success(),
        "{name} {}: {said}\n{errors}",
        arguments.join(" ")
    );
    // a check that was left out says why
    eprintln!("{said}");
    Ok(said)
}

/// A part of `scripts/check-infra.sh`: linters, scanners and schemas of others, without network.
async fn check(part: &str) -> anyhow::Result<()> {
    script("check-infra.sh", &[part], &[]).await.map(drop)
}

/// Where the built programs are.
fn built() -> anyhow::Result<String> {
    let program = programs::runnel()?;
    let directory = program.parent().context("the directory of the programs")?;
    Ok(directory.display().to_string())
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
        let port = services::free_port()?.to_string();
        script(
            "container-steps.py",
            &["--programs", &built()?, "--port", &port],
            &[],
        )
        .await
        .map(drop)
    });
}

/// Terraform deploys the same template, where Terraform is installed.
#[test]
fn the_terraform_module_is_applied() {
    play(async {
        let deployment = Deployment::start()?;
        script("terraform-apply.sh", &[&deployment.endpoint(), "terraform"], &[])
            .await
            .map(drop)
    });
}

/// `make localstack` without the waiting for Ctrl-C.
async fn localstack(emulator: &str) -> anyhow::Result<()> {
    let built = built()?;
    let settings = [
        ("EMULATOR", emulator),
        ("PORT", "0"),
        ("LISTEN", "127.0.0.1:0"),
        ("PROGRAMS", &built),
    ];
    let said = script("localstack.sh", &["--once", "--no-build"], &settings).await?;
    anyhow::ensure!(said.contains("30/30 tasks: 30 succeeded"), "{said}");
    Ok(())
}

#[test]
fn the_cloud_on_one_machine_runs_its_workflow() {
    play(localstack("ministack"));
}

#[test]
fn the_cloud_on_one_machine_runs_on_localstack_where_there_is_a_python_for_it() {
    if !tool("localstack/requirements.txt").exists() {
        eprintln!("LocalStack is not installed (it needs Python 3.13): left out");
        return;
    }
    play(localstack("localstack"));
}
