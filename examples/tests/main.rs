//! Tests of the examples: they run, their rows are ours, and what documents quote of them is what they are.

#![allow(missing_docs, reason = "tests")]

mod quoted;
mod run;
