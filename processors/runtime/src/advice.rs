//! What each fault means for those who run the system: what happens next by itself, and what
//! an operator can do. Every variant has both; the compiler sees to it.

use millrace_ports::{LocalFault, LogFault, StoreFault};
use millrace_wire::RegistryFault;
use millrace_wire::codec::CodecError;

use crate::processor::fault::CopyFault;
use crate::processor::lane::LaneFault;
use crate::processor::lookup::FollowFault;
use crate::processor::pseudonyms::KeyFault;
use crate::projector::ProjectorFault;

/// What follows from a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What happens next, if nobody does anything.
    pub next: &'static str,
    /// What an operator can do.
    pub action: &'static str,
}

impl std::fmt::Display for Advice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}. What you can do: {}", self.next, self.action)
    }
}

/// A fault that knows what follows from it.
pub trait Advise {
    /// What follows from it.
    fn advice(&self) -> Advice;
}

const A_BUG: &str = "it is a bug: report it with this line and those before it";

impl Advise for LogFault {
    fn advice(&self) -> Advice {
        match self {
            Self::Fenced { .. } => Advice {
                next: "this instance lets go of the partition, and its owner goes on from the last commit",
                action: "nothing, unless it repeats: then two deployments work under one --topic-prefix outside \
                         one group, or a session timeout is shorter than the pauses of this machine",
            },
            Self::Unavailable { .. } => Advice {
                next: "it is tried again, at least every 5 s, until it works; nothing is lost or done twice",
                action: "if it stays, look whether the brokers run and can be reached from here",
            },
            Self::NoSuchTopic { .. } => Advice {
                next: "it is tried again until the topic is there",
                action: "create it with `millrace topics apply`; if it was there before, find out who deleted it \
                         before you do",
            },
            Self::OutOfRange { .. } => Advice {
                next: "it begins again from what the log still holds",
                action: "compare the topic's retention with `millrace topics plan`: events are kept for ever, and a \
                         topic that was made anew starts at 0; then run `millrace verify`",
            },
            Self::Undecodable { .. } => Advice {
                next: "it is read again until it can be read; the partition stands still there, and nothing is skipped",
                action: "a batch that is sound and only large can be read with a larger receive.message.max.bytes (see \
                         [kafka_client] in `millrace config --explain`); else find out who may write to that topic besides \
                         Millrace, and restore the partition from a copy of the cluster",
            },
            Self::Refused { .. } => Advice {
                next: "the partition waits and tries again, and is refused again until the reason is gone",
                action: "do what the reason asks for: access rights, or max.message.bytes of the topic, which must be \
                         Kafka's default (1048588) or more: `millrace topics plan` names a topic that takes less, and \
                         `millrace topics apply` sets it",
            },
        }
    }
}

impl Advise for StoreFault {
    fn advice(&self) -> Advice {
        match self {
            Self::Unavailable { .. } => Advice {
                next: "the same rows are written again until the store takes them; the partition waits, and no \
                       event is skipped",
                action: "if it stays, look whether the store runs, can be reached, and has room on its disk",
            },
            Self::Refused { .. } => Advice {
                next: "the same rows are tried again, and the partition stands still until the store takes them",
                action: "do what the reason asks for: access rights, or a full disk; if a row is too large, start a \
                         projection that makes smaller ones, under a new revision, and `millrace rebuild` the views",
            },
            Self::Schema { .. } => Advice {
                next: "it is tried again until the table fits",
                action: "see `millrace tables plan`, then `millrace tables apply`",
            },
        }
    }
}

impl Advise for RegistryFault {
    fn advice(&self) -> Advice {
        match self {
            Self::Unavailable { .. } => Advice {
                next: "it is tried again until the registry answers; what is known of schemas stays in use",
                action: "if it stays, look whether the registry runs and can be reached from here",
            },
            Self::Refused { .. } => Advice {
                next: "it is tried again, and refused again until the schema or the rule has changed",
                action: "see `millrace schemas check`: this build's schema does not fit the versions before it",
            },
        }
    }
}

impl Advise for CodecError {
    fn advice(&self) -> Advice {
        match self {
            Self::Registry(fault) => fault.advice(),
            Self::Schema { .. } => Advice { next: "the role ends, as no waiting mends that", action: A_BUG },
        }
    }
}

impl Advise for LocalFault {
    fn advice(&self) -> Advice {
        match self {
            Self::Damaged { .. } | Self::Foreign { .. } => Advice {
                next: "the directory is set aside and the state is made anew from the topics; nothing is lost",
                action: "look at the disk; the directory that was set aside can be deleted",
            },
            Self::Held { .. } => Advice {
                next: "it takes no part until the other process has ended, and looks again every few seconds",
                action: "end that process, or give this one a directory of its own with --state-dir",
            },
            Self::Unavailable { .. } => Advice {
                next: "it is tried again until the disk answers; the topics have all of it",
                action: "make room on the disk, and look at its health",
            },
        }
    }
}

