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
    for target in TARGETS {
        let folder = corpus.join(target.name);
        let inputs = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let mut count = 0;
        for input in inputs {
            let path = input.unwrap().path();
            let start = Instant::now();
            println!("{}", path.display());
            (target.run)(&fs::read(&path).unwrap());
            assert!(start.elapsed() < LONGEST, "{} took {:?}", path.display(), start.elapsed());
            count += 1;
        }
        assert!(count > 0, "{} has no corpus", target.name);
    }
}

#[test]
fn every_corpus_has_a_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for folder in fs::read_dir(corpus).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        assert!(target(&name).is_some(), "the corpus {name} has no target");
    }
}
