//! What the fuzz targets call: a schema alone, and one schema behind another.

use super::compat::{Level, Steps};
use super::schema::AvroSchema;

/// Parses a schema; its spelling is a schema again, and each goes with itself.
pub fn schema(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(schema) = AvroSchema::parse(text) {
        // Not with the same spelling: the JSON parser may read a number of many digits as its neighbour.
        let again = AvroSchema::parse(schema.canonical());
        assert!(again.is_ok(), "{again:?}");
        let itself = Level::Full.problems(&schema, &schema, &mut Steps::default());
        assert_eq!(itself, Ok(Vec::new()), "a schema goes with itself");
    }
}

/// Compares two schemas, divided by a zero byte, both ways.
pub fn compatibility(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some((new, old)) = text.split_once('\0') else { return };
    if let (Ok(new), Ok(old)) = (AvroSchema::parse(new), AvroSchema::parse(old)) {
        let _ = Level::Full.problems(&new, &old, &mut Steps::default());
    }
}
