//! Starts processes that die with this one, however it ends.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::thread;

type Request = (Command, SyncSender<io::Result<Child>>);

/// Spawns from a thread that lives as long as the process.
///
/// Linux ties "die with the parent" to the *thread* that forked: started from a test's own thread, a shared server
/// would die with the first test that asked for it.
pub(crate) fn spawn(mut command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Sender<Request>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = channel::<Request>();
        thread::spawn(move || {
            for (mut command, answer) in requests {
                // The one who asked may be gone; then the child is of no use to anybody.
                if let Err(unwanted) = answer.send(command.spawn())
                    && let Ok(mut child) = unwanted.0
                {
                    let _ = child.kill();
                }
            }
        });
        sender
    });
    die_with_parent(&mut command, libc::SIGKILL);
    // A group of its own: Ctrl-C in a terminal reaches the test first, not the server it still talks to.
    command.process_group(0);
    let (answer, child) = sync_channel(1);
    let gone = || io::Error::other("the thread that starts servers is gone");
    spawner.send((command, answer)).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}

/// Has the kernel send `signal` to the command's process when the thread that starts it ends.
pub fn die_with_parent(command: &mut Command, signal: libc::c_int) {
    let parent = std::process::id();
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; prctl, getppid and building an error
    // from a number are, and none of them allocates.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, signal) != 0 {
                return Err(io::Error::last_os_error());
            }
            // The parent may have died before the call above: then nobody will ever send the signal.
            if libc::getppid() != parent as libc::pid_t {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        });
    }
}

/// Sends a signal to a child that has not been waited for.
pub(crate) fn signal(child: &Child, signal: libc::c_int) -> io::Result<()> {
    // SAFETY: kill takes two numbers; the pid is still ours, as the child has not been reaped.
    if unsafe { libc::kill(child.id() as libc::pid_t, signal) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Has no file of a child grow any more that has not been waited for.
pub(crate) fn stop_files(child: &Child) -> io::Result<()> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let pid = child.id() as libc::pid_t;
    // SAFETY: the pointers are to a limit of ours and null, and the pid is still ours, as the child has not been reaped.
    if unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, &raw const none, std::ptr::null_mut()) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
