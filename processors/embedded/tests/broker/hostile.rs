//! What no proper client sends.

use std::io::Write as _;
use std::net::TcpStream;

use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, FetchRequest, MetadataRequest, ResponseHeader,
};
use kafka_protocol::protocol::Decodable as _;
use rand::{Rng as _, SeedableRng as _};

use crate::support::{Server, Wire};

fn answers(server: &Server) {
    let mut wire = Wire::connect(server.addr);
    assert_eq!(wire.call(3, &ApiVersionsRequest::default()).error_code, 0);
}

#[test]
fn an_unknown_version_of_the_version_request_gets_the_list_in_the_oldest_form() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let mut wire = Wire::connect(server.addr);
    wire.send_bytes(&[0, 0, 0, 10, 0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff]);
    let mut frame = wire.receive().unwrap();
    assert_eq!(ResponseHeader::decode(&mut frame, 0).unwrap().correlation_id, 7);
    let response = ApiVersionsResponse::decode(&mut frame, 0).unwrap();
    assert_eq!(response.error_code, kafka_protocol::ResponseError::UnsupportedVersion.code());
    assert!(response.api_keys.len() > 20);
    assert_eq!(wire.call(3, &ApiVersionsRequest::default()).error_code, 0);
    server.stop();
}

#[test]
fn unsupported_requests_close_the_connection_only() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    for frame in [
        // Of no known kind, of a known kind in an unknown version, without a header.
        &[0, 0, 0, 10, 0x7f, 0, 0, 0, 0, 0, 0, 7, 0xff, 0xff][..],
        &[0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 7, 0xff, 0xff],
        &[0, 0, 0, 2, 0, 3],
        &[0, 0, 0, 0],
        &[0xff, 0xff, 0xff, 0xff],
        // Two gigabytes, promised.
        &[0x7f, 0xff, 0xff, 0xff, 0, 3],
        // Two thousand million topics, in ten bytes.
        &[0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff],
    ] {
        let mut wire = Wire::connect(server.addr);
        wire.send_bytes(frame);
        assert!(wire.receive().is_none(), "{frame:?}");
        answers(&server);
    }
    server.stop();
}

#[test]
fn random_bytes_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[]);
    let seed = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    println!("seed {seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    for round in 0..500 {
        let mut stream = TcpStream::connect(server.addr).unwrap();
        let mut body: Vec<u8> = (0..random.random_range(0..200)).map(|_| random.random()).collect();
        if round % 2 == 0 && body.len() > 12 {
            // A plausible header, so that the decoders are reached.
            body[0] = 0;
            body[1] = random.random_range(0..70);
            body[2] = 0;
            body[3] = random.random_range(0..13);
            body[8] = 0xff;
            body[9] = 0xff;
        }
        let mut frame = (body.len() as u32).to_be_bytes().to_vec();
        frame.extend(body);
        let _ = stream.write_all(&frame);
    }
    answers(&server);
    server.stop();
}

#[test]
fn a_client_that_hangs_up_in_the_middle_of_a_wait_is_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_with(dir.path(), |config| config.limits.connections = 2);
    for _ in 0..20 {
        let mut wire = Wire::connect(server.addr);
        wire.send(12, &FetchRequest::default().with_max_wait_ms(60_000).with_min_bytes(1));
        drop(wire);
        // Its place must become free long before its wait is over.
        crate::support::eventually("a free place", || {
            let mut wire = Wire::connect(server.addr);
            let mut header = vec![0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7];
            header.extend([0xff, 0xff]);
            wire.send_bytes(&header);
            wire.receive().map(|_| ())
        });
    }
    server.stop();
}

#[test]
fn a_request_behind_a_waiting_fetch_does_not_wait_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let mut wire = Wire::connect(server.addr);
    let start = std::time::Instant::now();
    wire.send(12, &FetchRequest::default().with_max_wait_ms(20_000).with_min_bytes(1));
    wire.send(9, &MetadataRequest::default());
    assert!(wire.receive().is_some());
    assert!(wire.receive().is_some());
    assert!(start.elapsed() < std::time::Duration::from_secs(10));
    server.stop();
}
