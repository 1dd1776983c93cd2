//! Whose transaction is open at an offset: what librdkafka has no call for.
//!
//! Two requests in Kafka's protocol, DescribeProducers to the partition's leader and ListTransactions to every broker, over a
//! connection without TLS or password; where either is asked for, nothing is found out. Answers are read by hand, as the
//! codecs there are make room for whatever an array claims to hold.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};

/// How long a broker may take to connect, and to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// No answer of interest is longer.
const MOST_BYTES: usize = 4 << 20;

const DESCRIBE_PRODUCERS: i16 = 61;
const LIST_TRANSACTIONS: i16 = 66;

/// Who has a transaction open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The id the broker gave the producer.
    pub producer_id: i64,
    /// The id the producer gave itself, where a coordinator knows it.
    pub transactional_id: Option<String>,
}

/// Who has the transaction open that begins at `offset`, as the partition's `leader` knows; `brokers` are asked for its name.
/// `None` where nobody knows, or nobody says.
pub(crate) fn find(
    leader: &str,
    brokers: &[String],
    topic: &str,
    partition: i32,
    offset: i64,
) -> Option<Holder> {
    let answer = ask(leader, DESCRIBE_PRODUCERS, &describe(topic, partition)).ok()?;
    let producer_id = opened_at(&answer, offset)?;
    let mut names = brokers.iter().filter_map(|broker| {
        let answer = ask(broker, LIST_TRANSACTIONS, &list(producer_id)).ok()?;
        name_of(&answer, producer_id)
    });
    Some(Holder { producer_id, transactional_id: names.next() })
}

/// Sends a request of version 0 with a flexible body, and gives the body of its answer.
fn ask(address: &str, key: i16, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for socket in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&socket, PATIENCE) {
            Ok(stream) => return exchange(stream, key, body),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn exchange(mut stream: TcpStream, key: i16, body: &[u8]) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    frame.put_i16(key);
    frame.put_i16(0);
    frame.put_i32(1);
    let client = b"millrace";
    frame.put_i16(client.len() as i16);
    frame.put_slice(client);
    frame.put_u8(0);
    frame.put_slice(body);
    let length = (frame.len() - 4) as i32;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    stream.write_all(&frame)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MOST_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut answer = Vec::new();
    stream.take(length as u64).read_to_end(&mut answer)?;
    // the number of the request, and no tags
    if answer.len() != length || answer.get(..5) != Some(&[0, 0, 0, 1, 0][..]) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(answer.split_off(5))
}

fn describe(topic: &str, partition: i32) -> BytesMut {
    let mut body = BytesMut::new();
    body.put_u8(2);
    // a topic's name has at most 249 letters
    varint(&mut body, topic.len() + 1);
    body.put_slice(topic.as_bytes());
    body.put_u8(2);
    body.put_i32(partition);
    body.put_slice(&[0, 0]);
    body
}

fn list(producer_id: i64) -> BytesMut {
    let mut body = BytesMut::new();
    body.put_slice(&[1, 2]);
    body.put_i64(producer_id);
    body.put_u8(0);
    body
}

fn varint(into: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        into.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    into.put_u8(value as u8);
}

/// The producer whose transaction begins at `offset`, of an answer to [`describe`].
pub(crate) fn opened_at(answer: &[u8], offset: i64) -> Option<i64> {
    let mut rest = Rest(answer);
    rest.take(4)?;
    for _ in 0..rest.length()? {
        rest.text()?;
        for _ in 0..rest.length()? {
            rest.take(4)?;
            let error = rest.take(2)?;
            rest.text()?;
            let is_good = error == [0, 0];
            for _ in 0..rest.length()? {
                let producer_id = rest.long()?;
                // its epoch, last sequence and timestamp, and the coordinator's epoch
                rest.take(4 + 4 + 8 + 4)?;
                let begins = rest.long()?;
                rest.tags()?;
                if is_good && begins == offset {
                    return Some(producer_id);
                }
            }
            rest.tags()?;
        }
        rest.tags()?;
    }
    None
}

/// The transactional id of a producer, of an answer to [`list`].
pub(crate) fn name_of(answer: &[u8], of: i64) -> Option<String> {
    let mut rest = Rest(answer);
    rest.take(4 + 2)?;
    for _ in 0..rest.length()? {
        rest.text()?;
    }
    for _ in 0..rest.length()? {
        let name = rest.text()?.to_owned();
        let producer_id = rest.long()?;
        rest.text()?;
        rest.tags()?;
        if producer_id == of {
            return Some(String::from_utf8_lossy(&name).into_owned());
        }
    }
    None
}

/// What is left of an answer; whatever it claims, nothing is read but what is there.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn long(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    fn varint(&mut self) -> Option<usize> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.take(1)?[0];
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Of an array or a text; null counts as empty. Elements of an array take a byte at least.
    fn length(&mut self) -> Option<usize> {
        let length = self.varint()?.saturating_sub(1);
        (length <= self.0.len()).then_some(length)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    fn tags(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = self.varint()?;
            self.take(length)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(of: &[(i64, i64)]) -> BytesMut {
        let mut answer = BytesMut::new();
        answer.put_slice(&[0, 0, 0, 0, 2, 2, b't', 2, 0, 0, 0, 3, 0, 0, 0]);
        varint(&mut answer, of.len() + 1);
        for (producer_id, begins) in of {
            answer.put_i64(*producer_id);
            answer.put_slice(&[0; 20]);
            answer.put_i64(*begins);
            answer.put_u8(0);
        }
        answer.put_slice(&[0, 0, 0]);
        answer
    }

    #[test]
    fn the_producer_is_found_whose_transaction_begins_there() {
        let answer = described(&[(7, -1), (8, 41), (9, 50)]);
        assert_eq!(opened_at(&answer, 41), Some(8));
        assert_eq!(opened_at(&answer, 42), None);
        for length in 0..answer.len() {
            let _ = opened_at(&answer[..length], 50);
            let _ = name_of(&answer[..length], 9);
        }
        assert_eq!(
            opened_at(&[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x7f], 1),
            None,
            "what it claims is not there"
        );
    }
}
