//! The single-node Kafka broker and schema registry behind millrace up.

pub mod broker;
pub mod registry;