impl Advise for CopyFault {
    fn advice(&self) -> Advice {
        match self {
            Self::Log(fault) => fault.advice(),
            Self::Registry(fault) => fault.advice(),
            Self::Local(fault) => fault.advice(),
            Self::TooOld { .. } => Advice {
                next: "the copy is dropped, and the partition is read again from the beginning of its topics; \
                       nothing is lost",
                action: "nothing, if this machine slept or the brokers were away for that long; if reading all of \
                         the topic takes longer than state_max_age_seconds, raise that and the topic's \
                         delete.retention.ms",
            },
            Self::Unreadable { .. } => Advice {
                next: "it is read again every few seconds, and nothing is decided in this partition until it can \
                       be read",
                action: "if its schema id is unknown, give the registry its schemas back; if somebody else has \
                         written into the topic, take that right away and write the aggregate's true state over it",
            },
        }
    }
}

impl Advise for FollowFault {
    fn advice(&self) -> Advice {
        match self {
            Self::Log(fault) => fault.advice(),
            Self::TooOld { .. } => Advice {
                next: "the table is read again from the beginning, and answers for what it had seen until then",
                action: "nothing, if this machine slept or the brokers were away for that long",
            },
        }
    }
}

impl Advise for LaneFault {
    fn advice(&self) -> Advice {
        match self {
            Self::Log(fault) => fault.advice(),
            Self::NotCommitted { fault: LogFault::Unavailable { .. }, .. } => Advice {
                next: "its messages are decided again in a batch of half the size, until one is committed in time; \
                       batches grow again afterwards",
                action: "if it stays, look for a quota or a slow link between here and the brokers, and raise \
                         transaction_timeout_ms of [processor]",
            },
            Self::NotCommitted { fault, .. } => fault.advice(),
            Self::Registry(fault) | Self::Schema { fault, .. } => fault.advice(),
            Self::Copy(fault) => fault.advice(),
            Self::Batch(_) => Advice {
                next: "the batch is dropped and decided again; the commands of this partition wait",
                action: A_BUG,
            },
            Self::OffsetsLost { .. } => Advice {
                next: "nothing is decided in this partition until somebody has said where it goes on",
                action: "find in the newest outcome how far the commands were answered, put what is named here into \
                         processor.accepted_gaps with the offset behind that, and start the processor, or `millrace up`, \
                         with it; then raise offsets.retention.minutes of the broker",
            },
            Self::BatchWithoutEnd { .. } => Advice {
                next: "its end is looked for again every few seconds, and nothing is decided in this partition until it \
                       is found",
                action: "if it stays, end the processors, set the group's offset behind that batch with \
                         kafka-consumer-groups --reset-offsets (kafka-dump-log tells its last offset), and let its \
                         producer send again",
            },
            Self::Gap { .. } => Advice {
                next: "nothing is decided in this partition until the records are back or the gap is accepted",
                action: "find out what deleted them (retention, see `millrace topics plan`, or an operator) and whose \
                         they were, and bring them back from a mirror if there is one; to give them up, put the gap as \
                         it is named here into processor.accepted_gaps and start the processors with it",
            },
            Self::InputAnew { .. } => Advice {
                next: "nothing is decided in this partition until somebody has said where it goes on",
                action: "find out who deleted the topic or what it has lost, and bring it back if there is a mirror; else \
                         put what is named here into processor.accepted_gaps, with another offset behind the dash to go \
                         on there, and start the processor, or `millrace up`, with it",
            },
            Self::Gone { .. } => Advice {
                next: "nothing is decided in this partition until the topic's records are back",
                action: "find out who emptied or deleted the topic; stop the processors of the domain, bring its \
                         records back from a mirror or a backup, delete the state directories and start again; see \
                         \"A topic that is gone\" in docs/operations.md",
            },
            Self::PseudonymKey(KeyFault::Differs { .. } | KeyFault::Apart { .. }) => Advice {
                next: "nothing is decided in this partition until the processors of the domain have the same keys",
                action: "compare the files of keys (pseudonym_keys_file) of all processors of the domain, give all of them \
                         the right one and start them again; if the step is older than the last change of keys, put the \
                         old key's line back until it is decided, see docs/pseudonyms.md",
            },
            Self::PseudonymKey(KeyFault::Other { .. }) => Advice {
                next: "nothing is decided in this partition until the key has the secret it had",
                action: "give this process the file of keys that the other processors of the domain have \
                         (pseudonym_keys_file) and start it again; a new secret has a new key id, see docs/pseudonyms.md",
            },
            Self::PseudonymKey(KeyFault::Missing { .. }) => Advice {
                next: "nothing is decided in this partition until the key is there",
                action: "put the key's line back into the file of keys (pseudonym_keys_file) and start the processor \
                         again; if it is lost, write `retired` and its id there, see docs/pseudonyms.md",
            },
            Self::Clock { .. } => Advice {
                next: "what was read waits and is decided within seconds once the clock is right",
                action: "set the clock of this machine, for instance with `chronyc makestep`, and keep it set",
            },
        }
    }
}

