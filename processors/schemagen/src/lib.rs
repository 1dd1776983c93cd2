//! Rust types from Avro schemas, for the build scripts of domains.
