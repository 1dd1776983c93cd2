//! Progress of long work, for whoever watches.

/// Is told how far long work has come.
pub trait Watcher {
    /// Something begins that takes `total` steps; 0 when nobody knows how many.
    fn stage(&self, what: &str, total: u64);
    /// So many more of them are done.
    fn advance(&self, steps: u64);
    /// Whether there is no more time: what is being read is then given up with [`crate::AuditFault::Overdue`].
    fn is_overdue(&self) -> bool {
        false
    }
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Watcher for Silent {
    fn stage(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
}
