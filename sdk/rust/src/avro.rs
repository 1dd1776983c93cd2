//! Avro (1.12, "Binary Encoding"), written and read field by field.

use crate::{BadMessage, Record, Sink, Source, Symbols};

/// Writes Avro.
#[derive(Clone, Debug, Default)]
pub struct Output(Vec<u8>);

impl Output {
    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Writes bytes as they stand.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Writes the number of a branch or symbol, a length or a count.
    pub fn count(&mut self, count: usize) {
        self.number(count as i64);
    }

    fn number(&mut self, value: i64) {
        let mut rest = ((value << 1) ^ (value >> 63)) as u64;
        while rest > 0x7f {
            self.0.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
    }
}

impl Sink for Output {
    fn text(&mut self, name: &str, value: &str) {
        self.sealed(name, value.as_bytes());
    }

    fn long(&mut self, _: &str, value: i64) {
        self.number(value);
    }

    fn int(&mut self, _: &str, value: i32) {
        self.number(value.into());
    }

    fn double(&mut self, _: &str, value: f64) {
        self.raw(&value.to_le_bytes());
    }

    fn boolean(&mut self, _: &str, value: bool) {
        self.0.push(value.into());
    }

    fn sealed(&mut self, _: &str, value: &[u8]) {
        self.count(value.len());
        self.raw(value);
    }

    fn digest(&mut self, name: &str, value: &[u8]) {
        self.sealed(name, value);
    }

    fn none(&mut self, _: &str) {
        self.count(0);
    }

    fn some(&mut self, _: &str) {
        self.count(1);
    }

    fn items<T>(&mut self, _: &str, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        if !items.is_empty() {
            self.count(items.len());
            items.iter().for_each(|item| write(self, item));
        }
        self.count(0);
    }

    fn record(&mut self, _: &str, value: &impl Record) {
        value.write(self);
    }

    fn symbol<S: Symbols>(&mut self, _: &str, value: S) {
        self.count(value.index());
    }
}

/// Reads Avro. It trusts nothing: lengths and counts are held against the bytes that are left, so no input takes more memory than a
/// multiple of itself.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    rest: &'a [u8],
    whole: usize,
}

impl<'a> Input<'a> {
    /// Begins at the front of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, whole: bytes.len() }
    }

    /// What is left.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Refuses what is left over.
    ///
    /// # Errors
    /// [`BadMessage`].
    pub fn end(&self) -> Result<(), BadMessage> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(self.bad("", &format!("{left} bytes are left over behind the message"))),
        }
    }

    /// What is wrong at this place.
    #[must_use]
    pub fn bad(&self, name: &str, reason: &str) -> BadMessage {
        BadMessage::at(name, format!("{reason}, at byte {}", self.whole - self.rest.len()))
    }

    /// Takes so many bytes.
    ///
    /// # Errors
    /// [`BadMessage`].
    pub fn skip(&mut self, name: &str, count: usize) -> Result<&'a [u8], BadMessage> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or_else(|| self.bad(name, "it is cut off"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// The number of a branch or symbol of so many.
    ///
    /// # Errors
    /// [`BadMessage`].
    pub fn index(&mut self, name: &str, count: usize) -> Result<usize, BadMessage> {
        let index = usize::try_from(self.long(name)?).ok().filter(|index| *index < count);
        index.ok_or_else(|| {
            self.bad(name, &format!("there is no branch or symbol of that number, only {count} of them"))
        })
    }

    /// The length of what follows.
    ///
    /// # Errors
    /// [`BadMessage`].
    pub fn length(&mut self, name: &str) -> Result<usize, BadMessage> {
        usize::try_from(self.long(name)?).map_err(|_| self.bad(name, "a negative length"))
    }

    /// Calls `read` for every item of a list.
    ///
    /// # Errors
    /// [`BadMessage`].
    pub fn each(
        &mut self,
        name: &str,
        mut read: impl FnMut(&mut Self) -> Result<(), BadMessage>,
    ) -> Result<(), BadMessage> {
        // every item takes a byte at least, in however many blocks they come
        let mut most = self.rest.len();
        let mut at = 0;
        loop {
            let count = self.long(name)?;
            if count < 0 {
                // others may say how many bytes the block takes
                self.length(name)?;
            }
            let count = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
            if count == 0 {
                return Ok(());
            }
            let left = most.min(self.rest.len()).checked_sub(count);
            most = left.ok_or_else(|| self.bad(name, "a list that is longer than the message"))?;
            for _ in 0..count {
                read(self).map_err(|bad| bad.within(&at.to_string()).within(name))?;
                at += 1;
            }
        }
    }
}

impl Source for Input<'_> {
    fn text(&mut self, name: &str) -> Result<String, BadMessage> {
        let length = self.length(name)?;
        let before = self.clone();
        let bytes = self.skip(name, length)?;
        let text = std::str::from_utf8(bytes).map_err(|_| before.bad(name, "a text that is not UTF-8"))?;
        Ok(text.to_owned())
    }

    fn long(&mut self, name: &str) -> Result<i64, BadMessage> {
        let mut number = 0_u64;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            // the tenth byte has room for one bit
            if index == 9 && *byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        let reason = if self.rest.len() < 10 { "it is cut off" } else { "a number of more than 64 bits" };
        Err(self.bad(name, reason))
    }

    fn int(&mut self, name: &str) -> Result<i32, BadMessage> {
        i32::try_from(self.long(name)?).map_err(|_| self.bad(name, "an int of more than 32 bits"))
    }

    fn double(&mut self, name: &str) -> Result<f64, BadMessage> {
        let bytes = self.skip(name, 8)?;
        bytes.try_into().map(f64::from_le_bytes).map_err(|_| self.bad(name, "it is cut off"))
    }

    fn boolean(&mut self, name: &str) -> Result<bool, BadMessage> {
        match self.skip(name, 1)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(self.bad(name, "a boolean that is neither 0 nor 1")),
        }
    }

    fn sealed(&mut self, name: &str) -> Result<Vec<u8>, BadMessage> {
        let length = self.length(name)?;
        self.skip(name, length).map(<[u8]>::to_vec)
    }

    fn digest(&mut self, name: &str) -> Result<Vec<u8>, BadMessage> {
        self.sealed(name)
    }

    fn is_some(&mut self, name: &str) -> Result<bool, BadMessage> {
        Ok(self.index(name, 2)? == 1)
    }

    fn items<T>(
        &mut self,
        name: &str,
        mut read: impl FnMut(&mut Self) -> Result<T, BadMessage>,
    ) -> Result<Vec<T>, BadMessage> {
        let mut items = Vec::new();
        self.each(name, |input| {
            items.push(read(input)?);
            Ok(())
        })?;
        Ok(items)
    }

    fn record<T: Record>(&mut self, name: &str) -> Result<T, BadMessage> {
        T::read(self).map_err(|bad| bad.within(name))
    }

    fn symbol<S: Symbols>(&mut self, name: &str) -> Result<S, BadMessage> {
        let index = self.index(name, S::SYMBOLS.len())?;
        S::at(index).ok_or_else(|| self.bad(name, "there is no symbol of that number"))
    }
}
