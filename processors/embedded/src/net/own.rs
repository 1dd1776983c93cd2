//! Whether a connection comes from this process: places that are kept for it are given to nobody else.

use std::collections::HashSet;
use std::net::SocketAddr;

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

/// To whom the other end, which has the address `peer`, belongs.
pub(crate) fn owner(peer: SocketAddr) -> Owner {
    let Some(inodes) = inodes_of(peer) else { return Owner::Own };
    if inodes.is_empty() {
        return Owner::Gone;
    }
    let Ok(files) = std::fs::read_dir("/proc/self/fd") else { return Owner::Own };
    let is_own = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok()).any(|link| {
        let inode = link.to_str().and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']'));
        inode.is_some_and(|inode| inodes.contains(inode))
    });
    if is_own {
        return Owner::Own;
    }
    // it may have been closed between one look and the other
    let is_there_still = inodes_of(peer).is_some_and(|now| !now.is_disjoint(&inodes));
    if is_there_still { Owner::Other } else { Owner::Gone }
}

/// The open sockets with this address, as Linux lists them: one that was closed has no inode any more.
fn inodes_of(local: SocketAddr) -> Option<HashSet<String>> {
    let SocketAddr::V4(local) = local else { return None };
    let address = format!("{:08X}:{:04X}", u32::from(*local.ip()).swap_bytes(), local.port());
    let table = std::fs::read_to_string("/proc/self/net/tcp").ok()?;
    let lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    Some(
        lines
            .filter(|words| words.get(1) == Some(&address.as_str()))
            .filter_map(|words| words.get(9).map(|inode| (*inode).to_owned()))
            .filter(|inode| inode != "0")
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream};
    use std::process::{Command, Stdio};

    #[test]
    fn a_connection_of_another_process_is_told_from_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ours = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (_accepted, peer) = listener.accept().unwrap();
        assert_eq!(owner(peer), Owner::Own);
        drop(ours);
        assert_eq!(owner(peer), if cfg!(target_os = "linux") { Owner::Gone } else { Owner::Own });
        let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; read -r _ <&3");
        let mut other = Command::new("bash").args(["-c", &script]).stdin(Stdio::null()).spawn().unwrap();
        let (mut stream, peer) = listener.accept().unwrap();
        assert_eq!(owner(peer), if cfg!(target_os = "linux") { Owner::Other } else { Owner::Own });
        other.kill().unwrap();
        other.wait().unwrap();
        let _ = stream.read(&mut [0]);
    }
}
