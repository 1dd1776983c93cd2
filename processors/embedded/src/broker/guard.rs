//! A check in front of the codec: it makes room for as many elements as an array claims to have
//! before it reads any, so a few bytes of garbage could ask for more memory than there is. This walks
//! over a request's lengths first and refuses those that the bytes do not bear out.

use kafka_protocol::messages::ApiKey;

/// Array elements in one request; each costs far more memory than the bytes it came in.
const MAX_ELEMENTS: usize = 250_000;
const ANY: i16 = i16::MAX;

/// A field, with the versions that have it.
enum Field {
    /// A number of bytes.
    Fixed(i16, i16, usize),
    /// Text, nullable or not.
    Text(i16, i16),
    /// Bytes, nullable or not.
    Blob(i16, i16),
    /// An array of numbers of so many bytes.
    Numbers(i16, i16, usize),
    /// An array of text.
    Texts(i16, i16),
    /// An array of structures.
    Structs(i16, i16, &'static [Field]),
}
use Field::{Blob, Fixed, Numbers, Structs, Text, Texts};

/// A request: the version from which on it is flexible (compact lengths, tagged fields), its fields.
struct Shape(i16, &'static [Field]);

const TXN_PARTITIONS: &[Field] = &[Text(0, ANY), Numbers(0, ANY, 4)];
const NAME_AND_VALUE: &[Field] = &[Text(0, ANY), Text(0, ANY)];

fn shape(key: ApiKey) -> Option<Shape> {
    Some(match key {
        ApiKey::Produce => Shape(
            9,
            &[
                Text(3, ANY),
                Fixed(0, ANY, 6),
                Structs(0, ANY, &[Text(0, 12), Structs(0, ANY, &[Fixed(0, ANY, 4), Blob(0, ANY)])]),
            ],
        ),
        ApiKey::Fetch => Shape(
            12,
            &[
                Fixed(0, 14, 4),
                Fixed(0, ANY, 13),
                Fixed(7, ANY, 8),
                Structs(
                    0,
                    ANY,
                    &[
                        Text(0, 12),
                        Fixed(13, ANY, 16),
                        Structs(
                            0,
                            ANY,
                            &[
                                Fixed(0, ANY, 4),
                                Fixed(9, ANY, 4),
                                Fixed(0, ANY, 8),
                                Fixed(12, ANY, 4),
                                Fixed(5, ANY, 8),
                                Fixed(0, ANY, 4),
                            ],
                        ),
                    ],
                ),
                Structs(7, ANY, &[Text(0, 12), Fixed(13, ANY, 16), Numbers(0, ANY, 4)]),
                Text(11, ANY),
            ],
        ),
        ApiKey::ListOffsets => Shape(
            6,
            &[
                Fixed(0, ANY, 4),
                Fixed(2, ANY, 1),
                Structs(
                    0,
                    ANY,
                    &[Text(0, ANY), Structs(0, ANY, &[Fixed(0, ANY, 4), Fixed(4, ANY, 4), Fixed(0, ANY, 8)])],
                ),
                Fixed(10, ANY, 4),
            ],
        ),
        ApiKey::Metadata => Shape(
            9,
            &[
                Structs(0, ANY, &[Fixed(10, ANY, 16), Text(0, ANY)]),
                Fixed(4, ANY, 1),
                Fixed(8, 10, 1),
                Fixed(8, ANY, 1),
            ],
        ),
        ApiKey::OffsetCommit => Shape(
            8,
            &[
                Text(0, ANY),
                Fixed(1, ANY, 4),
                Text(0, ANY),
                Text(7, ANY),
                Fixed(2, 4, 8),
                Structs(
                    0,
                    ANY,
                    &[Text(0, ANY), Structs(0, ANY, &[Fixed(0, ANY, 12), Fixed(6, ANY, 4), Text(0, ANY)])],
                ),
            ],
        ),
        ApiKey::OffsetFetch => Shape(
            6,
            &[
                Text(0, 7),
                Structs(0, 7, TXN_PARTITIONS),
                Structs(
                    8,
                    ANY,
                    &[Text(0, ANY), Text(9, ANY), Fixed(9, ANY, 4), Structs(0, ANY, TXN_PARTITIONS)],
                ),
                Fixed(7, ANY, 1),
            ],
        ),
        ApiKey::FindCoordinator => Shape(3, &[Text(0, 3), Fixed(1, ANY, 1), Texts(4, ANY)]),
        ApiKey::JoinGroup => Shape(
            6,
            &[
                Text(0, ANY),
                Fixed(0, ANY, 4),
                Fixed(1, ANY, 4),
                Text(0, ANY),
                Text(5, ANY),
                Text(0, ANY),
                Structs(0, ANY, &[Text(0, ANY), Blob(0, ANY)]),
                Text(8, ANY),
            ],
        ),
        ApiKey::Heartbeat => Shape(4, &[Text(0, ANY), Fixed(0, ANY, 4), Text(0, ANY), Text(3, ANY)]),
        ApiKey::LeaveGroup => Shape(
            4,
            &[Text(0, ANY), Text(0, 2), Structs(3, ANY, &[Text(0, ANY), Text(0, ANY), Text(5, ANY)])],
        ),
        ApiKey::SyncGroup => Shape(
            4,
            &[
                Text(0, ANY),
                Fixed(0, ANY, 4),
                Text(0, ANY),
                Text(3, ANY),
                Text(5, ANY),
                Text(5, ANY),
                Structs(0, ANY, &[Text(0, ANY), Blob(0, ANY)]),
            ],
        ),
        ApiKey::DescribeGroups => Shape(5, &[Texts(0, ANY), Fixed(3, ANY, 1)]),
        ApiKey::ListGroups => Shape(3, &[Texts(4, ANY), Texts(5, ANY)]),
        ApiKey::CreateTopics => Shape(
            5,
            &[
                Structs(
                    0,
                    ANY,
                    &[
                        Text(0, ANY),
                        Fixed(0, ANY, 6),
                        Structs(0, ANY, &[Fixed(0, ANY, 4), Numbers(0, ANY, 4)]),
                        Structs(0, ANY, NAME_AND_VALUE),
                    ],
                ),
                Fixed(0, ANY, 4),
                Fixed(1, ANY, 1),
            ],
        ),
        ApiKey::DeleteTopics => {
            Shape(4, &[Structs(6, ANY, &[Text(0, ANY), Fixed(0, ANY, 16)]), Texts(0, 5), Fixed(0, ANY, 4)])
        }
        ApiKey::DeleteRecords => Shape(
            2,
            &[Structs(0, ANY, &[Text(0, ANY), Structs(0, ANY, &[Fixed(0, ANY, 12)])]), Fixed(0, ANY, 4)],
        ),
        ApiKey::InitProducerId => Shape(2, &[Text(0, ANY), Fixed(0, ANY, 4), Fixed(3, ANY, 10)]),
        ApiKey::OffsetForLeaderEpoch => Shape(
            4,
            &[Fixed(3, ANY, 4), Structs(0, ANY, &[Text(0, ANY), Structs(0, ANY, &[Fixed(0, ANY, 12)])])],
        ),
        ApiKey::AddPartitionsToTxn => {
            Shape(3, &[Text(0, ANY), Fixed(0, ANY, 10), Structs(0, ANY, TXN_PARTITIONS)])
        }
        ApiKey::AddOffsetsToTxn => Shape(3, &[Text(0, ANY), Fixed(0, ANY, 10), Text(0, ANY)]),
        ApiKey::EndTxn => Shape(3, &[Text(0, ANY), Fixed(0, ANY, 11)]),
        ApiKey::TxnOffsetCommit => Shape(
            3,
            &[
                Text(0, ANY),
                Text(0, ANY),
                Fixed(0, ANY, 10),
                Fixed(3, ANY, 4),
                Text(3, ANY),
                Text(3, ANY),
                Structs(
                    0,
                    ANY,
                    &[Text(0, ANY), Structs(0, ANY, &[Fixed(0, ANY, 12), Fixed(2, ANY, 4), Text(0, ANY)])],
                ),
            ],
        ),
        ApiKey::DescribeConfigs => Shape(
            4,
            &[
                Structs(0, ANY, &[Fixed(0, ANY, 1), Text(0, ANY), Texts(0, ANY)]),
                Fixed(1, ANY, 1),
                Fixed(3, ANY, 1),
            ],
        ),
        ApiKey::AlterConfigs => Shape(
            2,
            &[
                Structs(0, ANY, &[Fixed(0, ANY, 1), Text(0, ANY), Structs(0, ANY, NAME_AND_VALUE)]),
                Fixed(0, ANY, 1),
            ],
        ),
        ApiKey::WriteTxnMarkers => Shape(
            1,
            &[Structs(0, ANY, &[Fixed(0, ANY, 11), Structs(0, ANY, TXN_PARTITIONS), Fixed(0, ANY, 4)])],
        ),
        ApiKey::DescribeLogDirs => Shape(2, &[Structs(0, ANY, TXN_PARTITIONS)]),
        ApiKey::CreatePartitions => Shape(
            2,
            &[
                Structs(0, ANY, &[Text(0, ANY), Fixed(0, ANY, 4), Structs(0, ANY, &[Numbers(0, ANY, 4)])]),
                Fixed(0, ANY, 5),
            ],
        ),
        ApiKey::DeleteGroups => Shape(2, &[Texts(0, ANY)]),
        ApiKey::IncrementalAlterConfigs => Shape(
            1,
            &[
                Structs(
                    0,
                    ANY,
                    &[
                        Fixed(0, ANY, 1),
                        Text(0, ANY),
                        Structs(0, ANY, &[Text(0, ANY), Fixed(0, ANY, 1), Text(0, ANY)]),
                    ],
                ),
                Fixed(0, ANY, 1),
            ],
        ),
        ApiKey::OffsetDelete => Shape(
            ANY,
            &[Text(0, ANY), Structs(0, ANY, &[Text(0, ANY), Structs(0, ANY, &[Fixed(0, ANY, 4)])])],
        ),
        ApiKey::DescribeCluster => Shape(0, &[Fixed(0, ANY, 1), Fixed(1, ANY, 1)]),
        ApiKey::DescribeProducers => Shape(0, &[Structs(0, ANY, TXN_PARTITIONS)]),
        ApiKey::DescribeTransactions => Shape(0, &[Texts(0, ANY)]),
        ApiKey::ListTransactions => Shape(0, &[Texts(0, ANY), Numbers(0, ANY, 8), Fixed(1, ANY, 8)]),
        _ => return None,
    })
}

/// How many tagged fields, counted from 0, the codec reads by itself. It does not look at the length that stands in front of
/// those, so they could make it take other bytes for lengths than were looked at here. Only replicas send them.
fn tags_read_by_codec(key: ApiKey) -> usize {
    match key {
        ApiKey::Fetch => 2,
        _ => 0,
    }
}

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
    /// Tagged fields with a lower number are refused.
    first_tag: usize,
    elements: usize,
}

impl Walk<'_> {
    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<usize> {
        let mut value: u64 = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = *self.rest.first()?;
            self.skip(1)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value).ok();
            }
        }
        None
    }

    /// A length; null counts as nothing.
    fn length(&mut self, width: usize) -> Option<usize> {
        if self.flexible {
            return self.varint().map(|length| length.saturating_sub(1));
        }
        let bytes = self.rest.get(..width)?;
        self.skip(width)?;
        let length = match *bytes {
            [a, b] => i32::from(i16::from_be_bytes([a, b])),
            [a, b, c, d] => i32::from_be_bytes([a, b, c, d]),
            _ => return None,
        };
        if length == -1 { Some(0) } else { usize::try_from(length).ok() }
    }

    fn count(&mut self) -> Option<usize> {
        let count = self.length(4)?;
        self.elements = self.elements.checked_add(count)?;
        (count <= self.rest.len() && self.elements <= MAX_ELEMENTS).then_some(count)
    }

    fn text(&mut self) -> Option<()> {
        let length = self.length(2)?;
        self.skip(length)
    }

    fn structure(&mut self, fields: &[Field]) -> Option<()> {
        for field in fields {
            let (min, max) = match field {
                Fixed(min, max, _) | Text(min, max) | Blob(min, max) => (min, max),
                Numbers(min, max, _) | Texts(min, max) | Structs(min, max, _) => (min, max),
            };
            if !(*min..=*max).contains(&self.version) {
                continue;
            }
            match field {
                Fixed(_, _, bytes) => self.skip(*bytes)?,
                Text(..) => self.text()?,
                Blob(..) => {
                    let length = self.length(4)?;
                    self.skip(length)?;
                }
                Numbers(_, _, bytes) => {
                    let count = self.count()?;
                    self.skip(count.checked_mul(*bytes)?)?;
                }
                Texts(..) => {
                    for _ in 0..self.count()? {
                        self.text()?;
                    }
                }
                Structs(_, _, inner) => {
                    for _ in 0..self.count()? {
                        self.structure(inner)?;
                    }
                }
            }
        }
        if self.flexible {
            for _ in 0..self.varint()? {
                if self.varint()? < self.first_tag {
                    return None;
                }
                let length = self.varint()?;
                self.skip(length)?;
            }
        }
        Some(())
    }
}

