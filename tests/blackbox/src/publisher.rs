//! Somebody who publishes keys over HTTPS, and some who only look so.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod, SslStream};

/// What is answered at a path.
#[derive(Clone, Debug)]
pub enum Published {
    /// This, in JSON.
    Json(String),
    /// That it has moved elsewhere.
    Moved(String),
    /// A status, and nothing else.
    Status(u16),
    /// An answer that does not end, as fast as it is taken.
    Endless,
    /// An answer that does not end, a byte now and then.
    Dripping,
}

/// A server on `localhost`; its threads end with the process.
#[derive(Debug)]
pub struct Publisher {
    port: u16,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    published: HashMap<String, Published>,
    asked: HashMap<String, usize>,
    /// The most bytes of one answer that anybody has taken.
    taken: usize,
}

/// How often a byte comes.
const DRIP: Duration = Duration::from_millis(200);

impl Publisher {
    /// A server with the certificate `NAME.pem` and its key `NAME.key` in `dir`.
    pub fn start(dir: &Path, name: &str) -> Self {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).expect("OpenSSL");
        let file = |ending: &str| dir.join(format!("{name}.{ending}"));
        acceptor.set_certificate_chain_file(file("pem")).expect("a certificate");
        acceptor.set_private_key_file(file("key"), SslFiletype::PEM).expect("its key");
        let acceptor = acceptor.build();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it listens").port();
        let publisher = Self { port, shared: Arc::default() };
        let shared = Arc::clone(&publisher.shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
                thread::spawn(move || {
                    // who does not trust the certificate goes away
                    if let Ok(stream) = acceptor.accept(stream) {
                        let _ = answer(stream, &shared);
                    }
                });
            }
        });
        publisher
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// Publishes something at a path.
    pub fn publish(&self, path: &str, what: Published) {
        lock(&self.shared).published.insert(path.to_owned(), what);
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        lock(&self.shared).asked.get(path).copied().unwrap_or_default()
    }

    /// The most bytes of one answer that anybody has taken.
    pub fn taken(&self) -> usize {
        lock(&self.shared).taken
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(stream: SslStream<TcpStream>, shared: &Mutex<Shared>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let published = {
        let mut shared = lock(shared);
        *shared.asked.entry(path.clone()).or_default() += 1;
        shared.published.get(&path).cloned().unwrap_or(Published::Status(404))
    };
    let mut stream = stream.into_inner();
    let closed = "Connection: close\r\nContent-Type: application/json\r\n";
    match published {
        Published::Json(text) => {
            write!(stream, "HTTP/1.1 200 OK\r\n{closed}Content-Length: {}\r\n\r\n{text}", text.len())?;
        }
        Published::Moved(to) => {
            write!(stream, "HTTP/1.1 302 Found\r\n{closed}Location: {to}\r\nContent-Length: 0\r\n\r\n")?;
        }
        Published::Status(status) => {
            write!(stream, "HTTP/1.1 {status} So\r\n{closed}Content-Length: 0\r\n\r\n")?;
        }
        Published::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\n{closed}\r\n{{\"keys\": [")?;
            let (block, mut taken) = ([b' '; 4_096], 0);
            while stream.write_all(&block).is_ok() {
                taken += block.len();
                let mut shared = lock(shared);
                shared.taken = shared.taken.max(taken);
            }
        }
        Published::Dripping => {
            write!(stream, "HTTP/1.1 200 OK\r\n{closed}\r\n{{\"keys\": [")?;
            stream.get_ref().set_read_timeout(Some(DRIP))?;
            // until the client has gone, which is all that it can say
            while stream.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
                stream.write_all(b" ")?;
            }
        }
    }
    let _ = stream.shutdown();
    Ok(())
}
