//! `millrace architecture`: the C4 view of the running system.
//!
//! | to do | open |
//! |---|---|
//! | what a picture consists of | `model.rs` |
//! | what domains declare | `declared.rs` |
//! | what a compose file starts | `compose/` |
//! | what brokers and processes are asked | `look.rs`, again and again: `live.rs`; what they answer, as values: `seen.rs` |
//! | how both are laid over each other | `overlay.rs` |
//! | how it is written | `render/` |

mod compose;
pub mod declared;
pub(crate) mod live;
mod look;
pub mod model;
pub mod overlay;
pub mod render;
pub mod seen;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

use millrace_runtime::Stop;
use terminal_size::{Height, terminal_size};

use self::declared::Declared;
use self::live::LivePicture;
use self::model::{Architecture, Standing};
use self::render::text::Line;
use crate::args::{Architecture as Chosen, Format};
use crate::connect::Servers;
use crate::domain::{DomainEntry, by_name};
use crate::error::CliError;
use crate::foreign;
use crate::output::{self, Styled};
use crate::roles::{runtime, stop_on_signals};
use crate::status::watch::{ENTER, LEAVE};

/// Runs `millrace architecture`.
///
/// # Errors
/// A domain or a compose file that there is not, a file that cannot be written. That no broker answers is none.
pub fn run(servers: &Servers<'_>, domains: &[Box<dyn DomainEntry>], chosen: &Chosen) -> Result<(), CliError> {
    if let Some(name) = &chosen.domain {
        by_name(domains, name)?;
    }
    let declared = draw(servers, domains)?;
    if chosen.watch {
        return watch(servers, chosen, declared);
    }
    let drawn = if chosen.declared { declared } else { LivePicture::of(declared).look(servers)? };
    if let Some(why) = &drawn.sources.not_observed {
        foreign::say(format!("{why}; this is what is declared"));
    }
    let drawn = with_compose(drawn, chosen)?;
    let drawn = narrowed(drawn, chosen);
    match (format(chosen), &chosen.out) {
        (Format::Text, None) => render::text::lines(&drawn).iter().try_for_each(print),
        (_, None) => output::line(written(&drawn, chosen)?.trim_end()),
        (_, Some(file)) => write(file, &written(&drawn, chosen)?),
    }
}

/// What the domains declare.
///
/// # Errors
/// Settings, tables or topics of a domain that are wrong.
pub fn draw(servers: &Servers<'_>, domains: &[Box<dyn DomainEntry>]) -> Result<Architecture, CliError> {
    let entries = domains.iter().map(|entry| Declared::of(&**entry, servers.config, servers.prefix()));
    let declared = entries.collect::<Result<Vec<_>, _>>()?;
    Ok(declared::draw(&declared))
}

/// Adds the services of the compose file: of the one that is named, or of this folder's where nothing was observed. What runs
/// elsewhere may have been started from another.
fn with_compose(mut drawn: Architecture, chosen: &Chosen) -> Result<Architecture, CliError> {
    let is_alone = drawn.sources.observed.is_none();
    match (&chosen.compose, compose::usual().filter(|_| is_alone)) {
        (Some(file), _) => compose::add(&mut drawn, file, &compose::read(file)?),
        // nobody has asked for it
        (None, Some(file)) => match compose::read(file) {
            Ok(services) => compose::add(&mut drawn, file, &services),
            Err(error) => drawn.notes.push(error.text()),
        },
        (None, None) => {}
    }
    Ok(drawn)
}

fn narrowed(drawn: Architecture, chosen: &Chosen) -> Architecture {
    match &chosen.domain {
        Some(domain) => drawn.narrowed(domain),
        None => drawn,
    }
}

fn format(chosen: &Chosen) -> Format {
    if chosen.json { Format::Json } else { chosen.format }
}

fn written(drawn: &Architecture, chosen: &Chosen) -> Result<String, CliError> {
    Ok(match format(chosen) {
        Format::Text => {
            let lines = render::text::lines(drawn).into_iter();
            lines.map(|line| line.text + "\n").collect()
        }
        Format::Dsl => render::dsl::workspace(drawn),
        Format::Mermaid => match &chosen.domain {
            Some(domain) => render::mermaid::context(drawn, domain),
            None => render::mermaid::contexts(drawn),
        },
        Format::Json => foreign::pretty_json(drawn)? + "\n",
    })
}

fn write(file: &Path, text: &str) -> Result<(), CliError> {
    let failed =
        |error: io::Error| CliError::failed(format!("{} cannot be written: {error}", file.display()));
    millrace_disk::replace(file, text.as_bytes()).map_err(failed)
}

fn print(line: &Line) -> Result<(), CliError> {
    output::styled(&[styled(line)])
}

fn styled(line: &Line) -> Styled<'_> {
    match line.standing {
        Standing::Undeclared => Styled::Warning(&line.text),
        Standing::Silent | Standing::Gone => Styled::Dim(&line.text),
        Standing::Declared | Standing::Live => Styled::Plain(&line.text),
    }
}

/// Draws again and again until interrupted; while no broker answers, what is declared, and why there is no more.
fn watch(servers: &Servers<'_>, chosen: &Chosen, declared: Architecture) -> Result<(), CliError> {
    let runtime = runtime()?;
    let stop = Stop::new();
    stop_on_signals(&runtime, stop.clone())?;
    let is_screen = chosen.out.is_none() && format(chosen) == Format::Text && io::stdout().is_terminal();
    if is_screen {
        write!(io::stdout(), "{ENTER}")?;
    }
    let done = look_again(servers, chosen, declared, is_screen, &stop);
    if is_screen {
        let _ = write!(io::stdout(), "{LEAVE}");
        let _ = io::stdout().flush();
    }
    runtime.shutdown_background();
    done
}

fn look_again(
    servers: &Servers<'_>,
    chosen: &Chosen,
    declared: Architecture,
    is_screen: bool,
    stop: &Stop,
) -> Result<(), CliError> {
    let mut picture = LivePicture::of(declared);
    loop {
        let drawn = with_compose(picture.look(servers)?, chosen)?;
        let drawn = narrowed(drawn, chosen);
        match (format(chosen), &chosen.out) {
            (_, Some(file)) => write(file, &written(&drawn, chosen)?)?,
            (Format::Text, None) if is_screen => screen(&render::text::lines(&drawn))?,
            (Format::Text, None) => {
                render::text::lines(&drawn).iter().try_for_each(print)?;
                output::line("")?;
            }
            // a line a look, for whoever reads them one by one
            (Format::Json, None) => output::json(&drawn)?,
            (_, None) => output::line(written(&drawn, chosen)?)?,
        }
        if stop.wait(Duration::from_secs(chosen.every)) {
            return Ok(());
        }
    }
}

/// Draws over what was drawn before, as much as the terminal shows.
fn screen(lines: &[Line]) -> Result<(), CliError> {
    let height = terminal_size().map_or(usize::MAX, |(_, Height(height))| usize::from(height));
    let mut text = "\x1b[H".to_owned();
    for line in lines.iter().take(height.saturating_sub(1)) {
        text.push_str(&format!("{}\x1b[K\r\n", styled(line)));
    }
    if let more @ 1.. = lines.len().saturating_sub(height.saturating_sub(1)) {
        text.push_str(&format!("… {more} lines more\x1b[K"));
    }
    let mut out = io::stdout().lock();
    write!(out, "{text}\x1b[J")?;
    Ok(out.flush()?)
}