/// Bytes behind the last field; `None` when the lengths are impossible.
fn left_over(key: ApiKey, version: i16, body: &[u8]) -> Option<usize> {
    let Shape(flexible_from, fields) = shape(key)?;
    let flexible = version >= flexible_from;
    let mut walk = Walk { rest: body, version, flexible, first_tag: tags_read_by_codec(key), elements: 0 };
    walk.structure(fields)?;
    Some(walk.rest.len())
}

/// Whether a request may be given to the codec.
pub(crate) fn is_sound(key: ApiKey, version: i16, body: &[u8]) -> bool {
    left_over(key, version, body).is_some()
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use kafka_protocol::messages::*;
    use kafka_protocol::protocol::Encodable;

    use super::*;
    use crate::broker::versions::SUPPORTED;

    #[test]
    fn the_shapes_are_those_of_the_codec() {
        macro_rules! check {
            ($version:ident: $($key:ident => $request:expr),* $(,)?) => {
                for (key, min, max) in SUPPORTED {
                    for $version in *min..=*max {
                        let mut bytes = BytesMut::new();
                        match key {
                            ApiKey::ApiVersions => continue,
                            $(ApiKey::$key => $request.encode(&mut bytes, $version).unwrap(),)*
                            other => panic!("{other:?} is not covered"),
                        }
                        assert_eq!(left_over(*key, $version, &bytes), Some(0), "{key:?} v{}", $version);
                    }
                }
            };
        }
        check! { version:
            Produce => ProduceRequest::default().with_topic_data(vec![
                produce_request::TopicProduceData::default()
                    .with_partition_data(vec![produce_request::PartitionProduceData::default()]),
            ]),
            Fetch => FetchRequest::default()
                .with_topics(vec![
                    fetch_request::FetchTopic::default()
                        .with_partitions(vec![fetch_request::FetchPartition::default()]),
                ])
                .with_forgotten_topics_data(if version < 7 { Vec::new() } else {
                    vec![fetch_request::ForgottenTopic::default().with_partitions(vec![1, 2])]
                }),
            ListOffsets => ListOffsetsRequest::default().with_topics(vec![
                list_offsets_request::ListOffsetsTopic::default()
                    .with_partitions(vec![list_offsets_request::ListOffsetsPartition::default()]),
            ]),
            Metadata => MetadataRequest::default().with_topics(Some(vec![
                metadata_request::MetadataRequestTopic::default()
                    .with_name(Some(TopicName::default())),
            ])),
            OffsetCommit => OffsetCommitRequest::default().with_topics(vec![
                offset_commit_request::OffsetCommitRequestTopic::default().with_partitions(vec![
                    offset_commit_request::OffsetCommitRequestPartition::default(),
                ]),
            ]),
            OffsetFetch => OffsetFetchRequest::default(),
            FindCoordinator => FindCoordinatorRequest::default(),
            JoinGroup => JoinGroupRequest::default()
                .with_protocols(vec![join_group_request::JoinGroupRequestProtocol::default()]),
            Heartbeat => HeartbeatRequest::default(),
            LeaveGroup => LeaveGroupRequest::default(),
            SyncGroup => SyncGroupRequest::default()
                .with_assignments(vec![sync_group_request::SyncGroupRequestAssignment::default()]),
            DescribeGroups => DescribeGroupsRequest::default().with_groups(vec![GroupId::default()]),
            ListGroups => ListGroupsRequest::default(),
            CreateTopics => CreateTopicsRequest::default().with_topics(vec![
                create_topics_request::CreatableTopic::default()
                    .with_assignments(vec![
                        create_topics_request::CreatableReplicaAssignment::default(),
                    ])
                    .with_configs(vec![create_topics_request::CreatableTopicConfig::default()]),
            ]),
            DeleteTopics => DeleteTopicsRequest::default(),
            DeleteRecords => DeleteRecordsRequest::default().with_topics(vec![
                delete_records_request::DeleteRecordsTopic::default().with_partitions(vec![
                    delete_records_request::DeleteRecordsPartition::default(),
                ]),
            ]),
            InitProducerId => InitProducerIdRequest::default(),
            OffsetForLeaderEpoch => OffsetForLeaderEpochRequest::default().with_topics(vec![
                offset_for_leader_epoch_request::OffsetForLeaderTopic::default().with_partitions(
                    vec![offset_for_leader_epoch_request::OffsetForLeaderPartition::default()],
                ),
            ]),
            AddPartitionsToTxn => AddPartitionsToTxnRequest::default()
                .with_v3_and_below_topics(vec![
                    add_partitions_to_txn_request::AddPartitionsToTxnTopic::default()
                        .with_partitions(vec![1, 2]),
                ]),
            AddOffsetsToTxn => AddOffsetsToTxnRequest::default(),
            EndTxn => EndTxnRequest::default(),
            TxnOffsetCommit => TxnOffsetCommitRequest::default().with_topics(vec![
                txn_offset_commit_request::TxnOffsetCommitRequestTopic::default().with_partitions(
                    vec![txn_offset_commit_request::TxnOffsetCommitRequestPartition::default()],
                ),
            ]),
            DescribeConfigs => DescribeConfigsRequest::default().with_resources(vec![
                describe_configs_request::DescribeConfigsResource::default(),
            ]),
            AlterConfigs => AlterConfigsRequest::default().with_resources(vec![
                alter_configs_request::AlterConfigsResource::default()
                    .with_configs(vec![alter_configs_request::AlterableConfig::default()]),
            ]),
            CreatePartitions => CreatePartitionsRequest::default().with_topics(vec![
                create_partitions_request::CreatePartitionsTopic::default().with_assignments(Some(
                    vec![create_partitions_request::CreatePartitionsAssignment::default()],
                )),
            ]),
            DeleteGroups => DeleteGroupsRequest::default().with_groups_names(vec![GroupId::default()]),
            IncrementalAlterConfigs => IncrementalAlterConfigsRequest::default().with_resources(vec![
                incremental_alter_configs_request::AlterConfigsResource::default().with_configs(
                    vec![incremental_alter_configs_request::AlterableConfig::default()],
                ),
            ]),
            OffsetDelete => OffsetDeleteRequest::default().with_topics(vec![
                offset_delete_request::OffsetDeleteRequestTopic::default().with_partitions(vec![
                    offset_delete_request::OffsetDeleteRequestPartition::default(),
                ]),
            ]),
            WriteTxnMarkers => WriteTxnMarkersRequest::default().with_markers(vec![
                write_txn_markers_request::WritableTxnMarker::default().with_topics(vec![
                    write_txn_markers_request::WritableTxnMarkerTopic::default()
                        .with_partition_indexes(vec![1, 2]),
                ]),
            ]),
            DescribeLogDirs => DescribeLogDirsRequest::default().with_topics(Some(vec![
                describe_log_dirs_request::DescribableLogDirTopic::default().with_partitions(vec![1]),
            ])),
            DescribeCluster => DescribeClusterRequest::default(),
            DescribeProducers => DescribeProducersRequest::default().with_topics(vec![
                describe_producers_request::TopicRequest::default().with_partition_indexes(vec![1]),
            ]),
            DescribeTransactions => DescribeTransactionsRequest::default()
                .with_transactional_ids(vec![TransactionalId::default()]),
            ListTransactions => ListTransactionsRequest::default(),
        }
    }

    #[test]
    fn a_field_that_the_codec_reads_past_its_length_is_refused() {
        for (tag, is_sound) in [(0, false), (1, false), (2, true)] {
            let mut bytes = BytesMut::new();
            FetchRequest::default().encode(&mut bytes, 17).unwrap();
            // one tagged field, of no bytes by its length
            assert_eq!(bytes.split_off(bytes.len() - 1), [0][..], "the number of tagged fields stands last");
            bytes.extend_from_slice(&[1, tag, 0]);
            assert_eq!(super::is_sound(ApiKey::Fetch, 17, &bytes), is_sound, "tag {tag}");
        }
    }

    #[test]
    fn an_array_of_billions_is_refused() {
        assert!(!is_sound(ApiKey::Metadata, 1, &[0x7f, 0xff, 0xff, 0xff]));
        assert!(!is_sound(ApiKey::Metadata, 12, &[0xff, 0xff, 0xff, 0xff, 0x0f]));
    }
}
