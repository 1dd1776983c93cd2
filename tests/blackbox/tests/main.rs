//! The tests of this crate, one binary: each of its own would be linked with everything below.

mod analysts;
mod any_client;
mod api;
mod back_pressure;
mod bad_places;
mod bad_records;
mod chaos;
mod cli;
mod clients;
mod deletions;
mod embedded;
mod expired;
mod foreign_schema;
mod gateway;
mod gateway_auth;
mod gateway_reads;
mod gateway_retries;
mod metrics;
mod named;
mod outages;
mod python;
mod real_servers;
mod rebuild;
mod secured;
mod tools;
mod traces;
