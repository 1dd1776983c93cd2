//! Tests of releases: breaks that are planted are refused, and the tree as it is keeps what was released.

#![allow(missing_docs, reason = "tests")]

mod planted;
mod tree;
