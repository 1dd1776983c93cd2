//! What messages and topics are, and where their fields go and come from.

use std::borrow::Cow;

use crate::BadMessage;

/// Where values go, field by field in the order of the schema: Avro, or JSON as the gateway has it.
pub trait Sink: Sized {
    /// A text.
    fn text(&mut self, name: &str, value: &str);
    /// A number of 64 bits.
    fn long(&mut self, name: &str, value: i64);
    /// A number of 32 bits.
    fn int(&mut self, name: &str, value: i32);
    /// A number with a fraction.
    fn double(&mut self, name: &str, value: f64);
    /// True or false.
    fn boolean(&mut self, name: &str, value: bool);
    /// Bytes that JSON has in base64.
    fn sealed(&mut self, name: &str, value: &[u8]);
    /// Bytes that JSON has as hexadecimal digits.
    fn digest(&mut self, name: &str, value: &[u8]);
    /// A null.
    fn none(&mut self, name: &str);
    /// What follows stands where a null may stand.
    fn some(&mut self, name: &str);
    /// A list, each of whose items `write` writes.
    fn items<T>(&mut self, name: &str, items: &[T], write: impl FnMut(&mut Self, &T));
    /// A record.
    fn record(&mut self, name: &str, value: &impl Record);
    /// One of some names.
    fn symbol<S: Symbols>(&mut self, name: &str, value: S);
}

/// Where values come from, field by field in the order of the schema. What is no such value is a [`BadMessage`].
pub trait Source: Sized {
    /// A text.
    ///
    /// # Errors
    /// [`BadMessage`], as of all these.
    fn text(&mut self, name: &str) -> Result<String, BadMessage>;
    /// A number of 64 bits.
    ///
    /// # Errors
    /// [`BadMessage`].
    fn long(&mut self, name: &str) -> Result<i64, BadMessage>;
    /// A number of 32 bits.
    ///
    /// # Errors
    /// [`BadMessage`].
    fn int(&mut self, name: &str) -> Result<i32, BadMessage>;
    /// A number with a fraction.
    ///
    /// # Errors
    /// [`BadMessage`].
    fn double(&mut self, name: &str) -> Result<f64, BadMessage>;
    /// True or false.
    ///
    /// # Errors
    /// [`BadMessage`].
    fn boolean(&mut self, name: &str) -> Result<bool, BadMessage>;
    /// Bytes that JSON has in base64.
    ///
    /// # Errors
    /// [`BadMessage`].
    fn sealed(&mut self, name: &str) -> Result<Vec<u8>, BadMessage>;
    /// Bytes that JSON has as hexadecimal digits.
    ///
    /// # Errors
    /// [`BadMessage`].
    fn digest(&mut self, name: &str) -> Result<Vec<u8>, BadMessage>;
    /// Whether a value follows, where a null may stand.
    ///
    /// # Errors
    /// [`BadMessage`].
    fn is_some(&mut self, name: &str) -> Result<bool, BadMessage>;
    /// A list, each of whose items `read` reads.
    ///
    /// # Errors
    /// [`BadMessage`].
    fn items<T>(
        &mut self,
        name: &str,
        read: impl FnMut(&mut Self) -> Result<T, BadMessage>,
    ) -> Result<Vec<T>, BadMessage>;
    /// A record.
    ///
    /// # Errors
    /// [`BadMessage`].
    fn record<T: Record>(&mut self, name: &str) -> Result<T, BadMessage>;
    /// One of some names.
    ///
    /// # Errors
    /// [`BadMessage`].
    fn symbol<S: Symbols>(&mut self, name: &str) -> Result<S, BadMessage>;
}

/// A record of a schema.
pub trait Record: Sized {
    /// Writes the fields, in the order of the schema.
    fn write(&self, out: &mut impl Sink);

    /// Reads the fields, in the order of the schema.
    ///
    /// # Errors
    /// [`BadMessage`].
    fn read(from: &mut impl Source) -> Result<Self, BadMessage>;
}

/// An enumeration of a schema.
pub trait Symbols: Copy {
    /// All names, in the schema's order.
    const SYMBOLS: &'static [&'static str];

    /// The one of this place.
    fn at(index: usize) -> Option<Self>;

    /// The place of this one.
    fn index(self) -> usize;
}

/// What a command or an event holds.
pub trait Message: Record {
    /// Whose it is.
    const DOMAIN: &'static str;
    /// Its name.
    const NAME: &'static str;

    /// The aggregate that it belongs to, such as `Chirp/ann/c1`.
    fn aggregate_id(&self) -> String;

    /// The key of the record, by which its partition is found.
    fn routing_key(&self) -> Cow<'_, str>;
}

/// What any message of a topic holds: an enum of [`Message`]s.
pub trait Messages: Sized {
    /// The topic.
    const TOPIC: Topic;
    /// The topic of what becomes of the domain's commands.
    const OUTCOMES: Topic;
    /// The names of all messages, branch by branch.
    const NAMES: &'static [&'static str];

    /// The number of the branch.
    fn branch(&self) -> usize;

    /// The name of the message.
    fn name(&self) -> &'static str {
        Self::NAMES[self.branch()]
    }

    /// Writes the message without the number of its branch.
    fn write(&self, out: &mut impl Sink);

    /// Reads the message of a branch.
    ///
    /// # Errors
    /// [`BadMessage`], also where there is no such branch.
    fn read(branch: usize, from: &mut impl Source) -> Result<Self, BadMessage>;

    /// The aggregate that it belongs to.
    fn aggregate_id(&self) -> String;

    /// The key of the record, by which its partition is found.
    fn routing_key(&self) -> Cow<'_, str>;
}

/// A topic, with its schema as it is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Whose it is.
    pub domain: &'static str,
    /// `chirp.events`, where the deployment has no prefix.
    pub name: &'static str,
    /// The schema.
    pub schema: &'static str,
}

/// A row of a view.
pub trait View: Sized {
    /// The domain of the view.
    const DOMAIN: &'static str;
    /// The name of the view.
    const NAME: &'static str;
    /// The columns that name which rows are meant.
    const PARTITION: &'static [&'static str];
    /// The columns behind them, in the order of the rows; a `-` in front: descending.
    const CLUSTERING: &'static [&'static str];

    /// Reads the columns.
    ///
    /// # Errors
    /// [`BadMessage`].
    fn read(from: &mut impl Source) -> Result<Self, BadMessage>;
}
