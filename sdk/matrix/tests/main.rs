//! The engine held to the vectors that hold the packages equal, and a smoke of the matrix.

#![allow(missing_docs, reason = "tests")]

mod engine;
mod smoke;
