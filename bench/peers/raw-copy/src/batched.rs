//! Two producers a partition take turns: while one commits, the other one's records are already under way. Records
//! are read and written by `librdkafka`'s batch calls, without a copy of what is written.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rdkafka::consumer::BaseConsumer;

use crate::Fault;
use crate::copy::{self, Places};
use crate::native::{Group, Producer, Queue, Scratch};
use crate::settings::{LOOK, PATIENCE, Settings};
use crate::sizes::Sizes;

/// How many producers take turns.
const TURNS: usize = 2;

/// A producer, and the memory of the records that it has under way.
struct Turn {
    producer: Producer,
    buffer: Vec<u8>,
    places: Vec<Places>,
    scratch: Scratch,
}

/// One partition's work.
pub struct Lane {
    settings: Arc<Settings>,
    queue: Queue,
    turns: Vec<Turn>,
    sizes: Sizes,
    partition: i32,
}

impl Lane {
    /// Takes over the partition's queue, and begins to write for it.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn open(
        settings: &Arc<Settings>,
        consumer: &Arc<BaseConsumer>,
        sizes: Sizes,
        partition: i32,
    ) -> Result<Self, Fault> {
        let queue = Queue::of(consumer, &settings.commands, partition, settings.batch)?;
        let turns = (0..TURNS).map(|turn| {
            let producer = Producer::start(&settings.producer(partition, turn), &settings.copies, PATIENCE)?;
            Ok(Turn { producer, buffer: Vec::new(), places: Vec::new(), scratch: Scratch::default() })
        });
        let turns = turns.collect::<Result<_, Fault>>()?;
        Ok(Self { settings: Arc::clone(settings), queue, turns, sizes, partition })
    }

    /// Copies until something fails.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn run(mut self) -> Result<(), Fault> {
        let (give_back, free) = channel();
        for turn in self.turns.drain(..) {
            // the other end is held below
            let _ = give_back.send(turn);
        }
        let (hand_over, written) = channel();
        let committing = thread::spawn({
            let (settings, partition) = (Arc::clone(&self.settings), self.partition);
            move || commit(&settings, partition, &written, &give_back)
        });
        while let Ok(turn) = free.recv() {
            if hand_over.send(fill(turn, &mut self.queue, self.sizes, self.partition)?).is_err() {
                break;
            }
        }
        drop(hand_over);
        committing.join().unwrap_or_else(|_| {
            Err(Fault::Native { doing: "commit", message: "its thread panicked".to_owned() })
        })
    }
}

/// Waits for commands and writes their copies; the offset after the last.
fn fill(mut turn: Turn, queue: &mut Queue, sizes: Sizes, partition: i32) -> Result<(Turn, i64), Fault> {
    turn.buffer.clear();
    turn.places.clear();
    let mut next = 0;
    let (buffer, places) = (&mut turn.buffer, &mut turn.places);
    let mut take = |key: &[u8], value: &[u8], offset: i64| {
        let Some(place) = copy::append(buffer, sizes, key, value) else {
            return Err(Fault::Command { partition, offset, why: "not a command" });
        };
        places.push(place);
        next = offset + 1;
        Ok(())
    };
    while queue.take(LOOK, &mut take)? == 0 {}
    turn.producer.begin()?;
    turn.producer.write(partition, &turn.buffer, &turn.places, &mut turn.scratch)?;
    Ok((turn, next))
}

/// Commits in the order of the offsets, and frees what is committed.
fn commit(
    settings: &Settings,
    partition: i32,
    written: &Receiver<(Turn, i64)>,
    give_back: &Sender<Turn>,
) -> Result<(), Fault> {
    let group = Group::named(&settings.group())?;
    while let Ok((turn, next)) = written.recv() {
        turn.producer.commit(&group, &settings.commands, partition, next, PATIENCE)?;
        if give_back.send(turn).is_err() {
            break;
        }
    }
    Ok(())
}
