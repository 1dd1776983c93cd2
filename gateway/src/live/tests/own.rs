//! Feeds: what a domain has of its own, as it changes.

use std::cmp::Reverse;

use millrace_kernel::PageQuery;

use super::*;
use crate::gateway::Own;
use crate::live::{OwnRequest, run_own};
use crate::ports::{
    Effect, LiveItem, LiveResource, Resource, ResourceDescription, ResourceFault, ResourcePage, Source,
};

/// The newest notes of all whom somebody follows, so many at most.
pub(crate) struct Feed {
    pub(crate) cap: usize,
}

impl Feed {
    fn rows(tables: &dyn ViewStore, table: &str, key: Value) -> Result<Vec<Vec<Value>>, ResourceFault> {
        let query = PageQuery {
            table: table.to_owned(),
            key: vec![key],
            after: Vec::new(),
            limit: 1_000,
            in_turn: false,
        };
        let pages = tables.read(&[query]).map_err(|fault| ResourceFault::Tables(fault.to_string()))?;
        Ok(pages.into_iter().flat_map(|page| page.rows).map(|row| row.to_vec()).collect())
    }

    fn item(columns: &[Value]) -> LiveItem {
        let [Value::Text(author), Value::BigInt(at), Value::Text(text)] = columns else {
            panic!("{columns:?}")
        };
        assert!(**text != *"panic", "this is no text");
        LiveItem {
            place: vec![Value::BigInt(*at), Value::Text(author.clone())],
            source: author.to_string(),
            key: json!({"at": at}),
            item: json!({"at": at, "text": &**text}),
        }
    }
}

impl Resource for Feed {
    fn name(&self) -> &'static str {
        "feeds"
    }

    fn views(&self) -> &'static [&'static str] {
        &["follows", "notes"]
    }

    fn is_public(&self) -> bool {
        true
    }

    fn limits(&self) -> (usize, usize) {
        (200, 20)
    }

    fn live(&self) -> Option<&dyn LiveResource> {
        Some(self)
    }

    fn description(&self) -> ResourceDescription {
        ResourceDescription { summary: "x", about: "x", id: ("user", "x"), item: json!({"type": "object"}) }
    }

    fn read(
        &self,
        _: &dyn ViewStore,
        _: &str,
        _: Option<&str>,
        _: usize,
    ) -> Result<ResourcePage, ResourceFault> {
        Ok(ResourcePage { items: Vec::new(), cursor: None })
    }
}

impl LiveResource for Feed {
    fn name(&self) -> &'static str {
        "feed"
    }

    fn parameter(&self) -> &'static str {
        "user_id"
    }

    fn views(&self) -> &'static [&'static str] {
        &["follows", "notes"]
    }

    fn limits(&self) -> (usize, usize) {
        (200, 20)
    }

    fn sources(&self, tables: &dyn ViewStore, id: &str) -> Result<Vec<Source>, ResourceFault> {
        if id == "nobody" {
            return Err(ResourceFault::Unknown("there is no such user".to_owned()));
        }
        let mut sources = vec![Source { view: "follows", key: vec![id.into()] }];
        let rows = Self::rows(tables, "follows", id.into())?;
        sources.extend(rows.iter().map(|row| Source { view: "notes", key: vec![row[1].clone()] }));
        Ok(sources)
    }

    fn items(
        &self,
        tables: &dyn ViewStore,
        id: &str,
        limit: usize,
        floor: Option<&[Value]>,
    ) -> Result<Vec<LiveItem>, ResourceFault> {
        let mut items = Vec::new();
        for source in self.sources(tables, id)?.drain(1..) {
            items.extend(
                Self::rows(tables, "notes", source.key[0].clone())?.iter().map(|row| Self::item(row)),
            );
        }
        items.sort_by_key(|item| Reverse(item.place.clone()));
        items.truncate(self.cap);
        match floor {
            Some(floor) => items.retain(|item| *item.place >= *floor),
            None => items.truncate(limit),
        }
        Ok(items)
    }

    fn effect(&self, change: &Change) -> Effect {
        let columns = change.row.as_ref().unwrap_or(&change.key);
        let value = |at: usize| columns[at].1.clone();
        if *change.view == *"follows" {
            let source = Source { view: "notes", key: vec![value(1)] };
            return if change.row.is_some() { Effect::Follow(source) } else { Effect::Unfollow(source) };
        }
        match change.row.is_some() {
            true => Effect::Put(Self::item(&[value(0), value(1), value(2)])),
            false => Effect::Gone { place: vec![value(1), value(0)], source: key_text(&[value(0)]) },
        }
    }
}

