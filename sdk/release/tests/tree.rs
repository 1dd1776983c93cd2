//! The tree as it is keeps what was released.

use std::path::Path;

use millrace_release::version::Version;
use millrace_release::{files, kept, versions};

#[test]
fn messages_and_vectors_are_kept() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let last = versions::last(&root).unwrap().expect("a version was released");
    let problems = kept(&root, last.next_break()).unwrap();
    assert!(problems.is_empty(), "no version can be released any more:\n- {}", problems.join("\n- "));
    let recorded = versions::recorded(&root).unwrap();
    assert_eq!(recorded.last(), Some(&last), "sdk/released/version and schemas/*/released/");
    for domain in files::domains(&root).unwrap() {
        let of = versions::of(&root, &domain).unwrap();
        assert!(of.iter().all(|version| *version <= last), "{domain}: {of:?}");
    }
    assert!(Version::parse("0.1.0").unwrap() <= last);
}
