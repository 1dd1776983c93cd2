//! The de-duplication window of a partition: which command ids were answered, and how.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;

/// Remembers answered command ids: the newest `max_ids` of the last `span`, whichever is
/// less. Time is `recorded_at`, so a replay forgets what the first run forgot.
pub struct Window {
    answers: HashMap<Arc<str>, Bytes>,
    order: VecDeque<(i64, Arc<str>)>,
    span_micros: i64,
    max_ids: usize,
}

impl Window {
    /// An empty window of `span_seconds` and at most `max_ids`.
    #[must_use]
    pub fn new(span_seconds: u64, max_ids: usize) -> Self {
        Self {
            answers: HashMap::new(),
            order: VecDeque::new(),
            span_micros: span_seconds.saturating_mul(1_000_000).min(i64::MAX as u64) as i64,
            max_ids,
        }
    }

    /// The encoded outcome of a command, if it was answered within the window.
    #[must_use]
    pub fn answer(&self, command_id: &str) -> Option<&Bytes> {
        self.answers.get(command_id)
    }

    /// Remembers an answer; `recorded_at` never goes back.
    pub fn remember(&mut self, command_id: Arc<str>, recorded_at: i64, outcome: Bytes) {
        if self.answers.insert(Arc::clone(&command_id), outcome).is_none() {
            self.order.push_back((recorded_at, command_id));
        }
        let horizon = recorded_at.saturating_sub(self.span_micros);
        while self.order.front().is_some_and(|(at, _)| *at < horizon) || self.order.len() > self.max_ids {
            if let Some((_, id)) = self.order.pop_front() {
                self.answers.remove(&id);
            }
        }
    }

    /// How many ids are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether no id is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_by_age_and_by_number() {
        let mut window = Window::new(1, 2);
        for (id, at) in [("a", 0), ("b", 500_000), ("c", 900_000)] {
            window.remember(id.into(), at, Bytes::from_static(b"x"));
        }
        assert!(window.answer("a").is_none(), "two ids at most");
        assert!(window.answer("b").is_some() && window.answer("c").is_some());
        window.remember("d".into(), 1_600_000, Bytes::new());
        assert!(window.answer("b").is_none(), "older than a second");
        assert_eq!(window.len(), 2);
    }
}
