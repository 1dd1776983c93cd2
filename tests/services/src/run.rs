//! Runs a command, or just waits, with servers beside it that end when it ends.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use millrace_services::{
    CQL_VARIABLE, CqlServer, KAFKA_VARIABLE, KafkaServer, Package, REGISTRY_VARIABLE, RegistryServer,
    ServiceError, die_with_parent,
};

/// How often the runner looks whether its command has ended or a signal has come.
const POLL: Duration = Duration::from_millis(50);
/// How long the command may take to end after a signal; test runners give their tests ten seconds.
const GRACE: Duration = Duration::from_secs(15);

/// The last signal that asked the runner to end; 0 for none.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// The started servers; dropping them stops them.
#[derive(Default)]
struct Running {
    kafka: Option<KafkaServer>,
    cql: Option<CqlServer>,
    registry: Option<RegistryServer>,
}

impl Running {
    /// Starts all at once: each waits mostly for itself.
    fn start(packages: &[Package]) -> Result<Self, ServiceError> {
        let wanted = |package| packages.contains(&package);
        thread::scope(|scope| {
            let kafka = wanted(Package::Kafka).then(|| scope.spawn(KafkaServer::open));
            let cql = wanted(Package::Cassandra).then(|| scope.spawn(CqlServer::open));
            let registry = wanted(Package::Registry).then(|| scope.spawn(RegistryServer::open));
            Ok(Self { kafka: join(kafka)?, cql: join(cql)?, registry: join(registry)? })
        })
    }

    fn addresses(&self) -> Vec<(&'static str, &str)> {
        let kafka = self.kafka.iter().map(|server| (KAFKA_VARIABLE, server.bootstrap.as_str()));
        let cql = self.cql.iter().map(|server| (CQL_VARIABLE, server.contact_point.as_str()));
        let registry = self.registry.iter().map(|server| (REGISTRY_VARIABLE, server.url.as_str()));
        kafka.chain(cql).chain(registry).collect()
    }
}

fn join<T>(
    thread: Option<thread::ScopedJoinHandle<'_, Result<T, ServiceError>>>,
) -> Result<Option<T>, ServiceError> {
    let Some(thread) = thread else { return Ok(None) };
    let panicked = || ServiceError::Io {
        doing: "start a server".to_owned(),
        source: io::Error::other("its thread panicked"),
    };
    thread.join().map_err(|_| panicked())?.map(Some)
}

/// Starts servers, runs `command` with their addresses in its environment and exits as it does.
pub fn exec(packages: &[Package], command: &[String]) -> Result<ExitCode, ServiceError> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(ExitCode::from(2));
    };
    catch_signals();
    let Some(running) = start_unless_interrupted(packages)? else {
        return Ok(interrupted());
    };
    let mut command = Command::new(program);
    command.args(arguments).envs(running.addresses());
    die_with_parent(&mut command, libc::SIGTERM);
    let mut child =
        command.spawn().map_err(|source| ServiceError::Io { doing: format!("run {program}"), source })?;
    let status = wait(&mut child)
        .map_err(|source| ServiceError::Io { doing: format!("wait for {program}"), source })?;
    Ok(code(status))
}

/// Starts servers, prints their addresses in the form of a shell and waits for a signal.
pub fn up(packages: &[Package]) -> Result<ExitCode, ServiceError> {
    catch_signals();
    let Some(running) = start_unless_interrupted(packages)? else {
        return Ok(interrupted());
    };
    for (variable, address) in running.addresses() {
        println!("export {variable}={address}");
    }
    eprintln!("ready; Ctrl-C stops them");
    while SIGNAL.load(Ordering::Relaxed) == 0 {
        thread::sleep(POLL);
    }
    Ok(ExitCode::SUCCESS)
}

/// An error and all its sources on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Starts the servers; `None` if a signal came before they were ready.
fn start_unless_interrupted(packages: &[Package]) -> Result<Option<Running>, ServiceError> {
    let begin = Instant::now();
    let starting = thread::spawn({
        let packages = packages.to_vec();
        move || Running::start(&packages)
    });
    while !starting.is_finished() {
        if SIGNAL.load(Ordering::Relaxed) != 0 {
            // What is half started dies with this process.
            return Ok(None);
        }
        thread::sleep(POLL);
    }
    let running = join_started(starting)?;
    eprintln!("servers ready after {:.1} s", begin.elapsed().as_secs_f64());
    Ok(Some(running))
}

fn join_started(
    starting: thread::JoinHandle<Result<Running, ServiceError>>,
) -> Result<Running, ServiceError> {
    starting.join().unwrap_or_else(|_| {
        Err(ServiceError::Io {
            doing: "start the servers".to_owned(),
            source: io::Error::other("the thread panicked"),
        })
    })
}

/// Waits for the command, passing signals on; a second signal, or no end within the grace, kills it.
fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    let mut signalled: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let signal = SIGNAL.swap(0, Ordering::Relaxed);
        if signal != 0 && signalled.is_none() {
            signalled = Some(Instant::now());
            if !(signal == libc::SIGINT && terminal_told_the_command()) {
                // SAFETY: kill takes two numbers; the child is not reaped, so the pid is still its own.
                unsafe { libc::kill(child.id() as libc::pid_t, signal) };
            }
        } else if signal != 0 || signalled.is_some_and(|since| since.elapsed() > GRACE) {
            child.kill()?;
        }
        thread::sleep(POLL);
    }
}

/// Ctrl-C goes to the whole foreground group, so the command has had it; `kill -INT` reaches the runner alone.
fn terminal_told_the_command() -> bool {
    // SAFETY: both calls only ask the kernel for numbers.
    unsafe { libc::tcgetpgrp(libc::STDIN_FILENO) == libc::getpgrp() }
}

/// The exit code of the command, in the shell's way when a signal ended it.
fn code(status: ExitStatus) -> ExitCode {
    let number = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(number).unwrap_or(1))
}

fn interrupted() -> ExitCode {
    ExitCode::from(u8::try_from(128 + SIGNAL.load(Ordering::Relaxed)).unwrap_or(1))
}

/// Notes SIGINT, SIGTERM and SIGHUP instead of dying of them, so that the servers are stopped.
fn catch_signals() {
    extern "C" fn note(signal: libc::c_int) {
        SIGNAL.store(signal, Ordering::Relaxed);
    }
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the handler only stores to an atomic, which is allowed in a signal handler; exec resets it, so
        // the command and the servers start with the default.
        unsafe { libc::signal(signal, note as *const () as libc::sighandler_t) };
    }
}
