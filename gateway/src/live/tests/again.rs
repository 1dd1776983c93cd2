//! Whoever comes again: what tokens are good for, and until when.

use tokio::sync::Semaphore;

use super::*;
use crate::live::history::{self, Past};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_life_of_the_log_begins_anew() {
    let before = System::new();
    for at in 0..10 {
        before.change(0, at, Some("of the first life"));
    }
    let mut client = before.open(None);
    client.until("live").await;
    let token = client.token.clone();
    for changes in [1, 30] {
        let mut after = System::new();
        after.key = before.key.clone();
        after.change(0, 1, Some("of the second"));
        // written again and again: the changes are more than before, and the events fewer
        (1..changes).for_each(|_| after.tell(0, 0, 1, Some("of the second"), 0));
        let mut again = after.open(token.clone());
        again.until("live").await;
        assert!(again.names.starts_with(&["reset", "snapshot"]), "{changes}: {:?}", again.names);
        assert_eq!(again.rows(), [(1, "of the second")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_cut_behind_a_reset_gets_all_rows() {
    let system = System::new();
    system.change(0, 1, Some("one"));
    let mut client = system.open(None);
    client.until("live").await;
    *system.link.version.lock().unwrap() = 2;
    client.until("reset").await;
    // cut here, in front of the last part of the rows
    let mut again = system.open(client.token.clone());
    again.until("live").await;
    assert_eq!(again.names, ["snapshot", "live"]);
    // and of a token that was never good
    let mut bad = system.open(Some("AAAA".to_owned()));
    bad.until("reset").await;
    assert!(bad.token.is_some(), "the bad one must be forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_to_somebody_whose_time_is_over() {
    let system = System::new();
    system.change(0, 1, Some("one"));
    let mut other = system.open(None);
    other.until("live").await;
    for _ in 0..20 {
        let mut request = system.request(None);
        request.expiry = watch::channel(Some(0)).1;
        let mut client = Client::of(request);
        assert!(matches!(client.next().await, Some(Event::End(Ended::Expired))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_in_the_log_is_not_waited_for() {
    let log = MemoryLog::new();
    log.create_topic("t", 1);
    let at = TopicPartition::new("t", 0);
    for _ in 0..3 {
        log.append(&at, Plain { value: Some("x".into()), ..Plain::default() }).unwrap();
    }
    log.spoil(&at, 1..2).unwrap();
    let readers = Arc::new(Semaphore::new(1));
    let mut past = history::read(Arc::new(log), readers, at, "k".to_owned(), (0, 3), |_| None);
    assert!(matches!(timeout(PATIENCE, past.recv()).await.unwrap(), Some(Past::Gone)));
}

#[test]
fn the_registry_is_asked_while_others_go_on() {
    let hub = crate::live::Hub::new();
    let at = TopicPartition::new("t", 0);
    hub.begin(&[(at.clone(), 0)]);
    let log = MemoryLog::new();
    log.create_topic("t", 1);
    log.append(&at, Plain { key: Some("k".into()), value: Some("x".into()), ..Plain::default() }).unwrap();
    log.committed_records("t").into_iter().for_each(|record| hub.pass_on(record, |_| None));
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let again = Arc::clone(&hub);
        let mut hearing = hub.hear(&at, "k", Some(0), |_| {
            again.listeners();
            None
        });
        tell.send(hearing.as_mut().unwrap().next_now().map(|heard| heard.offset)).unwrap();
    });
    assert_eq!(told.recv_timeout(Duration::from_secs(5)), Ok(Some(0)));
}

#[test]
fn no_stream_has_the_name_of_another() {
    let system = System::new();
    let name = |key: &str| Viewed { key: vec![key.into()], ..system.request(None).viewed }.name();
    assert!(!name("a\nb").contains('\n'));
    let names = ["a/b", "a%2Fb", "a", "a\nb", "a%0Ab"].map(name);
    let different: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(different.len(), names.len());
    assert!(names.iter().all(|name| name.matches('/').count() == 2), "{names:?}");
}
