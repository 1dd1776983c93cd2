//! Messages as people write them in JSON: checked against the schema, with errors that name the
//! field, what is wrong with it and what would be right.

mod check;
mod place;
mod secrets;
mod types;
mod unique;

pub use check::{Problem, check_data, check_members, check_metadata, data_problems, from_text};
pub use place::{pointer_to_field, short};
pub use secrets::{PLAINTEXT, SETTING, Sealing};
pub use types::{Field, FieldType, MessageType, MessageTypes};
pub use unique::from_json;
