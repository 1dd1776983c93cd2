//! Who only sends or reads asks the registry once, and leaves it as it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use millrace_kernel::Outcome;
use millrace_wire::{Codec, Latest, MemoryRegistry, Registry, RegistryFault};

const SCHEMA: &str = r#"{"type": "record", "name": "n.Outcome", "fields": []}"#;

/// Counts the questions, each of which is a round on the network.
#[derive(Default)]
struct Counting {
    registry: MemoryRegistry,
    asked: AtomicUsize,
}

impl Counting {
    fn ask(&self) -> &MemoryRegistry {
        self.asked.fetch_add(1, Ordering::Relaxed);
        &self.registry
    }
}

impl Registry for Counting {
    fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryFault> {
        self.ask().register(subject, schema)
    }

    fn find(&self, subject: &str, schema: &str) -> Result<Option<u32>, RegistryFault> {
        self.ask().find(subject, schema)
    }

    fn schema(&self, id: u32) -> Result<Option<String>, RegistryFault> {
        self.ask().schema(id)
    }

    fn latest(&self, subject: &str) -> Result<Option<Latest>, RegistryFault> {
        self.ask().latest(subject)
    }

    fn is_compatible(&self, subject: &str, schema: &str) -> Result<bool, RegistryFault> {
        self.ask().is_compatible(subject, schema)
    }

    fn set_compatibility(&self, subject: &str, level: &str) -> Result<(), RegistryFault> {
        self.ask().set_compatibility(subject, level)
    }
}

#[test]
fn a_codec_that_is_found_costs_one_question_and_registers_nothing() {
    let registry = Arc::new(Counting::default());
    let find = || Codec::<Outcome>::find(registry.clone(), "t-value", SCHEMA).unwrap();
    assert!(find().is_none());
    assert_eq!(registry.registry.find("t-value", SCHEMA).unwrap(), None, "it was registered");
    let id = registry.registry.register("t-value", SCHEMA).unwrap();
    assert_eq!(find().map(|codec| codec.schema_id()), Some(id));
    assert_eq!(registry.asked.load(Ordering::Relaxed), 2);
}
