//! The loads. Each runs once unmeasured, so that caches, plans and connections are warm, and then measured.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::figures::{Figures, quantile};
use crate::tasks::{Application, LENGTH, WIDTH};

/// Clients that start diamonds.
const DIAMOND_CLIENTS: u32 = 16;
/// Clients that start runs of one task.
const SUBMISSION_CLIENTS: u32 = 64;

/// One task, then 1,000, then one.
pub async fn fan_out(application: &Arc<Application>, figures: &Figures, scale: u32) -> anyhow::Result<()> {
    application.fan_out.run(()).await?;
    let runs = 2 * scale;
    let begun = figures.begin("fan-out")?;
    for _ in 0..runs {
        application.fan_out.run(()).await?;
    }
    figures.end("fan-out", runs * (WIDTH + 2), begun)
}

/// 200 tasks one after the other.
pub async fn chain(application: &Arc<Application>, figures: &Figures, scale: u32) -> anyhow::Result<()> {
    application.chain.run(()).await?;
    let begun = figures.begin("chain")?;
    let mut hops = Vec::new();
    for _ in 0..scale {
        let run = application.chain.start(()).await?;
        let id = run.workflow_id().to_owned();
        run.result().await?;
        // the task takes no time: from one begin to the next is the hop
        let moments = application.begun.take(&id);
        hops.extend(moments.windows(2).map(|pair| pair[1] - pair[0]));
    }
    figures.end("chain", scale * LENGTH, begun)?;
    figures.print("chain", "hop_p50", quantile(&mut hops, 0.5), "us")?;
    figures.print("chain", "hop_p99", quantile(&mut hops, 0.99), "us")
}

/// Diamonds from 16 clients, each of which waits for its run before it starts the next one.
pub async fn diamonds(application: &Arc<Application>, figures: &Figures, scale: u32) -> anyhow::Result<()> {
    diamonds_from_clients(application, 2).await?;
    let each = (100 * scale).div_ceil(DIAMOND_CLIENTS);
    let begun = figures.begin("diamonds")?;
    let mut times = diamonds_from_clients(application, each).await?;
    figures.end("diamonds", DIAMOND_CLIENTS * each * 4, begun)?;
    figures.print("diamonds", "run_p50", quantile(&mut times, 0.5), "us")?;
    figures.print("diamonds", "run_p99", quantile(&mut times, 0.99), "us")
}

/// Starts from 64 clients: accepted means committed.
pub async fn submissions(
    application: &Arc<Application>,
    figures: &Figures,
    scale: u32,
) -> anyhow::Result<()> {
    singles_from_clients(application, figures, 2, Measured::No).await?;
    singles_from_clients(application, figures, 10 * scale, Measured::Yes).await
}

async fn diamonds_from_clients(application: &Arc<Application>, each: u32) -> anyhow::Result<Vec<Duration>> {
    let client = |_| {
        let application = Arc::clone(application);
        tokio::spawn(async move {
            let mut times = Vec::new();
            for _ in 0..each {
                let begun = Instant::now();
                application.diamond.run(()).await?;
                times.push(begun.elapsed());
            }
            anyhow::Ok(times)
        })
    };
    let clients: Vec<_> = (0..DIAMOND_CLIENTS).map(client).collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await??);
    }
    Ok(times)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measured {
    Yes,
    No,
}

async fn singles_from_clients(
    application: &Arc<Application>,
    figures: &Figures,
    each: u32,
    measured: Measured,
) -> anyhow::Result<()> {
    let client = |_| {
        let application = Arc::clone(application);
        tokio::spawn(async move {
            let (mut times, mut runs) = (Vec::new(), Vec::new());
            for _ in 0..each {
                let begun = Instant::now();
                runs.push(application.start_single().await?);
                times.push(begun.elapsed());
            }
            anyhow::Ok((times, runs))
        })
    };
    let begun = match measured {
        Measured::Yes => figures.begin("submissions")?,
        Measured::No => Instant::now(),
    };
    let clients: Vec<_> = (0..SUBMISSION_CLIENTS).map(client).collect();
    let (mut times, mut runs) = (Vec::new(), Vec::new());
    for client in clients {
        let (of_client, started) = client.await??;
        times.extend(of_client);
        runs.extend(started);
    }
    let elapsed = begun.elapsed();
    application.all_ended(runs).await?;
    if measured == Measured::No {
        return Ok(());
    }
    let starts = SUBMISSION_CLIENTS * each;
    figures.end("submissions", starts, begun)?;
    figures.print(
        "submissions",
        "starts",
        f64::from(starts) / elapsed.as_secs_f64(),
        "1/s",
    )?;
    figures.print("submissions", "start_p50", quantile(&mut times, 0.5), "us")?;
    figures.print("submissions", "start_p99", quantile(&mut times, 0.99), "us")
}
