//! Consumer groups as their coordinators describe them, of the classic protocol and of the newer one, and what they have
//! committed. Several questions are under way at once: a cluster may have thousands of groups.

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;
use rdkafka_sys as sys;
use rdkafka_sys::rd_kafka_resp_err_t as Resp;

use super::{Handle, QueueEvent, TransactionError, millis, text};

/// So many groups are asked about in one call, and so many calls about offsets are under way at once.
const AT_ONCE: usize = 100;

/// A group as its coordinator describes it.
pub(crate) struct Described {
    pub group: String,
    pub members: Vec<Member>,
}

/// A member, as the coordinator describes it.
pub(crate) struct Member {
    pub name: String,
    pub client: String,
    pub host: String,
    pub assigned: Vec<(String, i32)>,
}

/// What a group has committed: topic, partition and next offset.
pub(crate) type Committed = Vec<(String, i32, i64)>;

/// A queue of our own for the answers.
struct Answers(*mut sys::rd_kafka_queue_t);

impl Answers {
    fn of(client: Handle) -> Self {
        // SAFETY: the handle is valid.
        Self(unsafe { sys::rd_kafka_queue_new(client) })
    }

    /// The next answer that came before `deadline`.
    fn next(&self, deadline: Instant) -> Result<QueueEvent, TransactionError> {
        let left = deadline.saturating_duration_since(Instant::now());
        // SAFETY: the queue is ours; the event is ours from now on.
        let event = unsafe { sys::rd_kafka_queue_poll(self.0, millis(left)) };
        if event.is_null() {
            let code = RDKafkaErrorCode::OperationTimedOut;
            return Err(TransactionError { code, message: "no answer".to_owned() });
        }
        let event = QueueEvent(event);
        // SAFETY: the event is ours; the string belongs to it.
        unsafe {
            let whole = sys::rd_kafka_event_error(event.0);
            if whole == Resp::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Ok(event);
            }
            let message = text(sys::rd_kafka_event_error_string(event.0));
            Err(TransactionError { code: whole.into(), message })
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        // SAFETY: the queue is ours.
        unsafe { sys::rd_kafka_queue_destroy(self.0) }
    }
}

/// Options with a time-out; freed when dropped.
struct Options(*mut sys::rd_kafka_AdminOptions_t);

impl Options {
    fn of(client: Handle, operation: sys::rd_kafka_admin_op_t, wait: Duration) -> Self {
        // SAFETY: the handle is valid; a time-out that is refused leaves the client's own.
        unsafe {
            let options = sys::rd_kafka_AdminOptions_new(client, operation);
            let mut why = [0; 64];
            let _ = sys::rd_kafka_AdminOptions_set_request_timeout(
                options,
                millis(wait),
                why.as_mut_ptr(),
                why.len(),
            );
            Self(options)
        }
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: the object is ours.
        unsafe { sys::rd_kafka_AdminOptions_destroy(self.0) }
    }
}

/// The ids of all groups of consumers; and why some are missing, if a broker of several does not tell its own.
pub(crate) fn list(
    client: Handle,
    wait: Duration,
) -> Result<(Vec<String>, Option<TransactionError>), TransactionError> {
    let answers = Answers::of(client);
    let options = Options::of(client, sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, wait);
    // SAFETY: client, options and queue are valid; what the result holds is copied while the event lives.
    unsafe {
        sys::rd_kafka_ListConsumerGroups(client, options.0, answers.0);
        let event = answers.next(Instant::now() + wait)?;
        let result = sys::rd_kafka_event_ListConsumerGroups_result(event.0);
        let mut count = 0;
        let errors = sys::rd_kafka_ListConsumerGroups_result_errors(result, &mut count);
        let missing = (count > 0).then(|| of_error(*errors));
        let groups = sys::rd_kafka_ListConsumerGroups_result_valid(result, &mut count);
        let id = |at| foreign(sys::rd_kafka_ConsumerGroupListing_group_id(*groups.add(at)));
        let ids: Vec<String> = (0..count).map(id).collect();
        match missing {
            Some(error) if ids.is_empty() => Err(error),
            missing => Ok((ids, missing)),
        }
    }
}

/// What the coordinators know of these groups; those that cannot be described, as they are gone or none of ours to see, are
/// left out.
pub(crate) fn describe(
    client: Handle,
    groups: &[String],
    wait: Duration,
) -> Result<Vec<Described>, TransactionError> {
    let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    let (answers, options) = (Answers::of(client), Options::of(client, operation, wait));
    let deadline = Instant::now() + wait;
    let mut found = Vec::with_capacity(groups.len());
    for some in groups.chunks(AT_ONCE) {
        let names: Vec<CString> = some.iter().filter_map(|it| CString::new(it.as_str()).ok()).collect();
        let mut pointers: Vec<*const c_char> = names.iter().map(|it| it.as_ptr()).collect();
        if pointers.is_empty() {
            continue;
        }
        // SAFETY: all are valid, and the names live until the answer is there; what it holds is copied while it lives.
        unsafe {
            let count = pointers.len();
            sys::rd_kafka_DescribeConsumerGroups(client, pointers.as_mut_ptr(), count, options.0, answers.0);
            let event = answers.next(deadline)?;
            let result = sys::rd_kafka_event_DescribeConsumerGroups_result(event.0);
            let mut count = 0;
            let described = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
            for at in 0..count {
                let group = *described.add(at);
                let error = sys::rd_kafka_ConsumerGroupDescription_error(group);
                if error.is_null() || sys::rd_kafka_error_code(error) == Resp::RD_KAFKA_RESP_ERR_NO_ERROR {
                    found.push(described_group(group));
                }
            }
        }
    }
    Ok(found)
}

