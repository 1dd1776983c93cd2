//! A broker on a free port, clients for it, and waiting with a deadline.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, UNIX_EPOCH};

use std::io::{Read as _, Write as _};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable as _, Encodable as _, Request, StrBytes};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};
use millrace_embedded::broker::{Broker, BrokerConfig, BrokerError, BrokerHandle};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

/// Long enough for a busy machine; nothing waits that long when all is well.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Waits for a condition; fails the test with `what` when it does not come.
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A broker and the runtime it lives on.
pub struct Server {
    pub runtime: tokio::runtime::Runtime,
    handle: Option<BrokerHandle>,
    pub addr: SocketAddr,
}

impl Server {
    pub fn start(dir: &Path) -> Self {
        Self::start_with(dir, |_| {})
    }

    pub fn start_with(dir: &Path, change: impl FnOnce(&mut BrokerConfig)) -> Self {
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let config = config(dir, change);
        let handle = runtime.block_on(Broker::start(config)).unwrap();
        let addr = handle.addr();
        Self { runtime, handle: Some(handle), addr }
    }

    pub fn stop(mut self) {
        let handle = self.handle.take().unwrap();
        self.runtime.block_on(handle.shutdown()).unwrap();
    }

    pub fn try_stop(mut self) -> Result<(), BrokerError> {
        let handle = self.handle.take().unwrap();
        self.runtime.block_on(handle.shutdown())
    }

    /// Ends when the broker has stopped by itself.
    pub fn halted(&self) -> impl Future<Output = String> + Send + use<> {
        self.handle.as_ref().unwrap().halted()
    }

    /// Where clients in this process connect.
    pub fn own_servers(&self) -> String {
        self.handle.as_ref().unwrap().own_bootstrap_servers()
    }

    pub fn servers(&self) -> String {
        self.addr.to_string()
    }

    pub fn client(&self, settings: &[(&str, &str)]) -> ClientConfig {
        client(&self.servers(), settings)
    }

    pub fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        create_topic(&self.runtime, &self.servers(), name, partitions, settings);
    }
}

pub fn config(dir: &Path, change: impl FnOnce(&mut BrokerConfig)) -> BrokerConfig {
    let mut config = BrokerConfig::new(dir);
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.cleanup_interval = Duration::from_millis(50);
    change(&mut config);
    config
}

pub fn client(servers: &str, settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers);
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config
}

pub fn admin(servers: &str) -> AdminClient<DefaultClientContext> {
    client(servers, &[]).create().unwrap()
}

pub fn create_topic(
    runtime: &tokio::runtime::Runtime,
    servers: &str,
    name: &str,
    partitions: i32,
    settings: &[(&str, &str)],
) {
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    for (setting, value) in settings {
        topic = topic.set(setting, value);
    }
    // Kept until there is an answer: nobody would wait for it in its place.
    let admin = admin(servers);
    let created = admin.create_topics([&topic], &AdminOptions::new());
    runtime.block_on(created).unwrap().remove(0).unwrap();
}

/// The offset, or why there is none.
pub type Delivery = Result<i64, RDKafkaErrorCode>;

/// What became of each message, in the order of the answers.
#[derive(Default, Clone)]
pub struct Deliveries(Arc<(Mutex<Vec<Delivery>>, Condvar)>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let result = match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap()),
        };
        self.0.0.lock().unwrap().push(result);
        self.0.1.notify_all();
    }
}

pub struct Sender {
    pub producer: ThreadedProducer<Deliveries>,
    deliveries: Deliveries,
    sent: AtomicUsize,
}

impl Sender {
    pub fn new(servers: &str, settings: &[(&str, &str)]) -> Self {
        let deliveries = Deliveries::default();
        let mut config = client(servers, &[("linger.ms", "0")]);
        for (name, value) in settings {
            config.set(*name, *value);
        }
        let producer = config.create_with_context(deliveries.clone()).unwrap();
        Self { producer, deliveries, sent: AtomicUsize::new(0) }
    }

    pub fn send(&self, topic: &str, partition: i32, key: &str, value: Option<&str>) {
        let mut record = BaseRecord::to(topic).partition(partition).key(key);
        if let Some(value) = value {
            record = record.payload(value);
        }
        self.send_record(record);
    }

