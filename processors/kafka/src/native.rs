//! What rdkafka has no safe call for. The only module with `unsafe`.
//!
//! - Events of a consumer with their offsets: rdkafka's `poll` reports the end of a partition
//!   without the offset at which it was found, and without the topic.
//! - The position past transaction markers, for one partition.
//! - A group's metadata with a look at the generation inside, and its use in a transaction.
//! - A wake-up when a producer has something to report, for whoever waits for more than that.
//! - A flush that returns the moment the last delivery is acknowledged.
//! - Incremental changes of a topic's configuration.
//! - Groups of either protocol as their coordinators describe them, and all that they have committed.
//!
//! Every pointer taken here is given back by the `Drop` of the value that holds it, and no value
//! outlives its client: each borrows it or keeps it beside itself, dropped later.

mod bell;
pub(crate) mod groups;
mod produce;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::slice;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka_sys as sys;
use rdkafka_sys::rd_kafka_resp_err_t as Resp;

pub(crate) use self::bell::Bell;
pub(crate) use self::produce::Topic;

/// A client's handle, valid as long as the rdkafka client it came from.
pub(crate) type Handle = *mut sys::rd_kafka_t;

/// The queue on which a consumer's records, errors and log lines arrive.
pub(crate) struct ConsumerQueue(*mut sys::rd_kafka_queue_t);

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for ConsumerQueue {}

impl ConsumerQueue {
    /// The queue of `client`; it must be dropped before the client is.
    pub(crate) fn of(client: Handle) -> Option<Self> {
        // SAFETY: the handle is valid; the call gives a new reference or null.
        let queue = unsafe { sys::rd_kafka_queue_get_consumer(client) };
        (!queue.is_null()).then(|| Self(queue))
    }

    /// The queue of `client`, also of one without a group; it must be dropped before the client is.
    pub(crate) fn of_any(client: Handle) -> Option<Self> {
        let main = || {
            // SAFETY: the handle is valid; the call gives a new reference or null.
            let queue = unsafe { sys::rd_kafka_queue_get_main(client) };
            (!queue.is_null()).then(|| Self(queue))
        };
        Self::of(client).or_else(main)
    }

    /// The next event, waiting up to `wait`.
    pub(crate) fn poll(&self, wait: Duration) -> Option<QueueEvent> {
        // SAFETY: the queue is valid until dropped; the event is ours.
        let event = unsafe { sys::rd_kafka_queue_poll(self.0, millis(wait)) };
        (!event.is_null()).then(|| QueueEvent(event))
    }
}

impl Drop for ConsumerQueue {
    fn drop(&mut self) {
        // SAFETY: gives back the reference taken in `of`.
        unsafe { sys::rd_kafka_queue_destroy(self.0) }
    }
}

/// One event, freed when dropped.
pub(crate) struct QueueEvent(*mut sys::rd_kafka_event_t);

/// What an event says; borrowed parts live as long as the event.
pub(crate) enum Seen<'a> {
    /// A record.
    Record(RawRecord<'a>),
    /// An error, about a partition or the client as a whole.
    Error { code: RDKafkaErrorCode, message: String, place: Option<(String, i32, i64)> },
    /// A log line.
    Log(RDKafkaLogLevel, String, String),
    /// Something of no interest here.
    Other,
}

/// A record in librdkafka's memory.
pub(crate) struct RawRecord<'a> {
    pub topic: &'a [u8],
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    message: *const sys::rd_kafka_message_t,
}

