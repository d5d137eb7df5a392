//! `runnel health`: asks a server on this machine whether it is ready, for container engines: the image has no shell and no curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::Args;

use crate::command::options::{DEFAULT_LISTEN, print_line};
use crate::exit::{Ended, Exit, Failure};

/// Longest wait for the answer; less than engines wait for a health check.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Options of `runnel health`.
#[derive(Debug, Args)]
pub struct Health {
    /// Where the server listens; the loopback address when it listens on all
    #[arg(long, env = "RUNNEL_LISTEN", default_value = DEFAULT_LISTEN, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// What is asked: /readyz (can it serve), /livez (is it alive)
    #[arg(
        long,
        env = "RUNNEL_HEALTH_PATH",
        default_value = "/readyz",
        value_name = "PATH"
    )]
    path: String,
}

impl Health {
    /// Prints the answer; an answer that is not good is a failure.
    pub async fn execute(self) -> Ended {
        let url = format!("http://{}{}", reachable(self.listen), self.path);
        let unhealthy = |message: String| Failure::new(Exit::Unreachable, message);
        // a proxy of the environment must not stand between a server and its own machine
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| Failure::internal("cannot set up the HTTP client", error))?;
        let answer = http.get(&url).send().await.map_err(|error| {
            Failure::caused(
                Exit::Unreachable,
                "the server does not answer",
                anyhow::Error::from(error),
            )
        })?;
        let status = answer.status();
        let body = answer.text().await.unwrap_or_default();
        if !status.is_success() {
            return Err(unhealthy(format!("{url} answered {status}: {body}")));
        }
        print_line(&body)?;
        Ok(Exit::Ok)
    }
}

/// An address that can be connected to.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    };
    SocketAddr::new(address, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_on_the_loopback_address() {
        for (listens, asked) in [
            ("0.0.0.0:7420", "127.0.0.1:7420"),
            ("[::]:7420", "[::1]:7420"),
            ("10.1.2.3:80", "10.1.2.3:80"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()).to_string(), asked);
        }
    }
}
