//! Which faults come in which order: shuffled decks, dealt from a seed.

use std::fmt;
use std::time::Duration;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `kill -9` of a processor, started again a little later.
    KillProcessor,
    /// A processor frozen for longer than its session and woken again: a zombie that takes itself for the owner.
    ZombieProcessor,
    /// Three processors to one, to three, to two, and back to three.
    ScaleProcessors,
    /// A processor ended in good order and started again, as a roll-out does.
    RestartProcessor,
    /// `kill -9` of a projector.
    KillProjector,
    /// A projector frozen for longer than its session and woken again.
    ZombieProjector,
    /// A projector ended in good order and started again.
    RestartProjector,
    /// `kill -9` of a gateway.
    KillGateway,
    /// A gateway frozen and woken again: its clients hear nothing, and ask another.
    FreezeGateway,
    /// A gateway ended in good order and started again.
    RestartGateway,
    /// `kill -9` of the broker.
    KillBroker,
    /// The broker ended in good order and started again.
    RestartBroker,
    /// `kill -9` of the CQL server.
    KillCql,
    /// The CQL server ended in good order and started again.
    RestartCql,
    /// `kill -9` of the schema registry.
    KillRegistry,
    /// The schema registry ended in good order and started again.
    RestartRegistry,
}

impl Kind {
    /// What happens to processors.
    pub const PROCESSORS: [Self; 4] =
        [Self::KillProcessor, Self::ZombieProcessor, Self::ScaleProcessors, Self::RestartProcessor];
    /// What happens to projectors.
    pub const PROJECTORS: [Self; 3] = [Self::KillProjector, Self::ZombieProjector, Self::RestartProjector];
    /// What happens to gateways.
    pub const GATEWAYS: [Self; 3] = [Self::KillGateway, Self::FreezeGateway, Self::RestartGateway];
    /// What happens to servers.
    pub const SERVERS: [Self; 6] = [
        Self::KillBroker,
        Self::RestartBroker,
        Self::KillCql,
        Self::RestartCql,
        Self::KillRegistry,
        Self::RestartRegistry,
    ];

    /// What happens to servers where there is little time: ends in good order are the gentler half of it.
    pub const SERVER_KILLS: [Self; 3] = [Self::KillBroker, Self::KillCql, Self::KillRegistry];

    /// Who hides whose pauses: without a broker nobody answers whatever processors do, and without those nobody either.
    pub fn rank(self) -> usize {
        match self {
            Self::KillBroker | Self::RestartBroker => 0,
            kind if Self::PROCESSORS.contains(&kind) => 1,
            _ => 2,
        }
    }

    /// What it is called in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::KillProcessor => "processor kill -9",
            Self::ZombieProcessor => "processor zombie",
            Self::ScaleProcessors => "processors 1, 3, 2",
            Self::RestartProcessor => "processor restart",
            Self::KillProjector => "projector kill -9",
            Self::ZombieProjector => "projector zombie",
            Self::RestartProjector => "projector restart",
            Self::KillGateway => "gateway kill -9",
            Self::FreezeGateway => "gateway frozen",
            Self::RestartGateway => "gateway restart",
            Self::KillBroker => "broker kill -9",
            Self::RestartBroker => "broker restart",
            Self::KillCql => "CQL server kill -9",
            Self::RestartCql => "CQL server restart",
            Self::KillRegistry => "registry kill -9",
            Self::RestartRegistry => "registry restart",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Seeded random numbers (splitmix64): the same seed deals the same faults on every machine.
#[derive(Clone, Debug)]
pub struct Luck(u64);

impl Luck {
    /// The sequence of a seed.
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A time between two, in milliseconds.
    pub fn between(&mut self, shortest_ms: u64, longest_ms: u64) -> Duration {
        Duration::from_millis(shortest_ms + self.next() % (longest_ms - shortest_ms + 1))
    }

    fn shuffled(&mut self, kinds: &[Kind]) -> Vec<Kind> {
        let mut cards = kinds.to_vec();
        for last in (1..cards.len()).rev() {
            cards.swap(last, self.below(last + 1));
        }
        cards
    }
}

/// Cards that are dealt one by one and shuffled anew when all are gone, so that every kind comes equally often.
#[derive(Debug)]
pub struct Deck {
    kinds: &'static [Kind],
    rest: Vec<Kind>,
    dealt: usize,
}

impl Deck {
    /// A deck of these kinds.
    pub fn of(kinds: &'static [Kind]) -> Self {
        Self { kinds, rest: Vec::new(), dealt: 0 }
    }

    /// The next card.
    pub fn deal(&mut self, luck: &mut Luck) -> Kind {
        if self.rest.is_empty() {
            self.rest = luck.shuffled(self.kinds);
        }
        self.dealt += 1;
        self.rest.pop().expect("a deck is not empty")
    }

    /// Whether every kind has come at least once.
    pub fn has_shown_all(&self) -> bool {
        self.dealt >= self.kinds.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_deals_the_same_cards_and_each_equally_often() {
        let deal = |seed| {
            let (mut luck, mut deck) = (Luck::of(seed), Deck::of(&Kind::SERVERS));
            (0..18).map(|_| deck.deal(&mut luck)).collect::<Vec<_>>()
        };
        assert_eq!(deal(7), deal(7));
        assert_ne!(deal(7), deal(8));
        for kind in Kind::SERVERS {
            assert_eq!(deal(7).iter().filter(|dealt| **dealt == kind).count(), 3);
        }
    }
}
