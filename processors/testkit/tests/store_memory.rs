//! The store in memory passes the suite of all stores.

use millrace_testkit::store::MemoryStore;
use millrace_testkit::store::conformance::Fixture;

millrace_testkit::view_store_conformance!(|| Fixture::new(MemoryStore::new()));
