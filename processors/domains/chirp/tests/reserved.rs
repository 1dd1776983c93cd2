//! A processor whose folder of local state is another's takes no part until that one has ended: the partitions that it
//! would be dealt could not be opened.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use millrace_domain_chirp::Chirp;
use millrace_kernel::Domain;
use millrace_ports::{Identity, LocalFault, LocalStore, LocalStores, Log, SystemClock};
use millrace_runtime::health::{Health, HealthReport, LaneState, ROLE_ITSELF};
use millrace_runtime::{Ports, ProcessorSettings, Stop, Topology, run_processor};
use millrace_testkit::local::MemoryDisk;
use millrace_testkit::log::memory::MemoryLog;
use millrace_wire::MemoryRegistry;

/// A disk on which another process works.
struct Shared {
    disk: MemoryDisk,
    is_taken: AtomicBool,
}

impl LocalStores for Shared {
    fn reserve(&self, topic: &str) -> Result<(), LocalFault> {
        match self.is_taken.load(Ordering::Acquire) {
            true => Err(LocalFault::Held { path: PathBuf::from(topic), by: "process 17".to_owned() }),
            false => Ok(()),
        }
    }

    fn open(&self, identity: &Identity) -> Result<Arc<dyn LocalStore>, LocalFault> {
        self.reserve(&identity.topic)?;
        self.disk.open(identity)
    }

    fn set_aside(&self, identity: &Identity) -> Result<PathBuf, LocalFault> {
        self.disk.set_aside(identity)
    }

    fn remove(&self, topic: &str) -> Result<(), LocalFault> {
        self.disk.remove(topic)
    }
}

fn until(health: &Health, what: &str, is_so: impl Fn(&HealthReport) -> bool) -> HealthReport {
    for _ in 0..15_000 {
        let report = health.report();
        if is_so(&report) {
            return report;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    panic!("not in time: {what}; {:?}", health.report());
}

#[test]
fn a_processor_joins_no_group_while_another_works_in_its_folder() {
    let names = Topology::new("", "chirp");
    let log = MemoryLog::new();
    names.own().into_iter().for_each(|topic| log.create_topic(topic, 2));
    Chirp::LOOKUPS.iter().for_each(|kind| log.create_topic(&names.lookup(kind), 2));
    let local = Arc::new(Shared { disk: MemoryDisk::new(), is_taken: AtomicBool::new(true) });
    let ports = Ports {
        log: Arc::new(log) as Arc<dyn Log>,
        registry: Arc::new(MemoryRegistry::default()),
        clock: Arc::new(SystemClock),
        local: Some(Arc::clone(&local) as Arc<dyn LocalStores>),
        transaction_timeout: Duration::from_secs(10),
        pseudonyms: Arc::default(),
    };
    let (health, stop) = (Health::default(), Stop::new());
    std::thread::scope(|scope| {
        let processor =
            scope.spawn(|| run_processor::<Chirp>(&ports, "", &ProcessorSettings::default(), &health, &stop));
        let report = until(&health, "it says who holds the folder", |report| {
            let role = report.lanes.iter().find(|it| it.role == "chirp.processor");
            role.is_some_and(|it| it.state == LaneState::Faulted && it.detail.contains("process 17"))
        });
        assert!(report.lanes.iter().all(|it| it.partition == ROLE_ITSELF), "it has no partition: {report:?}");
        assert!(report.lanes.iter().any(|it| it.next.contains("--state-dir")), "{report:?}");
        local.is_taken.store(false, Ordering::Release);
        until(&health, "it is at work", |report| {
            report.ready && report.lanes.iter().any(|it| it.partition == 1)
        });
        stop.request();
        processor.join().unwrap().unwrap();
    });
}
