//! `librdkafka`'s batch calls, which `rdkafka` does not have. The only file with `unsafe`.

use std::ffi::{CStr, CString, c_char, c_int};
use std::mem;
use std::ptr;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use rdkafka_sys as sys;
use rdkafka_sys::rd_kafka_resp_err_t::{RD_KAFKA_RESP_ERR__PARTITION_EOF, RD_KAFKA_RESP_ERR_NO_ERROR};

use crate::Fault;
use crate::copy::Places;

/// Room for what the client says when it refuses its settings.
const ERROR_LENGTH: usize = 512;

/// One partition's records, taken many at a time.
pub struct Queue {
    queue: *mut sys::rd_kafka_queue_t,
    taken: Vec<*mut sys::rd_kafka_message_t>,
    is_at_end: bool,
    /// The queue is the client's: it must be given back first.
    _consumer: Arc<BaseConsumer>,
}

// SAFETY: librdkafka's queues may be used from any thread, and between calls nothing in `taken` is followed.
unsafe impl Send for Queue {}

impl Queue {
    /// The queue of an assigned partition; at most `most` records are taken at once.
    ///
    /// # Errors
    /// A partition without a queue.
    pub fn of(consumer: &Arc<BaseConsumer>, topic: &str, partition: i32, most: usize) -> Result<Self, Fault> {
        let topic = text(topic)?;
        let client = consumer.client().native_ptr();
        // SAFETY: the client is valid; the call gives a new reference or null.
        let queue = unsafe { sys::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition) };
        if queue.is_null() {
            return Err(Fault::Native { doing: "read a partition", message: "it has no queue".to_owned() });
        }
        // SAFETY: the queue is valid; null ends its forwarding to the consumer's own queue.
        unsafe { sys::rd_kafka_queue_forward(queue, ptr::null_mut()) };
        Ok(Self {
            queue,
            taken: vec![ptr::null_mut(); most.max(1)],
            is_at_end: false,
            _consumer: Arc::clone(consumer),
        })
    }

    /// Waits up to `wait` for a record, takes all that are there, and calls `each` with key, value and offset.
    ///
    /// # Errors
    /// What the client reports in place of a record, and what `each` fails with.
    pub fn take(
        &mut self,
        wait: Duration,
        mut each: impl FnMut(&[u8], &[u8], i64) -> Result<(), Fault>,
    ) -> Result<usize, Fault> {
        // a batch call waits until it is full: so it is told to wait for the first one alone
        let first = self.consume(0, 1, c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX));
        if first == 0 {
            return Ok(0);
        }
        let count = first + self.consume(1, self.taken.len() - 1, 0);
        let mut ends = 0;
        let mut failed = Ok(());
        for message in &self.taken[..count] {
            // SAFETY: the client filled in so many valid messages, which are ours until they are destroyed.
            unsafe {
                let fields = &**message;
                if fields.err == RD_KAFKA_RESP_ERR__PARTITION_EOF {
                    ends += 1;
                } else if failed.is_ok() {
                    failed = if fields.err == RD_KAFKA_RESP_ERR_NO_ERROR {
                        each(
                            bytes(fields.key, fields.key_len),
                            bytes(fields.payload, fields.len),
                            fields.offset,
                        )
                    } else {
                        Err(Fault::Native {
                            doing: "read",
                            message: owned(sys::rd_kafka_err2str(fields.err)),
                        })
                    };
                }
                sys::rd_kafka_message_destroy(*message);
            }
        }
        self.is_at_end |= ends > 0;
        failed.map(|()| count - ends)
    }

    /// Whether the end of the partition was met, where the client is set to tell.
    pub fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    fn consume(&mut self, from: usize, most: usize, wait_ms: c_int) -> usize {
        // SAFETY: the queue is valid and there is room for `most` pointers from `from` on.
        let count = unsafe {
            let room = self.taken.as_mut_ptr().add(from);
            sys::rd_kafka_consume_batch_queue(self.queue, wait_ms, room, most.min(self.taken.len() - from))
        };
        usize::try_from(count).unwrap_or(0)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: gives back the reference taken in `of`; the client is still there.
        unsafe { sys::rd_kafka_queue_destroy(self.queue) }
    }
}

