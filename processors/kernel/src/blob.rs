//! Bytes that mean nothing to the engine: what somebody has sealed for somebody else.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::avro::{BadDatum, Datum, Input};

/// What a generated type holds for `bytes` of Avro. In JSON it is a text of hexadecimal digits, two for each byte.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Blob(Arc<[u8]>);

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Blob {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

/// Never the bytes: a log is no place for what may be a secret.
impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} bytes)", self.len())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = String::with_capacity(2 * self.len());
        for byte in self.iter() {
            for half in [byte >> 4, byte & 15] {
                digits.extend(char::from_digit(u32::from(half), 16));
            }
        }
        serializer.serialize_str(&digits)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = std::borrow::Cow::<str>::deserialize(deserializer)?;
        parse(&digits)
            .ok_or_else(|| serde::de::Error::custom("bytes are hexadecimal digits, two for each byte"))
    }
}

fn parse(digits: &str) -> Option<Blob> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| u8::try_from(16 * value(*high)? + value(*low)?).ok();
    let bytes: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
    rest.is_empty().then(|| bytes.into())
}

impl Datum for Blob {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as i64).write(out);
        out.extend_from_slice(self);
    }

    fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
        input.bytes().map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bytes_of_avro_and_digits_of_json_and_nothing_to_a_log() {
        let blob = Blob::from(vec![0, 1, 0xab, 255]);
        let mut out = Vec::new();
        blob.write(&mut out);
        assert_eq!(out, [8, 0, 1, 0xab, 255]);
        assert_eq!(Blob::read(&mut Input::new(&out)), Ok(blob.clone()));
        assert!(Blob::read(&mut Input::new(&out[..4])).is_err());
        assert_eq!(serde_json::to_string(&blob).unwrap(), "\"0001abff\"");
        assert_eq!(serde_json::from_str::<Blob>("\"0001ABff\"").unwrap(), blob);
        assert_eq!(serde_json::from_str::<Blob>("\"\"").unwrap(), Blob::default());
        for bad in ["\"0\"", "\"0x\"", "\"+1\"", "\"é0\"", "1", "[1]"] {
            assert!(serde_json::from_str::<Blob>(bad).is_err(), "{bad}");
        }
        assert_eq!(format!("{blob:?}"), "(4 bytes)");
    }
}
