//! What a projector knows of the network, in bytes: in memory, and on disk.

use std::path::Path;
use std::time::Instant;

use millrace_domain_chirp::{EventData, Settings};
use millrace_kernel::{Event, InMemory, Known, StagedProjector, Writes};
use millrace_localstate::LocalDir;
use millrace_ports::{Identity, LocalStores as _};
use millrace_runtime::ProjectorSettings;
use millrace_runtime::local::CacheBudget;
use millrace_runtime::projector::Kept;
use serde_json::{Value, json};

use crate::graph::Graph;
use crate::stage::{Events, FAMILY, family};
use crate::{Failure, memory};

/// Rows of a piece of a fan-out.
const PIECE: usize = 5_000;

/// Where the projector keeps what it knows.
enum Memory {
    All(InMemory),
    OnDisk(Kept),
}

/// A projector with its memory.
struct Place {
    projector: Box<dyn StagedProjector<EventData>>,
    memory: Memory,
    most_changes: usize,
}

impl Place {
    fn known(&mut self) -> (&mut dyn StagedProjector<EventData>, &mut dyn Known) {
        let known: &mut dyn Known = match &mut self.memory {
            Memory::All(known) => known,
            Memory::OnDisk(kept) => kept,
        };
        (&mut *self.projector, known)
    }

    fn stage(&mut self, event: &Event<EventData>, writes: &mut Writes) -> Result<(), Failure> {
        let (projector, known) = self.known();
        projector.stage(event, known, writes);
        if let Memory::OnDisk(kept) = &mut self.memory
            && kept.unwritten() >= self.most_changes
        {
            kept.write_alone()?;
        }
        Ok(())
    }

    /// How many bytes are in the folder when all that is known is there.
    fn on_disk(&mut self, folder: &Path) -> Result<f64, Failure> {
        if let Memory::OnDisk(kept) = &mut self.memory {
            kept.write_alone()?;
        }
        Ok(size_of(folder)? as f64)
    }
}

/// The bytes of all files beneath a folder.
fn size_of(folder: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() { size_of(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}

/// Folds a network into one projector, on disk or else in memory, and lets it post.
pub fn measure(
    people: u32,
    follows: usize,
    chirps: usize,
    is_on_disk: bool,
    seed: u64,
) -> Result<Value, Failure> {
    let graph = Graph::new(people, follows, seed);
    // nobody is a celebrity: every chirp is told to everybody
    let settings = Settings { celebrity_above: u64::MAX, celebrity_below: 0, ..Settings::default() };
    let folder = tempfile::tempdir()?;
    let as_set = ProjectorSettings::default();
    let memory = match is_on_disk {
        false => Memory::All(InMemory::default()),
        true => {
            let identity = Identity { topic: "edges".into(), partition: 0, partitions: 1, format: 1 };
            let store = LocalDir::new(folder.path()).open(&identity)?;
            Memory::OnDisk(Kept::over(store, CacheBudget::new(as_set.state_cache_bytes)))
        }
    };
    let projector = (family(&settings, FAMILY).projector)(0);
    let mut place = Place { projector, memory, most_changes: as_set.checkpoint_max_changes };
    let mut events = Events::default();
    let mut muted = Writes::muted();

    let empty = memory::resident();
    for person in 0..people {
        place.stage(&events.registered(person), &mut muted)?;
    }
    let (registered, on_disk_then) = (memory::resident(), place.on_disk(folder.path())?);
    let began = Instant::now();
    for (reader, author) in &graph.follows {
        place.stage(&events.followed(*reader, *author), &mut muted)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let (followed, on_disk_now) = (memory::resident(), place.on_disk(folder.path())?);
    let mut audiences = vec![0_u32; people as usize];
    graph.follows.iter().for_each(|(_, author)| audiences[*author as usize] += 1);

    let mut in_flight = Vec::new();
    for rank in [people / 10, people / 100, 0] {
        in_flight.push(fan_out(&mut place, &mut events, rank, audiences[rank as usize])?);
    }
    // texts, by those whom few follow
    let (before, on_disk_before) = (memory::resident(), place.on_disk(folder.path())?);
    let began = Instant::now();
    for chirp in 0..chirps {
        let author = people - 1 - (chirp as u32 % (people / 2));
        place.stage(&events.posted(author), &mut muted)?;
    }
    let seconds_of_chirps = began.elapsed().as_secs_f64();
    let on_disk_after = place.on_disk(folder.path())?;
    Ok(json!({
        "people": people,
        "follows": follows,
        "on_disk": is_on_disk,
        "bytes_a_person": (registered - empty) / f64::from(people),
        "bytes_a_follow": (followed - registered) / follows as f64,
        "follows_a_second": follows as f64 / seconds,
        "fan_outs": in_flight,
        "chirps": chirps,
        "chirps_a_second": chirps as f64 / seconds_of_chirps,
        "bytes_a_chirp": (memory::resident() - before) / chirps.max(1) as f64,
        "resident_mb": memory::resident() / 1e6,
        "disk_bytes_a_person": on_disk_then / f64::from(people),
        "disk_bytes_a_follow": (on_disk_now - on_disk_then) / follows as f64,
        "disk_bytes_a_chirp": (on_disk_after - on_disk_before) / chirps.max(1) as f64,
    }))
}

/// One chirp in pieces: how much memory its rows take at once.
fn fan_out(place: &mut Place, events: &mut Events, author: u32, audience: u32) -> Result<Value, Failure> {
    let mut writes = Writes::new();
    let began = Instant::now();
    place.stage(&events.posted(author), &mut writes)?;
    let taking_in = began.elapsed();
    let (before, peak_before) = (memory::resident(), memory::peak());
    let (mut rows, mut told) = (Vec::new(), 0);
    for stage in writes.take().stages {
        told += stage.writes.len();
        for fan_out in stage.fan_outs {
            let mut has_more = true;
            while has_more {
                let (projector, known) = place.known();
                has_more = projector.fan_out(fan_out, PIECE, known, &mut rows);
                told += rows.len();
                rows.clear();
            }
        }
    }
    Ok(json!({
        "audience": audience,
        "rows": told,
        "taken_in_ms": taking_in.as_secs_f64() * 1e3,
        "peak_grew_by_bytes": (memory::peak() - peak_before).max(memory::resident() - before).max(0.0),
    }))
}