impl Advise for ProjectorFault {
    fn advice(&self) -> Advice {
        match self {
            Self::Log(fault) => fault.advice(),
            Self::Store(fault) => fault.advice(),
            Self::Schema { fault, .. } => fault.advice(),
            Self::Local(fault) => fault.advice(),
            Self::TablesBehind { .. } => Advice {
                next: "no event of this partition is applied until the right tables are there or other ones have been \
                       filled",
                action: "give the projector the tables of its group (--sqlite, --cql, --keyspace), or put the newest copy \
                         back; where there is none, fill new ones: `millrace rebuild FAMILY --switch`",
            },
            Self::EventsGone { .. } => Advice {
                next: "no event of this partition is applied until topics and tables belong together or other tables \
                       have been filled",
                action: "put the newest copy of the topics back, or give the projector the tables that belong to them; \
                         where the events are right, fill new tables: `millrace rebuild FAMILY --switch`",
            },
            Self::Unreadable { .. } => Advice {
                next: "it is read again every few seconds, and the views of this partition go no further until it \
                       can be read",
                action: "if its schema id is unknown, give the registry its schemas back; if somebody else has \
                         written into the events topic, take that right away and read what it was",
            },
        }
    }
}

/// What follows from a panic.
pub const OF_A_PANIC: Advice =
    Advice { next: "the lane drops what is not committed and begins again from the topics", action: A_BUG };

/// What follows from a transaction that somebody leaves open in a topic that is read.
pub const OPEN_TRANSACTION: Advice = Advice {
    next: "what stands behind it is read when it ends: by whoever has begun it, or as its own time-out passes",
    action: "with `kafka-transactions.sh --bootstrap-server …`: `describe-producers --topic T --partition N` names the \
             producer, `list` its transactional id, and `forceTerminateTransaction --transactionalId ID` ends what it has \
             left open (before Kafka 4.1: `abort`); see MillraceStableOffsetStuck in docs/operations.md",
};

