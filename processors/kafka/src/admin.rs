//! Looks after topics, and looks at groups and the cluster.

mod groups;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_ports::{Log, LogFault, TopicConfig, TopicPartition};
use rdkafka::admin::{
    AdminClient, AdminOptions, NewPartitions, NewTopic as NativeTopic, OwnedResourceSpecifier,
    ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList, client::DefaultClientContext};

pub use self::groups::{GroupDescription, MemberDescription};
use crate::block_on::block_on;
use crate::diary::{self, Diary};
use crate::fault::Step;
use crate::group::known_offsets;
use crate::log::KafkaLog;
use crate::native;
use crate::reaper::reap;

/// The pause between two looks at a topic that was just made.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its full name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// How many copies; -1 leaves it to the broker.
    pub replication: i32,
    /// Configuration values.
    pub configs: BTreeMap<String, String>,
}

/// A topic as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its full name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// How many copies of each; of that which has the fewest, if they differ.
    pub replication: i32,
    /// All configuration values, defaults included.
    pub configs: BTreeMap<String, String>,
}

/// A broker of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its number.
    pub id: i32,
    /// `host:port`.
    pub address: String,
}

/// What the cluster consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Its brokers.
    pub brokers: Vec<Broker>,
    /// Its topics and their numbers of partitions.
    pub topics: BTreeMap<String, i32>,
}

/// How far a group is behind in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupLag {
    /// The next offset it will read, if it has committed one.
    pub committed: Option<i64>,
    /// The end of the partition.
    pub end: i64,
    /// How many offsets lie between them (all that the partition holds when none is committed).
    pub lag: i64,
}

/// Looks after topics.
pub struct Admin {
    log: KafkaLog,
    /// Taken when dropped: rdkafka has a thread look for answers every 100 ms, and waits for it.
    client: Option<AdminClient<DefaultClientContext>>,
}

impl Admin {
    pub(crate) fn open(log: KafkaLog) -> Result<Self, LogFault> {
        let step = Step { step: "open an admin client", bootstrap: &log.config().bootstrap, topic: None };
        let client = log.config().inquirer().create().map_err(|error| step.fault(&error, None))?;
        Ok(Self { log, client: Some(client) })
    }

    /// The brokers and topics there are.
    ///
    /// # Errors
    /// [`LogFault`].
    pub fn cluster(&self) -> Result<Cluster, LogFault> {
        self.log.ask("look at the cluster", None, |client, wait| {
            let metadata = client.fetch_metadata(None, wait)?;
            let brokers = metadata.brokers().iter();
            let topics = metadata.topics().iter();
            Ok(Cluster {
                brokers: brokers
                    .map(|it| Broker { id: it.id(), address: format!("{}:{}", it.host(), it.port()) })
                    .collect(),
                topics: topics.map(|it| (it.name().to_owned(), it.partitions().len() as i32)).collect(),
            })
        })
    }

    /// How many members a group has; none when nobody has ever joined it.
    ///
    /// # Errors
    /// [`LogFault`].
    pub fn members(&self, group: &str) -> Result<usize, LogFault> {
        self.log.ask("count the members of a group", None, |client, wait| {
            let found = client.fetch_group_list(Some(group), wait)?;
            Ok(found.groups().iter().filter(|it| it.name() == group).map(|it| it.members().len()).sum())
        })
    }

