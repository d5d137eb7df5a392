//! Stored secrets: given to the attempt that names them, and found nowhere afterwards.

use std::sync::Arc;

use anyhow::Context as _;
use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_runtime::secret::{SecretError, SecretGrant};
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::databases;
use runnel_tests::stack::Stack;
use runnel_tests::supply::Direct;
use runnel_worker::{BuiltinOptions, Supplies};
use serde_json::{Value, json};

runnel_tests::on_each_stack!(
    the_value_of_a_secret_reaches_its_command_and_nothing_else,
    an_attempt_is_given_only_what_its_message_names_and_only_while_it_is_out,
);

const VALUE: &str = "s3cr3t/Value+42 ü";

fn leaky() -> Value {
    let script = "import base64,json,os,sys,urllib.parse\n\
        v=os.environ['TOKEN']\n\
        forms=[v, base64.b64encode(v.encode()).decode(), urllib.parse.quote(v, safe='')]\n\
        print('log', *forms)\n\
        print('err', *forms, file=sys.stderr)\n\
        open(os.environ['RUNNEL_PROGRESS'],'w').write(json.dumps({'message': v})+'\\n')\n\
        open(os.environ['RUNNEL_CHECKPOINT'],'w').write(json.dumps(forms)+'\\n')\n\
        open(os.environ['RUNNEL_OUTPUT'],'w').write(json.dumps({'length': len(v), 'forms': forms, 'big': forms*20000}))\n\
        sys.exit(int(os.environ.get('CODE', '0')))\n";
    let task = |code: &str| {
        json!({
            "type": "python", "input": { "script": script },
            "env": { "TOKEN": "${{ secrets.TOKEN }}", "CODE": code },
            "continue_on_error": true,
        })
    };
    let mut crash = task("0");
    crash["input"]["script"] = json!("import os\nraise RuntimeError('it was ' + os.environ['TOKEN'])\n");
    workflow(
        "leaky",
        json!({ "good": task("0"), "bad": task("3"), "crash": crash }),
    )
}

fn supplies(cluster: &Cluster) -> Supplies {
    Supplies {
        payloads: Some(cluster.payloads.store.clone()),
        channel: Some(Arc::new(Direct(cluster.orchestrator().clone()))),
    }
}

/// Something stands in the place of the value on each of the ways out, so it was on its way there.
fn each_way_out_was_redacted(shown: &Value) -> anyhow::Result<()> {
    let task = |key: &str| {
        let nodes = shown["run"]["tasks"]["nodes"].as_array()?;
        nodes.iter().find(|task| task["key"] == key).cloned()
    };
    let (good, crash) = (task("good").context("good")?, task("crash").context("crash")?);
    for (way, text) in [
        ("progress", good["progress"].to_string()),
        ("checkpoint", good["checkpoint"].to_string()),
        ("error", crash["error"].to_string()),
        ("events", shown["run"]["events"].to_string()),
    ] {
        assert!(text.contains("***"), "nothing was redacted in {way}: {text}");
    }
    Ok(())
}

