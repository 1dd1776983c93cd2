//! Which version answers: going back, and dropping what is not needed any more.

use std::time::{Duration, Instant};

use millrace_kernel::{Delete, Value, Write};
use millrace_ports::{Clock, SystemClock};
use millrace_runtime::progress::{PLACES, PROGRESS};
use millrace_runtime::versions::{State, Version};
use serde_json::json;

use super::say::step;
use super::versions::Versions;
use crate::error::CliError;
use crate::output;
use crate::status::behind::Behind;

/// A version that is behind by more than this has nobody who fills it.
const STALE_SECONDS: f64 = 5.0;
/// How long those who fill a dropped version have to notice.
const NOTICE: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// Lets the version before answer again.
pub fn back(versions: &mut Versions<'_>, stale: bool, as_json: bool) -> Result<(), CliError> {
    let live = versions.live()?;
    let all = versions.all()?;
    let before = all.iter().rfind(|it| it.state == State::Complete && it.version < live);
    let Some(before) = before else {
        return Err(CliError::failed(format!(
            "{}: there is no version to go back to; version {} answers, and no older one is kept",
            versions.name(),
            live.0
        )));
    };
    let (version, behind) =
        (before.version, Behind::total(&versions.behind(&versions.progress(before.version)?)?));
    if behind.seconds > STALE_SECONDS && !stale {
        return Err(CliError::failed(format!(
            "{}: version {} is {} events and {:.0} s behind, with {} processes that fill it",
            versions.name(),
            version.0,
            output::number(behind.records.unsigned_abs()),
            behind.seconds,
            versions.members(version)?
        ))
        .hint(format!(
            "Start projectors of the build and the settings that it is filled with ({:?}), or say --stale to \
             go back to it as it is.",
            before.revision
        )));
    }
    versions.switch(version)?;
    let said =
        format!("{}: version {} answers again, in place of version {}", versions.name(), version.0, live.0);
    step(as_json, said, &json!({"stage": "switched", "version": version.0, "from": live.0}))
}

/// Drops every version that does not answer, also those of which somebody before has dropped a part.
pub fn drop(versions: &mut Versions<'_>, as_json: bool) -> Result<(), CliError> {
    let live = versions.live()?;
    let mut others: Vec<_> = versions.all()?.into_iter().filter(|it| it.version != live).collect();
    others.extend(versions.half_dropped()?);
    if others.is_empty() {
        let said = format!("{}: nothing to drop, there is only version {}", versions.name(), live.0);
        return step(as_json, said, &json!({"stage": "nothing", "version": live.0}));
    }
    for filled in others {
        let version = filled.version;
        if filled.state != State::Dropped {
            versions.give_up(&filled, live)?;
        }
        abandoned(versions, version)?;
        let tables: Vec<String> = versions.family.views.iter().map(|view| version.table(view)).collect();
        versions.store.drop_tables(&tables)?;
        forget_progress(versions, version)?;
        versions.show()?;
        let said = format!("{}: dropped version {}, {} tables", versions.name(), version.0, tables.len());
        step(as_json, said, &json!({"stage": "dropped", "version": version.0, "tables": tables}))?;
    }
    Ok(())
}

/// Waits until nobody fills a version any more.
fn abandoned(versions: &Versions<'_>, version: Version) -> Result<(), CliError> {
    let until = Instant::now() + NOTICE;
    loop {
        let members = versions.members(version)?;
        if members == 0 {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(CliError::failed(format!(
                "{}: {members} processes still fill version {} after {} s; it is marked as dropped, its tables \
                 are there still",
                versions.name(),
                version.0,
                NOTICE.as_secs()
            ))
            .hint("Stop those processes, and drop it again."));
        }
        std::thread::sleep(LOOK);
    }
}

/// What a dropped version has published says nothing any more.
fn forget_progress(versions: &Versions<'_>, version: Version) -> Result<(), CliError> {
    let projection = version.of(&versions.name());
    let key = vec![Value::from(projection.as_str())];
    let timestamp = SystemClock.now_micros();
    let forget = |table| Write::Delete(Delete { table, key: key.clone(), range: true, timestamp });
    Ok(versions.store.apply(&[PROGRESS, PLACES].map(forget))?)
}