/// A transactional producer that writes whole arrays.
pub struct Producer {
    client: *mut sys::rd_kafka_t,
    topics: [*mut sys::rd_kafka_topic_t; 3],
}

// SAFETY: librdkafka's handles may be used from any thread.
unsafe impl Send for Producer {}

impl Producer {
    /// Connects and fences off earlier ones of the same transactional id.
    ///
    /// # Errors
    /// Settings that are refused, and a broker that does not answer.
    pub fn start(config: &ClientConfig, topics: &[String; 3], wait: Duration) -> Result<Self, Fault> {
        let native = config.create_native_config()?;
        let mut reason = [0 as c_char; ERROR_LENGTH];
        // SAFETY: the configuration is valid and, on success, owned by the client.
        let client = unsafe {
            sys::rd_kafka_new(
                sys::rd_kafka_type_t::RD_KAFKA_PRODUCER,
                native.ptr(),
                reason.as_mut_ptr(),
                reason.len(),
            )
        };
        if client.is_null() {
            // SAFETY: the client has written a terminated text.
            let message = unsafe { owned(reason.as_ptr()) };
            return Err(Fault::Native { doing: "make a producer", message });
        }
        mem::forget(native);
        let mut producer = Self { client, topics: [ptr::null_mut(); 3] };
        for (handle, name) in producer.topics.iter_mut().zip(topics) {
            let name = text(name)?;
            // SAFETY: client and name are valid; null takes the default configuration.
            *handle = unsafe { sys::rd_kafka_topic_new(client, name.as_ptr(), ptr::null_mut()) };
            if handle.is_null() {
                return Err(Fault::Native { doing: "open a topic", message: "it has no name".to_owned() });
            }
        }
        // SAFETY: the client is valid.
        done("begin to write", unsafe { sys::rd_kafka_init_transactions(client, millis(wait)) })?;
        Ok(producer)
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// A producer that was fenced off.
    pub fn begin(&self) -> Result<(), Fault> {
        // SAFETY: the client is valid.
        done("begin a transaction", unsafe { sys::rd_kafka_begin_transaction(self.client) })
    }

    /// Hands the records of all `places` over, which lie in `buffer`. `buffer` must not change until the
    /// transaction has ended: nothing is copied.
    ///
    /// # Errors
    /// Records that the client does not take.
    pub fn write(
        &self,
        partition: i32,
        buffer: &[u8],
        places: &[Places],
        scratch: &mut Scratch,
    ) -> Result<(), Fault> {
        for (index, topic) in self.topics.iter().enumerate() {
            scratch.0.clear();
            scratch.0.extend(places.iter().map(|place| {
                let (key, value) = place[index];
                record(&buffer[key.0..key.0 + key.1], &buffer[value.0..value.0 + value.1])
            }));
            let count = scratch.0.len();
            // SAFETY: topic and array are valid, and every pointer in it points into `buffer`.
            let taken = unsafe {
                sys::rd_kafka_produce_batch(*topic, partition, 0, scratch.0.as_mut_ptr(), count as c_int)
            };
            if usize::try_from(taken) != Ok(count) {
                let refused = scratch.0.iter().find(|record| record.err != RD_KAFKA_RESP_ERR_NO_ERROR);
                let code = refused.map_or(RD_KAFKA_RESP_ERR_NO_ERROR, |record| record.err);
                // SAFETY: the text of a code is static.
                let message = unsafe { owned(sys::rd_kafka_err2str(code)) };
                return Err(Fault::Native { doing: "write", message });
            }
        }
        Ok(())
    }

    /// Commits what was written together with the offset up to which the partition was read.
    ///
    /// # Errors
    /// A transaction that was not committed.
    pub fn commit(
        &self,
        group: &Group,
        topic: &str,
        partition: i32,
        next: i64,
        wait: Duration,
    ) -> Result<(), Fault> {
        let mut offsets = TopicPartitionList::with_capacity(1);
        offsets.add_partition_offset(topic, partition, Offset::Offset(next))?;
        // SAFETY: client, list and group are valid and only read.
        done("commit offsets", unsafe {
            sys::rd_kafka_send_offsets_to_transaction(self.client, offsets.ptr(), group.0, millis(wait))
        })?;
        // SAFETY: the client is valid.
        done("commit", unsafe { sys::rd_kafka_commit_transaction(self.client, millis(wait)) })
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // SAFETY: all handles are ours, and topics go before their client.
        unsafe {
            for topic in self.topics.iter().filter(|topic| !topic.is_null()) {
                sys::rd_kafka_topic_destroy(*topic);
            }
            sys::rd_kafka_destroy(self.client);
        }
    }
}

/// Room for the records of one call, kept between calls.
#[derive(Default)]
pub struct Scratch(Vec<sys::rd_kafka_message_t>);

// SAFETY: between calls its pointers are not followed by anybody.
unsafe impl Send for Scratch {}

/// A group that offsets are committed for, without a member in it.
pub struct Group(*mut sys::rd_kafka_consumer_group_metadata_t);

// SAFETY: it is a value that is only read.
unsafe impl Send for Group {}

impl Group {
    /// Names a group.
    ///
    /// # Errors
    /// A name with a NUL.
    pub fn named(group: &str) -> Result<Self, Fault> {
        let group = text(group)?;
        // SAFETY: the name is valid and copied.
        Ok(Self(unsafe { sys::rd_kafka_consumer_group_metadata_new(group.as_ptr()) }))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: it is ours.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(self.0) }
    }
}

