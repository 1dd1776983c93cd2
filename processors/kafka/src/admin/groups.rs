//! All groups of a cluster at once, as their coordinators describe them, and what they have committed.

use std::collections::BTreeMap;

use millrace_ports::{LogFault, TopicPartition};
use rdkafka::consumer::Consumer as _;
use rdkafka::{Offset, TopicPartitionList};

use super::Admin;
use crate::native;

/// A consumer group, as its coordinator describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its id.
    pub id: String,
    /// Its members; none while it has none, or while its coordinator does not tell.
    pub members: Vec<MemberDescription>,
}

/// A member of a group. Name, client and host are what others say of themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberDescription {
    /// The name the coordinator has given it.
    pub name: String,
    /// What its client calls itself.
    pub client: String,
    /// Where it connects from.
    pub host: String,
    /// What it was dealt; nothing while the group is being dealt out anew.
    pub assigned: Vec<TopicPartition>,
}

impl Admin {
    /// The ids of all consumer groups of the cluster, of either protocol, in their order; and why some are missing, if a broker of
    /// several does not tell its own.
    ///
    /// # Errors
    /// [`LogFault`].
    pub fn group_ids(&self) -> Result<(Vec<String>, Option<LogFault>), LogFault> {
        let step = self.step("list the groups", None);
        let client = self.client()?.inner().native_ptr();
        let fault = |error: native::TransactionError| step.of_code(error.code, error.message, None);
        let (mut ids, missing) =
            native::groups::list(client, self.log.config().request_timeout).map_err(fault)?;
        ids.sort();
        ids.dedup();
        Ok((ids, missing.map(fault)))
    }

    /// These groups as their coordinators describe them, in any order. Those that are gone, or that the coordinator does not
    /// show to us, are left out.
    ///
    /// # Errors
    /// [`LogFault`].
    pub fn describe_groups(&self, ids: &[String]) -> Result<Vec<GroupDescription>, LogFault> {
        let step = self.step("describe groups", None);
        let client = self.client()?.inner().native_ptr();
        let found = native::groups::describe(client, ids, self.log.config().request_timeout)
            .map_err(|error| step.of_code(error.code, error.message, None))?;
        let member = |it: native::groups::Member| MemberDescription {
            assigned: it
                .assigned
                .into_iter()
                .map(|(topic, at)| TopicPartition::new(topic.as_str(), at))
                .collect(),
            name: it.name,
            client: it.client,
            host: it.host,
        };
        let group = |it: native::groups::Described| GroupDescription {
            id: it.group,
            members: it.members.into_iter().map(member).collect(),
        };
        Ok(found.into_iter().map(group).collect())
    }

    /// All next offsets that these groups have committed, by the group. Groups without any, or whose offsets are not shown to us,
    /// are left out.
    ///
    /// # Errors
    /// [`LogFault`].
    pub fn offsets_of_groups(
        &self,
        ids: &[String],
    ) -> Result<BTreeMap<String, BTreeMap<TopicPartition, i64>>, LogFault> {
        let step = self.step("read the offsets of groups", None);
        let client = self.client()?.inner().native_ptr();
        let found = native::groups::committed(client, ids, self.log.config().request_timeout)
            .map_err(|error| step.of_code(error.code, error.message, None))?;
        let at = |(topic, partition, offset): (String, i32, i64)| {
            (TopicPartition::new(topic.as_str(), partition), offset)
        };
        let of =
            |(id, offsets): (String, native::groups::Committed)| (id, offsets.into_iter().map(at).collect());
        Ok(found
            .into_iter()
            .map(of)
            .filter(|(_, offsets): &(_, BTreeMap<_, _>)| !offsets.is_empty())
            .collect())
    }

    /// The ends of partitions (their high watermarks), all asked for at once; those that cannot be told are left out.
    ///
    /// # Errors
    /// [`LogFault`].
    pub fn ends(&self, places: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>, LogFault> {
        if places.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.log.ask("read the ends of topics", None, |client, wait| {
            let mut list = TopicPartitionList::with_capacity(places.len());
            for at in places {
                // in a question by time, the time -1 means the end
                list.add_partition_offset(&at.topic, at.partition, Offset::End)?;
            }
            let answer = client.offsets_for_times(list, wait)?;
            let known = answer.elements().into_iter().filter_map(|it| match (it.error(), it.offset()) {
                (Ok(()), Offset::Offset(end)) => Some((TopicPartition::new(it.topic(), it.partition()), end)),
                _ => None,
            });
            Ok(known.collect())
        })
    }
}
