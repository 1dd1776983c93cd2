//! Which settings each kind of client gets, and why.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::properties::Shown;

/// How to reach Kafka.
#[derive(Clone)]
pub struct KafkaConfig {
    /// `host:port`, several separated by commas.
    pub bootstrap: String,
    /// Names this process in the broker's logs and quotas.
    pub client_id: String,
    /// Further properties of librdkafka, such as TLS and SASL. They win over the tuning of this
    /// crate, not over what its guarantees rest on.
    pub properties: BTreeMap<String, String>,
    /// Whether clients of all kinds read a topic: transactions write to it without compression, unless `properties`
    /// choose one. Many clients know no more than gzip as they are installed.
    pub is_plain: fn(topic: &str) -> bool,
    /// After this time the broker ends a transaction whose owner is silent.
    pub transaction_timeout: Duration,
    /// How long a question to the broker may take before it counts as unavailable.
    pub request_timeout: Duration,
}

impl KafkaConfig {
    /// The usual settings for the brokers at `bootstrap`.
    #[must_use]
    pub fn new(bootstrap: impl Into<String>) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            client_id: "millrace".to_owned(),
            properties: BTreeMap::new(),
            is_plain: |_| false,
            transaction_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(5),
        }
    }

    /// Asks about topics and offsets; reads nothing.
    pub(crate) fn inquirer(&self) -> ClientConfig {
        let mut config = self.common();
        // the high watermark is wanted, not the end of what is committed
        config.set("isolation.level", "read_uncommitted");
        config
    }

    /// Asks where committed reads come to.
    pub(crate) fn committed_inquirer(&self) -> ClientConfig {
        let mut config = self.common();
        config.set("isolation.level", "read_committed");
        config
    }

    /// Asks for the offsets of a group without joining it.
    pub(crate) fn observer(&self, group_id: &str) -> ClientConfig {
        let mut config = self.inquirer();
        config.set("group.id", group_id).set("enable.auto.commit", "false");
        config
    }

    /// Reads committed records of assigned partitions.
    pub(crate) fn reader(&self) -> ClientConfig {
        let mut config = self.common();
        // A fetch is answered as soon as there is a byte, so the wait costs no latency where records
        // arrive; it only bounds how late the end of a partition is noticed whose last offsets were
        // compacted away. (Markers of transactions are noticed without it.)
        config
            .set("fetch.wait.max.ms", "100")
            .set("fetch.min.bytes", "1")
            // when the local queue was full, look again at once: a second is the default
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.error.backoff.ms", "50")
            .set("fetch.message.max.bytes", "1048576")
            // at most this much waits in memory for the caller, per reader
            .set("queued.max.messages.kbytes", "32768")
            .set("queued.min.messages", "10000");
        self.extend(&mut config);
        config
            // assigning by hand needs a group's name; it is never joined and keeps no offsets
            .set("group.id", format!("{}-reader", self.client_id))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            // an offset that is gone is the caller's to decide about
            .set("auto.offset.reset", "error");
        config
    }

    /// Looks what stands at one offset, committed or not, and reads no more than it must.
    pub(crate) fn prober(&self) -> ClientConfig {
        let mut config = self.reader();
        config
            .set("isolation.level", "read_uncommitted")
            .set("queued.min.messages", "1")
            .set("fetch.message.max.bytes", "1");
        config
    }

    /// Is a member of a group; fetches nothing.
    pub(crate) fn member(&self, group_id: &str, session_timeout: Duration) -> ClientConfig {
        let session_ms = session_timeout.as_millis().max(1);
        let mut config = self.common();
        config.set("partition.assignment.strategy", "cooperative-sticky");
        self.extend(&mut config);
        config
            .set("group.id", group_id)
            .set("session.timeout.ms", session_ms.to_string())
            // members learn of a rebalance by a heartbeat: no partition moves sooner than that
            .set("heartbeat.interval.ms", (session_ms / 4).clamp(1, 300).to_string())
            // a member whose loop hangs is no better than a dead one
            .set("max.poll.interval.ms", session_ms.to_string())
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // committed offsets are read once no transaction on them is open
            .set("isolation.level", "read_committed")
            // nothing is ever fetched, so no memory is kept for it
            .set("queued.min.messages", "1")
            .set("queued.max.messages.kbytes", "1");
        config
    }

    /// Writes transactions.
    pub(crate) fn transactional(&self, transactional_id: &str) -> ClientConfig {
        let timeout_ms = self.transaction_timeout.as_millis();
        let mut config = self.common();
        producer_tuning(&mut config);
        // a batch is enqueued as a whole and flushed, which ends the wait: it only keeps the client from sending
        // the first records while the others are being enqueued
        config.set("linger.ms", "5");
        self.extend(&mut config);
        config
            .set("transactional.id", transactional_id)
            .set("transaction.timeout.ms", timeout_ms.to_string())
            .set("message.timeout.ms", timeout_ms.to_string())
            // not above the transaction's, and the client knows no longer one
            .set("socket.timeout.ms", timeout_ms.min(300_000).to_string())
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // a record of the size that every topic takes travels alone, or in a batch that is no larger
            .set("batch.size", "1000000")
            .set("message.max.bytes", "10485760")
            // successes are only counted: see `committer.rs`
            .set("delivery.report.only.error", "true");
        config
    }

    /// Writes single records, of which a broker may come to keep one twice: commands, which their ids de-duplicate.
    ///
    /// It asks for no producer id. The client does so a millisecond after it was made, when no connection is up yet, and
    /// again only half a second later, which nothing configures. One request at a time keeps records in order through
    /// retries. `docs/decisions/0018-commands-are-sent-plainly.md` has the whole.
    pub(crate) fn producer(&self) -> ClientConfig {
        let mut config = self.common();
        producer_tuning(&mut config);
        // not compressed: what reads commands may know no compression, or none but gzip
        config.set("compression.type", "none");
        config.set("linger.ms", "2").set("message.timeout.ms", "30000").set("enable.idempotence", "false");
        // A broker that refuses again and again, as its disk is full, is to be called so: without an end to retries the
        // client only says that the time was up. Six seconds, with the pauses that `producer_tuning` sets; while no
        // broker can be reached nothing is counted.
        config.set("retries", "20");
        self.extend(&mut config);
        config.set("acks", "all").set("max.in.flight.requests.per.connection", "1");
        config
    }

    /// Appends records that nothing de-duplicates by their ids, in order.
    pub(crate) fn appender(&self) -> ClientConfig {
        let mut config = self.common();
        producer_tuning(&mut config);
        // everything is enqueued at once and waited for
        config.set("linger.ms", "0").set("message.timeout.ms", "10000");
        self.extend(&mut config);
        config.set("enable.idempotence", "true").set("acks", "all");
        config
    }

    /// Whether what a transaction writes to `topic` is compressed as everything is.
    pub(crate) fn compresses(&self, topic: &str) -> bool {
        !(self.is_plain)(topic)
            || ["compression.type", "compression.codec"].iter().any(|it| self.properties.contains_key(*it))
    }

    fn common(&self) -> ClientConfig {
        // clients end on threads of their own, which nobody waits for
        millrace_tls::outlive_main();
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", &self.client_id)
            .set("socket.nagle.disable", "true")
            .set("socket.timeout.ms", "10000")
            .set("socket.connection.setup.timeout.ms", "5000")
            // a broker that comes back is found within a second
            .set("reconnect.backoff.ms", "20")
            .set("reconnect.backoff.max.ms", "1000")
            .set("log.connection.close", "false")
            .set_log_level(RDKafkaLogLevel::Info);
        self.extend(&mut config);
        config
    }

    fn extend(&self, config: &mut ClientConfig) {
        for (key, value) in &self.properties {
            config.set(key, value);
        }
    }
}

impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // it is printed in logs, passwords must not be
        f.debug_struct("KafkaConfig")
            .field("bootstrap", &self.bootstrap)
            .field("client_id", &self.client_id)
            .field("properties", &Shown(&self.properties))
            .field("transaction_timeout", &self.transaction_timeout)
            .field("request_timeout", &self.request_timeout)
            .finish_non_exhaustive()
    }
}

fn producer_tuning(config: &mut ClientConfig) {
    config
        // costs next to nothing and shrinks Avro well; the broker keeps it as it is
        .set("compression.type", "lz4")
        // the caller bounds its batches, so the count of records is no limit of its own
        .set("queue.buffering.max.messages", "0")
        .set("queue.buffering.max.kbytes", "1048576")
        // the broker refuses what a topic does not take; this must not be the narrower gate
        .set("message.max.bytes", "10485760")
        .set("batch.num.messages", "10000")
        .set("retry.backoff.ms", "2")
        .set("retry.backoff.max.ms", "500")
        // a topic that does not exist is said so soon, but not while it is just being created
        .set("topic.metadata.propagation.max.ms", "5000");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_stay_out_of_the_log() {
        let mut config = KafkaConfig::new("b:9092");
        config.properties = BTreeMap::from(
            [("sasl.password", "hunter2"), ("sasl.mechanism", "PLAIN")]
                .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        let shown = format!("{config:?}");
        assert!(!shown.contains("hunter2") && shown.contains("PLAIN"), "{shown}");
    }

    #[test]
    fn topics_that_everybody_reads_are_not_compressed_unless_somebody_says_so() {
        let mut config = KafkaConfig::new("b:9092");
        assert!(config.compresses("d.outcomes"));
        config.is_plain = |topic| topic == "d.outcomes";
        assert!(!config.compresses("d.outcomes") && config.compresses("d.events"));
        assert_eq!(config.producer().get("compression.type"), Some("none"));
        config.properties = BTreeMap::from([("compression.type".to_owned(), "gzip".to_owned())]);
        assert!(config.compresses("d.outcomes"));
        assert_eq!(config.producer().get("compression.type"), Some("gzip"));
    }

    #[test]
    fn a_producer_of_commands_waits_for_no_producer_id_and_keeps_order() {
        let mut config = KafkaConfig::new("b:9092");
        let [acks, in_flight, idempotence] =
            ["acks", "max.in.flight.requests.per.connection", "enable.idempotence"];
        config.properties = BTreeMap::from([acks, in_flight].map(|key| (key.to_owned(), "5".to_owned())));
        let made = config.producer();
        assert_eq!(made.get(idempotence), Some("false"));
        assert_eq!((made.get(acks), made.get(in_flight)), (Some("all"), Some("1")));
        // who wants no record twice even so, and has the half second
        config.properties = BTreeMap::from([(idempotence.to_owned(), "true".to_owned())]);
        assert_eq!(config.producer().get(idempotence), Some("true"));
        assert_eq!(config.transactional("t").get(idempotence), Some("true"));
        assert_eq!(config.appender().get(idempotence), Some("true"));
    }
}