/// An error with all its causes, each once.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use millrace_ports::TopicPartition;
    use millrace_wire::DecodeFailure;

    use super::*;
    use crate::processor::batch::BatchError;
    use crate::processor::gap::Gap;

    fn log() -> Vec<LogFault> {
        let message = || "what the broker said".to_owned();
        vec![
            LogFault::Fenced { step: "commit a batch" },
            LogFault::Unavailable { step: "read", message: message() },
            LogFault::NoSuchTopic { topic: "chirp.commands".to_owned() },
            LogFault::OutOfRange { partition: TopicPartition::new("chirp.commands", 3), offset: 41 },
            LogFault::Undecodable { partition: at(), offset: 41, message: message() },
            LogFault::Refused { step: "write a batch", message: message() },
        ]
    }

    fn store() -> Vec<StoreFault> {
        let message = || "what the store said".to_owned();
        vec![
            StoreFault::Unavailable { step: "write rows", message: message() },
            StoreFault::Refused { step: "write rows", message: message() },
            StoreFault::Schema { table: "chirps".to_owned(), message: message() },
        ]
    }

    fn registry() -> Vec<RegistryFault> {
        let (url, message) = (|| "http://registry".to_owned(), || "what it said".to_owned());
        vec![
            RegistryFault::Unavailable { url: url(), message: message() },
            RegistryFault::Refused {
                url: url(),
                subject: "chirp.events-value".to_owned(),
                message: message(),
            },
        ]
    }

    fn local() -> Vec<LocalFault> {
        let (path, why) = (|| PathBuf::from("/var/lib/millrace/chirp/3"), || "what was found".to_owned());
        vec![
            LocalFault::Damaged { path: path(), why: why() },
            LocalFault::Foreign {
                path: path(),
                expected: "chirp[3]".to_owned(),
                found: "chirp[2]".to_owned(),
            },
            LocalFault::Held { path: path(), by: "process 17".to_owned() },
            LocalFault::Unavailable { path: path(), why: why() },
        ]
    }

    fn at() -> TopicPartition {
        TopicPartition::new("chirp.events", 3)
    }

    fn copy() -> Vec<CopyFault> {
        let mut all: Vec<CopyFault> = log().into_iter().map(CopyFault::from).collect();
        all.extend(registry().into_iter().map(CopyFault::from));
        all.extend(local().into_iter().map(CopyFault::from));
        all.push(CopyFault::TooOld { at: at(), age_seconds: 90_000, most_seconds: 72_000 });
        let (record, why) = ("offset 41".to_owned(), "not Avro".to_owned());
        all.push(CopyFault::Unreadable { at: at(), record, why });
        all
    }

    fn lane() -> Vec<LaneFault> {
        let mut all: Vec<LaneFault> = log().into_iter().map(LaneFault::from).collect();
        all.extend(registry().into_iter().map(LaneFault::from));
        let schema = |fault| LaneFault::Schema { at: at(), offset: 41, fault };
        all.extend(registry().into_iter().map(schema));
        all.extend(copy().into_iter().map(LaneFault::from));
        all.push(LaneFault::Batch(BatchError::Answer(DecodeFailure::Unreadable("a hole".to_owned()))));
        all.push(LaneFault::Batch(BatchError::TooMuch { bytes: 20_000_000 }));
        all.push(LaneFault::Batch(BatchError::TooLarge { topic: at().topic, bytes: 2_000_000 }));
        all.extend(log().into_iter().map(|fault| LaneFault::NotCommitted { messages: 17, fault }));
        all.push(LaneFault::OffsetsLost { input: at() });
        all.push(LaneFault::BatchWithoutEnd {
            input: at(),
            offset: 41,
            why: "zstd".to_owned(),
            cause: log().remove(0),
        });
        all.push(LaneFault::Gap { gap: Gap { input: at(), from: 17, to: 41 } });
        all.push(LaneFault::InputAnew { input: at(), decided: 41, oldest: 0, end: 3 });
        all.push(LaneFault::Gone { at: at(), what: "is empty".to_owned() });
        let (id, partition) = ("k1".to_owned(), 3);
        all.push(KeyFault::Other { id: id.clone(), partition }.into());
        all.push(KeyFault::Missing { id: id.clone(), partition }.into());
        all.push(KeyFault::Differs { id: id.clone(), partition }.into());
        all.push(KeyFault::Apart { theirs: id, partition }.into());
        all.push(LaneFault::Clock { ahead_ms: 7_200_000 });
        all
    }

    fn projector() -> Vec<ProjectorFault> {
        let mut all: Vec<ProjectorFault> = log().into_iter().map(ProjectorFault::from).collect();
        all.extend(store().into_iter().map(ProjectorFault::from));
        let schema = |fault| ProjectorFault::Schema { at: at(), offset: 41, fault };
        all.extend(registry().into_iter().map(schema));
        all.extend(local().into_iter().map(ProjectorFault::from));
        let projection = || "chirp.users".to_owned();
        all.push(ProjectorFault::TablesBehind {
            at: at(),
            projection: projection(),
            applied: 17,
            committed: 41,
        });
        all.push(ProjectorFault::EventsGone { at: at(), projection: projection(), applied: 41, end: 17 });
        all.push(ProjectorFault::Unreadable { at: at(), offset: 41, why: "not Avro".to_owned() });
        all
    }

    fn follow() -> Vec<FollowFault> {
        let mut all: Vec<FollowFault> = log().into_iter().map(FollowFault::from).collect();
        all.push(FollowFault::TooOld { at: at(), age_seconds: 90_000 });
        all
    }

    /// What is printed of every fault there is, with its advice.
    fn texts() -> Vec<(String, Advice)> {
        fn of<F: std::error::Error + Advise>(faults: &[F]) -> impl Iterator<Item = (String, Advice)> {
            faults.iter().map(|fault| (chain(fault), fault.advice()))
        }
        of(&lane()).chain(of(&projector())).chain(of(&follow())).collect()
    }

    #[test]
    fn every_fault_says_what_happened_what_happens_next_and_what_to_do() {
        let texts = texts();
        assert!(texts.len() > 30, "faults are missing: {}", texts.len());
        for (text, advice) in &texts {
            for part in [text.as_str(), advice.next, advice.action] {
                assert!(part.len() > 10, "{text:?} {advice:?}");
                assert!(!part.ends_with('.') && !part.contains("  "), "{part:?}");
            }
            let promises =
                ["tried again", "lets go", "begins again", "wait", "set aside", "until", "read again"];
            assert!(promises.iter().any(|word| advice.next.contains(word)), "{advice:?}");
        }
    }

    #[test]
    fn a_fault_about_a_record_names_where_it_stands() {
        for (text, _) in texts().iter().filter(|(text, _)| text.contains("cannot be read")) {
            assert!(text.contains("chirp.events[3]") && text.contains("offset 41"), "{text}");
        }
    }

    #[test]
    fn a_cause_is_printed_once() {
        for (text, _) in texts() {
            for cause in ["what the broker said", "what the store said", "what it said", "what was found"] {
                assert!(text.matches(cause).count() <= 1, "{text}");
            }
        }
    }
}
