//! The port's view of a Kafka cluster.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use millrace_ports::{
    Appender, Group, GroupSpec, Log, LogFault, Reader, Start, TopicConfig, TopicPartition,
    TransactionalWriter,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::MetadataBroker;
use rdkafka::{Offset, TopicPartitionList};

use crate::admin::Admin;
use crate::appender::KafkaAppender;
use crate::batches;
use crate::config::KafkaConfig;
use crate::diary::{self, Diary};
use crate::fault::Step;
use crate::group::KafkaGroup;
use crate::holder::{self, Holder};
use crate::probe;
use crate::producer::KafkaProducer;
use crate::reader::KafkaReader;
use crate::writer::KafkaWriter;

/// A Kafka cluster. It connects when it is first asked something, and again whenever the
/// connection was lost.
#[derive(Clone)]
pub struct KafkaLog {
    inner: Arc<Inner>,
}

struct Inner {
    config: KafkaConfig,
    inquirer: BaseConsumer<Diary>,
    /// Made when it is first needed: most processes never ask.
    committed_inquirer: OnceLock<BaseConsumer<Diary>>,
    /// Likewise; all who append share it.
    appender: OnceLock<Arc<KafkaAppender>>,
}

impl KafkaLog {
    /// A cluster at `config.bootstrap`; it need not be there yet.
    ///
    /// # Errors
    /// [`LogFault::Refused`] when a property is unknown or has a bad value.
    pub fn connect(config: KafkaConfig) -> Result<Self, LogFault> {
        let step = Step { step: "configure Kafka", bootstrap: &config.bootstrap, topic: None };
        let inquirer = config
            .inquirer()
            .create_with_context(Diary::default())
            .map_err(|error| step.fault(&error, None))?;
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                inquirer,
                committed_inquirer: OnceLock::new(),
                appender: OnceLock::new(),
            }),
        })
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> &KafkaConfig {
        &self.inner.config
    }

    /// Looks after topics, and looks at groups.
    ///
    /// # Errors
    /// [`LogFault::Refused`] when a property has a bad value.
    pub fn admin(&self) -> Result<Admin, LogFault> {
        Admin::open(self.clone())
    }

    /// Sends single records.
    ///
    /// # Errors
    /// [`LogFault::Refused`] when a property has a bad value.
    pub fn producer(&self) -> Result<KafkaProducer, LogFault> {
        KafkaProducer::open(self.config())
    }

    /// When the record at `offset`, or the first one behind it, was written, as its timestamp says, committed or not;
    /// `None` when there is none.
    ///
    /// # Errors
    /// [`LogFault`].
    pub fn written_at(&self, at: &TopicPartition, offset: i64) -> Result<Option<i64>, LogFault> {
        probe::written_at(self.config(), at, offset)
    }

    /// Who has the transaction open that begins at `offset`, if that can be found out: without TLS and passwords only.
    #[must_use]
    pub fn holder(&self, at: &TopicPartition, offset: i64) -> Option<Holder> {
        let protocol = self.config().properties.get("security.protocol");
        if protocol.is_some_and(|protocol| !protocol.eq_ignore_ascii_case("plaintext")) {
            return None;
        }
        let found = self.ask("look for a leader", Some(&at.topic), |client, wait| {
            let metadata = client.fetch_metadata(Some(&at.topic), wait)?;
            let address = |it: &MetadataBroker| (it.id(), format!("{}:{}", it.host(), it.port()));
            let brokers: BTreeMap<i32, String> = metadata.brokers().iter().map(address).collect();
            let topic = metadata.topics().iter().find(|it| it.name() == &*at.topic);
            let partitions = topic.into_iter().flat_map(|it| it.partitions());
            let leader = partitions.into_iter().find(|it| it.id() == at.partition).map(|it| it.leader());
            Ok((leader.and_then(|leader| brokers.get(&leader).cloned()), brokers))
        });
        let (leader, brokers) = found.ok()?;
        let brokers: Vec<String> = brokers.into_values().collect();
        holder::find(&leader?, &brokers, &at.topic, at.partition, offset)
    }

    pub(crate) fn ask<T>(
        &self,
        step: &'static str,
        topic: Option<&str>,
        question: impl Fn(&BaseConsumer<Diary>, Duration) -> Result<T, KafkaError>,
    ) -> Result<T, LogFault> {
        self.ask_of(&self.inner.inquirer, step, topic, question)
    }

    fn ask_of<T>(
        &self,
        inquirer: &BaseConsumer<Diary>,
        step: &'static str,
        topic: Option<&str>,
        question: impl Fn(&BaseConsumer<Diary>, Duration) -> Result<T, KafkaError>,
    ) -> Result<T, LogFault> {
        let config = &self.inner.config;
        let answer = question(inquirer, config.request_timeout);
        // its log lines and complaints arrive only when it is asked for them
        diary::hear(inquirer);
        answer.map_err(|error| {
            let step = Step { step, bootstrap: &config.bootstrap, topic };
            step.fault(&error, Some(inquirer.context()))
        })
    }

    fn watermarks(&self, step: &'static str, at: &TopicPartition) -> Result<(i64, i64), LogFault> {
        self.ask(step, Some(&at.topic), |client, wait| client.fetch_watermarks(&at.topic, at.partition, wait))
    }

    fn committed_inquirer(&self) -> Result<&BaseConsumer<Diary>, LogFault> {
        let Inner { config, committed_inquirer, .. } = &*self.inner;
        if let Some(known) = committed_inquirer.get() {
            return Ok(known);
        }
        let step = Step { step: "configure Kafka", bootstrap: &config.bootstrap, topic: None };
        let made = config.committed_inquirer().create_with_context(Diary::default());
        let made = made.map_err(|error| step.fault(&error, None))?;
        Ok(committed_inquirer.get_or_init(|| made))
    }

    fn check_exists(&self, at: &TopicPartition) -> Result<(), LogFault> {
        let count = self.partitions(&at.topic)?;
        if (0..count).contains(&at.partition) {
            return Ok(());
        }
        Err(LogFault::NoSuchTopic { topic: at.to_string() })
    }
}

