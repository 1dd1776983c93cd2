//! Rust values as Avro data and back, without a schema in between: the types are made from the
//! schemas, so the order of their fields is the schema's.
//!
//! The rules are those of the Avro specification 1.12, "Binary Encoding". Only this build's own
//! version of a schema is read here; `wire` resolves others.

use std::fmt;

/// A value with a place in an Avro schema.
pub trait Datum: Sized {
    /// Appends the value to `out`.
    fn write(&self, out: &mut Vec<u8>);

    /// Takes the value from the front of `input`.
    ///
    /// # Errors
    /// [`BadDatum`] when the bytes are no such value.
    fn read(input: &mut Input<'_>) -> Result<Self, BadDatum>;
}

/// Bytes that are not the value they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadDatum {
    /// What was found instead.
    what: &'static str,
    /// How many bytes were left behind the place.
    left: usize,
}

impl fmt::Display for BadDatum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} bytes before the end", self.what, self.left)
    }
}

impl std::error::Error for BadDatum {}

/// Bytes that are being read.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// Begins at the front of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// How many bytes are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.0.len()
    }

    /// What is wrong at this place.
    #[must_use]
    pub fn bad(&self, what: &'static str) -> BadDatum {
        BadDatum { what, left: self.0.len() }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], BadDatum> {
        let Some((taken, rest)) = self.0.split_at_checked(count) else {
            return Err(self.bad("it is cut off"));
        };
        self.0 = rest;
        Ok(taken)
    }

    /// The index of a union's branch or of an enum's symbol.
    ///
    /// # Errors
    /// [`BadDatum`].
    pub fn index(&mut self) -> Result<u64, BadDatum> {
        let index = i64::read(self)?;
        u64::try_from(index).map_err(|_| self.bad("a branch or symbol with a negative number"))
    }

    /// A string, where it stands.
    ///
    /// # Errors
    /// [`BadDatum`].
    #[inline]
    pub fn text(&mut self) -> Result<&'a str, BadDatum> {
        let length = self.length()?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.bad("a string that is not UTF-8"))
    }

    /// Bytes, where they stand.
    ///
    /// # Errors
    /// [`BadDatum`].
    pub fn bytes(&mut self) -> Result<&'a [u8], BadDatum> {
        let length = self.length()?;
        self.take(length)
    }

    /// An array, each of whose items `item` takes.
    ///
    /// # Errors
    /// [`BadDatum`].
    pub fn items(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), BadDatum>) -> Result<(), BadDatum> {
        // every item takes a byte at least, in however many blocks they come
        let mut most = self.left();
        loop {
            let count = i64::read(self)?;
            if count < 0 {
                // others may say how many bytes the block takes
                self.length()?;
            }
            let count = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
            if count == 0 {
                return Ok(());
            }
            let Some(more) = most.min(self.left()).checked_sub(count) else {
                return Err(self.bad("an array that is longer than the message"));
            };
            most = more;
            for _ in 0..count {
                item(self)?;
            }
        }
    }

    fn length(&mut self) -> Result<usize, BadDatum> {
        let length = i64::read(self)?;
        usize::try_from(length).map_err(|_| self.bad("a negative length"))
    }
}

/// Appends the index of a union's branch or of an enum's symbol.
pub fn write_index(index: i64, out: &mut Vec<u8>) {
    index.write(out);
}

impl Datum for i64 {
    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        let mut rest = ((self << 1) ^ (self >> 63)) as u64;
        let mut bytes = [0; 10];
        let mut count = 0;
        while rest >= 0x80 {
            bytes[count] = rest as u8 | 0x80;
            rest >>= 7;
            count += 1;
        }
        bytes[count] = rest as u8;
        out.extend_from_slice(&bytes[..=count]);
    }

    #[inline]
    fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
        let mut number = 0_u64;
        for (index, byte) in input.0.iter().take(10).enumerate() {
            // the tenth byte has room for one bit
            if index == 9 && *byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                input.0 = &input.0[index + 1..];
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        Err(input.bad(if input.0.len() < 10 { "it is cut off" } else { "a number of more than 64 bits" }))
    }
}

impl Datum for i32 {
    fn write(&self, out: &mut Vec<u8>) {
        i64::from(*self).write(out);
    }

    fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
        let number = i64::read(input)?;
        Self::try_from(number).map_err(|_| input.bad("an int of more than 32 bits"))
    }
}

impl Datum for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
        match input.take(1)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(input.bad("a boolean that is neither 0 nor 1")),
        }
    }
}

impl Datum for f64 {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
        let bytes = input.take(8)?;
        bytes.try_into().map(Self::from_le_bytes).map_err(|_| input.bad("it is cut off"))
    }
}

