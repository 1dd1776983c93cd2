//! Whether a connection comes from this process: places that are kept for it are given to nobody else.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec};

/// To whom the other end of a connection belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// To this process; also where the system does not tell.
    Own,
    /// To another one.
    Other,
    /// To nobody any more: it was closed before it was accepted, as by who only looks whether somebody listens.
    Gone,
}

/// To whom the other end of `stream` belongs, which has the address `peer`.
///
/// This process asks its own sockets for their addresses, never the system for everybody's: that list has a line for
/// each connection of the machine, also for the thousands that were closed in the last minute.
pub(crate) fn owner(stream: &impl AsFd, peer: SocketAddr) -> Owner {
    let Ok(files) = std::fs::read_dir("/dev/fd") else { return Owner::Own };
    let numbers = files.flatten().filter_map(|file| file.file_name().to_str()?.parse().ok());
    let is_own = numbers.filter_map(address_of).any(|address| address == peer);
    match (is_own, is_closed(stream)) {
        (true, _) => Owner::Own,
        (false, true) => Owner::Gone,
        (false, false) => Owner::Other,
    }
}

/// The address of this process's socket with the number `file`; `None` when that is no socket or none any more.
fn address_of(file: RawFd) -> Option<SocketAddr> {
    // SAFETY: nothing is read from the file, and nobody keeps it. A number that was closed meanwhile is an error to the
    // system, and one that was given out anew is another file of this process.
    let file = unsafe { BorrowedFd::borrow_raw(file) };
    rustix::net::getsockname(file).ok()?.try_into().ok()
}

/// Whether the other end has closed, also where what it sent before is still to be read.
fn is_closed(stream: &impl AsFd) -> bool {
    // HUP means on Linux that both ends have closed
    #[cfg(target_os = "linux")]
    const CLOSED: PollFlags = PollFlags::RDHUP;
    #[cfg(not(target_os = "linux"))]
    const CLOSED: PollFlags = PollFlags::HUP;
    let mut ask = [PollFd::new(stream, CLOSED)];
    let ended = CLOSED | PollFlags::HUP | PollFlags::ERR;
    rustix::event::poll(&mut ask, Some(&Timespec::default())).is_ok() && ask[0].revents().intersects(ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::process::{Command, Stdio};

    #[test]
    fn a_connection_of_another_process_is_told_from_ours() {
        for host in ["127.0.0.1", "::1"] {
            let Ok(listener) = TcpListener::bind((host, 0)) else { continue };
            let port = listener.local_addr().unwrap().port();
            let mut ours = TcpStream::connect((host, port)).unwrap();
            ours.write_all(b"who are you?").unwrap();
            let (accepted, peer) = listener.accept().unwrap();
            assert_eq!(owner(&accepted, peer), Owner::Own, "{host}");
            drop(ours);
            assert_eq!(owner(&accepted, peer), Owner::Gone, "{host}");
            let script = format!("exec 3<>/dev/tcp/{host}/{port}; read -r _ <&3");
            let mut other = Command::new("bash").args(["-c", &script]).stdin(Stdio::null()).spawn().unwrap();
            let (mut stream, peer) = listener.accept().unwrap();
            assert_eq!(owner(&stream, peer), Owner::Other, "{host}");
            other.kill().unwrap();
            other.wait().unwrap();
            let _ = stream.read(&mut [0]);
        }
    }
}
