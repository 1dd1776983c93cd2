//! Every input that is checked in goes through its target. Findings are kept here once they are mended.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use millrace_fuzz::{TARGETS, target};

/// No input may take longer, also in a debug build on a busy machine.
const LONGEST: Duration = Duration::from_secs(10);

#[test]
fn every_input_of_the_corpus_is_survived() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut failed = Vec::new();
    for target in TARGETS {
        let folder = corpus.join(target.name);
        let inputs = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let mut count = 0;
        for input in inputs {
            let path = input.unwrap().path();
            println!("{}", path.display());
            let bytes = fs::read(&path).unwrap();
            let start = Instant::now();
            // all of those that fail are told
            let survived = std::panic::catch_unwind(|| (target.run)(&bytes)).is_ok();
            if !survived || start.elapsed() > LONGEST {
                failed.push(format!("{} after {:?}", path.display(), start.elapsed()));
            }
            count += 1;
        }
        assert!(count > 0, "{} has no corpus", target.name);
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn every_corpus_has_a_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for folder in fs::read_dir(corpus).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        assert!(target(&name).is_some(), "the corpus {name} has no target");
    }
}

/// What is in the corpus of `local_state` was written by one build or another; this is what today's writes.
#[test]
fn stores_as_they_are_written_are_survived() {
    let target = target("local_state").unwrap();
    for writes in [1, 2, 5, 12, 30] {
        let dir = tempfile::tempdir().unwrap();
        let input = millrace_localstate::fuzzing::written(dir.path(), writes);
        (target.run)(&input);
    }
}
