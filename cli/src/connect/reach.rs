//! Whether anybody listens: a plain connection, before a client starts to retry in silence.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::error::CliError;

/// How long one address may take.
const WAIT: Duration = Duration::from_secs(3);

/// `host:port` of every host in a list, with the usual port where none is given.
pub fn hosts(list: &str, usual_port: u16) -> Vec<String> {
    let complete = |host: &str| match host.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => host.to_owned(),
        _ => format!("{host}:{usual_port}"),
    };
    // librdkafka allows a protocol before the host
    let plain = |host: &str| host.trim().rsplit("://").next().unwrap_or_default().to_owned();
    list.split(',').map(plain).filter(|host| !host.is_empty()).map(|host| complete(&host)).collect()
}

/// `host:port` of a URL.
///
/// # Errors
/// It is no URL of HTTP.
pub fn of_url(url: &str) -> Result<Vec<String>, CliError> {
    let (rest, port) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => (rest, 80),
        (_, Some(rest)) => (rest, 443),
        _ => {
            return Err(CliError::usage(format!("registry: {url:?} is no URL"))
                .hint("Write it as http://localhost:8081."));
        }
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    Ok(hosts(host, port))
}

/// Connects to one of `addresses` and closes the connection again.
///
/// # Errors
/// The reason of the last one.
pub fn any(addresses: &[String]) -> Result<(), String> {
    let mut why = "no address is given".to_owned();
    for address in addresses {
        match connect(address) {
            Ok(()) => return Ok(()),
            Err(error) => {
                why = match error.kind() {
                    io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
                    io::ErrorKind::TimedOut => format!("no answer within {} s", WAIT.as_secs()),
                    _ => error.to_string(),
                };
            }
        }
    }
    Err(why)
}

fn connect(address: &str) -> io::Result<()> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for socket in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&socket, WAIT) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        assert_eq!(hosts("a, b:19092 ,SSL://c:1", 9092), ["a:9092", "b:19092", "c:1"]);
        assert_eq!(of_url("http://h:8081/apis/ccompat/v7").unwrap(), ["h:8081"]);
        assert_eq!(of_url("https://user@h").unwrap(), ["h:443"]);
        assert!(of_url("h:8081").is_err());
    }
}
