//! Which account a command is for.

use clap::ValueEnum;
use rand::Rng;
use rand::rngs::SmallRng;

/// Skew of [`Distribution::Zipf`]: that of the YCSB workloads.
const EXPONENT: f64 = 0.99;

/// How accounts are picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Distribution {
    /// Each as often as any other.
    Uniform,
    /// The n-th with a probability that falls as 1/n^0.99: a few are very busy, most hardly ever.
    Zipf,
}

/// Picks accounts.
pub enum Keys {
    /// Of this many, each alike.
    Uniform(u64),
    /// By the summed weights up to each.
    Zipf(Vec<f64>),
}

impl Keys {
    /// Picks among `accounts`.
    pub fn new(distribution: Distribution, accounts: u64) -> Self {
        match distribution {
            Distribution::Uniform => Self::Uniform(accounts),
            Distribution::Zipf => {
                let mut sum = 0.0;
                let weight = |rank: u64| (rank as f64).powf(-EXPONENT);
                Self::Zipf(
                    (1..=accounts)
                        .map(|rank| {
                            sum += weight(rank);
                            sum
                        })
                        .collect(),
                )
            }
        }
    }

    /// The number of an account, from 0.
    pub fn pick(&self, random: &mut SmallRng) -> u64 {
        match self {
            Self::Uniform(accounts) => random.random_range(0..*accounts),
            Self::Zipf(sums) => {
                let total = sums.last().copied().unwrap_or_default();
                let at = random.random::<f64>() * total;
                sums.partition_point(|sum| *sum <= at).min(sums.len().saturating_sub(1)) as u64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn counts(distribution: Distribution) -> Vec<u32> {
        let keys = Keys::new(distribution, 1_000);
        let mut random = SmallRng::seed_from_u64(7);
        let mut counts = vec![0; 1_000];
        for _ in 0..100_000 {
            counts[keys.pick(&mut random) as usize] += 1;
        }
        counts
    }

    #[test]
    fn uniform_keys_are_alike() {
        let counts = counts(Distribution::Uniform);
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    }

    #[test]
    fn zipf_keys_fall_with_their_rank() {
        let counts = counts(Distribution::Zipf);
        let share = |from: usize, to: usize| f64::from(counts[from..to].iter().sum::<u32>()) / 100_000.0;
        // 1 / (sum of n^-0.99 up to 1000) is 0.13
        assert!((0.12..0.14).contains(&share(0, 1)), "the first has {}", share(0, 1));
        assert!((0.06..0.07).contains(&share(1, 2)), "the second has {}", share(1, 2));
        assert!(share(500, 1_000) > 0.05, "the rest is not left out");
    }
}
