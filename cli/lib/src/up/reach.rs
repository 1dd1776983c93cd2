//! From where `up` can be reached, and by which names.

use std::net::{IpAddr, Ipv4Addr};

use crate::config::UpSettings;
use crate::error::CliError;

/// Where the servers of `up` listen, and what they are called.
#[derive(Debug, PartialEq, Eq)]
pub struct Reach {
    /// The address they listen on.
    pub host: IpAddr,
    /// Where the broker tells clients to connect to; port 0 is the one it listens on.
    pub advertised: Option<(String, u16)>,
    /// The names of the registry.
    pub names: Vec<String>,
}

impl Reach {
    /// As the settings say; what others may do is said at each start.
    ///
    /// # Errors
    /// An address that is none, or one beyond this machine that nobody has agreed to.
    pub fn of(up: &UpSettings) -> Result<Self, CliError> {
        let host = match up.host.as_str() {
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            host => host.parse().map_err(|_| {
                CliError::usage(format!("--host {host}: not an IP address"))
                    .hint("Write 127.0.0.1 or 0.0.0.0.")
            })?,
        };
        if !host.is_loopback() {
            if !up.insecure {
                return Err(CliError::usage(format!(
                    "--host {host}: whoever reaches this address could read, write and delete everything, for there is \
                     no password"
                ))
                .hint("Add --insecure (or up.insecure = true) if you trust everybody in that network."));
            }
            tracing::warn!(
                "listening on {host} without authentication, as --insecure allows: whoever reaches the ports may read, \
                 write and delete everything"
            );
        }
        let advertised = match up.advertised.as_str() {
            "" => None,
            text => Some(host_and_port(text).ok_or_else(|| {
                CliError::usage(format!("--advertised {text}: no name or address, with or without a port"))
                    .hint("Write it as host, host:port or [address]:port.")
            })?),
        };
        let given =
            up.registry_hosts.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
        let names = given.chain(advertised.iter().map(|(host, _)| host.clone())).chain(machine());
        let names = names.collect();
        Ok(Self { host, advertised, names })
    }
}

/// What this machine is called.
fn machine() -> Option<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Some(name).filter(|name| !name.is_empty())
}

fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, if port.is_empty() { "0" } else { port.strip_prefix(':')? })
        }
        None if text.parse::<std::net::Ipv6Addr>().is_ok() => (text, "0"),
        None => text.split_once(':').unwrap_or((text, "0")),
    };
    let is_name =
        |host: &str| host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    let good = !host.is_empty() && (host.parse::<IpAddr>().is_ok() || is_name(host));
    // Nobody can connect to "every address".
    let good = good && !host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    Some((host.to_owned(), port.parse().ok()?)).filter(|_| good)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(host: &str, advertised: &str, insecure: bool) -> UpSettings {
        let (host, advertised) = (host.to_owned(), advertised.to_owned());
        UpSettings { host, advertised, insecure, ..UpSettings::default() }
    }

    #[test]
    fn beyond_loopback_somebody_must_have_agreed() {
        for host in ["127.0.0.1", "localhost", "::1", "127.1.2.3"] {
            Reach::of(&up(host, "", false)).unwrap();
        }
        for host in ["0.0.0.0", "::", "192.168.1.2"] {
            let error = Reach::of(&up(host, "", false)).unwrap_err().to_string();
            assert!(error.contains("no password"), "{error}");
            Reach::of(&up(host, "", true)).unwrap();
        }
    }

    #[test]
    fn what_is_advertised_is_a_host_with_or_without_a_port() {
        for (text, host, port) in [
            ("kafka.example.org", "kafka.example.org", 0),
            ("kafka:19092", "kafka", 19092),
            ("10.0.0.7:9092", "10.0.0.7", 9092),
            ("[fe80::1]:9092", "fe80::1", 9092),
            ("::1", "::1", 0),
        ] {
            let reach = Reach::of(&up("127.0.0.1", text, false)).unwrap();
            assert_eq!(reach.advertised, Some((host.to_owned(), port)), "{text}");
            assert!(reach.names.contains(&host.to_owned()));
        }
        for text in ["a b", "host:", "host:99999", ":9092", "0.0.0.0", "http://host", "[::1"] {
            Reach::of(&up("127.0.0.1", text, false)).unwrap_err();
        }
    }
}
