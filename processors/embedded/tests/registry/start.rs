//! Starting where one cannot: the errors name the place and the reason.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use millrace_embedded::registry::RegistryError;

use crate::support::{TestRegistry, config};

fn refused(config: millrace_embedded::registry::RegistryConfig) -> RegistryError {
    match TestRegistry::open(config) {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

#[test]
fn a_taken_port_is_named() {
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut config = config(None);
    config.listen = holder.local_addr().unwrap();
    let text = refused(config).to_string();
    let port = holder.local_addr().unwrap().port().to_string();
    assert!(text.contains(&port) && text.contains("taken"), "{text}");
}

#[test]
fn an_address_of_another_machine_is_named() {
    let mut config = config(None);
    config.listen = SocketAddr::from(([192, 0, 2, 1], 0));
    assert!(matches!(refused(config), RegistryError::Listen { .. }));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    // A file in the way stops everybody, also a user who may write everywhere.
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let text = refused(config(Some(&file.join("registry")))).to_string();
    assert!(text.contains("file/registry"), "{text}");
}

#[test]
fn a_folder_in_use_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let first = TestRegistry::on_disk(dir.path());
    let text = refused(config(Some(dir.path()))).to_string();
    assert!(text.contains("another process uses"), "{text}");
    first.shutdown();
    TestRegistry::on_disk(dir.path()).shutdown();
}

#[test]
fn a_damaged_file_is_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let registry = TestRegistry::on_disk(dir.path());
    registry.register("a", "\"int\"");
    registry.register("b", "\"long\"");
    registry.shutdown();
    let file = dir.path().join("registry.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("int", "INT", 1)).unwrap();
    let text = refused(config(Some(dir.path()))).to_string();
    assert!(text.contains("line 1") && text.contains("damaged"), "{text}");
}
