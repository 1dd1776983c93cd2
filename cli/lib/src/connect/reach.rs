//! Whether anybody listens: a plain connection, before a client starts to retry in silence.

use std::io::{self, Read as _};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::config::secrets::without_passwords;
use crate::error::CliError;

/// How long one address may take.
const WAIT: Duration = Duration::from_secs(3);
/// How soon a server closes a connection for which it has no place.
const LISTEN: Duration = Duration::from_millis(500);

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
            return Err(CliError::usage(format!("registry: {:?} is no URL", without_passwords(url)))
                .hint("Write it as http://localhost:8081."));
        }
    };
    if rest.contains(['?', '#']) {
        return Err(CliError::usage(
            "registry: calls are put together from the URL, so it must end before ? and #",
        ));
    }
    let authority = rest.split('/').next().unwrap_or_default();
    Ok(hosts(authority, port))
}

/// Connects to one of `addresses` and closes the connection again.
///
/// # Errors
/// The reason of the last one.
pub fn any(addresses: &[String]) -> Result<(), String> {
    let mut why = "no address is given".to_owned();
    for address in addresses {
        match connect(address) {
            Ok(_) => return Ok(()),
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

/// Whether somebody listens at `address` who closes a connection at once, without a word: a server that has no place for
/// more says it so. One that has waits for a request.
#[must_use]
pub fn is_turned_away(address: &str) -> bool {
    let Ok(mut stream) = connect(address) else { return false };
    if stream.set_read_timeout(Some(LISTEN)).is_err() {
        return false;
    }
    match stream.read(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => {
            matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted)
        }
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for socket in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&socket, WAIT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_closes_at_once_is_told_from_who_waits() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let waits = std::thread::spawn(move || {
            drop(listener.accept().unwrap());
            let held = listener.accept().unwrap();
            (listener, held)
        });
        assert!(is_turned_away(&address));
        assert!(!is_turned_away(&address));
        drop(waits.join().unwrap());
        assert!(!is_turned_away(&address), "nobody is there");
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        assert_eq!(hosts("a, b:19092 ,SSL://c:1", 9092), ["a:9092", "b:19092", "c:1"]);
        assert_eq!(of_url("http://h:8081/apis/ccompat/v7").unwrap(), ["h:8081"]);
        assert_eq!(of_url("https://h").unwrap(), ["h:443"]);
        assert!(of_url("https://h/?a=b").is_err());
        assert!(of_url("h:8081").is_err());
    }
}
