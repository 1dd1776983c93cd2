//! Texts that are not for everybody: what belongs to a person, and what nobody may see.
//!
//! On the wire both are strings like any other. Their types are apart so that code which handles them says so, and so that
//! nothing prints one by accident; how a text is sealed can change later without a change of the schema.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::avro::{BadDatum, Datum, Input, write_str};
use crate::inline::Text;

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $shown:literal) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Text);

        impl $name {
            /// The text, for code that has a reason to see it.
            #[must_use]
            pub fn open(&self) -> &str {
                &self.0
            }
        }

        impl From<Text> for $name {
            fn from(text: Text) -> Self {
                Self(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        /// Never the text.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($shown)
            }
        }

        impl Datum for $name {
            fn write(&self, out: &mut Vec<u8>) {
                write_str(&self.0, out);
            }

            fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
                Text::read(input).map(Self)
            }
        }
    };
}

text!(
    /// A text that belongs to a person: `"personal"` in its schema.
    Personal,
    "(personal)"
);
text!(
    /// A text that must never be stored or shown: `"secret"` in its schema.
    Secret,
    "(secret)"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_string_to_others_and_nothing_to_a_log() {
        let (personal, secret) = (Personal::from("Ann"), Secret::from("Ann".to_owned()));
        assert_eq!(format!("{personal:?} {secret:?}"), "(personal) (secret)");
        assert_eq!((personal.open(), secret.open()), ("Ann", "Ann"));
        let (mut one, mut other) = (Vec::new(), Vec::new());
        personal.write(&mut one);
        "Ann".to_owned().write(&mut other);
        assert_eq!(one, other);
        assert_eq!(Personal::read(&mut Input::new(&one)), Ok(personal.clone()));
        assert_eq!(serde_json::to_string(&personal).unwrap(), "\"Ann\"");
        assert_eq!(serde_json::from_str::<Secret>("\"Ann\"").unwrap(), secret);
    }
}
