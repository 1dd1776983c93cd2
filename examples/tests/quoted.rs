//! What documents quote of the producers is what they are.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The file, its language in a document, and whether the README has it: the others are in docs/producers.md alone.
const PRODUCERS: [(&str, &str); 4] = [
    ("examples/producers/typescript/producer.ts", "ts"),
    ("examples/producers/python/producer.py", "python"),
    ("examples/producers/go/main.go", "go"),
    ("examples/producers/rust/producer.rs", "rust"),
];

#[test]
fn documents_quote_the_smallest_producers() {
    for document in ["README.md", "docs/producers.md"] {
        let document_text = text(document);
        for (name, language) in PRODUCERS {
            let quotation = format!("```{language}\n{}```", text(name));
            assert!(
                document_text.contains(&quotation),
                "{document} does not quote {name} as it is; put this there:\n{quotation}"
            );
        }
    }
}