impl QueueEvent {
    /// What it says.
    pub(crate) fn seen(&self) -> Seen<'_> {
        // SAFETY: the event is valid until dropped, and all that is borrowed from it has its
        // lifetime. Strings are NUL-terminated, as librdkafka documents.
        unsafe {
            match sys::rd_kafka_event_type(self.0) {
                sys::RD_KAFKA_EVENT_FETCH => self.record().map_or(Seen::Other, Seen::Record),
                sys::RD_KAFKA_EVENT_ERROR => self.error(),
                sys::RD_KAFKA_EVENT_LOG => self.log(),
                _ => Seen::Other,
            }
        }
    }

    unsafe fn record(&self) -> Option<RawRecord<'_>> {
        unsafe {
            let message = sys::rd_kafka_event_message_next(self.0);
            let fields = message.as_ref()?;
            let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
            Some(RawRecord {
                topic: CStr::from_ptr(sys::rd_kafka_topic_name(fields.rkt)).to_bytes(),
                partition: fields.partition,
                offset: fields.offset,
                timestamp_ms: sys::rd_kafka_message_timestamp(message, &mut kind),
                key: bytes(fields.key, fields.key_len),
                value: bytes(fields.payload, fields.len),
                message,
            })
        }
    }

    unsafe fn error(&self) -> Seen<'_> {
        unsafe {
            let code = sys::rd_kafka_event_error(self.0).into();
            let message = text(sys::rd_kafka_event_error_string(self.0));
            let place = sys::rd_kafka_event_topic_partition(self.0);
            let place = place.as_mut().map(|it| {
                let found = (text(it.topic), it.partition, it.offset);
                sys::rd_kafka_topic_partition_destroy(it);
                found
            });
            Seen::Error { code, message, place }
        }
    }

    unsafe fn log(&self) -> Seen<'_> {
        let mut facility: *const c_char = ptr::null();
        let mut line: *const c_char = ptr::null();
        let mut level: c_int = 0;
        unsafe {
            if sys::rd_kafka_event_log(self.0, &mut facility, &mut line, &mut level) != 0 {
                return Seen::Other;
            }
            Seen::Log(log_level(level), text(facility), text(line))
        }
    }
}

impl Drop for QueueEvent {
    fn drop(&mut self) {
        // SAFETY: the event is ours and nothing borrowed from it is left.
        unsafe { sys::rd_kafka_event_destroy(self.0) }
    }
}

impl RawRecord<'_> {
    /// Calls `each` with every header in order; a header without a value counts as empty.
    pub(crate) fn for_headers(&self, mut each: impl FnMut(&str, &[u8])) {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is valid as long as its event; names and values belong to it.
        unsafe {
            if sys::rd_kafka_message_headers(self.message, &mut headers) != Resp::RD_KAFKA_RESP_ERR_NO_ERROR {
                return;
            }
            for index in 0.. {
                let mut name = ptr::null();
                let mut value = ptr::null();
                let mut size = 0;
                let found = sys::rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut size);
                if found != Resp::RD_KAFKA_RESP_ERR_NO_ERROR {
                    return;
                }
                each(&CStr::from_ptr(name).to_string_lossy(), bytes(value, size).unwrap_or_default());
            }
        }
    }
}

/// Up to where the application has read a partition, markers of transactions included.
pub(crate) fn position(client: Handle, topic: &str, partition: i32) -> Option<i64> {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition(topic, partition);
    // SAFETY: client and list are valid; the call only fills in offsets.
    let answer = unsafe { sys::rd_kafka_position(client, list.ptr()) };
    if answer != Resp::RD_KAFKA_RESP_ERR_NO_ERROR {
        return None;
    }
    let offset = list.elements().first().and_then(|it| it.offset().to_raw());
    offset.filter(|it| *it >= 0)
}

/// Waits until every record handed to a producer has been acknowledged, or for `wait`.
///
/// Unlike rdkafka's `flush`, which looks every 100 ms, it returns the moment it is done. Reports that nobody has read
/// yet count as outstanding, so it needs `delivery.report.only.error` or another thread that reads them.
pub(crate) fn flush(producer: Handle, wait: Duration) -> bool {
    // SAFETY: the handle is valid.
    unsafe { sys::rd_kafka_flush(producer, millis(wait)) == Resp::RD_KAFKA_RESP_ERR_NO_ERROR }
}

