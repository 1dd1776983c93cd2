//! Feeds that are read while projectors write: between any two queries that a store answers.

use std::collections::{BTreeSet, VecDeque};

use millrace_domain_chirp::EventData;
use millrace_domain_chirp::feed::{Place, feed};
use millrace_kernel::{Event, Page, PageQuery, Write};

use super::network::{Dice, Oracle, Projections};

/// Projections, and the events that they have not written yet.
pub struct Meanwhile {
    pub projections: Projections,
    coming: VecDeque<(i32, Event<EventData>)>,
    /// What is left of the event that is being written.
    writes: VecDeque<Write>,
    /// Who saw what before it.
    before: Oracle,
}

/// What a read came to.
pub struct Read {
    /// The chirps shown.
    pub places: Vec<Place>,
    /// Whether the feed ends with them.
    pub is_last: bool,
    /// The chirps of the feed at every instant between the first query and the last answer.
    pub stayed: BTreeSet<Place>,
}

impl Meanwhile {
    /// `projections` go on with `coming`.
    pub fn new(projections: Projections, coming: &[(i32, Event<EventData>)]) -> Self {
        let before = projections.oracle.clone();
        Self { projections, coming: coming.iter().cloned().collect(), writes: VecDeque::new(), before }
    }

    /// Whether everything has been written.
    pub fn is_done(&self) -> bool {
        self.coming.is_empty() && self.writes.is_empty()
    }

    /// Makes the next write.
    fn step(&mut self, dice: &mut Dice) {
        while self.writes.is_empty() {
            let Some((partition, event)) = self.coming.pop_front() else { return };
            self.before = self.projections.oracle.clone();
            self.writes = self.projections.writes(partition, &event, dice).into();
        }
        self.writes.pop_front().iter().for_each(|write| self.projections.tables.write(write));
    }

    /// What `reader` sees before and after the event that is being written.
    fn sees(&self, reader: &str) -> BTreeSet<Place> {
        // also what is beyond the cap: who does not know yet whom the reader has begun to follow comes to it
        let seen = |oracle: &Oracle| -> BTreeSet<Place> {
            let feed = oracle.feed(reader, usize::MAX).into_iter();
            feed.map(|(posted_at, chirp, author, ..)| Place {
                posted_at,
                chirp_id: chirp.into(),
                author_id: author.into(),
            })
            .collect()
        };
        let now = seen(&self.projections.oracle);
        if self.writes.is_empty() { now } else { now.intersection(&seen(&self.before)).cloned().collect() }
    }

    /// Reads a feed while up to `haste` writes are made before each query. A store that answers queries
    /// side by side may come to them in any order, but for those in turn.
    pub fn read(&mut self, reader: &str, limit: usize, haste: usize, dice: &mut Dice) -> Read {
        let cap = self.projections.settings.timeline_cap;
        let mut stayed = self.sees(reader);
        let mut read = |queries: &[PageQuery]| {
            let mut pages = vec![Page::default(); queries.len()];
            let mut turns: Vec<(usize, &[PageQuery])> = PageQuery::turns(queries).collect();
            while !turns.is_empty() {
                let chosen = dice.below(turns.len());
                for _ in 0..dice.below(haste + 1) {
                    self.step(dice);
                    let sees = self.sees(reader);
                    stayed.retain(|place| sees.contains(place));
                }
                let (at, [query, rest @ ..]) = turns[chosen] else { unreachable!("a turn has a query") };
                pages[at] = self.projections.tables.read(query);
                match rest {
                    [] => drop(turns.remove(chosen)),
                    rest => turns[chosen] = (at + 1, rest),
                }
            }
            Ok::<_, std::convert::Infallible>(pages)
        };
        let page = feed(&mut read, reader, None, limit, cap).unwrap();
        let places = page.items.into_iter().map(|item| item.cursor.place).collect();
        Read { places, is_last: page.is_last, stayed }
    }
}
