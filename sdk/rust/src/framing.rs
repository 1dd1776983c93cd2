//! The registry's frame: a zero byte, the schema's id, the body.

use crate::BadMessage;

/// Avro in a frame.
#[must_use]
pub fn frame(schema_id: u32, body: &[u8]) -> Vec<u8> {
    [&[0], &schema_id.to_be_bytes()[..], body].concat()
}

/// Schema id and body of what stands in a frame.
///
/// # Errors
/// [`BadMessage`] where there is none.
pub fn unframe(framed: &[u8]) -> Result<(u32, &[u8]), BadMessage> {
    match framed {
        [0, a, b, c, d, body @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), body)),
        _ => Err(BadMessage::at(
            "",
            "no Avro in the registry's frame: it does not begin with a zero byte and a schema id",
        )),
    }
}