/// Asks who the brokers are and for no topic, which makes the client connect; whether one has answered within `wait`.
pub(crate) fn ask_for_brokers(client: Handle, wait: Duration) -> bool {
    let mut answer = ptr::null();
    // SAFETY: the handle is valid; no topic is given; the answer, if there is one, is ours to free.
    unsafe {
        let asked = sys::rd_kafka_metadata(client, 0, ptr::null_mut(), &mut answer, millis(wait));
        if !answer.is_null() {
            sys::rd_kafka_metadata_destroy(answer);
        }
        asked == Resp::RD_KAFKA_RESP_ERR_NO_ERROR
    }
}

/// A group's metadata as one member knows it at one moment.
pub(crate) struct GroupToken(*mut sys::rd_kafka_consumer_group_metadata_t);

/// Why a call inside a transaction failed.
pub(crate) struct TransactionError {
    pub code: RDKafkaErrorCode,
    pub message: String,
}

impl GroupToken {
    /// What the consumer knows now.
    pub(crate) fn of(consumer: Handle) -> Option<Self> {
        // SAFETY: the handle is valid; the call gives an object of ours or null.
        let token = unsafe { sys::rd_kafka_consumer_group_metadata(consumer) };
        (!token.is_null()).then(|| Self(token))
    }

    /// Metadata that names the group alone. The broker checks nothing but that the group is there.
    pub(crate) fn nameless(group_id: &str) -> Option<Self> {
        let group_id = CString::new(group_id).ok()?;
        // SAFETY: the string is valid and copied; the call gives an object of ours or null.
        let token = unsafe { sys::rd_kafka_consumer_group_metadata_new(group_id.as_ptr()) };
        (!token.is_null()).then(|| Self(token))
    }

    /// The member's name.
    pub(crate) fn member(&self) -> String {
        // SAFETY: the object is ours; the string belongs to it.
        unsafe { text(sys::rd_kafka_consumer_group_metadata_member_id(self.0)) }
    }

    /// Whether it names a member. The broker takes one that does not for a stranger to groups and
    /// checks nothing, so it must not be sent by one that has not retired.
    pub(crate) fn is_member(&self) -> bool {
        // SAFETY: the object is ours; the strings belong to it.
        unsafe {
            let member = sys::rd_kafka_consumer_group_metadata_member_id(self.0);
            self.generation() >= 0 && !member.is_null() && *member != 0
        }
    }

    /// The generation of the group.
    pub(crate) fn generation(&self) -> i32 {
        // SAFETY: the object is ours.
        unsafe { sys::rd_kafka_consumer_group_metadata_generation_id(self.0) }
    }

    /// Makes `offsets` part of the producer's transaction.
    pub(crate) fn send_offsets(
        &self,
        producer: Handle,
        offsets: &TopicPartitionList,
        wait: Duration,
    ) -> Result<(), TransactionError> {
        // SAFETY: all three are valid and only read; the error is ours to free.
        unsafe {
            let error =
                sys::rd_kafka_send_offsets_to_transaction(producer, offsets.ptr(), self.0, millis(wait));
            if error.is_null() {
                return Ok(());
            }
            let found = TransactionError {
                code: sys::rd_kafka_error_code(error).into(),
                message: text(sys::rd_kafka_error_string(error)),
            };
            sys::rd_kafka_error_destroy(error);
            Err(found)
        }
    }
}

impl Drop for GroupToken {
    fn drop(&mut self) {
        // SAFETY: the object is ours.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(self.0) }
    }
}

