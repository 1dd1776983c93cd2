//! What stands in the place of something that a domain does not have.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::aggregate::AggregateId;
use crate::avro::{BadDatum, Datum, Input};
use crate::message::{Addressed, Named};
use crate::sample::{Samples, Seed};

/// The steps of a domain without processes: there is no value of it, so no step can be written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoStep {}

impl Named for NoStep {
    fn name(&self) -> &'static str {
        match *self {}
    }
}

impl Addressed for NoStep {
    fn aggregate_id(&self) -> AggregateId {
        match *self {}
    }

    fn routing_key(&self) -> Cow<'_, str> {
        match *self {}
    }
}

impl Samples for NoStep {
    fn samples(_: &mut Seed) -> Vec<Self> {
        Vec::new()
    }
}

impl Datum for NoStep {
    fn write(&self, _: &mut Vec<u8>) {
        match *self {}
    }

    fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
        Err(input.bad("a step of a domain that has none"))
    }
}

/// The settings of a domain that has none: no section in `millrace.toml`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoSettings {}
