//! A made-up network: the same seed gives the same people, follows and chirps.

use std::collections::HashSet;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use super::words::{ENDINGS, NAMES, OPENINGS, SUBJECTS, line};

/// How large the network is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How many people.
    pub people: u32,
    /// About how many commands.
    pub commands: u32,
}

/// Commands, and who is worth looking at.
pub struct Network {
    /// One line each, as `millrace load` reads them.
    pub lines: Vec<String>,
    /// Somebody with a lively feed.
    pub reader: String,
    /// Those whom more than a third follow.
    pub celebrities: Vec<String>,
    /// Everybody, by id, the most popular first.
    pub people: Vec<String>,
}

/// How many of a hundred follow each of the most popular.
const CELEBRITY_PERCENT: [u32; 2] = [46, 39];
/// Of how many commands one is such that it must be rejected.
const ONE_WRONG_IN: u32 = 25;

struct Generator {
    random: StdRng,
    people: Vec<String>,
    /// Running sums of popularity, for drawing somebody by it.
    popularity: Vec<f64>,
    follows: HashSet<(usize, usize)>,
    /// Who has posted which chirps that still stand.
    chirps: Vec<(usize, String)>,
    lines: Vec<String>,
    next_chirp: u32,
}

impl Network {
    /// The network of `seed`.
    #[must_use]
    pub fn generate(seed: u64, size: Size) -> Self {
        let people = people(size.people as usize);
        let mut sum = 0.0;
        // a power law: the n-th is 1/n^0.8 as popular as the first
        let popularity = (1..=people.len())
            .map(|rank| {
                sum += (rank as f64).powf(-0.8);
                sum
            })
            .collect();
        let mut generator = Generator {
            random: StdRng::seed_from_u64(seed),
            people,
            popularity,
            follows: HashSet::new(),
            chirps: Vec::new(),
            lines: Vec::new(),
            next_chirp: 0,
        };
        generator.register();
        generator.follow_celebrities();
        let target = size.commands as usize;
        let follows_until = target * 55 / 100;
        while generator.lines.len() < follows_until {
            generator.follow();
        }
        while generator.lines.len() < target {
            generator.live();
        }
        let celebrities = generator.people[..CELEBRITY_PERCENT.len()].to_vec();
        Self { reader: generator.reader(), celebrities, lines: generator.lines, people: generator.people }
    }
}

/// `ada`, `amir`, … and with numbers when the names run out.
fn people(count: usize) -> Vec<String> {
    (0..count)
        .map(|index| {
            let name = NAMES[index % NAMES.len()].to_lowercase();
            match index / NAMES.len() {
                0 => name,
                round => format!("{name}{}", round + 1),
            }
        })
        .collect()
}

impl Generator {
    fn register(&mut self) {
        for index in 0..self.people.len() {
            let id = self.people[index].clone();
            let mut username = id.clone();
            username[..1].make_ascii_uppercase();
            self.say("RegisterUser", Some(&id), &json!({"user_id": id, "username": username}));
        }
        // what follows needs the people: a barrier
        self.lines.push(String::new());
        for index in 0..self.people.len() {
            if self.random.random_ratio(1, ONE_WRONG_IN * 2) {
                // somebody else's name, in another case
                let (id, late) = (&self.people[index], format!("late-{}", self.people[index]));
                let data = json!({"user_id": late, "username": id.to_uppercase()});
                self.say("RegisterUser", None, &data);
            }
        }
    }

    fn follow_celebrities(&mut self) {
        for (celebrity, percent) in CELEBRITY_PERCENT.into_iter().enumerate() {
            for follower in 0..self.people.len() {
                if follower != celebrity && self.random.random_ratio(percent, 100) {
                    self.follow_one(follower, celebrity);
                }
            }
        }
    }

    /// One follow, of somebody drawn by popularity; now and then one that must be rejected.
    fn follow(&mut self) {
        let follower = self.anybody();
        let mut followee = self.popular();
        if self.random.random_ratio(1, ONE_WRONG_IN * 2) {
            followee = follower; // nobody follows himself
        } else if self.follows.contains(&(follower, followee)) || follower == followee {
            return;
        }
        self.follow_one(follower, followee);
    }

    fn follow_one(&mut self, follower: usize, followee: usize) {
        if follower != followee {
            self.follows.insert((follower, followee));
        }
        let (follower, followee) = (self.people[follower].clone(), self.people[followee].clone());
        self.say("FollowUser", Some(&follower), &json!({"follower_id": follower, "followee_id": followee}));
    }

