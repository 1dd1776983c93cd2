//! What producers ask a broker for before their first record, and what their callers are told.

use crate::common;

use std::io::{self, Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use common::OnKafka;
use millrace_embedded::broker::{Broker, BrokerConfig, BrokerHandle};
use millrace_kafka::Message;
use millrace_ports::Log as _;
use millrace_testkit::log::conformance::LogFixture as _;
use tempfile::TempDir;

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const INIT_PRODUCER_ID: i16 = 22;
const SOON: Duration = Duration::from_secs(60);

/// A broker that clients reach only through a stand that writes down what they ask for. The clients go first.
struct Watched {
    clients: OnKafka,
    asked: Arc<Mutex<Vec<i16>>>,
    _broker: BrokerHandle,
    _runtime: tokio::runtime::Runtime,
    _dir: TempDir,
}

impl Watched {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let stand = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = stand.local_addr().unwrap();
        let mut config = BrokerConfig::new(dir.path());
        config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        config.advertised = Some((address.ip().to_string(), address.port()));
        let broker = runtime.block_on(Broker::start(config)).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (behind, book) = (broker.addr(), Arc::clone(&asked));
        thread::spawn(move || {
            for client in stand.incoming().map_while(Result::ok) {
                let (server, book) = (TcpStream::connect(behind).unwrap(), Arc::clone(&book));
                let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || io::copy(&mut answers, &mut back));
                thread::spawn(move || pass(client, server, &book));
            }
        });
        let clients = OnKafka::at(&address.to_string(), "watched.".to_owned());
        Self { clients, asked, _broker: broker, _runtime: runtime, _dir: dir }
    }

    fn count(&self, api: i16) -> usize {
        self.asked.lock().unwrap().iter().filter(|key| **key == api).count()
    }
}

/// Passes requests on and writes down the kind of each.
fn pass(mut client: TcpStream, mut server: TcpStream, book: &Mutex<Vec<i16>>) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let mut request = vec![0; u32::from_be_bytes(length) as usize];
        client.read_exact(&mut request)?;
        book.lock().unwrap().push(i16::from_be_bytes([request[0], request[1]]));
        server.write_all(&length)?;
        server.write_all(&request)?;
    }
}

fn message(topic: &str, value: usize) -> Message {
    Message {
        topic: topic.to_owned(),
        partition: 0,
        key: Some(Bytes::from_static(b"k")),
        value: Some(value.to_string().into()),
        timestamp_ms: None,
        headers: Vec::new(),
    }
}

#[test]
fn one_record_costs_one_request_and_no_producer_id() {
    let watched = Watched::start();
    watched.clients.create_topic("watched.t", 1);
    watched.clients.producer.send_and_wait(&message("watched.t", 0), SOON).unwrap();
    assert_eq!((watched.count(PRODUCE), watched.count(INIT_PRODUCER_ID)), (1, 0));
}

#[test]
fn a_fence_looks_for_its_coordinator_when_a_connection_is_up() {
    let watched = Watched::start();
    let mut writer = watched.clients.log.writer("watched").unwrap();
    watched.asked.lock().unwrap().clear();
    writer.fence().unwrap();
    let asked = watched.asked.lock().unwrap();
    let found = asked.iter().position(|key| *key == FIND_COORDINATOR).unwrap();
    let connected = asked[..found].iter().filter(|key| **key == METADATA).count();
    // one when the client has connected, and two that this crate waits for
    assert!(connected >= 3, "{asked:?}");
    assert_eq!(asked.iter().filter(|key| **key == INIT_PRODUCER_ID).count(), 1, "{asked:?}");
}

#[test]
fn all_are_told_what_became_of_their_records_and_flush_waits_for_that() {
    const COUNT: usize = 20_000;
    let watched = Watched::start();
    watched.clients.create_topic("watched.t", 1);
    let (told, producer) = (Arc::new(AtomicUsize::new(0)), &watched.clients.producer);
    // the thread that tells sleeps in between: each round has to wake it
    for round in 1..=10 {
        for value in 0..COUNT / 10 {
            let told = Arc::clone(&told);
            let sent = move |result: Result<_, _>| {
                result.unwrap();
                told.fetch_add(1, Ordering::Relaxed);
            };
            producer.send(&message("watched.t", value), sent).unwrap();
        }
        producer.flush(SOON).unwrap();
        assert_eq!(told.load(Ordering::Relaxed), round * COUNT / 10);
    }
}

#[test]
fn who_is_not_answered_when_a_producer_closes_is_told_so() {
    let watched = Watched::start();
    let producer = watched.clients.log.producer().unwrap();
    let (sender, told) = mpsc::channel();
    // there is no such topic, so the record waits in the client
    producer.send(&message("watched.absent", 0), move |result| sender.send(result).unwrap()).unwrap();
    drop(producer);
    assert!(told.recv().unwrap().is_err());
}
