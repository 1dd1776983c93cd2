//! The store in a file passes the suite of all stores.

use millrace_sqlite::SqliteStore;
use millrace_testkit::store::conformance::Fixture;

millrace_testkit::view_store_conformance!(|| {
    let dir = tempfile::tempdir().unwrap();
    Fixture::keeping(SqliteStore::open(dir.path(), "domain").unwrap(), dir)
});
