//! The store on disk keeps to the suite for local stores.

use std::sync::Arc;

use millrace_localstate::LocalDir;
use millrace_ports::LocalStores;
use millrace_testkit::local::conformance::run;

#[test]
fn a_folder_keeps_to_the_suite() {
    let root = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    run(&|| {
        count.set(count.get() + 1);
        Arc::new(LocalDir::new(root.path().join(count.get().to_string()))) as Arc<dyn LocalStores>
    });
}

#[test]
fn small_files_make_no_difference() {
    let root = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    run(&|| {
        count.set(count.get() + 1);
        Arc::new(LocalDir::with_files_of(root.path().join(count.get().to_string()), 20_000))
            as Arc<dyn LocalStores>
    });
}
