//! Commands and outcomes can be read by clients of all kinds as they are installed: nothing in them is compressed.

use std::fs;
use std::path::Path;

use millrace_blackbox::{Embedded, System};

/// Where a batch says how it is compressed: behind offset, length, epoch, magic byte and checksum of Kafka's format 2.
const ATTRIBUTES: usize = 21;
/// Behind its offset and length, what the length counts.
const COUNTED_FROM: usize = 12;

#[test]
fn commands_and_outcomes_are_not_compressed() {
    let system = Embedded::start("");
    let cli = system.cli();
    for number in 0..20 {
        let (user, name) = (format!("user_id=u{number}"), format!("username=Name_{number}"));
        cli.ok(&["send", "RegisterUser", &user, &name, "--wait"]);
    }
    let topics = system.dir().join("data/kafka/topics");
    for topic in ["chirp.commands", "chirp.outcomes"] {
        let codecs = codecs(&topics, topic);
        assert!(codecs.len() >= 10 && codecs.iter().all(|it| *it == 0), "{topic}: {codecs:?}");
    }
    // what only the system and its tools read is, or this would see nothing
    assert!(codecs(&topics, "chirp.state").iter().any(|it| *it != 0));
}

/// The codecs of all batches of a topic, markers of transactions left out.
fn codecs(topics: &Path, topic: &str) -> Vec<u8> {
    let mut codecs = Vec::new();
    for partition in fs::read_dir(topics.join(topic)).unwrap().map(Result::unwrap) {
        for file in fs::read_dir(partition.path()).unwrap().map(|it| it.unwrap().path()) {
            if file.extension().is_some_and(|it| it == "log") {
                codecs.extend(codecs_of(&fs::read(file).unwrap()));
            }
        }
    }
    codecs
}

fn codecs_of(mut segment: &[u8]) -> Vec<u8> {
    let mut codecs = Vec::new();
    while segment.len() > ATTRIBUTES + 1 {
        let counted = u32::from_be_bytes(segment[8..COUNTED_FROM].try_into().unwrap());
        let attributes = segment[ATTRIBUTES + 1];
        let is_marker = attributes & 0b10_0000 != 0;
        if !is_marker {
            codecs.push(attributes & 0b111);
        }
        segment = &segment[COUNTED_FROM + counted as usize..];
    }
    codecs
}
