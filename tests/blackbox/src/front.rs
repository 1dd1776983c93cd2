//! What stands before a registry in many places: TLS, a certificate of the client, a user and a password.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use openssl::base64::encode_block;
use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod, SslVerifyMode};

/// Nobody needs longer for a request.
const PATIENCE: Duration = Duration::from_secs(20);

/// A stand in front of a registry; every connection is for one request.
pub struct Front {
    url: String,
}

struct Door {
    server: String,
    acceptor: SslAcceptor,
    authorization: String,
}

impl Front {
    /// In front of the registry at `url`, which is not encrypted: with the key and certificate in the PEM file `identity`,
    /// for clients whose certificates are from `authorities`, and for one user.
    pub fn of(url: &str, identity: &Path, authorities: &Path, user: &str, password: &str) -> Self {
        let (server, path) = address_and_path(url);
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).expect("an acceptor");
        acceptor.set_private_key_file(identity, SslFiletype::PEM).expect("a key");
        acceptor.set_certificate_chain_file(identity).expect("a certificate");
        acceptor.set_ca_file(authorities).expect("authorities");
        acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        let authorization = format!("Basic {}", encode_block(format!("{user}:{password}").as_bytes()));
        let door = Arc::new(Door { server, acceptor: acceptor.build(), authorization });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it listens").port();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let door = Arc::clone(&door);
                // whoever is not let in hears why, or that the connection has ended
                thread::spawn(move || drop(door.serve(client)));
            }
        });
        Self { url: format!("https://localhost:{port}{path}") }
    }

    /// Its URL, by name: certificates are for names.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Door {
    fn serve(&self, client: TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(PATIENCE))?;
        let mut client = self.acceptor.accept(client).map_err(io::Error::other)?;
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            client.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let header = |name: &str| {
            let mut headers = head.lines().filter_map(|line| line.split_once(": "));
            headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        let length = header("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        client.read_exact(&mut body)?;
        if header("authorization") != Some(self.authorization.as_str()) {
            let said = r#"{"error_code":401,"message":"Unauthorized"}"#;
            write!(
                client,
                "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{said}",
                said.len()
            )?;
        } else {
            let mut server = TcpStream::connect(&self.server)?;
            let passed_on = |line: &&str| {
                let line = line.to_lowercase();
                !line.is_empty()
                    && !["connection:", "authorization:"].iter().any(|name| line.starts_with(name))
            };
            for line in head.lines().filter(passed_on) {
                write!(server, "{line}\r\n")?;
            }
            server.write_all(b"Connection: close\r\n\r\n")?;
            server.write_all(&body)?;
            io::copy(&mut server, &mut client)?;
        }
        client.shutdown().map(drop).map_err(io::Error::other)
    }
}

fn address_and_path(url: &str) -> (String, String) {
    let rest = url.strip_prefix("http://").expect("a registry that is not encrypted");
    match rest.find('/') {
        Some(at) => (rest[..at].to_owned(), rest[at..].to_owned()),
        None => (rest.to_owned(), String::new()),
    }
}
