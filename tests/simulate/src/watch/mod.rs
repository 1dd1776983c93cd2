//! Subscribers: each keeps a copy of one partition key of a view, is cut at any moment, and goes on from where it was.
//!
//! What is asked for in which order is the gateway's own code; the steps between are the simulation's, so anything may happen
//! between any two of them. A copy that is exact must be what some prefix of the events of each source partition comes to, and
//! never an earlier one than before, nor than what stood in the events when its stream asked; when nothing is left to do it must
//! be the table.

mod client;
mod folded;

use self::client::{Client, Pace};
use self::folded::Folded;
use crate::dice::Dice;
use crate::holds;
use crate::oracle::world::{Failure, World};
use crate::workload::Workload;

/// So many subscribers at most.
const MOST_CLIENTS: usize = 8;
/// So many steps at most until a copy must be exact when nothing is in its way.
const PATIENCE: usize = 100;

/// All subscribers of a history.
pub struct Watchers<W: Workload> {
    clients: Vec<Client>,
    folded: Folded<W>,
}

impl<W: Workload> Default for Watchers<W> {
    fn default() -> Self {
        Self { clients: Vec::new(), folded: Folded::default() }
    }
}

/// How often what has happened to them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watched {
    /// Times that a stream was cut.
    pub cuts: u64,
    /// Of them before it had heard of anything since it was cut last.
    pub cut_again: u64,
    /// Times that one went on where it was.
    pub resumed: u64,
    /// Times that one had to begin anew.
    pub resets: u64,
    /// Of them because another version of the tables answers.
    pub rebuilt: u64,
    /// Of them because the changes since are not kept any more.
    pub gone: u64,
    /// Copies that were compared.
    pub compared: u64,
}

impl<W: Workload> Watchers<W> {
    /// One of them takes a step.
    ///
    /// # Errors
    /// What does not hold.
    pub fn step(&mut self, world: &World<'_, W>, dice: &mut Dice) -> Result<Watched, Failure> {
        let mut watched = Watched::default();
        self.folded.read_on(world);
        if self.clients.len() < MOST_CLIENTS && (self.clients.is_empty() || dice.per_mille(200)) {
            self.clients.extend(Client::any(world, &self.folded, dice)?);
        }
        if self.clients.is_empty() {
            return Ok(watched);
        }
        // much may happen between two steps of one of them, as others take theirs
        for _ in 0..dice.within(1, 10) {
            let one = dice.below(self.clients.len());
            let client = &mut self.clients[one];
            if dice.per_mille(80) && client.cut(&mut watched) {
                if dice.per_mille(60) {
                    // another one comes, to a key at which something happens
                    let other = Client::any(world, &self.folded, dice)?;
                    other.into_iter().for_each(|other| *client = other);
                } else if dice.per_mille(250) {
                    // and once more before it hears of anything
                    let pace = Pace { most: 0, notes: false };
                    client.step(world, &self.folded, pace, &mut watched)?;
                    client.cut(&mut watched);
                }
            }
            let pace = Pace { most: dice.below(4), notes: dice.per_mille(600) };
            client.step(world, &self.folded, pace, &mut watched)?;
        }
        Ok(watched)
    }

    /// All of them are cut.
    pub fn cut_all(&mut self) -> Watched {
        let mut watched = Watched::default();
        for client in &mut self.clients {
            client.cut(&mut watched);
        }
        watched
    }

    /// All of them come to be exact, and have what the tables have.
    ///
    /// # Errors
    /// What does not hold.
    pub fn settle(&mut self, world: &World<'_, W>) -> Result<Watched, Failure> {
        let mut watched = Watched::default();
        self.folded.read_on(world);
        let pace = Pace { most: usize::MAX, notes: true };
        for (number, client) in self.clients.iter_mut().enumerate() {
            if number % 2 == 0 {
                // what it misses now nothing puts right any more
                client.cut(&mut watched);
            }
            for _ in 0..PATIENCE {
                client.step(world, &self.folded, pace, &mut watched)?;
                if client.is_exact() {
                    break;
                }
            }
            let name = client.name();
            holds!(client.is_exact(), "subscribers come to be exact", "{name}: {client:?}");
            let table = client.live_rows(world);
            holds!(client.rows() == &table, "copies are the table", "{name}: {client:?}, not {table:?}");
        }
        Ok(watched)
    }
}
