//! What clients and servers of TLS read from PEM files, and what a failed handshake means in words.
//!
//! Clients of Kafka, of the registry and of CQL come with libraries of their own, which all stand on OpenSSL and report in
//! its words: numbers, names of functions, and somewhere a reason. An operator needs the setting.

mod files;
mod server;
mod words;

pub use files::{Files, FilesFault, Identity, Material};
pub use server::Certificate;
pub use words::{Settings, explain};

/// Initialises OpenSSL for a process whose clients may end after `main` has: whoever does so first decides whether OpenSSL
/// frees what it holds at the process's exit, under the hands of threads that still use it, and librdkafka would let it.
/// To be called before the first client is made.
pub fn outlive_main() {
    openssl::init();
}
