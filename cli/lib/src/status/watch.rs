//! `millrace status --watch`: the same live, with what the processes measure.
//!
//! What Kafka and the tables say is asked for in the background, as it takes seconds while the dead
//! topic is long; the processes answer in milliseconds.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_runtime::Stop;
use terminal_size::{Height, Width, terminal_size};

use super::scrape::{Asker, Look, Window};
use super::screen::{Known, Size, render};
use super::{gather, processes};
use crate::connect::Servers;
use crate::domain::DomainEntry;
use crate::error::CliError;
use crate::roles::{runtime, stop_on_signals};

/// The pause between two questions to Kafka and the tables.
const REPORT_PAUSE: Duration = Duration::from_secs(5);
/// What is drawn where nobody says how large the terminal is.
const USUAL: Size = Size { width: 100, height: 200 };
/// Another screen, without a cursor; and back.
pub const ENTER: &str = "\x1b[?1049h\x1b[?25l";
/// See [`ENTER`].
pub const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// Runs `millrace status --watch` until interrupted.
///
/// # Errors
/// Servers that do not answer at the first look.
pub fn run(servers: &Servers<'_>, domains: &[Box<dyn DomainEntry>], every: u64) -> Result<(), CliError> {
    let asker = Asker::new(&processes::addresses(servers.config));
    let runtime = runtime()?;
    let stop = Stop::new();
    stop_on_signals(&runtime, stop.clone())?;
    let known = Mutex::new(Known { report: gather(servers, domains)?, at: Instant::now(), fault: None });
    let drawn = std::thread::scope(|scope| {
        scope.spawn(|| keep_up_to_date(servers, domains, &known, &stop));
        let is_terminal = io::stdout().is_terminal();
        let drawn = draw(&asker, &known, &stop, Duration::from_secs(every), is_terminal);
        if is_terminal {
            let _ = write!(io::stdout(), "{LEAVE}");
            let _ = io::stdout().flush();
        }
        stop.request();
        if drawn.is_ok() {
            // whoever interrupts it does not wait for a server's answer
            std::process::exit(0);
        }
        drawn
    });
    runtime.shutdown_background();
    drawn
}

fn keep_up_to_date(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    known: &Mutex<Known>,
    stop: &Stop,
) {
    while !stop.wait(REPORT_PAUSE) {
        let found = gather(servers, domains);
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(report) => *known = Known { report, at: Instant::now(), fault: None },
            Err(error) => known.fault = Some(error.to_string()),
        }
    }
}

fn draw(
    asker: &Asker,
    known: &Mutex<Known>,
    stop: &Stop,
    every: Duration,
    is_terminal: bool,
) -> Result<(), CliError> {
    if is_terminal {
        write!(io::stdout(), "{ENTER}")?;
    }
    let mut before: Option<Look> = None;
    loop {
        let look = asker.look();
        let window = Window::between(before.as_ref(), &look);
        let size = terminal_size().map_or(USUAL, |(Width(width), Height(height))| Size {
            width: width.into(),
            height: height.into(),
        });
        let lines = render(&known.lock().unwrap_or_else(PoisonError::into_inner), &window, size);
        let mut out = io::stdout().lock();
        if is_terminal {
            write!(out, "\x1b[H")?;
            let text: Vec<String> = lines.iter().map(|line| format!("{line}\x1b[K")).collect();
            write!(out, "{}\x1b[J", text.join("\r\n"))?;
        } else {
            writeln!(out, "{}\n", lines.join("\n"))?;
        }
        out.flush()?;
        drop(out);
        before = Some(look);
        if stop.wait(every) {
            return Ok(());
        }
    }
}
