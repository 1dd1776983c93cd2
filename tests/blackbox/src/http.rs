//! A client of HTTP that hides nothing: what was sent, what came back, and that nothing came back.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// How long an answer may take: more than the gateway ever waits.
const ANSWER: Duration = Duration::from_secs(90);

/// Somebody who speaks HTTP to one server, with one connection that is made anew when it is lost.
#[derive(Debug)]
pub struct Http {
    address: String,
    connection: Option<BufReader<TcpStream>>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Http {
    /// A client of `address`, `host:port`.
    pub fn at(address: &str) -> Self {
        Self { address: address.to_owned(), connection: None }
    }

    /// Asks, and asks again on a new connection where the old one had been closed meanwhile.
    ///
    /// # Errors
    /// Nobody answers, or not to the end: nobody knows what became of the request.
    pub fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> io::Result<Answer> {
        let was_open = self.connection.is_some();
        match self.try_ask(method, path, headers, body) {
            Err(error) if was_open && error.kind() != io::ErrorKind::WouldBlock => {
                self.connection = None;
                self.try_ask(method, path, headers, body)
            }
            answer => answer,
        }
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// As [`Http::ask`].
    pub fn try_post(&mut self, path: &str, headers: &[(&str, &str)], body: &Value) -> io::Result<Answer> {
        let all = [&[("Content-Type", "application/json")], headers].concat();
        self.ask("POST", path, &all, &body.to_string())
    }

    /// Sends JSON to somebody who is there.
    pub fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        self.try_post(path, headers, body).unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// Asks somebody who is there.
    pub fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", path, headers, "").unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    fn try_ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> io::Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(&self.address)?;
                stream.set_read_timeout(Some(ANSWER))?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        connection.get_mut().write_all(request.as_bytes())?;
        let answer = read(&mut connection)?;
        if answer.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Ok(answer)
    }
}

fn read(connection: &mut BufReader<TcpStream>) -> io::Result<Answer> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut line = || {
        let mut line = String::new();
        match connection.read_line(&mut line)? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            _ => Ok(line.trim_end().to_owned()),
        }
    };
    let first = line()?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| bad(&first))?;
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| bad(&line))?;
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    let body = String::from_utf8(body).map_err(|error| bad(&error.to_string()))?;
    Ok(Answer { status, headers, body })
}

impl Answer {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The same, of an answer that must have this status.
    pub fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        let kind = self.header("content-type").unwrap_or_default();
        let expected = if status < 400 { "application/json" } else { "application/problem+json" };
        assert_eq!(kind, expected, "{self:?}");
        let json = self.json();
        if status >= 400 {
            assert_eq!(json["status"], status, "{self:?}");
            assert!(
                json["type"].is_string() && json["title"].is_string() && json["detail"].is_string(),
                "{self:?}"
            );
        }
        if status == 503 {
            assert!(self.header("retry-after").is_some(), "{self:?}");
        }
        json
    }

    /// Where a reader must have come to see what it tells of.
    pub fn position(&self) -> &str {
        self.header("millrace-position").unwrap_or_else(|| panic!("no position: {self:?}"))
    }
}
