//! Which claims a user is to have, and what has to be done for that.

use millrace_kernel::{StateReader, Text};

use crate::claim;
use crate::messages::state::State;

/// The claims on an address in its [canonical](crate::email::canonical) form: one under each valid key, newest first.
///
/// # Panics
/// Where there is no key: then nothing would keep two users from having one address. A processor without a key does not start.
pub(crate) fn claims_on(states: &impl StateReader<State = State>, address: &str) -> Vec<Text> {
    let names = states.pseudonyms(claim::KIND, address);
    assert!(!names.is_empty(), "there is no key of pseudonyms");
    names
}

/// What leads from the claims that a user has to those that they are to have.
pub(crate) struct Plan {
    /// What is to be claimed, in this order.
    pub to_claim: Vec<Text>,
    /// What is to be given up once all of that is the user's.
    pub to_release: Vec<Text>,
}

impl Plan {
    /// From `held` to `wanted`.
    ///
    /// The older key comes first. Whoever had the address before the newest key came has it under the older one, so a
    /// stranger is refused there and has taken nothing yet: the name under the newest key stays free for its owner.
    pub(crate) fn new(held: &[Text], wanted: &[Text]) -> Self {
        let missing = |from: &[Text], it: &Text| !from.contains(it);
        Self {
            to_claim: wanted.iter().rev().filter(|it| missing(held, it)).cloned().collect(),
            to_release: held.iter().filter(|it| missing(wanted, it)).cloned().collect(),
        }
    }

    /// Whether all is as it is to be.
    pub(crate) fn is_empty(&self) -> bool {
        self.to_claim.is_empty() && self.to_release.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_claimed_from_the_oldest_key_on_and_what_is_too_much_given_up() {
        let texts = |texts: &[&str]| -> Vec<Text> { texts.iter().map(|it| Text::from(*it)).collect() };
        for (held, wanted, to_claim, to_release) in [
            (&[][..], &["k1.a"][..], &["k1.a"][..], &[][..]),
            (&[], &["k2.a", "k1.a"], &["k1.a", "k2.a"], &[]),
            (&["k1.a"], &["k1.a"], &[], &[]),
            (&["k1.a"], &["k2.a", "k1.a"], &["k2.a"], &[]),
            (&["k2.a", "k1.a"], &["k2.a"], &[], &["k1.a"]),
            (&["k1.a"], &["k1.b"], &["k1.b"], &["k1.a"]),
            (&["k1.a"], &["k2.b", "k1.b"], &["k1.b", "k2.b"], &["k1.a"]),
            (&["k2.a", "k1.a"], &[], &[], &["k2.a", "k1.a"]),
        ] {
            let plan = Plan::new(&texts(held), &texts(wanted));
            assert_eq!(plan.to_claim, texts(to_claim), "{held:?} to {wanted:?}");
            assert_eq!(plan.to_release, texts(to_release), "{held:?} to {wanted:?}");
            assert_eq!(plan.is_empty(), to_claim.is_empty() && to_release.is_empty());
        }
    }
}
