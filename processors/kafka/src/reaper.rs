//! Ends clients away from the caller's thread: librdkafka waits for its own threads, and with a
//! broker that does not answer that takes seconds.

/// Drops `client` on a thread of its own.
pub(crate) fn reap<T: Send + 'static>(client: T) {
    let spawned = std::thread::Builder::new().name("kafka-reaper".to_owned()).spawn(move || drop(client));
    if let Err(error) = spawned {
        // the closure was dropped with the client in it, on this thread: slower, but done
        tracing::warn!(%error, "no thread to end a Kafka client on");
    }
}
