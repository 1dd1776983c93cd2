//! Commands that end by themselves do nothing that they do not need before they answer.

#[allow(dead_code, reason = "it uses less of it than others do")]
use crate::common;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use common::Up;

/// An empty file that counts how often it is opened to be read: a pipe, of which the other end opens only then.
struct Watched {
    path: PathBuf,
    opened: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watched {
    fn at(path: PathBuf) -> Self {
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let (opened, ends) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (here, count, stop) = (path.clone(), Arc::clone(&opened), Arc::clone(&ends));
        let thread = thread::spawn(move || {
            loop {
                let reader_is_there = File::options().write(true).open(&here);
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                reader_is_there.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { path, opened, ends, thread: Some(thread) }
    }

    fn path(&self) -> &Path {
        &self.path
    }

    /// How often it was opened until now, and never again after that.
    fn count(mut self) -> usize {
        let count = self.opened.load(Ordering::SeqCst);
        self.ends.store(true, Ordering::SeqCst);
        // both ends at once, which waits for nobody and lets the thread go
        let ends = File::options().read(true).write(true).open(&self.path).unwrap();
        self.thread.take().unwrap().join().unwrap();
        drop(ends);
        count
    }
}

#[test]
fn the_machines_certificates_are_read_for_https_alone() {
    let up = Up::start();
    let certificates = Watched::at(up.place.path().join("certificates"));
    let nowhere = up.place.path().join("nowhere").display().to_string();
    let file = certificates.path().display().to_string();
    let environment = [("SSL_CERT_FILE", file.as_str()), ("SSL_CERT_DIR", nowhere.as_str())];
    let open = ["send", "OpenAccount", "account_id=a1", "owner_id=ann", "currency=EUR", "--wait"];
    for (command, says) in [
        (&open[..], "accepted"),
        (&["schemas", "check"], ""),
        (&["dead", "list"], "nothing is dead"),
        (&["status"], "healthy"),
    ] {
        up.place.run_with(command, &environment).is(0, &[says]);
    }
    assert_eq!(certificates.count(), 0);

    // the watch itself works: somebody who does need them opens the file
    let certificates = Watched::at(up.place.path().join("others"));
    let file = certificates.path().display().to_string();
    let environment = [("SSL_CERT_FILE", file.as_str()), ("SSL_CERT_DIR", nowhere.as_str())];
    let secret = ["schemas", "check", "--registry", &format!("https://{}", up.kafka)];
    up.place.run_with(&secret, &environment).is(1, &["schema registry"]);
    assert!(certificates.count() > 0);
}