/// Waits until all that was handed over is acknowledged. `rdkafka`'s own flush, which its commit begins with, looks only
/// every 100 ms when reports of success are turned off.
pub fn flush(producer: &BaseProducer, wait: Duration) {
    // SAFETY: the client is valid. What was not acknowledged in time fails the commit.
    unsafe { sys::rd_kafka_flush(producer.client().native_ptr(), millis(wait)) };
}

fn record(key: &[u8], value: &[u8]) -> sys::rd_kafka_message_t {
    sys::rd_kafka_message_t {
        err: RD_KAFKA_RESP_ERR_NO_ERROR,
        rkt: ptr::null_mut(),
        partition: 0,
        payload: value.as_ptr().cast_mut().cast(),
        len: value.len(),
        key: key.as_ptr().cast_mut().cast(),
        key_len: key.len(),
        offset: 0,
        _private: ptr::null_mut(),
    }
}

/// What a call in a transaction gave back.
fn done(doing: &'static str, error: *mut sys::rd_kafka_error_t) -> Result<(), Fault> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the error is ours to read and to destroy.
    let message = unsafe {
        let message = owned(sys::rd_kafka_error_string(error));
        sys::rd_kafka_error_destroy(error);
        message
    };
    Err(Fault::Native { doing, message })
}

fn text(name: &str) -> Result<CString, Fault> {
    CString::new(name)
        .map_err(|_| Fault::Native { doing: "name a topic", message: "it holds a NUL".to_owned() })
}

fn millis(wait: Duration) -> c_int {
    c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX)
}

/// A copy of a C string.
///
/// # Safety
/// `text` must be NUL-terminated.
unsafe fn owned(text: *const c_char) -> String {
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Bytes in the client's memory; null is none.
///
/// # Safety
/// `start` must be null or the start of so many bytes that live as long as the result is used.
unsafe fn bytes<'a>(start: *mut std::ffi::c_void, length: usize) -> &'a [u8] {
    if start.is_null() { &[] } else { unsafe { slice::from_raw_parts(start.cast(), length) } }
}
