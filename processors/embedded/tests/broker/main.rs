//! The embedded broker, driven by librdkafka and, where that is too polite, by hand.

mod admin;
mod bombs;
mod cleanup;
mod damage;
mod durability;
mod groups;
mod hostile;
mod limits;
mod other_clients;
mod peer;
mod produce;
mod settings;
mod support;
mod transactions;
mod versions;
