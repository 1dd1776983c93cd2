//! Somebody at a gateway who keeps every byte that they are sent, by any way there is.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use openssl::base64::encode_block;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

use crate::{Answer, Http};

/// How long a read waits until it is seen whether the witness is to end; streams beat more often than that.
const LOOK: Duration = Duration::from_secs(2);

/// A user with a token, their streams and their socket.
pub struct Witness {
    /// Who it is.
    pub user: String,
    address: String,
    bearer: String,
    heard: Arc<Mutex<Heard>>,
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// What came, in the order in which it did.
#[derive(Default)]
struct Heard {
    /// Lines of streams, frames, heads and bodies.
    pieces: Vec<String>,
    bytes: usize,
}

impl Witness {
    /// A user of the gateway at `address`, by a token.
    pub fn new(address: &str, user: &str, token: &str) -> Self {
        Self {
            user: user.to_owned(),
            address: address.to_owned(),
            bearer: format!("Bearer {token}"),
            heard: Arc::default(),
            ends: Arc::default(),
            threads: Vec::new(),
        }
    }

    /// Asks, and keeps the answer.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let all = [&[("Authorization", self.bearer.as_str()), ("Content-Type", "application/json")], headers];
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = Http::at(&self.address).ask(method, path, &all.concat(), &body);
        let answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let mut heard = self.heard.lock().unwrap();
        answer.headers.iter().for_each(|(name, value)| heard.take(format!("{name}: {value}")));
        heard.take(answer.body.clone());
        answer
    }

    /// Asks for a command, under a key.
    pub fn send(&self, kind: &str, key: &str, data: &Value) -> Answer {
        let path = format!("/v1/commands/{kind}");
        self.ask("POST", &path, &[("Idempotency-Key", key)], Some(&json!({"data": data})))
    }

    /// Follows a stream of events to its end, whatever it says.
    pub fn follow(&mut self, path: &str) {
        let mut stream = self.connect();
        let request = format!(
            "GET {path} HTTP/1.0\r\nHost: {}\r\nAuthorization: {}\r\n\r\n",
            self.address, self.bearer
        );
        stream.write_all(request.as_bytes()).expect("a gateway that listens");
        let (heard, ends) = (Arc::clone(&self.heard), Arc::clone(&self.ends));
        self.threads.push(thread::spawn(move || {
            let (mut line, mut block) = (Vec::new(), [0; 16 << 10]);
            loop {
                match stream.read(&mut block) {
                    Ok(0) => break,
                    Ok(count) => {
                        for byte in &block[..count] {
                            if *byte == b'\n' {
                                heard.lock().unwrap().take(lossy(&std::mem::take(&mut line)));
                            } else {
                                line.push(*byte);
                            }
                        }
                    }
                    Err(error) if is_silence(&error) => {}
                    Err(_) => break,
                }
                if ends.load(Ordering::Relaxed) {
                    break;
                }
            }
            heard.lock().unwrap().take(lossy(&line));
        }));
    }

    /// Opens a socket and sends these frames through it; keeps every frame that comes.
    pub fn open_socket(&mut self, frames: &[Value]) {
        let mut stream = self.connect();
        let request = format!(
            "GET /v1/socket HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n\r\n",
            self.address,
            self.bearer,
            encode_block(&[7; 16])
        );
        stream.write_all(request.as_bytes()).expect("a gateway that listens");
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("an answer to who opens a socket");
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", lossy(&head));
        let mut socket = WebSocket::from_raw_socket(stream, Role::Client, None);
        for frame in frames {
            socket.send(Message::text(frame.to_string())).expect("a socket that is open");
        }
        let (heard, ends) = (Arc::clone(&self.heard), Arc::clone(&self.ends));
        self.threads.push(thread::spawn(move || {
            heard.lock().unwrap().take(lossy(&head));
            while !ends.load(Ordering::Relaxed) {
                match socket.read() {
                    Ok(message) => heard.lock().unwrap().take(lossy(&message.into_data())),
                    Err(Error::Io(error)) if is_silence(&error) => {}
                    Err(_) => break,
                }
            }
        }));
    }

