//! What a decision could know of other partitions and other domains.

use std::cell::RefCell;

use millrace_kernel::Published;

use crate::lives::Lives;
use crate::neighbours::Neighbours;
use crate::workload::{Around, Known};

/// What a decision could know that was made about what was sent with one act, and whose outcome could be seen after another.
pub(super) struct Seeing<'a, S> {
    lives: &'a Lives,
    neighbours: &'a Neighbours<S>,
    sent: usize,
    decided: usize,
    /// What was answered where either answer is right, in the order in which it was asked for.
    guesses: RefCell<Vec<Guess>>,
}

/// An aggregate of this domain or of another one, and whether it is taken to be there.
struct Guess {
    of: Option<Published>,
    id: String,
    is_there: bool,
}

impl<'a, S: 'static> Seeing<'a, S> {
    pub(super) fn new(lives: &'a Lives, neighbours: &'a Neighbours<S>, sent: usize, decided: usize) -> Self {
        Self { lives, neighbours, sent, decided, guesses: RefCell::default() }
    }

    /// Answers otherwise from now on where either answer is right; whether there is any other way that was not tried.
    pub(super) fn answers_otherwise(&mut self) -> bool {
        let guesses = self.guesses.get_mut();
        while let Some(last) = guesses.pop() {
            if last.is_there {
                guesses.push(Guess { is_there: false, ..last });
                return true;
            }
        }
        false
    }

    fn guess(&self, of: Option<Published>, id: &str) -> bool {
        let mut guesses = self.guesses.borrow_mut();
        if let Some(known) = guesses.iter().find(|it| it.of == of && it.id == id) {
            return known.is_there;
        }
        guesses.push(Guess { of, id: id.to_owned(), is_there: true });
        true
    }

    fn answer(&self, known: Known, of: Option<Published>, id: &str) -> bool {
        match known {
            Known::Surely => true,
            Known::Never => false,
            Known::Perhaps => self.guess(of, id),
        }
    }
}

impl<S: 'static> Around for Seeing<'_, S> {
    fn knows(&self, aggregate_id: &str) -> bool {
        let known = self.lives.known(aggregate_id, self.sent, self.decided);
        self.answer(known, None, aggregate_id)
    }

    fn knows_elsewhere(&self, of: Published, aggregate_id: &str) -> bool {
        let known = self.neighbours.known(of, aggregate_id, self.sent, self.decided);
        self.answer(known, Some(of), aggregate_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_answer_is_tried_once() {
        let (mut lives, neighbours) = (Lives::default(), Neighbours::<()>::default());
        for id in ["a", "b", "c"] {
            lives.turned(id, 1, true, 5);
            lives.told(id, Some(1), 5);
        }
        let mut seeing = Seeing::new(&lives, &neighbours, 5, 9);
        // whether there is a third is asked only where there is a first
        let ask = |seeing: &Seeing<'_, ()>| {
            let (a, b) = (seeing.knows("a"), seeing.knows("b"));
            let again = seeing.knows("a");
            assert_eq!(a, again, "one decision sees one world");
            (a, b, a && seeing.knows("c"))
        };
        let mut answers = vec![ask(&seeing)];
        while seeing.answers_otherwise() {
            answers.push(ask(&seeing));
        }
        let expected = [
            (true, true, true),
            (true, true, false),
            (true, false, true),
            (true, false, false),
            (false, true, false),
            (false, false, false),
        ];
        assert_eq!(answers, expected);
    }
}