impl Log for KafkaLog {
    fn join(&self, spec: &GroupSpec) -> Result<Box<dyn Group>, LogFault> {
        Ok(Box::new(KafkaGroup::join(self.config(), spec)?))
    }

    fn writer(&self, transactional_id: &str) -> Result<Box<dyn TransactionalWriter>, LogFault> {
        Ok(Box::new(KafkaWriter::start(self.config(), None, transactional_id)?))
    }

    fn reader(&self, partitions: &[(TopicPartition, Start)]) -> Result<Box<dyn Reader>, LogFault> {
        let mut from = Vec::with_capacity(partitions.len());
        let mut checked: Vec<(&str, i32)> = Vec::new();
        for (at, start) in partitions {
            let count = match checked.iter().find(|it| it.0 == &*at.topic) {
                Some(known) => known.1,
                None => {
                    let count = self.partitions(&at.topic)?;
                    checked.push((&at.topic, count));
                    count
                }
            };
            if !(0..count).contains(&at.partition) {
                return Err(LogFault::NoSuchTopic { topic: at.to_string() });
            }
            // resolved here, so that the position is known before the first record
            let offset = match start {
                Start::Beginning => self.low_watermark(at)?,
                Start::Offset(offset) => *offset,
                Start::End => self.high_watermark(at)?,
            };
            from.push((at.clone(), offset));
        }
        Ok(Box::new(KafkaReader::open(self.config(), &from)?))
    }

    fn appender(&self) -> Result<Arc<dyn Appender>, LogFault> {
        let appender = self.inner.appender.get_or_init(|| Arc::new(KafkaAppender::new(self.config())));
        appender.warm_up();
        Ok(Arc::clone(appender) as Arc<dyn Appender>)
    }

    fn high_watermark(&self, partition: &TopicPartition) -> Result<i64, LogFault> {
        self.watermarks("read the high watermark", partition).map(|it| it.1)
    }

    fn last_stable_offset(&self, partition: &TopicPartition) -> Result<i64, LogFault> {
        let step = "read the last stable offset";
        let (_, stable) =
            self.ask_of(self.committed_inquirer()?, step, Some(&partition.topic), |client, wait| {
                client.fetch_watermarks(&partition.topic, partition.partition, wait)
            })?;
        Ok(stable)
    }

    fn low_watermark(&self, partition: &TopicPartition) -> Result<i64, LogFault> {
        self.watermarks("read the low watermark", partition).map(|it| it.0)
    }

    fn delete_before(&self, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), LogFault> {
        // the client asks for the leaders first, and does not say of which partition there is none
        offsets.keys().try_for_each(|at| self.check_exists(at))?;
        self.admin()?.delete_before(offsets)
    }

    fn topic_configs(&self, topics: &[Arc<str>]) -> Result<BTreeMap<Arc<str>, TopicConfig>, LogFault> {
        self.admin()?.configs(topics)
    }

    fn offset_at(&self, partition: &TopicPartition, timestamp_ms: i64) -> Result<i64, LogFault> {
        self.check_exists(partition)?;
        let found = self.ask("find an offset by time", Some(&partition.topic), |client, wait| {
            let mut list = TopicPartitionList::with_capacity(1);
            list.add_partition_offset(
                &partition.topic,
                partition.partition,
                Offset::Offset(timestamp_ms.max(0)),
            )?;
            let list = client.offsets_for_times(list, wait)?;
            let elements = list.elements();
            let Some(element) = elements.first() else { return Ok(None) };
            element.error()?;
            Ok(match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            })
        })?;
        match found {
            Some(offset) => Ok(offset),
            None => self.high_watermark(partition),
        }
    }

    fn batch_end(&self, partition: &TopicPartition, offset: i64) -> Result<i64, LogFault> {
        let end = self.high_watermark(partition)?;
        batches::end_of(self.config(), partition, offset, end)
    }

    fn partitions(&self, topic: &str) -> Result<i32, LogFault> {
        self.ask("look at a topic", Some(topic), |client, wait| {
            let metadata = client.fetch_metadata(Some(topic), wait)?;
            let Some(found) = metadata.topics().iter().find(|it| it.name() == topic) else {
                return Err(KafkaError::MetadataFetch(Code::UnknownTopicOrPartition));
            };
            if let Some(error) = found.error() {
                return Err(KafkaError::MetadataFetch(error.into()));
            }
            Ok(found.partitions().len() as i32)
        })
    }
}