    /// The newest row that was told which has this value in this column.
    pub fn newest(&self, column: &str, value: &str, known_by: &str) -> Option<Value> {
        let heard = self.heard.lock().unwrap();
        heard.pieces.iter().rev().filter_map(|piece| json_of(piece)).find_map(|told| {
            let rows = told["rows"].as_array().cloned().unwrap_or_default();
            let is_it = |row: &Value| row[column] == value && !row[known_by].is_null();
            rows.into_iter().chain([told["row"].clone()]).find(is_it)
        })
    }

    /// How often something was heard that has this text, outside of fields with these names.
    pub fn heard(&self, needle: &Needle, outside: &[&str]) -> usize {
        let heard = self.heard.lock().unwrap();
        heard.pieces.iter().filter(|piece| needle.is_in(&without(piece, outside))).count()
    }

    /// How many bytes came.
    pub fn bytes(&self) -> usize {
        self.heard.lock().unwrap().bytes
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("a gateway that is there");
        stream.set_read_timeout(Some(LOOK)).expect("a time-out");
        stream
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "a witness has failed");
        }
    }
}

impl Heard {
    fn take(&mut self, piece: String) {
        self.bytes += piece.len();
        self.pieces.push(piece);
    }
}

/// A number that nobody may learn, in each form in which it could be sent.
#[derive(Clone, Debug)]
pub struct Needle {
    digits: String,
    encoded: Vec<String>,
}

impl Needle {
    /// Of this number; long enough to be met by nothing else.
    pub fn of(number: i64) -> Self {
        let digits = number.to_string();
        // what begins or ends within a group of three depends on its neighbours
        let encoded = (0..3).map(|before| {
            let text = encode_block(&[&vec![0; before], digits.as_bytes()].concat());
            let (first, last) = ((before * 8).div_ceil(6), (before + digits.len()) * 8 / 6);
            text[first..last].to_owned()
        });
        Self { encoded: encoded.collect(), digits }
    }

    fn is_in(&self, text: &str) -> bool {
        // a longer number is another one
        let is_digit =
            |at: Option<usize>| at.and_then(|at| text.as_bytes().get(at)).is_some_and(u8::is_ascii_digit);
        let mut places = text.match_indices(&self.digits);
        places.any(|(at, _)| !is_digit(at.checked_sub(1)) && !is_digit(Some(at + self.digits.len())))
            || self.encoded.iter().any(|it| text.contains(it))
    }
}

/// A line of a stream, a frame or a body, without the fields of these names, wherever they are.
fn without(piece: &str, names: &[&str]) -> String {
    let Some(mut json) = json_of(piece) else { return piece.to_owned() };
    fn strip(json: &mut Value, names: &[&str]) {
        match json {
            Value::Object(members) => {
                members.retain(|name, _| !names.contains(&name.as_str()));
                members.values_mut().for_each(|member| strip(member, names));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| strip(item, names)),
            _ => {}
        }
    }
    strip(&mut json, names);
    json.to_string()
}

fn json_of(piece: &str) -> Option<Value> {
    serde_json::from_str(piece.strip_prefix("data: ").unwrap_or(piece)).ok()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn is_silence(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_in_any_form_and_no_longer_one_is() {
        let needle = Needle::of(610_001);
        for before in ["", "a", "ab", "abc"] {
            let hidden = encode_block(format!("{before}610001!").as_bytes());
            assert!(needle.is_in(&format!("id: {hidden}")), "{hidden}");
        }
        assert!(needle.is_in("{\"points\":610001}") && needle.is_in("610001"));
        for another in ["1610001", "6100010", "{\"at\":1764610001000}", "61000"] {
            assert!(!needle.is_in(another), "{another}");
        }
        let line = "data: {\"row\":{\"scale\":\"5,610001\",\"points\":610001}}";
        assert!(needle.is_in(&without(line, &["scale"])));
        assert!(!needle.is_in(&without(line, &["scale", "points"])));
    }
}
