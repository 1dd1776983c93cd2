//! What the fuzz targets call: everything of the broker that reads bytes of others, or of a disk.

use std::path::Path;
use std::time::Instant;

use bytes::{Buf as _, Bytes};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Decodable as _;

use super::config::TopicSettings;
use super::coordinator::group::Group;
use super::storage::batch::{BatchHeader, HEADER_LEN, stamped_header, with_records};
use super::storage::flusher::Flusher;
use super::storage::index;
use super::storage::metalog::{self, MetaLog};
use super::storage::read::read_batches;
use super::storage::records::{Records, compressed, decompressed};
use super::storage::segment::segment_path;
use super::storage::survey::survey;
use super::storage::validate::validate_produced;

use super::{guard, versions};

/// Reads a request as a connection does: header, guard, body.
pub fn request(frame: &[u8]) {
    let mut body = Bytes::copy_from_slice(frame);
    if body.len() < 8 {
        return;
    }
    let mut peek = body.slice(..4);
    let Ok(key) = ApiKey::try_from(peek.get_i16()) else { return };
    let version = peek.get_i16();
    if !versions::is_supported(key, version) {
        return;
    }
    if RequestHeader::decode(&mut body, key.request_header_version(version)).is_err() {
        return;
    }
    if key != ApiKey::ApiVersions && !guard::is_sound(key, version, &body) {
        return;
    }
    macro_rules! read {
        ($($key:ident => $request:ident),* $(,)?) => {
            match key {
                // Its body is not read.
                ApiKey::ApiVersions => {}
                $(ApiKey::$key => drop($request::decode(&mut body, version)),)*
                other => panic!("{other:?} is answered, but not fuzzed"),
            }
        };
    }
    read! {
        Produce => ProduceRequest, Fetch => FetchRequest, ListOffsets => ListOffsetsRequest,
        Metadata => MetadataRequest, OffsetCommit => OffsetCommitRequest, OffsetFetch => OffsetFetchRequest,
        FindCoordinator => FindCoordinatorRequest, JoinGroup => JoinGroupRequest,
        Heartbeat => HeartbeatRequest, LeaveGroup => LeaveGroupRequest, SyncGroup => SyncGroupRequest,
        DescribeGroups => DescribeGroupsRequest, ListGroups => ListGroupsRequest,
        CreateTopics => CreateTopicsRequest, DeleteTopics => DeleteTopicsRequest,
        DeleteRecords => DeleteRecordsRequest, InitProducerId => InitProducerIdRequest,
        OffsetForLeaderEpoch => OffsetForLeaderEpochRequest, AddPartitionsToTxn => AddPartitionsToTxnRequest,
        AddOffsetsToTxn => AddOffsetsToTxnRequest, EndTxn => EndTxnRequest,
        TxnOffsetCommit => TxnOffsetCommitRequest, DescribeConfigs => DescribeConfigsRequest,
        AlterConfigs => AlterConfigsRequest, CreatePartitions => CreatePartitionsRequest,
        DeleteGroups => DeleteGroupsRequest, IncrementalAlterConfigs => IncrementalAlterConfigsRequest,
        OffsetDelete => OffsetDeleteRequest, DescribeCluster => DescribeClusterRequest,
        DescribeProducers => DescribeProducersRequest, DescribeTransactions => DescribeTransactionsRequest,
        ListTransactions => ListTransactionsRequest, DescribeLogDirs => DescribeLogDirsRequest,
        WriteTxnMarkers => WriteTxnMarkersRequest,
    }
}

/// Gives a batch the length and the checksum of its bytes, without which nothing behind them is reached.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut batch = bytes.to_vec();
    if batch.len() >= HEADER_LEN {
        let length = (batch.len() - 12) as i32;
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        batch[16] = 2;
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    batch
}

/// Checks a batch as a produced one, for a compacted topic and another; what passes can be read by all who read batches.
///
/// It gets the length and the checksum of its bytes if the first byte is odd.
pub fn batch(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let bytes = if first & 1 == 1 { sealed(rest) } else { rest.to_vec() };
    for policy in ["delete", "compact"] {
        // Small, so that a bomb is refused early and there is time for other inputs.
        let overrides = [("cleanup.policy", policy), ("max.message.bytes", "1024")];
        let overrides = overrides.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let settings = TopicSettings::from_overrides(&overrides);
        let Ok(header) = validate_produced(&bytes, &settings) else { continue };
        let limit = settings.max_records_bytes();
        let records = decompressed(&bytes, &header, limit).expect("a batch that passed can be decompressed");
        let count =
            Records::new(&records).inspect(|record| assert!(record.is_ok(), "a record that passed")).count();
        assert_eq!(i32::try_from(count).ok(), Some(header.record_count));
        let again = compressed(&records, &header).expect("what was decompressed can be compressed");
        let rewritten = with_records(&bytes, &again, header.record_count);
        let mut stamped = stamped_header(&rewritten, 0, header.max_timestamp, None).to_vec();
        stamped.extend_from_slice(&rewritten[HEADER_LEN..]);
        assert!(validate_produced(&stamped, &settings).is_ok(), "what compaction writes passes as well");
    }
}

