//! What a group's leader has given to a member, as brokers hand it on; anybody may be that leader.

/// The partitions of `topic` in an assignment of the consumer protocol: a version, then each
/// topic's name with its partitions, all in network byte order.
pub(crate) fn assigned(bytes: &[u8], topic: &str) -> Option<Vec<i32>> {
    fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
        let (taken, left) = rest.split_at_checked(count)?;
        *rest = left;
        Some(taken)
    }
    fn number(rest: &mut &[u8]) -> Option<i32> {
        Some(i32::from_be_bytes(take(rest, 4)?.try_into().ok()?))
    }
    let mut rest = bytes;
    take(&mut rest, 2)?;
    let mut found = Vec::new();
    for _ in 0..number(&mut rest)? {
        let length = u16::from_be_bytes(take(&mut rest, 2)?.try_into().ok()?);
        let is_ours = take(&mut rest, length.into())? == topic.as_bytes();
        for _ in 0..number(&mut rest)? {
            let partition = number(&mut rest)?;
            if is_ours {
                found.push(partition);
            }
        }
    }
    Some(found)
}
