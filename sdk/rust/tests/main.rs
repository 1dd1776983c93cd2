//! Tests of the packages: of Rust, that what is generated of all is checked in, and those of the other languages.

#![allow(missing_docs, reason = "tests")]

mod generated;
mod languages;
mod vectors;
