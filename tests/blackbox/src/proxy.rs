//! A stand between the system and a CQL server: slow, closed or full of refusals at will, and it counts what comes.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How it treats what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Everything passes.
    Open,
    /// Everything passes, and every answer takes so much longer.
    Slow(Duration),
    /// Connections are closed as soon as they are made, and those there are at once.
    Closed,
    /// The server cannot be asked to write: it says that it has too much to do.
    Overloaded,
}

/// The stand; its threads end with the process.
#[derive(Debug)]
pub struct Proxy {
    address: String,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: String,
    way: Mutex<Way>,
    open: Mutex<Vec<TcpStream>>,
    connections: AtomicUsize,
    writes: AtomicUsize,
}

/// How long a server with too much to do takes to say so.
const REFUSAL: Duration = Duration::from_millis(200);
/// Answers on their way to the client, each with the time before which it must not arrive.
const ANSWERS: usize = 1_024;

// The native protocol, version 4, which all servers know: version, flags, two bytes of stream, opcode, length.
const HEAD: usize = 9;
const ERROR: u8 = 0;
const EXECUTE: u8 = 0x0a;
const BATCH: u8 = 0x0d;
const OVERLOADED: [u8; 4] = [0, 0, 0x10, 0x01];

impl Proxy {
    /// A stand in front of `server`, `host:port`, which need not be there.
    pub fn of(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it listens").to_string();
        let shared = Arc::new(Shared {
            server: server.to_owned(),
            way: Mutex::new(Way::Open),
            open: Mutex::default(),
            connections: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
        });
        let proxy = Self { address, shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                // a server that is away ends the connection, as its absence would
                let _ = Shared::connect(&shared, client);
            }
        });
        proxy
    }

    /// Where it listens, `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// From now on.
    pub fn set(&self, way: Way) {
        *lock(&self.shared.way) = way;
        if way == Way::Closed {
            for stream in lock(&self.shared.open).drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    /// How often somebody has connected.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How many writes were asked for.
    pub fn writes(&self) -> usize {
        self.shared.writes.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn connect(this: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        // taken until both are in the list: whoever closes all must find them there
        let mut open = lock(&this.open);
        if this.way() == Way::Closed {
            return Ok(());
        }
        let server = TcpStream::connect(&this.server)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        open.extend([client.try_clone()?, server.try_clone()?]);
        let (answers, passing) = sync_channel(ANSWERS);
        let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
        let (asking, refusals) = (Arc::clone(this), answers.clone());
        thread::spawn(move || asking.requests(from_client, to_server, &refusals));
        let answering = Arc::clone(this);
        thread::spawn(move || answering.answers(server, &answers));
        thread::spawn(move || deliver(client, &passing));
        Ok(())
    }

    fn way(&self) -> Way {
        *lock(&self.way)
    }

    fn requests(
        &self,
        mut client: TcpStream,
        mut server: TcpStream,
        refusals: &SyncSender<(Instant, Vec<u8>)>,
    ) {
        while let Ok(request) = frame(&mut client) {
            let is_write = matches!(request[4], EXECUTE | BATCH);
            if is_write {
                self.writes.fetch_add(1, Ordering::Relaxed);
            }
            let passed = match self.way() {
                Way::Overloaded if is_write => {
                    refusals.send((Instant::now() + REFUSAL, refusal(&request))).is_ok()
                }
                _ => server.write_all(&request).is_ok(),
            };
            if !passed {
                break;
            }
        }
        let _ = server.shutdown(Shutdown::Both);
    }

    fn answers(&self, mut server: TcpStream, answers: &SyncSender<(Instant, Vec<u8>)>) {
        while let Ok(answer) = frame(&mut server) {
            let due = match self.way() {
                Way::Slow(longer) => Instant::now() + longer,
                _ => Instant::now(),
            };
            if answers.send((due, answer)).is_err() {
                break;
            }
        }
        let _ = server.shutdown(Shutdown::Both);
    }
}

/// Brings answers to the client when they are due, until the connection ends on either side.
fn deliver(mut client: TcpStream, answers: &Receiver<(Instant, Vec<u8>)>) {
    for (due, answer) in answers {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if client.write_all(&answer).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}

fn frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; HEAD];
    stream.read_exact(&mut frame)?;
    let length = u32::from_be_bytes([frame[5], frame[6], frame[7], frame[8]]) as usize;
    frame.resize(HEAD + length, 0);
    stream.read_exact(&mut frame[HEAD..])?;
    Ok(frame)
}

/// The answer of a server that has too much to do to this request.
fn refusal(request: &[u8]) -> Vec<u8> {
    const TEXT: &[u8] = b"too much to do";
    let mut body = OVERLOADED.to_vec();
    body.extend((TEXT.len() as u16).to_be_bytes());
    body.extend(TEXT);
    let mut answer = vec![0x80 | request[0], 0, request[2], request[3], ERROR];
    answer.extend((body.len() as u32).to_be_bytes());
    answer.extend(body);
    answer
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
