//! What must hold of every type that is generated from a schema.

use std::fmt::Debug;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use millrace_kernel::Datum;
use millrace_kernel::avro::Input;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Encodes and decodes `value`, has another implementation read the bytes, and returns what
/// that one saw.
///
/// # Panics
/// When any of that differs from `value`, and when the bytes, cut off anywhere, are taken for one.
pub fn round_trip<T>(schema: &str, value: &T) -> Avro
where
    T: Datum + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let mut bytes = Vec::new();
    value.write(&mut bytes);
    let mut input = Input::new(&bytes);
    assert_eq!(*value, T::read(&mut input).unwrap());
    assert_eq!(input.left(), 0, "all of it is read");
    for cut in 0..bytes.len() {
        assert!(T::read(&mut Input::new(&bytes[..cut])).is_err(), "{cut} of {} bytes", bytes.len());
    }
    let json = serde_json::to_string(value).unwrap();
    assert_eq!(*value, serde_json::from_str(&json).unwrap(), "{json}");

    let other = apache_avro::Schema::parse_str(schema).unwrap();
    let seen =
        GenericDatumReader::builder(&other).build().unwrap().read_value(&mut bytes.as_slice()).unwrap();
    let again =
        GenericDatumWriter::builder(&other).build().unwrap().write_value_to_vec(seen.clone()).unwrap();
    assert_eq!(bytes, again, "another implementation writes the same bytes");
    // (its own serde bridge guesses the branch of a union by position, so bytes it is)
    seen
}