/// Sets some configuration values of a topic and leaves the others as they are, which rdkafka's
/// `alter_configs` does not.
pub(crate) fn set_topic_configs(
    client: Handle,
    topic: &str,
    values: &[(&str, &str)],
    wait: Duration,
) -> Result<(), TransactionError> {
    let invalid =
        |what: &str| TransactionError { code: RDKafkaErrorCode::InvalidArgument, message: what.to_owned() };
    let topic = CString::new(topic).map_err(|_| invalid("a topic's name holds a NUL"))?;
    let mut pairs = Vec::with_capacity(values.len());
    for (name, value) in values {
        match (CString::new(*name), CString::new(*value)) {
            (Ok(name), Ok(value)) => pairs.push((name, value)),
            _ => return Err(invalid("a configuration value holds a NUL")),
        }
    }
    // SAFETY: objects made here are freed here; the strings live until the end of the function, and
    // librdkafka copies them; the result belongs to the event, read before it is dropped.
    unsafe {
        let mut resource = sys::rd_kafka_ConfigResource_new(
            sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC,
            topic.as_ptr(),
        );
        if resource.is_null() {
            return Err(invalid("not a topic's name"));
        }
        for (name, value) in &pairs {
            let error = sys::rd_kafka_ConfigResource_add_incremental_config(
                resource,
                name.as_ptr(),
                sys::rd_kafka_AlterConfigOpType_t::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET,
                value.as_ptr(),
            );
            if !error.is_null() {
                sys::rd_kafka_error_destroy(error);
                sys::rd_kafka_ConfigResource_destroy(resource);
                return Err(invalid("not a configuration value"));
            }
        }
        let queue = sys::rd_kafka_queue_new(client);
        sys::rd_kafka_IncrementalAlterConfigs(client, &mut resource, 1, ptr::null(), queue);
        sys::rd_kafka_ConfigResource_destroy(resource);
        let answer = sys::rd_kafka_queue_poll(queue, millis(wait));
        let result = match answer.is_null() {
            true => Err(TransactionError {
                code: RDKafkaErrorCode::OperationTimedOut,
                message: "no answer".to_owned(),
            }),
            false => altered(&QueueEvent(answer)),
        };
        sys::rd_kafka_queue_destroy(queue);
        result
    }
}

unsafe fn altered(event: &QueueEvent) -> Result<(), TransactionError> {
    unsafe {
        let whole = sys::rd_kafka_event_error(event.0);
        if whole != Resp::RD_KAFKA_RESP_ERR_NO_ERROR {
            let message = text(sys::rd_kafka_event_error_string(event.0));
            return Err(TransactionError { code: whole.into(), message });
        }
        let result = sys::rd_kafka_event_IncrementalAlterConfigs_result(event.0);
        let mut count = 0;
        let resources = sys::rd_kafka_IncrementalAlterConfigs_result_resources(result, &mut count);
        for index in 0..count {
            let resource = *resources.add(index);
            let code = sys::rd_kafka_ConfigResource_error(resource);
            if code != Resp::RD_KAFKA_RESP_ERR_NO_ERROR {
                let message = text(sys::rd_kafka_ConfigResource_error_string(resource));
                return Err(TransactionError { code: code.into(), message });
            }
        }
        Ok(())
    }
}

/// Bytes that may be absent.
///
/// # Safety
/// `data` is null or points to `size` bytes that live for `'a`.
unsafe fn bytes<'a>(data: *const c_void, size: usize) -> Option<&'a [u8]> {
    if data.is_null() {
        return None;
    }
    Some(unsafe { slice::from_raw_parts(data.cast::<u8>(), size) })
}

/// A copy of a C string; null counts as empty.
///
/// # Safety
/// `line` is null or NUL-terminated.
unsafe fn text(line: *const c_char) -> String {
    if line.is_null() {
        return String::new();
    }
    unsafe { CStr::from_ptr(line) }.to_string_lossy().trim().to_owned()
}

fn millis(wait: Duration) -> c_int {
    // rounded up, so that a short wait is not a busy loop
    c_int::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX)
}

fn log_level(level: c_int) -> RDKafkaLogLevel {
    match level {
        0 => RDKafkaLogLevel::Emerg,
        1 => RDKafkaLogLevel::Alert,
        2 => RDKafkaLogLevel::Critical,
        3 => RDKafkaLogLevel::Error,
        4 => RDKafkaLogLevel::Warning,
        5 => RDKafkaLogLevel::Notice,
        6 => RDKafkaLogLevel::Info,
        _ => RDKafkaLogLevel::Debug,
    }
}
