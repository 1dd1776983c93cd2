//! Gives the disk its room back: what is still the newest in a file of old records is written again,
//! and the file deleted.

use std::io;

use millrace_ports::LocalFault;

use crate::fault::{damaged, failed};
use crate::frame::{FILE_HEADER, Frame, Window, parse_record};
use crate::index::{Move, Place};
use crate::log::{Appending, Held, Ledger, Log};

/// Of a file with more than this share of newest records too little would be won, in percent.
const WORTH_PERCENT: u64 = 75;

/// How many bytes lie in vain, and how many not, about.
fn waste(ledger: &Ledger) -> (u64, u64) {
    ledger.held().fold((0, 0), |(waste, used), (_, held)| {
        let live = live_bytes(held);
        (waste + held.length - live, used + live)
    })
}

fn live_bytes(held: &Held) -> u64 {
    let share = u128::from(held.length) * u128::from(held.live);
    share.checked_div(u128::from(held.records)).unwrap_or(0) as u64
}

/// Whether so much lies in vain that cleaning is due: as much as not, and two files.
pub(crate) fn is_due(ledger: &Ledger, file_bytes: u64) -> bool {
    let (waste, used) = waste(ledger);
    waste > used + 2 * file_bytes
}

/// Whether so little lies in vain that the next cleaning, and the snapshot before it, are far off.
fn is_done(ledger: &Ledger, file_bytes: u64) -> bool {
    let (waste, used) = waste(ledger);
    waste <= used / 2 + file_bytes
}

/// Cleans files all of whose frames came before the file of number `before`, if it is due. `ledger` knows how many records of
/// them are the newest of their keys, as after a snapshot.
pub(crate) fn clean(log: &Log, ledger: &mut Ledger, file_bytes: u64, before: u64) -> Result<(), LocalFault> {
    if !is_due(ledger, file_bytes) {
        return Ok(());
    }
    while !is_done(ledger, file_bytes) {
        let candidates =
            ledger.held().filter(|(slot, held)| held.number < before && ledger.current != Some(*slot));
        let share = |held: &Held| held.live * 1_000 / held.records.max(1);
        let Some((slot, held)) = candidates.min_by_key(|(_, held)| share(held)) else { break };
        if share(held) > WORTH_PERCENT * 10 {
            break;
        }
        let held = held.clone();
        if held.live > 0 {
            let start = ledger.before();
            let moved = copy_newest(log, ledger, slot, &held, file_bytes);
            if moved.is_err() {
                log.take_back(ledger, &start);
            }
            let moved = moved?;
            if moved != held.live {
                let path = log.path(held.number);
                let why = format!("of {} newest records of {} {moved} are there", held.live, path.display());
                return Err(damaged(&log.folder, why));
            }
        }
        log.remove(ledger, slot);
    }
    Ok(())
}

/// Writes again what is newest in a file; how many records that is.
fn copy_newest(
    log: &Log,
    ledger: &mut Ledger,
    slot: u16,
    held: &Held,
    file_bytes: u64,
) -> Result<u64, LocalFault> {
    let wrong = |at: u64| {
        damaged(&log.folder, format!("{} is damaged at byte {at}", log.path(held.number).display()))
    };
    let broken = |error: io::Error| failed(&log.folder, &error);
    let Some(file) = log.file(slot) else { return Err(wrong(0)) };
    let mut window = Window::new(&file);
    let mut out = Appending::new(log, ledger, 0, file_bytes, true).map_err(broken)?;
    let mut at = FILE_HEADER;
    while at < held.length {
        let frame = Frame::read(&file, at).map_err(broken)?.ok_or_else(|| wrong(at))?;
        let claims: Vec<_> = frame
            .lines
            .iter()
            .filter_map(|line| {
                let place = Place::new(slot, frame.place(line.at()?));
                Some(Move { hash: line.hash, to: Some(place) })
            })
            .collect();
        let listed = frame.listed();
        for claim in log.index.confirmed(&claims).map_err(broken)? {
            let Some(place) = claim.to else { continue };
            let at = place.offset();
            let record = window.record(at).map_err(broken)?.ok_or_else(|| wrong(at))?;
            parse_record(record).ok_or_else(|| wrong(at))?;
            out.copy(claim.hash, listed.contains(&claim.hash), record).map_err(broken)?;
        }
        at += frame.head.length();
    }
    let written = out.end(&[]).map_err(broken)?;
    log.accept(ledger, &written);
    Ok(written.moves.len() as u64)
}
