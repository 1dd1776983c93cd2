//! Hands records to a producer, each topic looked up once: rdkafka's `send` copies the topic's
//! name and has the client look for it in a list, under a lock, for every record.

use std::ffi::CString;
use std::ptr;

use millrace_ports::Outgoing;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka_sys as sys;
use rdkafka_sys::rd_kafka_resp_err_t as Resp;
use rdkafka_sys::rd_kafka_vtype_t as V;

use super::Handle;

/// How a producer writes to topics by default, but without compression.
fn uncompressed(producer: Handle) -> Result<*mut sys::rd_kafka_topic_conf_t, RDKafkaErrorCode> {
    // SAFETY: the handle is valid; the copy is ours.
    let config = unsafe { sys::rd_kafka_default_topic_conf_dup(producer) };
    // SAFETY: configuration and strings are valid; no room for a message is given.
    let set = unsafe {
        let (key, value) = (c"compression.codec".as_ptr(), c"none".as_ptr());
        sys::rd_kafka_topic_conf_set(config, key, value, ptr::null_mut(), 0)
    };
    if set != sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
        // SAFETY: it is ours and nobody else has it.
        unsafe { sys::rd_kafka_topic_conf_destroy(config) };
        return Err(RDKafkaErrorCode::InvalidConfig);
    }
    Ok(config)
}

/// A topic as one producer knows it; it must be dropped before the producer is.
pub(crate) struct Topic(*mut sys::rd_kafka_topic_t);

// SAFETY: librdkafka's topics may be used from any thread.
unsafe impl Send for Topic {}

impl Topic {
    /// The topic of that name, compressed as the producer is set or not at all; whether it exists is seen when
    /// records are sent.
    pub(crate) fn of(producer: Handle, name: &str, compresses: bool) -> Result<Self, RDKafkaErrorCode> {
        let name = CString::new(name).map_err(|_| RDKafkaErrorCode::InvalidTopic)?;
        let config = match compresses {
            true => ptr::null_mut(),
            false => uncompressed(producer)?,
        };
        // SAFETY: handle and string are valid; the configuration is null or ours, and the call takes it over; it gives
        // an object of ours or null.
        let topic = unsafe { sys::rd_kafka_topic_new(producer, name.as_ptr(), config) };
        if topic.is_null() {
            // SAFETY: tells why the last call of this thread failed.
            return Err(unsafe { sys::rd_kafka_last_error() }.into());
        }
        Ok(Self(topic))
    }

    /// Hands `record`, which is of this topic, to the producer, which copies it.
    pub(crate) fn produce(&self, producer: Handle, record: &Outgoing) -> Result<(), RDKafkaErrorCode> {
        let headers = Headers::of(record)?;
        let (key, key_size) = parts(record.key.as_deref());
        let (value, value_size) = parts(record.value.as_deref());
        // SAFETY: producer and topic are valid; pairs of type and value are as librdkafka documents
        // them, up to the end mark; with `MSG_F_COPY` key and value are copied before the call returns.
        let answer = unsafe {
            sys::rd_kafka_producev(
                producer,
                V::RD_KAFKA_VTYPE_RKT,
                self.0,
                V::RD_KAFKA_VTYPE_PARTITION,
                record.partition,
                V::RD_KAFKA_VTYPE_MSGFLAGS,
                sys::RD_KAFKA_MSG_F_COPY,
                V::RD_KAFKA_VTYPE_VALUE,
                value,
                value_size,
                V::RD_KAFKA_VTYPE_KEY,
                key,
                key_size,
                V::RD_KAFKA_VTYPE_TIMESTAMP,
                record.timestamp_ms,
                V::RD_KAFKA_VTYPE_HEADERS,
                headers.0,
                V::RD_KAFKA_VTYPE_END,
            )
        };
        if answer != Resp::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(answer.into());
        }
        // the producer owns them now
        std::mem::forget(headers);
        Ok(())
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: the object is ours.
        unsafe { sys::rd_kafka_topic_destroy(self.0) }
    }
}

/// The headers of a record; null when it has none.
struct Headers(*mut sys::rd_kafka_headers_t);

impl Headers {
    fn of(record: &Outgoing) -> Result<Self, RDKafkaErrorCode> {
        if record.headers.is_empty() {
            return Ok(Self(ptr::null_mut()));
        }
        // SAFETY: gives an object of ours; names and values are copied by the calls.
        let headers = Self(unsafe { sys::rd_kafka_headers_new(record.headers.len()) });
        for (name, value) in &record.headers {
            let answer = unsafe {
                sys::rd_kafka_header_add(
                    headers.0,
                    name.as_ptr().cast(),
                    name.len() as isize,
                    value.as_ptr().cast(),
                    value.len() as isize,
                )
            };
            if answer != Resp::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Err(answer.into());
            }
        }
        Ok(headers)
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the object is ours.
            unsafe { sys::rd_kafka_headers_destroy(self.0) }
        }
    }
}

/// Where bytes are and how many; those that are absent are nowhere.
fn parts(bytes: Option<&[u8]>) -> (*const u8, usize) {
    bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()))
}
