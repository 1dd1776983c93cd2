//! The store on a real CQL server passes the suite of all stores.
//!
//! The server is the one in `MILLRACE_TEST_CQL`, else one is started: no server is a failure.

use crate::common;

use millrace_testkit::store::conformance::Fixture;

millrace_testkit::view_store_conformance!(|| Fixture::new(common::store()));