/// # Safety
/// `group` is valid.
unsafe fn described_group(group: *const sys::rd_kafka_ConsumerGroupDescription_t) -> Described {
    unsafe {
        let member = |at| {
            let member = sys::rd_kafka_ConsumerGroupDescription_member(group, at);
            let assignment = sys::rd_kafka_MemberDescription_assignment(member);
            let partitions = match assignment.is_null() {
                true => ptr::null(),
                false => sys::rd_kafka_MemberAssignment_partitions(assignment),
            };
            Member {
                name: foreign(sys::rd_kafka_MemberDescription_consumer_id(member)),
                client: foreign(sys::rd_kafka_MemberDescription_client_id(member)),
                host: foreign(sys::rd_kafka_MemberDescription_host(member)),
                assigned: places(partitions).into_iter().map(|(topic, at, _)| (topic, at)).collect(),
            }
        };
        Described {
            group: foreign(sys::rd_kafka_ConsumerGroupDescription_group_id(group)),
            members: (0..sys::rd_kafka_ConsumerGroupDescription_member_count(group)).map(member).collect(),
        }
    }
}

/// What these groups have committed, of whatever topics, in the order in which it is answered; groups of which it cannot be
/// told are left out.
pub(crate) fn committed(
    client: Handle,
    groups: &[String],
    wait: Duration,
) -> Result<Vec<(String, Committed)>, TransactionError> {
    let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
    let (answers, options) = (Answers::of(client), Options::of(client, operation, wait));
    let deadline = Instant::now() + wait;
    let mut found = Vec::with_capacity(groups.len());
    for some in groups.chunks(AT_ONCE) {
        let mut asked = 0;
        for name in some.iter().filter_map(|it| CString::new(it.as_str()).ok()) {
            // SAFETY: all are valid; the call copies the question, which is freed here.
            unsafe {
                let mut question = sys::rd_kafka_ListConsumerGroupOffsets_new(name.as_ptr(), ptr::null());
                sys::rd_kafka_ListConsumerGroupOffsets(client, &mut question, 1, options.0, answers.0);
                sys::rd_kafka_ListConsumerGroupOffsets_destroy(question);
            }
            asked += 1;
        }
        for _ in 0..asked {
            let event = match answers.next(deadline) {
                Ok(event) => event,
                Err(error) if error.code == RDKafkaErrorCode::OperationTimedOut => return Err(error),
                // of one group, which says nothing about the others
                Err(_) => continue,
            };
            // SAFETY: the event is ours; what it holds is copied while it lives.
            unsafe {
                let result = sys::rd_kafka_event_ListConsumerGroupOffsets_result(event.0);
                let mut count = 0;
                let of_groups = sys::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &mut count);
                for at in 0..count {
                    let group = *of_groups.add(at);
                    if sys::rd_kafka_group_result_error(group).is_null() {
                        let offsets = places(sys::rd_kafka_group_result_partitions(group));
                        let known = offsets.into_iter().filter(|(_, _, offset)| *offset >= 0).collect();
                        found.push((foreign(sys::rd_kafka_group_result_name(group)), known));
                    }
                }
            }
        }
    }
    Ok(found)
}

/// The places of a list, each with its offset.
///
/// # Safety
/// `list` is null or valid.
unsafe fn places(list: *const sys::rd_kafka_topic_partition_list_t) -> Vec<(String, i32, i64)> {
    let Some(list) = (unsafe { list.as_ref() }) else { return Vec::new() };
    let count = usize::try_from(list.cnt).unwrap_or(0);
    let place = |at: usize| {
        // SAFETY: the list has so many elements.
        unsafe {
            let element = &*list.elems.add(at);
            (foreign(element.topic), element.partition, element.offset)
        }
    };
    (0..count).map(place).collect()
}

/// A name that others chose, whole: white space at its ends belongs to it.
///
/// # Safety
/// `name` is null or NUL-terminated.
unsafe fn foreign(name: *const c_char) -> String {
    if name.is_null() {
        return String::new();
    }
    unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
}

/// # Safety
/// `error` is valid.
unsafe fn of_error(error: *const sys::rd_kafka_error_t) -> TransactionError {
    unsafe {
        let code = sys::rd_kafka_error_code(error).into();
        TransactionError { code, message: text(sys::rd_kafka_error_string(error)) }
    }
}
