//! What other processes say: members of a group, callers that trace, and whoever is asked for its metrics.

/// The adapter links a client in C; this part of it needs none.
#[path = "../../../processors/kafka/src/assignment.rs"]
mod assignment;
/// The same of who asks brokers for open transactions; nobody is asked here.
#[path = "../../../processors/kafka/src/holder.rs"]
#[allow(dead_code)]
mod holder;
/// What operators see goes over HTTP; what is made of an answer does not.
#[path = "../../../cli/lib/src/status/samples.rs"]
mod samples;
/// The same of what sends traces away.
#[path = "../../../processors/telemetry/src/traceparent.rs"]
mod traceparent;

/// What a group's leader has given to a member, of a topic whose name is `t`.
pub fn group_assignment(bytes: &[u8]) {
    if let Some(partitions) = assignment::assigned(bytes, "t") {
        assert!(partitions.len() <= bytes.len() / 4);
    }
}

/// What brokers answer when they are asked whose transaction is open.
pub fn transaction_holder(bytes: &[u8]) {
    let Some((first, answer)) = bytes.split_first() else { return };
    if first & 1 == 0 {
        let _ = holder::opened_at(answer, 41);
    } else if let Some(name) = holder::name_of(answer, 7) {
        // what is no text is written out, in three bytes at most
        assert!(name.len() <= 3 * answer.len());
    }
}

/// A trace header.
pub fn trace_header(bytes: &[u8]) {
    if let Some((trace, span)) = traceparent::sampled(bytes) {
        let again = format!("00-{trace:032x}-{span:016x}-01");
        assert_eq!(traceparent::sampled(again.as_bytes()), Some((trace, span)));
    }
}

/// The metrics of a process.
pub fn metrics_text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let samples = samples::parse(text);
    assert!(samples.len() <= text.lines().count());
    let labels = samples.iter().flat_map(|sample| &sample.labels);
    let said: usize = labels.map(|(name, value)| name.len() + value.len()).sum();
    assert!(said + samples.iter().map(|sample| sample.name.len()).sum::<usize>() <= text.len());
}