impl System {
    /// `ann` follows somebody, or does so no more.
    pub(crate) fn ann_follows(&self, who: &str, is_so: bool) {
        let offset = self.event(0);
        let key: Vec<Value> = vec!["ann".into(), who.into()];
        self.store
            .apply(&[match is_so {
                true => Write::Put(Put { table: "follows", values: key, timestamp: offset * 10 + 1 }),
                false => {
                    Write::Delete(Delete { table: "follows", key, range: false, timestamp: offset * 10 + 1 })
                }
            }])
            .unwrap();
        let key: Columns = vec![("reader".into(), "ann".into()), ("who".into(), who.into())];
        let row = is_so.then(|| key.clone());
        self.say(&Change { row, ..Self::of_event(0, offset, "follows", key) });
        self.progress(0, offset + 1);
    }

    /// A note of somebody.
    pub(crate) fn note_of(&self, who: &str, at: i64, text: &str) {
        let offset = self.event(0);
        let values = vec![who.into(), at.into(), text.into()];
        self.store.apply(&[Write::Put(Put { table: "notes", values, timestamp: offset * 10 + 1 })]).unwrap();
        self.say(&Self::note(offset, who, at, text));
        self.progress(0, offset + 1);
    }

    fn note(offset: i64, who: &str, at: i64, text: &str) -> Change {
        let key: Columns = vec![("a".into(), who.into()), ("at".into(), at.into())];
        let row = [&key[..], &[("text".into(), text.into())]].concat();
        Change { row: Some(row), ..Self::of_event(0, offset, "notes", key) }
    }

    fn feed(&self, cap: usize) -> Client {
        let own = Own {
            channel: Arc::clone(&self.channel),
            resource: Arc::new(Feed { cap }),
            projections: vec!["d.f".to_owned()],
        };
        let request = OwnRequest {
            own: Arc::new(own),
            id: "ann".to_owned(),
            partitions: PARTITIONS,
            limit: 20,
            token: None,
            expiry: watch::channel(None).1,
            signs: self.key.clone(),
            ending: self.ending.subscribe(),
        };
        let (out, said) = mpsc::channel(4);
        tokio::spawn(run_own(request, out));
        Client::hearing(said)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_follow_is_heard_of_while_a_feed_is_live() {
    let system = System::new();
    system.ann_follows("k", true);
    system.note_of("k", 1, "one");
    let mut client = system.feed(100);
    client.until("live").await;
    assert_eq!(client.rows(), [(1, "one")]);
    system.note_of("bob", 2, "two");
    for (who, rows) in [("bob", vec![(1, "one"), (2, "two")]), ("nobody", vec![(1, "one"), (2, "two")])] {
        system.ann_follows(who, true);
        client.until("live").await;
        assert_eq!(client.rows(), rows);
    }
    system.note_of("bob", 3, "three");
    client.until("change").await;
    assert_eq!(client.rows(), [(1, "one"), (2, "two"), (3, "three")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_version_tells_keeps_nothing_of_this_one_back() {
    let system = System::new();
    system.ann_follows("k", true);
    let mut client = system.feed(100);
    client.until("live").await;
    // both versions are written after a rebuild, and either may be the first
    let offset = system.event(0);
    let change = System::note(offset, "k", 1, "one");
    system.say(&Change { version: 2, settled: offset + 1, ..change.clone() });
    system.say(&change);
    client.until("change").await;
    assert_eq!(client.rows(), [(1, "one")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_hidden_by_somebody_comes_up_when_they_go() {
    let system = System::new();
    system.ann_follows("k", true);
    system.ann_follows("bob", true);
    (1..4).for_each(|at| system.note_of("bob", at, "bob's"));
    (11..16).for_each(|at| system.note_of("k", at, "k's"));
    let mut client = system.feed(5);
    client.until("live").await;
    assert_eq!(client.rows().len(), 5);
    system.ann_follows("k", false);
    client.until("live").await;
    assert_eq!(client.rows(), [(1, "bob's"), (2, "bob's"), (3, "bob's")]);
}
