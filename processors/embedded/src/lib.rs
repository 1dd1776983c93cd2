//! The single-node Kafka broker and schema registry behind millrace up.

pub mod registry;
