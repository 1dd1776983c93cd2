//! Wakes a thread when a producer has something to report. rdkafka's `poll` waits for reports alone and cannot be
//! interrupted, so that whoever also waits for the end would have to look again and again.

use std::ffi::c_void;
use std::thread::Thread;

use rdkafka_sys as sys;

use super::Handle;

/// Unparks a thread whenever the queue of a producer's reports was empty and is no longer. It must be dropped before
/// the producer is.
pub(crate) struct Bell {
    queue: *mut sys::rd_kafka_queue_t,
    /// What the client keeps a pointer to as long as the bell is there.
    sleeper: *mut Thread,
}

impl Bell {
    /// The bell of `producer` that wakes `sleeper`.
    pub(crate) fn of(producer: Handle, sleeper: Thread) -> Self {
        let sleeper = Box::into_raw(Box::new(sleeper));
        // SAFETY: the handle is valid, and every client has a main queue, of which the call gives a reference; what
        // `sleeper` points to is freed only after the callback was taken out.
        let queue = unsafe {
            let queue = sys::rd_kafka_queue_get_main(producer);
            sys::rd_kafka_queue_cb_event_enable(queue, Some(ring), sleeper.cast());
            queue
        };
        Self { queue, sleeper }
    }

    /// Whether there is something to report.
    pub(crate) fn has_news(&self) -> bool {
        // SAFETY: the queue is valid until dropped.
        unsafe { sys::rd_kafka_queue_length(self.queue) > 0 }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        // SAFETY: the client calls back under the lock of the queue, which taking the callback out takes, too: after
        // that nobody calls, and the box that `of` made is ours alone. The reference was taken in `of`.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.queue, None, std::ptr::null_mut());
            sys::rd_kafka_queue_destroy(self.queue);
            drop(Box::from_raw(self.sleeper));
        }
    }
}

/// Called by a thread of the client, which forbids calls into the client.
unsafe extern "C" fn ring(_: Handle, sleeper: *mut c_void) {
    // SAFETY: `sleeper` is what `Bell::of` gave, valid until the callback is taken out.
    unsafe { (*sleeper.cast::<Thread>()).unpark() }
}
