//! One command's copy: three values made of its bytes, and the keys they go under.

use crate::sizes::Sizes;

/// Magic byte, schema id, and the length of the id, which is less than 64 and so one byte.
const BEFORE_ID: usize = 6;
/// Before the account's id in the key of a state.
const STATE_KEY_PREFIX: &[u8] = b"Account/";

/// Where three records lie in a buffer: (key, value) each, as start and length.
pub type Places = [((usize, usize), (usize, usize)); 3];

/// Appends the copies of a command to `buffer`; `None` when the value does not begin like a command.
pub fn append(buffer: &mut Vec<u8>, sizes: Sizes, key: &[u8], value: &[u8]) -> Option<Places> {
    // the zigzag of a short length is twice the length
    let id_length = usize::from(*value.get(BEFORE_ID - 1)?) / 2;
    let id = value.get(BEFORE_ID..BEFORE_ID + id_length)?;
    let begin = buffer.len();
    buffer.extend_from_slice(STATE_KEY_PREFIX);
    buffer.extend_from_slice(key);
    buffer.extend_from_slice(id);
    let plain_key = (begin + STATE_KEY_PREFIX.len(), key.len());
    let state_key = (begin, STATE_KEY_PREFIX.len() + key.len());
    let id_key = (begin + state_key.1, id_length);
    let mut filled = |size: usize| {
        let at = buffer.len();
        buffer.extend_from_slice(&value[..value.len().min(size)]);
        buffer.resize(at + size, 0);
        (at, size)
    };
    Some([
        (plain_key, filled(sizes.event)),
        (state_key, filled(sizes.state)),
        (id_key, filled(sizes.outcome)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_sizes_and_the_keys() {
        let sizes = Sizes { event: 20, state: 4, outcome: 8 };
        let value = [&[0, 0, 0, 0, 7, 6][..], b"abc", b"rest"].concat();
        let mut buffer = b"before".to_vec();
        let places = append(&mut buffer, sizes, b"acc-1", &value).unwrap();
        let at = |(start, length): (usize, usize)| &buffer[start..start + length];
        let keys: Vec<&[u8]> = places.iter().map(|(key, _)| at(*key)).collect();
        assert_eq!(keys, [&b"acc-1"[..], b"Account/acc-1", b"abc"]);
        let values: Vec<&[u8]> = places.iter().map(|(_, value)| at(*value)).collect();
        assert_eq!(values[0], [&value[..], &[0; 7]].concat());
        assert_eq!((values[1], values[2]), (&value[..4], &value[..8]));
        assert!(append(&mut buffer, sizes, b"k", b"short").is_none());
    }
}