    /// Something of everyday life.
    fn live(&mut self) {
        match self.random.random_range(0..100) {
            0..80 => self.post(),
            80..87 => self.follow(),
            87..90 => self.unfollow(),
            90..96 => self.change("EditChirp"),
            _ => self.change("DeleteChirp"),
        }
    }

    fn post(&mut self) {
        let author = if self.random.random_ratio(1, 3) { self.popular() } else { self.anybody() };
        let id = format!("c{}", self.next_chirp);
        self.next_chirp += 1;
        let content = match self.random.random_range(0..ONE_WRONG_IN) {
            0 if self.random.random_bool(0.5) => " \u{3000} ".to_owned(),
            0 => "too long ".repeat(40),
            _ => {
                self.chirps.push((author, id.clone()));
                self.content()
            }
        };
        let author = self.people[author].clone();
        self.say(
            "PostChirp",
            Some(&author),
            &json!({"chirp_id": id, "author_id": author, "content": content}),
        );
    }

    fn change(&mut self, kind: &str) {
        if self.chirps.is_empty() {
            return self.post();
        }
        let place = self.random.random_range(0..self.chirps.len());
        let (author, id) = self.chirps[place].clone();
        let author = self.people[author].clone();
        // now and then somebody who may not
        let wrong = self.random.random_ratio(1, ONE_WRONG_IN / 5);
        let somebody = self.anybody();
        let actor = if wrong { self.people[somebody].clone() } else { author.clone() };
        let mut data = json!({"chirp_id": id, "author_id": author});
        if kind == "EditChirp" {
            data["content"] = Value::from(format!("{} (edited)", self.content()));
        } else if actor == author {
            self.chirps.swap_remove(place);
        }
        self.say(kind, Some(&actor), &data);
    }

    fn unfollow(&mut self) {
        let (follower, followee) = (self.anybody(), self.popular());
        self.follows.remove(&(follower, followee));
        let (follower, followee) = (self.people[follower].clone(), self.people[followee].clone());
        self.say("UnfollowUser", Some(&follower), &json!({"follower_id": follower, "followee_id": followee}));
    }

    fn content(&mut self) -> String {
        let mut word = |words: &[&'static str]| words.choose(&mut self.random).copied().unwrap_or_default();
        format!("{} {}. {}", word(OPENINGS), word(SUBJECTS), word(ENDINGS))
    }

    fn anybody(&mut self) -> usize {
        self.random.random_range(0..self.people.len())
    }

    fn popular(&mut self) -> usize {
        let total = self.popularity.last().copied().unwrap_or(1.0);
        let drawn = self.random.random_range(0.0..total);
        self.popularity.partition_point(|sum| *sum < drawn).min(self.people.len() - 1)
    }

    /// Somebody who follows both celebrities and a few more.
    fn reader(&self) -> String {
        let follows = |reader: usize| self.follows.iter().filter(|(follower, _)| *follower == reader).count();
        let both =
            |reader: &usize| (0..CELEBRITY_PERCENT.len()).all(|star| self.follows.contains(&(*reader, star)));
        let found =
            (CELEBRITY_PERCENT.len()..self.people.len()).filter(both).find(|reader| follows(*reader) >= 6);
        self.people[found.unwrap_or(self.people.len() - 1)].clone()
    }

    fn say(&mut self, kind: &str, actor: Option<&str>, data: &Value) {
        let line = line(&mut self.random, kind, actor, data);
        self.lines.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_network_with_two_celebrities() {
        let size = Size { people: 3_000, commands: 40_000 };
        let network = Network::generate(1, size);
        assert_eq!(network.lines, Network::generate(1, size).lines);
        assert_ne!(network.lines, Network::generate(2, size).lines);
        assert_eq!(network.lines.len(), 40_000);
        for celebrity in &network.celebrities {
            let followee = format!("\"followee_id\":\"{celebrity}\"");
            let of = |kind: &str| {
                let kind = format!("\"type\":\"{kind}\"");
                network.lines.iter().filter(|line| line.contains(&kind) && line.contains(&followee)).count()
            };
            assert!(of("FollowUser") > 1_100 + of("UnfollowUser"), "{celebrity}: {}", of("FollowUser"));
        }
    }
}
