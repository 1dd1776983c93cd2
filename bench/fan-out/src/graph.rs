//! A network drawn from a seed: few have many followers, many have few.

use std::collections::HashSet;

use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

/// How audiences fall off with rank: the n-th most followed has n^-EXPONENT of the first one's.
const EXPONENT: f64 = 0.8;

/// People by number, in the order of their audiences.
pub struct Graph {
    /// (reader, author), every pair once, in no order.
    pub follows: Vec<(u32, u32)>,
    weights: Vec<f64>,
    dice: SmallRng,
}

impl Graph {
    /// So many people, each of whom follows about as many others: `follows` together.
    pub fn new(people: u32, follows: usize, seed: u64) -> Self {
        let mut dice = SmallRng::seed_from_u64(seed);
        let mut sum = 0.0;
        let weights: Vec<f64> = (0..people)
            .map(|rank| {
                sum += f64::from(rank + 1).powf(-EXPONENT);
                sum
            })
            .collect();
        let mut graph = Self { follows: Vec::with_capacity(follows), weights, dice: dice.clone() };
        let mut chosen: HashSet<u32> = HashSet::new();
        for reader in 0..people {
            let upto = (follows as u64 * u64::from(reader + 1) / u64::from(people)) as usize;
            chosen.clear();
            while graph.follows.len() < upto {
                let author = graph.popular();
                if author != reader && chosen.insert(author) {
                    graph.follows.push((reader, author));
                }
            }
        }
        // follows come in any order, which is what makes trees of them sparse
        graph.follows.shuffle(&mut dice);
        graph
    }

    /// Somebody, the more likely the larger their audience: who posts.
    pub fn popular(&mut self) -> u32 {
        let at = self.dice.random_range(0.0..self.weights[self.weights.len() - 1]);
        self.weights.partition_point(|sum| *sum <= at) as u32
    }
}

/// The id of a person.
pub fn id(person: u32) -> String {
    format!("user-{person:08}")
}
