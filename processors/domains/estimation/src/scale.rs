//! What may be estimated, and what a round comes to. All of it is whole numbers, so nothing is rounded.

use std::borrow::Cow;

use millrace_kernel::codes::INVALID_ARGUMENT;
use millrace_kernel::{Rejections, Violation};

/// What `fibonacci` has, for good: it stands in events by this name.
const FIBONACCI: [i64; 11] = [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89];
/// What `t-shirt` has, for good: the sizes, numbered from 1.
const SIZES: [&str; 6] = ["XS", "S", "M", "L", "XL", "XXL"];
const ORDINALS: [i64; SIZES.len()] = [1, 2, 3, 4, 5, 6];
/// How many values a list may have.
const VALUES: std::ops::RangeInclusive<usize> = 2..=50;
/// The greatest value of a list.
const GREATEST: i64 = 1_000_000;

/// What may be estimated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scale {
    /// 0, 1, 2, 3, 5, 8 … 89.
    Fibonacci,
    /// XS, S, M, L, XL, XXL, which are 1 to 6.
    TShirt,
    /// These, the least first.
    Numbers(Vec<i64>),
}

impl Scale {
    /// The scale that is written so: a name, or whole numbers, rising, parted by commas.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "fibonacci" => Some(Self::Fibonacci),
            "t-shirt" => Some(Self::TShirt),
            list => {
                let numbers = list.split(',').map(number).collect::<Option<Vec<_>>>()?;
                let is_rising = numbers.windows(2).all(|pair| pair[0] < pair[1]);
                (VALUES.contains(&numbers.len()) && is_rising).then_some(Self::Numbers(numbers))
            }
        }
    }

    /// Its values, the least first.
    #[must_use]
    pub fn values(&self) -> &[i64] {
        match self {
            Self::Fibonacci => &FIBONACCI,
            Self::TShirt => &ORDINALS,
            Self::Numbers(numbers) => numbers,
        }
    }

    /// Whether that may be estimated.
    #[must_use]
    pub fn has(&self, points: i64) -> bool {
        self.values().contains(&points)
    }

    /// Each value with what people call it, the least first.
    pub fn cards(&self) -> impl Iterator<Item = (i64, Cow<'static, str>)> {
        self.values().iter().enumerate().map(|(at, points)| {
            let label = match self {
                Self::TShirt => Cow::Borrowed(SIZES[at]),
                Self::Fibonacci | Self::Numbers(_) => Cow::Owned(points.to_string()),
            };
            (*points, label)
        })
    }

    /// The values for people to choose from.
    fn said(&self) -> String {
        let said = |(points, label): (i64, Cow<'_, str>)| match self {
            Self::TShirt => format!("{points} ({label})"),
            Self::Fibonacci | Self::Numbers(_) => label.into_owned(),
        };
        self.cards().map(said).collect::<Vec<_>>().join(", ")
    }
}

/// A whole number as everybody would write it.
fn number(text: &str) -> Option<i64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|number| is_plain && *number <= GREATEST)
}

/// What a round comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The median; of two in the middle the greater, so that it is one of the values of the scale.
    pub points: i64,
    /// The greatest less the least.
    pub spread: i64,
}

impl Tally {
    /// Of these estimates, in any order; nothing of none.
    #[must_use]
    pub fn of(mut estimates: Vec<i64>) -> Option<Self> {
        estimates.sort_unstable();
        let (least, greatest) = (estimates.first()?, estimates.last()?);
        Some(Self { points: *estimates.get(estimates.len() / 2)?, spread: greatest - least })
    }
}

/// `scale` must be one.
pub(crate) fn well_formed(rejections: &mut Rejections, scale: &str) {
    rejections.require(Scale::parse(scale).is_some(), || {
        let message = format!(
            "scale is neither fibonacci nor t-shirt nor {} to {} whole numbers from 0 to {GREATEST}, rising, parted by commas, as \
             1,2,4,8",
            VALUES.start(),
            VALUES.end()
        );
        Violation::on(INVALID_ARGUMENT, "scale", message)
    });
}

/// `points` must be on the scale.
pub(crate) fn is_on(rejections: &mut Rejections, scale: &Scale, points: i64) {
    rejections.require(scale.has(points), || {
        let message = format!("points is not on the scale, which has {}", scale.said());
        Violation::on(INVALID_ARGUMENT, "points", message)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_a_name_or_rising_numbers() {
        for (text, values) in [
            ("fibonacci", &[0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89][..]),
            ("t-shirt", &[1, 2, 3, 4, 5, 6]),
            ("0,1", &[0, 1]),
            ("1,10,1000000", &[1, 10, 1_000_000]),
        ] {
            assert_eq!(Scale::parse(text).unwrap().values(), values, "{text}");
        }
        let list = |count: i64| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert!(Scale::parse(&list(50)).is_some());
        let (one, many) = (list(1), list(51));
        for text in [
            "",
            ",",
            "1",
            "1,",
            ",1",
            "1,,2",
            "2,1",
            "1,1",
            "1, 2",
            " 1,2",
            "-1,1",
            "+1,2",
            "01,2",
            "1,1000001",
            "1,1.5",
            "1,99999999999999999999",
            "Fibonacci",
            "fibonacci,1",
            "XS,S",
            "1;2",
            "١,٢",
            &one,
            &many,
        ] {
            assert_eq!(Scale::parse(text), None, "{text}");
        }
    }

    #[test]
    fn cards_are_called_what_people_call_them() {
        let cards = |text: &str| {
            Scale::parse(text)
                .unwrap()
                .cards()
                .map(|(points, label)| format!("{points}={label}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(cards("t-shirt"), "1=XS 2=S 3=M 4=L 5=XL 6=XXL");
        assert_eq!(cards("1,20"), "1=1 20=20");
        assert_eq!(Scale::TShirt.said(), "1 (XS), 2 (S), 3 (M), 4 (L), 5 (XL), 6 (XXL)");
    }

    #[test]
    fn a_round_comes_to_the_median_and_the_spread() {
        for (estimates, points, spread) in [
            (&[3, 5][..], 5, 2),
            (&[5, 3], 5, 2),
            (&[8, 1, 2], 2, 7),
            (&[8, 1, 2, 3], 3, 7),
            (&[4, 4, 4], 4, 0),
            (&[1_000_000, 0], 1_000_000, 1_000_000),
        ] {
            assert_eq!(Tally::of(estimates.to_vec()), Some(Tally { points, spread }), "{estimates:?}");
        }
        assert_eq!(Tally::of(vec![]), None);
    }
}
