//! Starts processes that die with the test process, however it ends.

use std::io;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::thread;

use millrace_services::die_with_parent;

type Request = (Command, SyncSender<io::Result<Child>>);

/// Spawns from a thread that lives as long as the process: "die with the parent" is tied to the thread that forked,
/// and a system that several tests share must not die with the first of them.
pub(crate) fn spawn(mut command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Sender<Request>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = channel::<Request>();
        thread::spawn(move || {
            for (mut command, answer) in requests {
                let _ = answer.send(command.spawn());
            }
        });
        sender
    });
    die_with_parent(&mut command, libc::SIGKILL);
    let (answer, child) = sync_channel(1);
    let gone = || io::Error::other("the thread that starts processes is gone");
    spawner.send((command, answer)).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}
