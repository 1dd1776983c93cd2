//! A gateway at an address of its own, and clients that speak to it byte by byte.

mod ops;
mod secrets;
mod socket;
mod streams;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use millrace_kernel::Domain as _;
use millrace_ports::{LogFault, SystemClock};
use millrace_runtime::{Health, Stop, Topology};
use millrace_testkit::neighbours::Vault;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::auth::Authenticator;
use crate::auth::tests::trusted::Trusted;
use crate::front::Limits;
use crate::gateway::{Gateway, Parts};
use crate::live::tests::System;
use crate::live::tests::own::Feed;
use crate::message::MessageTypes;
use crate::ports::{Acknowledged, CommandRecord, CommandSender, Description, Operations, Question, Untold};
use crate::seal::PublicKeys;

/// How long something may take that is to happen.
const PATIENCE: Duration = Duration::from_secs(15);

/// Takes everything, and remembers it.
#[derive(Default)]
struct Sent(Mutex<Vec<CommandRecord>>);

impl CommandSender for Sent {
    fn send(&self, record: CommandRecord, done: Acknowledged) -> Result<(), LogFault> {
        self.0.lock().unwrap().push(record);
        done(Ok(0));
        Ok(())
    }
}

/// What operators are told.
struct Drawn;

impl Operations for Drawn {
    fn answer(&self, question: &Question, deadline: Instant) -> Result<Json, Untold> {
        assert!(deadline > Instant::now(), "there is time");
        match question {
            Question::Architecture => Ok(json!({"format": 1, "contexts": ["d", "vault"]})),
            Question::History { aggregate_id, .. } if aggregate_id == "User/nobody" => {
                Err(Untold::Missing("User/nobody has no event".to_owned()))
            }
            Question::History { after, .. } => Ok(
                json!({"state": {"amount": i64::MAX, "list": [1]}, "version": 9_007_199_254_740_993_i64, "after": after}),
            ),
            Question::Explain { .. } => Err(Untold::Overdue("it took too long".to_owned())),
            Question::Dead { .. } => Err(Untold::LogAway("no broker".to_owned())),
            other => Ok(json!({"asked": format!("{other:?}")})),
        }
    }
}

/// A gateway that serves.
struct Server {
    system: System,
    sent: Arc<Sent>,
    gateway: Gateway,
    address: SocketAddr,
    trusted: Trusted,
    stop: Stop,
    followers: Vec<std::thread::JoinHandle<()>>,
}

impl Server {
    /// One that asks for no names.
    async fn open() -> Self {
        Self::new(Limits::default(), false).await
    }

    async fn new(limits: Limits, asks_for_names: bool) -> Self {
        Self::sealing(limits, asks_for_names, PublicKeys::default()).await
    }

