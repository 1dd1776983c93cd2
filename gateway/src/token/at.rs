//! Where to look for an outcome that was not waited for.

use std::fmt;
use std::str::FromStr;

/// A place in the outcomes topic in front of which an outcome does not stand: `PARTITION.OFFSET.TIME`.
///
/// The offset is up to where the gateway had read when the command was sent, so no clock is trusted; the time says to
/// people, and where a topic was made anew, when that was. Clients take all of it as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    /// The partition of command and outcome.
    pub(crate) partition: i32,
    /// The first offset at which the outcome may stand.
    pub(crate) offset: i64,
    /// When the command was sent, in milliseconds since the epoch.
    pub(crate) sent_at_ms: i64,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.partition, self.offset, self.sent_at_ms)
    }
}

impl FromStr for At {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let mut number = || parts.next()?.parse::<i64>().ok().filter(|number| *number >= 0);
        let (partition, offset, sent_at_ms) = (number(), number(), number());
        match (partition.and_then(|it| i32::try_from(it).ok()), offset, sent_at_ms, parts.next()) {
            (Some(partition), Some(offset), Some(sent_at_ms), None) => {
                Ok(Self { partition, offset, sent_at_ms })
            }
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let at = At { partition: 3, offset: 1 << 40, sent_at_ms: 1_764_457_200_000 };
        assert_eq!(at.to_string().parse(), Ok(at));
        for bad in ["", "3", "3.4", "3.4.5.6", "-1.4.5", "a.4.5", "3.4.5 ", "99999999999.4.5"] {
            assert_eq!(bad.parse::<At>(), Err(()), "{bad}");
        }
    }
}
