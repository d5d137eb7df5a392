//! Where a task may connect to: the guard against server-side request forgery.
//!
//! A name is resolved once, every address is checked, and the connection goes to a checked address: the guard *is* the
//! client's resolver, so a name that changes its mind between check and use gains nothing. Addresses written into the URL do
//! not pass the resolver and are checked in the URL, after normalisation (`0x7f.1` is `127.0.0.1` by then).

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Where `http` tasks may connect to.
#[derive(Debug, Clone, Default)]
pub struct HttpPolicy {
    /// Whether loopback, private, link-local and other addresses that are not public may be reached. For laptops and tests.
    pub allow_private: bool,
    /// Hosts that may be reached whatever their addresses are, as `intranet.example` or `10.0.0.7`.
    pub allow: Vec<String>,
}

/// The policy forbids the target.
#[derive(Debug, Clone)]
pub(crate) struct Blocked {
    host: String,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a public address; set RUNNEL_HTTP_ALLOW or RUNNEL_HTTP_ALLOW_PRIVATE on the worker to reach it",
            self.host
        )
    }
}

impl Error for Blocked {}

impl HttpPolicy {
    /// Checks an address written into the URL; names are checked when they are resolved.
    pub(crate) fn check_url(&self, url: &Url) -> Result<(), Blocked> {
        let host = url.host_str().unwrap_or_default();
        match host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
        {
            Ok(address) if !self.admits(host, address) => Err(Blocked {
                host: host.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn admits(&self, host: &str, address: IpAddr) -> bool {
        self.allow_private
            || self
                .allow
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(host))
            || is_public(address)
    }
}

/// Resolves names and refuses those with any address that the policy forbids.
pub(crate) struct GuardedResolver {
    pub(crate) policy: Arc<HttpPolicy>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.policy);
        Box::pin(async move {
            let host = name.as_str().trim_end_matches('.').to_owned();
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            if addresses
                .iter()
                .any(|address| !policy.admits(&host, address.ip()))
            {
                return Err(Blocked { host }.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The `Blocked` among the causes of an error.
pub(crate) fn blocked_cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Blocked> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(blocked) = error.downcast_ref() {
            return Some(blocked);
        }
        next = error.source();
    }
    None
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_reserved = match (a, b, c) {
        (0 | 10 | 127, _, _) => true,
        (100, 64..=127, _) => true, // carrier-grade NAT, with a cloud's metadata service in it
        (169, 254, _) => true,      // link-local: metadata services
        (172, 16..=31, _) => true,
        (192, 0, 0 | 2) | (192, 88, 99) | (192, 168, _) => true,
        (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113) => true,
        (224.., _, _) => true, // multicast, reserved, broadcast
        _ => false,
    };
    !is_reserved
}

/// Only global unicast, without the ranges inside it that lead elsewhere. So mapped, NAT64, link-local and unique-local
/// addresses are refused without being named.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let is_global_unicast = segments[0] & 0xe000 == 0x2000;
    let is_elsewhere = match (segments[0], segments[1]) {
        (0x2001, 0..=0x01ff) => true, // protocol assignments, Teredo
        (0x2001, 0x0db8) => true,     // documentation
        (0x2002, _) => true,          // 6to4 carries an IPv4 address
        (0x3fff, 0..=0x0fff) => true, // documentation
        _ => false,
    };
    is_global_unicast && !is_elsewhere
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_admitted(policy: &HttpPolicy, url: &str) -> bool {
        policy.check_url(&Url::parse(url).expect("a URL")).is_ok()
    }

    #[test]
    fn every_spelling_of_an_inner_address_is_refused() {
        let hosts = [
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "0x7f000001",
            "2130706433",
            "017700000001",
            "0177.0.0.1",
            "127.0.0.1.",
            "0",
            "0.0.0.0",
            "10.0.0.1",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.1",
            "192.168.1.1",
            "100.64.0.1",
            "100.100.100.200",
            "169.254.169.254",
            "169.254.170.2",
            "2852039166",
            "0xa9fea9fe",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "①②⑦.0.0.1",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::ffff:a9fe:a9fe]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b:1::1]",
            "[2002:7f00:1::]",
            "[2001::1]",
            "[2001:db8::1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[100::1]",
            "[3fff::1]",
        ];
        for host in hosts {
            assert!(
                !is_admitted(&HttpPolicy::default(), &format!("http://{host}/")),
                "admitted {host}"
            );
        }
    }

    #[test]
    fn public_addresses_and_names_pass() {
        for host in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "[2606:4700::1111]",
            "[2001:4860:4860::8888]",
            "example.com",
        ] {
            assert!(
                is_admitted(&HttpPolicy::default(), &format!("http://{host}/")),
                "refused {host}"
            );
        }
    }

    #[test]
    fn what_is_allowed_passes() {
        let private = HttpPolicy {
            allow_private: true,
            ..HttpPolicy::default()
        };
        assert!(is_admitted(&private, "http://127.0.0.1:80/"));
        let listed = HttpPolicy {
            allow: vec!["10.0.0.7".to_owned()],
            ..HttpPolicy::default()
        };
        assert!(is_admitted(&listed, "http://10.0.0.7/"));
        assert!(!is_admitted(&listed, "http://10.0.0.8/"));
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_by_the_resolver() {
        let resolve = |policy: HttpPolicy| {
            let name: Name = "localhost".parse().expect("a name");
            GuardedResolver {
                policy: Arc::new(policy),
            }
            .resolve(name)
        };
        let error = resolve(HttpPolicy::default())
            .await
            .err()
            .expect("localhost was admitted");
        assert!(blocked_cause(error.as_ref()).is_some());
        assert!(
            resolve(HttpPolicy {
                allow_private: true,
                ..HttpPolicy::default()
            })
            .await
            .is_ok()
        );
    }
}