    pub fn send_record(&self, mut record: BaseRecord<'_, str, str>) {
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    std::thread::yield_now();
                }
                Err((error, _)) => panic!("{error}"),
            }
        }
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for the answers and returns them. The client's own flush looks only every 100 ms.
    pub fn flush(&self) -> Vec<Delivery> {
        let sent = self.sent.swap(0, Ordering::Relaxed);
        let (results, arrived) = &*self.deliveries.0;
        let results = results.lock().unwrap();
        let (mut results, timeout) =
            arrived.wait_timeout_while(results, DEADLINE, |results| results.len() < sent).unwrap();
        assert!(!timeout.timed_out(), "{} of {sent} answered", results.len());
        std::mem::take(&mut results)
    }

    /// Sends and expects success; returns the offset.
    pub fn put(&self, topic: &str, partition: i32, key: &str, value: &str) -> i64 {
        self.send(topic, partition, key, Some(value));
        let results = self.flush();
        assert_eq!(results.len(), 1);
        results[0].unwrap()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    pub offset: i64,
    pub timestamp: rdkafka::Timestamp,
    pub key: Option<String>,
    pub value: Option<String>,
}

/// Everything in a partition up to its end, as a reader with this isolation level sees it.
pub fn read_all(servers: &str, topic: &str, partition: i32, isolation: &str) -> Vec<Read> {
    let consumer: BaseConsumer = client(
        servers,
        &[
            ("group.id", "reader"),
            ("isolation.level", isolation),
            ("enable.partition.eof", "true"),
            ("enable.auto.commit", "false"),
            ("check.crcs", "true"),
            // The end is told by an empty fetch, which otherwise waits for half a second.
            ("fetch.wait.max.ms", "10"),
        ],
    )
    .create()
    .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let mut records = Vec::new();
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < DEADLINE, "no end of {topic}/{partition}: {} read", records.len());
        match consumer.poll(Duration::from_millis(500)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(_))) => return records,
            Some(Err(error)) => panic!("{error}"),
            Some(Ok(message)) => {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                records.push(Read {
                    offset: message.offset(),
                    timestamp: message.timestamp(),
                    key: message.key().map(text),
                    value: message.payload().map(text),
                });
            }
        }
    }
}

pub fn values(records: &[Read]) -> Vec<&str> {
    records.iter().filter_map(|record| record.value.as_deref()).collect()
}

/// A connection that speaks the protocol by hand.
pub struct Wire {
    stream: TcpStream,
}

impl Wire {
    pub fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next frame; `None` when the broker closed the connection.
    pub fn receive(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).ok()?;
        Some(Bytes::from(frame))
    }

    pub fn set_write_timeout(&self, timeout: Duration) {
        self.stream.set_write_timeout(Some(timeout)).unwrap();
    }

    pub fn try_send_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub fn send<R: Request>(&mut self, version: i16, request: &R) {
        self.try_send(version, request).unwrap();
    }

    pub fn try_send<R: Request>(&mut self, version: i16, request: &R) -> std::io::Result<()> {
        let key = ApiKey::try_from(R::KEY).unwrap();
        let mut header = RequestHeader::default();
        header.request_api_key = R::KEY;
        header.request_api_version = version;
        header.correlation_id = 7;
        header.client_id = Some(StrBytes::from_static_str("by-hand"));
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        header.encode(&mut frame, key.request_header_version(version)).unwrap();
        request.encode(&mut frame, version).unwrap();
        let length = (frame.len() - 4) as i32;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.try_send_bytes(&frame)
    }

    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.send(version, request);
        let key = ApiKey::try_from(R::KEY).unwrap();
        let mut frame = self.receive().expect("the connection stays open");
        let header = ResponseHeader::decode(&mut frame, key.response_header_version(version)).unwrap();
        assert_eq!(header.correlation_id, 7);
        let response = R::Response::decode(&mut frame, version).unwrap();
        assert!(!frame.has_remaining(), "the answer has bytes left over");
        response
    }
}

/// A batch as a producer would send it.
pub fn batch(
    producer_id: i64,
    epoch: i16,
    first_sequence: i32,
    transactional: bool,
    records: &[(&str, &str)],
) -> Bytes {
    let now = UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    let records: Vec<Record> = records
        .iter()
        .enumerate()
        .map(|(n, (key, value))| Record {
            transactional,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id,
            producer_epoch: epoch,
            timestamp_type: TimestampType::Creation,
            offset: n as i64,
            // counted on from -1 where there is none: the encoder begins a new batch where numbers do not follow
            sequence: if producer_id < 0 { n as i32 - 1 } else { first_sequence + n as i32 },
            timestamp: now + n as i64,
            key: Some(Bytes::copy_from_slice(key.as_bytes())),
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
            headers: Default::default(),
        })
        .collect();
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut out, &records, &options).unwrap();
    out.freeze()
}

/// A request to store one record.
pub fn produce_bytes(topic: &'static str, value: &str) -> kafka_protocol::messages::ProduceRequest {
    use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
    let records = batch(-1, -1, 0, false, &[("key", value)]);
    let partition = PartitionProduceData::default().with_records(Some(records));
    let data = TopicProduceData::default()
        .with_name(StrBytes::from_static_str(topic).into())
        .with_partition_data(vec![partition]);
    kafka_protocol::messages::ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(1000)
        .with_topic_data(vec![data])
}