    /// The topic as it is, or `None` when there is none.
    ///
    /// # Errors
    /// [`LogFault`].
    pub fn describe(&self, topic: &str) -> Result<Option<TopicDescription>, LogFault> {
        let partitions = match self.log.partitions(topic) {
            Ok(partitions) => partitions,
            Err(LogFault::NoSuchTopic { .. }) => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let replication = self.log.ask("look at a topic", Some(topic), |client, wait| {
            let metadata = client.fetch_metadata(Some(topic), wait)?;
            let found = metadata.topics().iter().find(|it| it.name() == topic);
            let copies =
                found.into_iter().flat_map(|it| it.partitions()).map(|it| it.replicas().len() as i32);
            Ok(copies.min().unwrap_or(0))
        })?;
        let configs = self.configs(&[topic.into()])?.remove(topic).unwrap_or_default();
        Ok(Some(TopicDescription { name: topic.to_owned(), partitions, replication, configs }))
    }

    /// All configuration values of topics that are there, defaults included.
    ///
    /// # Errors
    /// [`LogFault::Refused`] without the right to ask.
    pub fn configs(&self, topics: &[Arc<str>]) -> Result<BTreeMap<Arc<str>, TopicConfig>, LogFault> {
        let step = "read a topic's configuration";
        let resources: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        let answer = block_on(self.client()?.describe_configs(&resources, &self.options()), self.patience());
        let asked = topics.first().map_or("", |topic| topic);
        let mut configs = BTreeMap::new();
        for resource in self.answer(step, asked, answer)? {
            let resource = resource.map_err(|code| self.refusal(step, asked, code))?;
            let OwnedResourceSpecifier::Topic(topic) = resource.specifier else { continue };
            let values = resource.entries.into_iter();
            let values = values.map(|entry| (entry.name, entry.value.unwrap_or_default())).collect();
            configs.insert(Arc::from(topic), values);
        }
        Ok(configs)
    }

    /// Deletes for good what each of some partitions holds before an offset.
    ///
    /// # Errors
    /// Of the first partition that is in trouble: [`LogFault::Refused`] without the right to delete,
    /// [`LogFault::OutOfRange`] for an offset behind the end.
    pub fn delete_before(&self, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), LogFault> {
        let step = "delete old records";
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (at, offset) in offsets {
            list.add_partition_offset(&at.topic, at.partition, Offset::Offset(*offset))
                .map_err(|error| self.step(step, Some(&at.topic)).fault(&error, None))?;
        }
        let answer = block_on(self.client()?.delete_records(&list, &self.options()), self.patience());
        let topic = offsets.keys().next().map_or("", |at| &at.topic);
        let deleted = self.answer(step, topic, answer)?;
        for found in deleted.elements() {
            let Err(error) = found.error() else { continue };
            let at = TopicPartition::new(found.topic(), found.partition());
            return Err(match (error.rdkafka_error_code(), offsets.get(&at)) {
                (Some(Code::OffsetOutOfRange), Some(&offset)) => {
                    LogFault::OutOfRange { partition: at, offset }
                }
                (Some(code), _) => self.refusal(step, &at.topic, code),
                (None, _) => self.step(step, Some(&at.topic)).fault(&error, None),
            });
        }
        Ok(())
    }

    /// Makes a topic. One that exists already is left as it is.
    ///
    /// # Errors
    /// [`LogFault::Refused`] when the broker does not accept a value.
    pub fn create(&self, topic: &NewTopic) -> Result<(), LogFault> {
        let step = "create a topic";
        let mut native =
            NativeTopic::new(&topic.name, topic.partitions, TopicReplication::Fixed(topic.replication));
        for (key, value) in &topic.configs {
            native = native.set(key, value);
        }
        let answer = block_on(self.client()?.create_topics([&native], &self.options()), self.patience());
        for result in self.answer(step, &topic.name, answer)? {
            match result {
                Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(self.fault(step, &topic.name, code)),
            }
        }
        self.await_topic(&topic.name)
    }

    /// The broker answers before it knows the topic itself; who joins or reads at once would be told
    /// that there is none.
    fn await_topic(&self, topic: &str) -> Result<(), LogFault> {
        let deadline = Instant::now() + self.log.config().request_timeout;
        loop {
            match self.log.partitions(topic) {
                Ok(_) => return Ok(()),
                Err(fault) if Instant::now() >= deadline => return Err(fault),
                Err(_) => std::thread::sleep(LOOK_AGAIN),
            }
        }
    }

    /// Raises a topic's number of partitions to `partitions`.
    ///
    /// # Errors
    /// [`LogFault::Refused`] when it has as many or more.
    pub fn add_partitions(&self, topic: &str, partitions: i32) -> Result<(), LogFault> {
        let step = "add partitions";
        let count = usize::try_from(partitions).unwrap_or(0);
        let wanted = [NewPartitions::new(topic, count)];
        let answer = block_on(self.client()?.create_partitions(&wanted, &self.options()), self.patience());
        for result in self.answer(step, topic, answer)? {
            result.map_err(|(_, code)| self.fault(step, topic, code))?;
        }
        Ok(())
    }

    /// Sets some configuration values of a topic and leaves the others.
    ///
    /// # Errors
    /// [`LogFault::Refused`] when the broker does not accept a value.
    pub fn alter_configs(&self, topic: &str, values: &BTreeMap<String, String>) -> Result<(), LogFault> {
        let step = "change a topic's configuration";
        let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let client = self.client()?.inner().native_ptr();
        native::set_topic_configs(client, topic, &values, self.patience())
            .map_err(|error| self.step(step, Some(topic)).of_code(error.code, error.message, None))
    }

    /// The committed next offsets of a group, without joining it; those without one are left out.
    ///
    /// # Errors
    /// [`LogFault`].
    pub fn group_offsets(
        &self,
        group_id: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, i64>, LogFault> {
        let step = self.step("read a group's offsets", None);
        let config = self.log.config().observer(group_id);
        let client: BaseConsumer<Diary> =
            config.create_with_context(Diary::default()).map_err(|error| step.fault(&error, None))?;
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for at in partitions {
            list.add_partition(&at.topic, at.partition);
        }
        let offsets = client
            .committed_offsets(list, self.log.config().request_timeout)
            .and_then(|list| known_offsets(&list));
        diary::hear(&client);
        let offsets = offsets.map_err(|error| step.fault(&error, Some(client.context())));
        reap(client);
        offsets
    }

    /// How far a group is behind.
    ///
    /// # Errors
    /// [`LogFault`].
    pub fn lag(
        &self,
        group_id: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, GroupLag>, LogFault> {
        let committed = self.group_offsets(group_id, partitions)?;
        let mut lags = BTreeMap::new();
        for at in partitions {
            let end = self.log.high_watermark(at)?;
            let committed = committed.get(at).copied();
            let from = match committed {
                Some(offset) => offset,
                None => self.log.low_watermark(at)?,
            };
            lags.insert(at.clone(), GroupLag { committed, end, lag: (end - from).max(0) });
        }
        Ok(lags)
    }

    fn client(&self) -> Result<&AdminClient<DefaultClientContext>, LogFault> {
        // it is there until this is dropped
        self.client.as_ref().ok_or_else(|| self.step("look after topics", None).unavailable("closed", None))
    }

    fn options(&self) -> AdminOptions {
        let wait = self.log.config().request_timeout;
        AdminOptions::new().request_timeout(Some(wait)).operation_timeout(Some(wait))
    }

    /// The client keeps to its own time-outs; this is only a net below them.
    fn patience(&self) -> Duration {
        self.log.config().request_timeout * 3
    }

    fn answer<T>(
        &self,
        step: &'static str,
        topic: &str,
        answer: Option<Result<T, KafkaError>>,
    ) -> Result<T, LogFault> {
        let step = self.step(step, Some(topic));
        match answer {
            Some(Ok(answer)) => Ok(answer),
            // the call as a whole failed, which says nothing about the topic
            Some(Err(KafkaError::AdminOp(code))) => {
                Err(Step { topic: None, ..step }.of_code(code, code.to_string(), None))
            }
            Some(Err(KafkaError::AdminOpCreation(what))) => Err(step.refused(what)),
            Some(Err(error)) => Err(step.fault(&error, None)),
            None => Err(step.unavailable("no answer in time", None)),
        }
    }

    fn step<'a>(&'a self, step: &'static str, topic: Option<&'a str>) -> Step<'a> {
        Step { step, bootstrap: &self.log.config().bootstrap, topic }
    }

    /// As [`Admin::fault`], for what a process can do without: no right to it is an answer.
    fn refusal(&self, step: &'static str, topic: &str, code: Code) -> LogFault {
        match code {
            Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
                self.step(step, Some(topic)).refused(format!("{topic}: {code}"))
            }
            code => self.fault(step, topic, code),
        }
    }

    fn fault(&self, step: &'static str, topic: &str, code: Code) -> LogFault {
        self.step(step, Some(topic)).of_code(code, format!("{topic}: {code}"), None)
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            reap(client);
        }
    }
}