/// Opens a metadata log with these bytes in `dir`, an empty folder.
///
/// Each entry gets a good checksum if the first byte is odd; it is opened as a file if the second bit of it is set.
pub fn metadata(dir: &Path, bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let mut content = b"MRMETA01".to_vec();
    content.extend_from_slice(rest);
    if first & 1 == 1 {
        let mut at = 8;
        while let Some(head) = content.get(at..at + 8) {
            let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
            let from = at + 8;
            let Some(entry) = content.get(from..from.saturating_add(length)) else { break };
            let crc = crc32c::crc32c(entry);
            content[at + 4..at + 8].copy_from_slice(&crc.to_be_bytes());
            at = from + length;
        }
    }
    let Ok(reading) = metalog::read(&content) else { return };
    let entries = reading.state.entries();
    let again = metalog::read(&content[..reading.intact]).map(|again| again.state.entries());
    assert!(again.is_ok_and(|again| again == entries), "it reads as it is left");
    // Groups are made of it, and producer ids.
    for (id, group) in &reading.state.groups {
        let _ = Group::restored(id, group, Instant::now());
    }
    let path = dir.join("metadata.log");
    // As files only where the input asks for it: they take fifty times as long.
    if first & 2 == 2 && std::fs::write(&path, &content).is_ok() {
        let opened = MetaLog::open(&path, reading, &dir.join("set-aside"), Flusher::idle());
        assert!(opened.is_ok(), "what was read can be opened");
        let again = metalog::read_file(&path).map(|again| again.state.entries());
        assert!(again.is_ok_and(|again| again == entries), "it opens as it was left");
        empty(dir);
    }
}

fn empty(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    }
}

/// Opens the log in `dir`, an empty folder, whose only segment has these bytes; reads it as fetches do.
///
/// Each batch gets a good checksum if the first byte is odd.
pub fn log(dir: &Path, bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let mut content = rest.to_vec();
    if first & 1 == 1 {
        seal_batches(&mut content);
    }
    if std::fs::write(segment_path(dir, 0), &content).is_ok() {
        open_log(dir, true);
    }
    empty(dir);
}

/// Gives each batch the checksum of its bytes.
fn seal_batches(content: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = content.get(at..).and_then(BatchHeader::parse) {
        let end = at + header.total_len();
        let Some(batch) = content.get_mut(at..end) else { break };
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        at = end;
    }
}

/// Opens a log whose segment has an index and a snapshot of its producers: for each two bytes with its length and as
/// many, and the segment behind them.
///
/// All of them get good checksums if the first byte is odd.
pub fn side_files(dir: &Path, bytes: &[u8]) {
    let Some((first, mut rest)) = bytes.split_first() else { return };
    let mut take = || {
        let (length, behind) = rest.split_first_chunk().unwrap_or((&[0; 2], rest));
        let (taken, left) = behind.split_at(behind.len().min(usize::from(u16::from_be_bytes(*length))));
        rest = left;
        taken.to_vec()
    };
    let (mut index, mut snapshot) = (take(), take());
    let mut content = rest.to_vec();
    if first & 1 == 1 {
        seal_batches(&mut content);
        if let Some(content) = index.len().checked_sub(4) {
            let crc = crc32c::crc32c(&index[..content]);
            index[content..].copy_from_slice(&crc.to_be_bytes());
        }
        if let Some((crc, content)) = snapshot.split_first_chunk_mut::<4>() {
            *crc = crc32c::crc32c(content).to_be_bytes();
        }
    }
    let segment = segment_path(dir, 0);
    let at = index::parse(&index).map_or(0, |summary| summary.next_offset);
    let written = std::fs::write(&segment, &content)
        .and_then(|()| std::fs::write(segment.with_extension("index"), &index))
        .and_then(|()| std::fs::write(dir.join(format!("{at:020}.snapshot")), &snapshot));
    if written.is_ok() {
        open_log(dir, false);
    }
    empty(dir);
}

/// Opens the log in `dir` and reads it as fetches do. It must hang together if all of it `is_read`; what an index with a
/// good checksum says is believed.
fn open_log(dir: &Path, is_read: bool) {
    let Ok(found) = survey(dir, 0) else { return };
    let log = found.settle(&dir.join("set-aside")).expect("what was found can be settled");
    let end = log.next_offset();
    let stable = log.last_stable_offset();
    assert!(!is_read || stable <= end, "{stable} is stable, but the log ends at {end}");
    for offset in [0, end / 2, end.saturating_sub(1)] {
        if let Some(plan) = log.plan_read(offset) {
            let read = read_batches(&plan, offset, end, 4096, true);
            assert!(!is_read || read.is_ok(), "{read:?}");
        }
    }
    let _ = log.producers.aborted_between(0, end);
    assert!(log.checkpoint().is_ok());
    let again = survey(dir, 0).and_then(|found| found.settle(&dir.join("set-aside")));
    let again = again.map(|log| log.next_offset());
    assert!(!is_read || again.ok() == Some(end), "a log that was opened opens again");
}
