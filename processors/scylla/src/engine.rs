//! The runtime on which the driver lives, and waiting for what happens there.

use std::future::Future;
use std::sync::mpsc;

use millrace_ports::StoreFault;
use tokio::runtime::Runtime;

/// A runtime that belongs to one store.
pub(crate) struct Engine {
    /// Taken only at the end.
    runtime: Option<Runtime>,
}

impl Engine {
    /// Starts the runtime.
    pub(crate) fn start() -> Result<Self, StoreFault> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("millrace-cql")
            .enable_all()
            .build()
            .map_err(|e| stopped("start the driver", &e.to_string()))?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Runs `work` there and waits for it here. A channel, and no `block_on`: that one
    /// panics on a thread which belongs to another runtime.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        step: &'static str,
        work: impl Future<Output = Result<T, StoreFault>> + Send + 'static,
    ) -> Result<T, StoreFault> {
        self.begin(step, work)?.recv().unwrap_or_else(|_| Err(ended_early(step)))
    }

    /// Runs `work` there and says where its result will be.
    pub(crate) fn begin<T: Send + 'static>(
        &self,
        step: &'static str,
        work: impl Future<Output = Result<T, StoreFault>> + Send + 'static,
    ) -> Result<mpsc::Receiver<Result<T, StoreFault>>, StoreFault> {
        let Some(runtime) = &self.runtime else { return Err(stopped(step, "it is shutting down")) };
        let (done, waiting) = mpsc::sync_channel(1);
        runtime.spawn(async move {
            // nobody waits any more when the caller's thread is gone, or has forgotten about it
            let _ = done.send(work.await);
        });
        Ok(waiting)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // the ordinary drop waits for the threads, which panics inside another runtime
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub(crate) fn ended_early(step: &'static str) -> StoreFault {
    stopped(step, "its task ended early")
}

pub(crate) fn stopped(step: &'static str, why: &str) -> StoreFault {
    StoreFault::Unavailable { step, message: format!("the driver does not run: {why}") }
}
