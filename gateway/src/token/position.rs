//! The headers `Millrace-Position` and `Millrace-After`: what a reader must be able to see.
//!
//! A token is `DOMAIN:` and, joined by `+`, a place for each partition that was written to: `c` or `s` for a command or a
//! step, the partition, the offset and, unless it is 0, the epoch: `accounting:c3.1234+s5.77`. Clients take it as it stands,
//! and may send several, separated by commas.

use std::fmt;

use millrace_kernel::{Outcome, Position};
use millrace_runtime::Topology;

/// The header of answers.
pub(crate) const HEADER: &str = "millrace-position";
/// The header of questions.
pub(crate) const AFTER: &str = "millrace-after";
/// So many places may be waited for at once: as many as a token has in a domain of very many partitions.
const MOST: usize = 1_024;

/// What a reader of a domain must be able to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Positions {
    domain: String,
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    is_step: bool,
    partition: i32,
    offset: i64,
    epoch: i32,
}

impl Positions {
    /// What `outcome`, of a command of `domain`, has written.
    pub(crate) fn of(domain: &str, outcome: &Outcome) -> Self {
        let places = outcome.positions.iter().map(|position| Place {
            is_step: position.topic.ends_with(".steps"),
            partition: position.partition,
            offset: position.offset,
            epoch: position.epoch,
        });
        Self { domain: domain.to_owned(), places: places.collect() }
    }
}

impl fmt::Display for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.domain)?;
        for (index, place) in self.places.iter().enumerate() {
            let joined = if index == 0 { "" } else { "+" };
            let kind = if place.is_step { 's' } else { 'c' };
            write!(f, "{joined}{kind}{}.{}", place.partition, place.offset)?;
            if place.epoch != 0 {
                write!(f, ".{}", place.epoch)?;
            }
        }
        Ok(())
    }
}

/// What tokens say of the domain whose topics are `topology`; what they say of others never shows in its views.
///
/// # Errors
/// Something that is no token.
pub(crate) fn of_domain(tokens: &str, domain: &str, topology: &Topology) -> Result<Vec<Position>, ()> {
    let mut found = Vec::new();
    for token in tokens.split(',').map(str::trim).filter(|token| !token.is_empty()) {
        let (of, places) = token.split_once(':').filter(|(of, _)| is_domain(of)).ok_or(())?;
        for place in places.split('+').filter(|_| !places.is_empty()) {
            let place = read(place).ok_or(())?;
            if of != domain {
                continue;
            }
            let topic = if place.is_step { &topology.steps } else { &topology.commands };
            let Place { partition, offset, epoch, .. } = place;
            found.push(Position { topic: topic.into(), partition, offset, epoch });
        }
    }
    if found.len() > MOST { Err(()) } else { Ok(found) }
}

/// Whether a domain may have this name; which there are elsewhere, nobody knows here.
fn is_domain(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn read(place: &str) -> Option<Place> {
    let (is_step, numbers) = match place.split_at_checked(1)? {
        ("c", numbers) => (false, numbers),
        ("s", numbers) => (true, numbers),
        _ => return None,
    };
    let mut numbers = numbers.split('.');
    let partition = numbers.next()?.parse().ok().filter(|it| *it >= 0)?;
    let offset = numbers.next()?.parse().ok().filter(|it| *it >= 0)?;
    let epoch = numbers.next().map_or(Some(0), |epoch| epoch.parse().ok().filter(|it| *it >= 0))?;
    numbers.next().is_none().then_some(Place { is_step, partition, offset, epoch })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_every_place() {
        let place = |is_step, partition, offset, epoch| Place { is_step, partition, offset, epoch };
        let positions = Positions {
            domain: "accounting".to_owned(),
            places: vec![place(false, 3, 1_234, 0), place(true, 5, 77, 2)],
        };
        let token = positions.to_string();
        assert_eq!(token, "accounting:c3.1234+s5.77.2");
        let topology = Topology::new("p.", "accounting");
        let found = of_domain(&format!("chirp:c0.9, {token}"), "accounting", &topology).unwrap();
        let position = |topic: &str, partition, offset, epoch| Position {
            topic: topic.into(),
            partition,
            offset,
            epoch,
        };
        let wanted =
            [position("p.accounting.commands", 3, 1_234, 0), position("p.accounting.steps", 5, 77, 2)];
        assert_eq!(found, wanted);
        assert_eq!(of_domain("accounting:", "accounting", &topology), Ok(Vec::new()), "nothing was written");
        assert_eq!(of_domain("", "accounting", &topology), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let topology = Topology::new("", "chirp");
        for bad in [
            "x",
            "chirp:x1.2",
            "chirp:c1",
            "chirp:c1.2.3.4",
            "chirp:c-1.2",
            "chirp:c1.x",
            "chirp:ü1.2",
            "'Gd:",
            ":",
            "chirp:c1.2+",
            "chirp:c1.2.-1",
        ] {
            assert_eq!(of_domain(bad, "chirp", &topology), Err(()), "{bad}");
        }
    }
}
