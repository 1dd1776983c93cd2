//! Compares embeddable stores on what a processor's local state asks of them.
//!
//! `cargo run --manifest-path bench/stores/Cargo.toml --target-dir target -- [STORE…] [--aggregates N] [--batch N] [--dir DIR]`
//!
//! One line a store: bulk load, look-ups that hit and that miss, batches of changes with a checkpoint, all in microseconds of wall and of processor time for one change or look-up; then
//! the time to open after `kill -9` in the middle of a batch, and the size on disk.

mod stores;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use stores::{Change, open};

const NAMES: [&str; 6] = ["millrace", "fjall", "fjall-bulk", "redb", "sqlite", "lmdb"];
const VALUE_BYTES: usize = 200;
/// Changes in all.
const CHANGES: u64 = 1_000_000;
const LOOK_UPS: u64 = 200_000;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn key(number: u64) -> Vec<u8> {
    // scattered, as ids are
    format!("Account/{:016x}", Dice(number).roll()).into_bytes()
}

fn value(dice: &mut Dice) -> Vec<u8> {
    // half of it digits, as states have names and amounts
    let mut bytes = Vec::with_capacity(VALUE_BYTES);
    while bytes.len() < VALUE_BYTES / 2 {
        bytes.extend(dice.roll().to_le_bytes());
    }
    while bytes.len() < VALUE_BYTES {
        bytes.extend(format!("{:08}", dice.roll() % 100_000_000).into_bytes());
    }
    bytes.truncate(VALUE_BYTES);
    bytes
}

fn batch(dice: &mut Dice, aggregates: u64, size: u64) -> Vec<Change> {
    let mut changes: Vec<Change> = (0..size).map(|_| (key(dice.roll() % aggregates), value(dice))).collect();
    changes.sort();
    changes.dedup_by(|a, b| a.0 == b.0);
    changes
}

/// Processor time of this process so far, all threads, in microseconds.
fn processor_micros() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().expect("utime") + fields[12].parse::<f64>().expect("stime");
    ticks * 10_000.0
}

fn measured<T>(count: u64, act: impl FnOnce() -> T) -> (T, String) {
    let (wall, processor) = (Instant::now(), processor_micros());
    let result = act();
    let wall = wall.elapsed().as_secs_f64() * 1e6 / count as f64;
    let processor = (processor_micros() - processor) / count as f64;
    (result, format!("{wall:6.2} /{processor:6.2}"))
}

fn size_of(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = std::fs::read_dir(path) else { return 0 };
    let sizes = entries.flatten().map(|entry| {
        let Ok(meta) = entry.metadata() else { return 0 };
        if meta.is_dir() { size_of(&entry.path()) } else { meta.blocks() * 512 }
    });
    sizes.sum()
}

fn bench(name: &str, aggregates: u64, size: u64, dir: &Path) {
    let path = dir.join(name);
    let _ = std::fs::remove_dir_all(&path);
    let mut dice = Dice(1);
    let store = open(name, &path);
    let (_, load) = measured(aggregates, || {
        let mut at = 0;
        while at < aggregates {
            let upto = (at + 20_000).min(aggregates);
            let mut changes: Vec<Change> = (at..upto).map(|n| (key(n), value(&mut dice))).collect();
            changes.sort();
            store.write(&changes, at);
            at = upto;
        }
        store.settle();
    });
    let (hits, hit) = measured(LOOK_UPS, || {
        (0..LOOK_UPS).filter(|_| store.get(&key(dice.roll() % aggregates)).is_some()).count()
    });
    assert_eq!(hits as u64, LOOK_UPS, "{name} lost something");
    let (misses, miss) =
        measured(LOOK_UPS, || (0..LOOK_UPS).filter(|n| store.get(&key(aggregates + n)).is_none()).count());
    assert_eq!(misses as u64, LOOK_UPS, "{name} made something up");
    let mut slowest = 0.0_f64;
    let batches: Vec<_> = (0..CHANGES / size).map(|_| batch(&mut dice, aggregates, size)).collect();
    let count = batches.iter().map(|batch| batch.len() as u64).sum();
    let (_, write) = measured(count, || {
        for (number, batch) in batches.iter().enumerate() {
            let begin = Instant::now();
            store.write(batch, number as u64);
            slowest = slowest.max(begin.elapsed().as_secs_f64() * 1e3);
        }
        store.settle();
    });
    drop(store);
    let written = killed_while_writing(name, aggregates, size, dir);
    let begin = Instant::now();
    let store = open(name, &path);
    let checkpoint = store.checkpoint().expect("it was written");
    store.get(&key(1)).expect("it was written");
    let reopen = begin.elapsed().as_secs_f64() * 1e3;
    assert!(checkpoint >= written, "{name} lost a checkpoint: {checkpoint} of {written}");
    drop(store);
    let size = size_of(&path) as f64 / 1e6;
    println!("| {name:10}| {load} | {hit} | {miss} | {write} | {slowest:6.1} | {reopen:7.1} | {size:6.0} |");
}

/// Kills a process in the middle of its writes; the newest batch it had said to be written.
fn killed_while_writing(name: &str, aggregates: u64, size: u64, dir: &Path) -> u64 {
    let me = std::env::current_exe().expect("a path");
    let mut child = Command::new(me)
        .args([name, "--aggregates", &aggregates.to_string(), "--batch", &size.to_string(), "--dir"])
        .arg(dir)
        .arg("--write-until-killed")
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut newest = 0;
    for line in BufReader::new(child.stdout.take().expect("a pipe")).lines() {
        newest = line.expect("text").parse().expect("a number");
        if newest == 5 {
            child.kill().expect("it runs");
        }
    }
    child.wait().expect("it ends");
    newest
}

fn write_until_killed(name: &str, aggregates: u64, size: u64, dir: &Path) {
    let store = open(name, &dir.join(name));
    let mut dice = Dice(7);
    for number in 1.. {
        store.write(&batch(&mut dice, aggregates, size), number);
        writeln!(std::io::stdout(), "{number}").expect("somebody reads");
    }
}

fn main() {
    let (mut names, mut aggregates, mut size) = (Vec::new(), 1_000_000, 1_000);
    let mut dir = PathBuf::from("target/stores");
    let mut is_child = false;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--aggregates" => aggregates = args.next().and_then(|it| it.parse().ok()).expect("a number"),
            "--batch" => size = args.next().and_then(|it| it.parse().ok()).expect("a number"),
            "--dir" => dir = args.next().expect("a folder").into(),
            "--write-until-killed" => is_child = true,
            name => names.push(name.to_owned()),
        }
    }
    if is_child {
        return write_until_killed(&names[0], aggregates, size, &dir);
    }
    if names.is_empty() {
        names = NAMES.map(str::to_owned).to_vec();
    }
    println!("{aggregates} aggregates of {VALUE_BYTES} bytes, {size} changes at once; µs wall / processor for each");
    println!(
        "| store  | load | look-up, hit | look-up, miss | change | slowest batch ms | open after kill -9 ms | MB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for name in &names {
        bench(name, aggregates, size, &dir);
    }
}