impl Datum for String {
    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        write_str(self, out);
    }

    #[inline]
    fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
        input.text().map(str::to_owned)
    }
}

/// Appends a string.
#[inline]
pub fn write_str(text: &str, out: &mut Vec<u8>) {
    (text.len() as i64).write(out);
    out.extend_from_slice(text.as_bytes());
}

/// `["null", T]`
impl<T: Datum> Datum for Option<T> {
    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                // branch 1, zig-zag
                out.push(2);
                value.write(out);
            }
        }
    }

    #[inline]
    fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
        match input.index()? {
            0 => Ok(None),
            1 => T::read(input).map(Some),
            _ => Err(input.bad("a branch that a nullable value does not have")),
        }
    }
}

/// An array; every item takes at least one byte.
impl<T: Datum> Datum for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        if !self.is_empty() {
            (self.len() as i64).write(out);
            self.iter().for_each(|item| item.write(out));
        }
        out.push(0);
    }

    fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
        let mut items = Self::new();
        input.items(|input| {
            items.push(T::read(input)?);
            Ok(())
        })?;
        Ok(items)
    }
}

/// A struct as an Avro record of the same fields in the same order.
#[macro_export]
macro_rules! avro_record {
    ($name:ident $(<$parameter:ident>)? { $($field:ident),* $(,)? }) => {
        impl $(<$parameter: $crate::avro::Datum>)? $crate::avro::Datum for $name $(<$parameter>)? {
            #[inline]
            #[allow(unused_variables)]
            fn write(&self, out: &mut Vec<u8>) {
                $($crate::avro::Datum::write(&self.$field, out);)*
            }

            #[inline]
            #[allow(unused_variables)]
            fn read(
                input: &mut $crate::avro::Input<'_>,
            ) -> Result<Self, $crate::avro::BadDatum> {
                Ok(Self { $($field: $crate::avro::Datum::read(input)?),* })
            }
        }
    };
}
#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(value: &impl Datum) -> Vec<u8> {
        let mut out = Vec::new();
        value.write(&mut out);
        out
    }

    fn read<T: Datum>(bytes: &[u8]) -> Result<T, BadDatum> {
        T::read(&mut Input::new(bytes))
    }

    /// The examples of the specification.
    #[test]
    fn numbers_are_zigzag_and_variable() {
        for (number, expected) in
            [(0, &[0][..]), (-1, &[1]), (1, &[2]), (-2, &[3]), (-64, &[0x7f]), (64, &[0x80, 0x01])]
        {
            assert_eq!(bytes(&number), expected, "{number}");
        }
        for number in [0, 1, -1, 63, 64, i64::MAX, i64::MIN, i64::MAX - 1, 1 << 34, -(1 << 62)] {
            assert_eq!(read::<i64>(&bytes(&number)), Ok(number));
        }
        assert_eq!(bytes(&"foo".to_owned()), [6, b'f', b'o', b'o']);
        assert_eq!(bytes(&vec![3_i64, 27]), [4, 6, 54, 0]);
        assert_eq!(bytes(&Some("a".to_owned())), [2, 2, b'a']);
    }

    #[test]
    fn arrays_may_come_in_blocks_with_their_sizes() {
        assert_eq!(read::<Vec<i64>>(&[3, 4, 6, 54, 2, 2, 0]), Ok(vec![3, 27, 1]));
    }

    #[test]
    fn what_is_no_value_is_refused() {
        let bad = |found: Result<String, BadDatum>| found.unwrap_err().to_string();
        assert_eq!(bad(read(&[])), "it is cut off, 0 bytes before the end");
        assert_eq!(bad(read(&[6, b'f'])), "it is cut off, 1 bytes before the end");
        assert_eq!(bad(read(&[1])), "a negative length, 0 bytes before the end");
        assert_eq!(bad(read(&[2, 0xff])), "a string that is not UTF-8, 0 bytes before the end");
        assert!(read::<i64>(&[0xff; 11]).is_err(), "more than 64 bits");
        assert!(read::<i64>(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02]).is_err());
        assert!(read::<i32>(&bytes(&(1_i64 << 40))).is_err());
        assert!(read::<bool>(&[2]).is_err());
        assert!(read::<Option<i64>>(&[4, 0]).is_err());
        assert!(read::<Vec<i64>>(&bytes(&i64::MAX)).is_err(), "no memory is taken for what is not there");
        // blocks of items that take no byte: as many as there are bytes, not as many as each block says
        #[derive(Debug, PartialEq)]
        struct Nothing {}
        avro_record!(Nothing {});
        let blocks = [bytes(&300_i64).repeat(300), vec![0]].concat();
        assert!(read::<Vec<Nothing>>(&blocks).is_err());
    }
}
