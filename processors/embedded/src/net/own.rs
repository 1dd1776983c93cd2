//! Whether a connection comes from this process: places that are kept for it are given to nobody else.

use std::collections::HashSet;
use std::net::SocketAddr;

/// Whether the other end, which has the address `peer`, belongs to this process; also where the system does not tell.
pub(crate) fn is_own(peer: SocketAddr) -> bool {
    let Some(inodes) = inodes_of(peer) else { return true };
    let Ok(files) = std::fs::read_dir("/proc/self/fd") else { return true };
    files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok()).any(|link| {
        let inode = link.to_str().and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']'));
        inode.is_some_and(|inode| inodes.contains(inode))
    })
}

/// The sockets with this address, as Linux lists them.
fn inodes_of(local: SocketAddr) -> Option<HashSet<String>> {
    let SocketAddr::V4(local) = local else { return None };
    let address = format!("{:08X}:{:04X}", u32::from(*local.ip()).swap_bytes(), local.port());
    let table = std::fs::read_to_string("/proc/self/net/tcp").ok()?;
    let lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    Some(
        lines
            .filter(|words| words.get(1) == Some(&address.as_str()))
            .filter_map(|words| words.get(9).map(|inode| (*inode).to_owned()))
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
        let _ours = TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert!(is_own(listener.accept().unwrap().1));
        let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; read -r _ <&3");
        let mut other = Command::new("bash").args(["-c", &script]).stdin(Stdio::null()).spawn().unwrap();
        let (mut stream, peer) = listener.accept().unwrap();
        assert_eq!(is_own(peer), !cfg!(target_os = "linux"));
        other.kill().unwrap();
        other.wait().unwrap();
        let _ = stream.read(&mut [0]);
    }
}
