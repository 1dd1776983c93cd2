//! The embedded registry as clients see it: over HTTP, with the clients people use, and after being killed.

mod bombs;
mod clients;
mod durable;
mod peer;
mod references;
mod rest;
mod start;
mod support;