async fn the_value_of_a_secret_reaches_its_command_and_nothing_else(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let supplies = supplies(&cluster);
    cluster.add_worker_from("worker-1", BuiltinOptions::default(), supplies);
    let client = cluster.serve().await?;
    let set = "mutation($input: SecretSetInput!) { secretSet(input: $input) { secret { name updatedBy } userErrors { code message } } }";
    let data = client
        .data(set, json!({ "input": { "name": "TOKEN", "value": VALUE } }))
        .await?;
    assert_eq!(data["secretSet"]["secret"]["name"], "TOKEN");
    let run = cluster.launch(&leaky()).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let good = cluster.task(run, "good").await?;
    assert_eq!(good.status, TaskStatus::Succeeded);
    assert_eq!(cluster.task(run, "bad").await?.status, TaskStatus::Failed);

    // everything that can be asked for, and everything that is stored
    let all = "query($id: ID!) { secrets { name } run(id: $id) { error { message details } events { nodes { data } }
        tasks { nodes { key input output error { message details traceback } progress { message } checkpoint } } } }";
    let shown = client.data(all, json!({ "id": run.0 })).await?;
    each_way_out_was_redacted(&shown)?;
    let mut texts = vec![shown.to_string()];
    let page = runnel_runtime::view::PageRequest {
        first: 200,
        after: None,
    };
    for task in cluster.tasks(run).await? {
        let log = cluster
            .orchestrator()
            .task_log(&cluster.actor, run, task.ix, None, page.clone())
            .await?;
        anyhow::ensure!(!log.items.is_empty(), "no log of {}", task.key);
        let log = format!("{:?}", log.items);
        assert!(
            log.contains("***") || task.key == "crash",
            "nothing was redacted in the log: {log}"
        );
        texts.push(log);
        if let Some(output) = &task.output {
            let output = format!(
                "{:?}",
                cluster.orchestrator().payload_text(output, u64::MAX).await?
            );
            assert!(output.contains("***"), "nothing was redacted in the output");
            texts.push(output);
        }
    }
    texts.push(databases::dump(cluster.database_url()).await?);
    let forms = [
        VALUE.to_owned(),
        "czNjcjN0L1ZhbHVlKzQyIMO8".to_owned(),
        "s3cr3t%2FValue%2B42%20%C3%BC".to_owned(),
        VALUE.replace('ü', "\\u00fc"),
    ];
    for text in &texts {
        for form in &forms {
            assert!(
                !text.contains(form.as_str()),
                "the value is in {}",
                &text[..text.len().min(400)]
            );
        }
    }
    cluster.finish().await
}

async fn an_attempt_is_given_only_what_its_message_names_and_only_while_it_is_out(
    stack: Stack,
) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let (orchestrator, actor) = (cluster.orchestrator().clone(), cluster.actor.clone());
    orchestrator.set_secret(&actor, "MINE", "value of mine").await?;
    orchestrator
        .set_secret(&actor, "OTHER", "value of another")
        .await?;
    let refused = orchestrator.set_secret(&actor, "SHORT", "12345").await;
    assert!(matches!(refused, Err(SecretError::Invalid(_))), "{refused:?}");
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let task =
        json!({ "type": "scripted", "input": { "token": "${{ secrets.MINE }} ${{ secrets.ABSENT }}" } });
    let run = cluster
        .launch(&workflow("granted", json!({ "first": task })))
        .await?;
    let held = worker.take(1).await?;
    let at = held[0].at();
    let ask = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let (orchestrator, at) = (orchestrator.clone(), at.clone());
        async move { orchestrator.secrets_for_attempt(&at, &names).await }
    };
    let SecretGrant::Values(values) = ask(&["MINE", "ABSENT"]).await? else {
        anyhow::bail!("refused")
    };
    assert_eq!(values.get("MINE").map(String::as_str), Some("value of mine"));
    assert_eq!(values.len(), 1);
    assert_eq!(ask(&["OTHER"]).await?, SecretGrant::Forbidden);
    let mut forged = at.clone();
    forged.attempt += 1;
    let names = ["MINE".to_owned()];
    assert_eq!(
        orchestrator.secrets_for_attempt(&forged, &names).await?,
        SecretGrant::Forbidden
    );
    worker
        .report(vec![runnel_tests::scripted::succeeded(&at, &json!(1))])
        .await?;
    worker.delete(&held).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(
        ask(&["MINE"]).await?,
        SecretGrant::Forbidden,
        "the attempt is over"
    );
    assert!(orchestrator.delete_secret(&actor, "MINE").await?);
    assert!(!orchestrator.delete_secret(&actor, "MINE").await?);
    let names: Vec<String> = orchestrator
        .list_secrets(&actor)
        .await?
        .into_iter()
        .map(|s| s.name)
        .collect();
    assert_eq!(names, ["OTHER"]);
    cluster.finish().await.context("the end")
}