    /// One that seals secrets for these keys.
    async fn sealing(limits: Limits, asks_for_names: bool, seals_for: PublicKeys) -> Self {
        let system = System::new();
        let (vault, sent) = (vault(), Arc::new(Sent::default()));
        for topic in [&vault.topology.commands, &vault.topology.outcomes] {
            system.log.create_topic(topic, 1);
        }
        let trusted = Trusted::by(Arc::new(SystemClock));
        let authenticator = match asks_for_names {
            false => Authenticator::None,
            true => tokio::task::block_in_place(|| trusted.authenticator()),
        };
        let (health, stop) = (Health::default(), Stop::new());
        let parts = Parts {
            domains: vec![
                (System::description(), Arc::clone(&system.link) as _),
                (vault, Arc::clone(&system.link) as _),
            ],
            resources: vec![("d", Arc::new(Feed { cap: 100 }))],
            pages: &[],
            operations: Arc::new(Drawn),
            log: Arc::new(system.log.clone()),
            sender: Arc::clone(&sent) as _,
            clock: Arc::new(SystemClock),
            authenticator,
            limits,
            resume_key: system.key.clone(),
            seals_for,
            meter: health.metrics().gateway(),
            ending: system.ending.subscribe(),
        };
        let gateway = Gateway::new(parts).unwrap();
        let mut followers = Vec::new();
        for (_, follow) in gateway.followers() {
            let (health, stop) = (health.clone(), stop.clone());
            followers.push(std::thread::spawn(move || follow(&health, &stop)));
        }
        for (_, follow) in gateway.changes() {
            let (health, stop) = (health.clone(), stop.clone());
            followers.push(std::thread::spawn(move || follow(&health, &stop)));
        }
        for domain in ["d", "vault"] {
            while gateway.channel(domain).unwrap().line().is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = gateway.router().into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { system, sent, gateway, address, trusted, stop, followers }
    }

    /// A token of a user that is good for so many seconds.
    fn token(&self, user: &str, seconds: i64) -> String {
        self.trusted.token(user, &[], seconds)
    }

    /// What is answered to a `GET`, until it holds `text` or ends.
    async fn get(&self, path: &str, headers: &str, text: &str) -> String {
        self.ask(
            &format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{headers}\r\n"),
            text,
        )
        .await
    }

    /// The same of a `POST`.
    async fn post(&self, path: &str, headers: &str, body: &str) -> String {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        self.ask(&request, "nothing that is ever said").await
    }

    async fn ask(&self, request: &str, text: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        let read = async {
            while !String::from_utf8_lossy(&said).contains(text)
                && stream.read_buf(&mut said).await.unwrap() > 0
            {}
        };
        timeout(PATIENCE, read).await.expect("it is answered");
        String::from_utf8_lossy(&said).into_owned()
    }

    async fn socket(&self) -> Socket {
        Socket::open(self.address).await
    }

    /// A socket of a user who is known for so many seconds.
    async fn socket_of(&self, user: &str, seconds: i64) -> Socket {
        let mut socket = self.socket().await;
        socket.say(&json!({"op": "auth", "token": self.token(user, seconds)})).await;
        socket
    }
}

/// A domain whose commands hold secrets.
fn vault() -> Description {
    let schemas = Vault::SCHEMAS;
    Description {
        name: "vault",
        types: MessageTypes::read("vault", schemas.commands).unwrap().sealing(schemas.sealed),
        schemas,
        views: Vec::new(),
        refuses_expired: false,
        topology: Topology::new("", "vault"),
        topics: Vec::new(),
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.request();
        self.followers.drain(..).for_each(|follower| drop(follower.join()));
    }
}

/// A client of WebSockets (RFC 6455) that does as it is told, right or wrong.
struct Socket {
    stream: TcpStream,
    read: Vec<u8>,
}

/// What has come.
#[derive(Debug, PartialEq)]
enum Said {
    Frame(Json),
    Close(u16),
    /// The connection has ended.
    Gone,
}

impl Socket {
    async fn open(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = "GET /v1/socket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        let end = loop {
            match read.windows(4).position(|it| it == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => assert!(stream.read_buf(&mut read).await.unwrap() > 0),
            }
        };
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        read.drain(..end);
        Self { stream, read }
    }

    async fn say(&mut self, frame: &Json) {
        self.send(1, frame.to_string().as_bytes()).await;
    }

    /// Sends a frame of this kind, masked with zeros.
    async fn send(&mut self, kind: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | kind];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
            length @ 126..65_536 => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        // a gateway that has gone takes nothing
        drop(self.stream.write_all(&frame).await);
    }

    async fn subscribe(&mut self, id: &str) {
        self.say(&json!({"op": "subscribe", "id": id, "domain": "d", "view": "notes", "key": {"a": "k"}}))
            .await;
    }

    /// What comes next but for pings.
    async fn next(&mut self) -> Said {
        timeout(PATIENCE, self.frame()).await.expect("nothing comes")
    }

    async fn frame(&mut self) -> Said {
        loop {
            let Some((kind, payload)) = self.whole() else {
                match self.stream.read_buf(&mut self.read).await {
                    Ok(0) | Err(_) => return Said::Gone,
                    Ok(_) => continue,
                }
            };
            match kind {
                1 => return Said::Frame(serde_json::from_slice(&payload).unwrap()),
                8 => return Said::Close(u16::from_be_bytes([payload[0], payload[1]])),
                _ => {}
            }
        }
    }

    /// A frame that has come as a whole.
    fn whole(&mut self) -> Option<(u8, Vec<u8>)> {
        let [first, second, ..] = self.read[..] else { return None };
        let number = |bytes: &[u8]| bytes.iter().fold(0_usize, |all, byte| all << 8 | usize::from(*byte));
        let (length, begin) = match second {
            126 => (number(self.read.get(2..4)?), 4),
            127 => (number(self.read.get(2..10)?), 10),
            short => (usize::from(short), 2),
        };
        let payload = self.read.get(begin..begin + length)?.to_vec();
        self.read.drain(..begin + length);
        Some((first & 0x0f, payload))
    }

    /// The next frame with this `op`.
    async fn until(&mut self, op: &str) -> Json {
        let said = async {
            loop {
                match self.frame().await {
                    Said::Frame(frame) if frame["op"] == *op => return frame,
                    Said::Frame(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        timeout(PATIENCE, said).await.expect("it is said")
    }

    /// The code with which it is closed.
    async fn closed(&mut self) -> Option<u16> {
        let closed = async {
            loop {
                match self.frame().await {
                    Said::Frame(_) => {}
                    Said::Close(code) => return Some(code),
                    Said::Gone => return None,
                }
            }
        };
        timeout(PATIENCE, closed).await.expect("it is closed")
    }
}
