//! Streams of those who may not see every row.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use millrace_kernel::table::parse_tables;

use super::*;
use crate::auth::Known;

/// Who owns a partition key of `notes`.
const OWNERS: &str = "-- Readable by: owner\nCREATE TABLE owners (\n  a text, -- x\n  owner text, -- x\n  PRIMARY KEY ((a))\n) WITH comment = 'x Bound: few.';";

/// Who belongs to a partition key of `notes`.
const MEMBERS: &str = "-- Readable by: who among members\nCREATE TABLE members (\n  a text, -- x\n  who text, -- x\n  PRIMARY KEY ((a), who)\n) WITH comment = 'x Bound: few.';";

/// What `user` asks for, where `readers` says who may read `notes`.
fn request(system: &System, readers: &str, user: &str, token: Option<String>) -> Request {
    let views = [VIEWS.replace("public", readers), OWNERS.to_owned(), MEMBERS.to_owned()];
    let view = |text: &String| {
        let table = parse_tables(text).unwrap().remove(0);
        Arc::new(ViewDescription { table, projection: "d.f".to_owned() })
    };
    let views = views.each_ref().map(view);
    let principal = Principal::known(Known { user: user.into(), ..Known::default() });
    let domains = Domains::one("d", &views).and("teams", &views[2..], Arc::clone(&system.elsewhere) as _);
    let permit = Permit::of(&principal, &views[0], "d", &domains).unwrap();
    let mut request = system.request(token);
    request.viewed.view = Arc::clone(&views[0]);
    request.permit = permit;
    request
}

fn owned_by(system: &System, owner: &str, timestamp: i64) {
    let values = vec!["k".into(), owner.into()];
    system.store.apply(&[Write::Put(Put { table: "owners", values, timestamp })]).unwrap();
}

fn with_owners() -> System {
    let system = System::new();
    let tables = [OWNERS, MEMBERS].map(|text| parse_tables(text).unwrap().remove(0));
    for store in [&system.store, &system.elsewhere] {
        store.create_tables(&tables).and_then(|()| store.open_tables(&tables)).unwrap();
    }
    system
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_taken_out_is_told_nothing_more() {
    for (readers, is_elsewhere) in [("who among members", false), ("who among teams.members", true)] {
        taken_out(readers, is_elsewhere).await;
    }
}

async fn taken_out(readers: &str, is_elsewhere: bool) {
    let system = with_owners();
    let members = if is_elsewhere { &system.elsewhere } else { &system.store };
    let key = |who: &str| vec![Value::from("k"), who.into()];
    let put = |who: &str| Write::Put(Put { table: "members", values: key(who), timestamp: 1 });
    members.apply(&[put("ann"), put("bob")]).unwrap();
    system.change(0, 1, Some("one"));
    let mut ann = Client::of(request(&system, readers, "ann", None));
    let mut bob = Client::of(request(&system, readers, "bob", None));
    for client in [&mut ann, &mut bob] {
        client.until("live").await;
        assert_eq!(client.rows(), [(1, "one")]);
    }
    let gone = Delete { table: "members", key: key("ann"), range: false, timestamp: 2 };
    members.apply(&[Write::Delete(gone)]).unwrap();
    system.change(0, 2, Some("two"));
    ann.until("reset").await;
    ann.until("live").await;
    bob.until("change").await;
    assert_eq!(ann.rows(), []);
    assert_eq!(bob.rows(), [(1, "one"), (2, "two")]);
    let mut eve = Client::of(request(&system, readers, "eve", None));
    eve.until("live").await;
    assert_eq!(eve.rows(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_while_a_stream_is_cut_is_told_to_its_user() {
    for readers in ["a", "owner of owners"] {
        let system = with_owners();
        owned_by(&system, "k", 1);
        system.change(0, 1, Some("one"));
        system.change(0, 2, Some("two"));
        let mut client = Client::of(request(&system, readers, "k", None));
        client.until("live").await;
        assert_eq!(client.rows(), [(1, "one"), (2, "two")]);
        let token = client.token.clone();
        drop(std::mem::replace(&mut client.said, mpsc::channel(1).1));
        system.change(0, 1, None);
        let mut again = Client::of(request(&system, readers, "k", token)).with(client);
        again.until("live").await;
        assert_eq!(again.rows(), [(2, "two")], "{readers}");
        assert!(!again.names.contains(&"snapshot"), "{readers}: {:?}", again.names);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_see_the_rows_no_more_has_none_and_gets_all_of_them_back() {
    let system = with_owners();
    owned_by(&system, "ann", 1);
    system.change(0, 1, Some("one"));
    let mut client = Client::of(request(&system, "owner of owners", "ann", None));
    client.until("live").await;
    let anns = client.token.clone();
    owned_by(&system, "bob", 2);
    system.change(0, 2, Some("two"));
    client.until("reset").await;
    client.until("live").await;
    assert_eq!(client.rows(), []);
    let token = client.token.clone();
    // neither what she was told before nor what she is told now goes on without rows that she may see again
    for (token, time) in [(anns.clone(), 3), (token, 5)] {
        let mut none = Client::of(request(&system, "owner of owners", "ann", token.clone()));
        none.until("live").await;
        assert_eq!(none.rows(), []);
        owned_by(&system, "ann", time);
        let mut again = Client::of(request(&system, "owner of owners", "ann", none.token.clone())).with(none);
        again.until("live").await;
        assert_eq!(again.rows(), [(1, "one"), (2, "two")]);
        owned_by(&system, "bob", time + 1);
    }
    let mut bobs = Client::of(request(&system, "owner of owners", "bob", anns));
    bobs.until("live").await;
    assert_eq!(bobs.rows(), [(1, "one"), (2, "two")], "another's token is of no use");
    assert!(bobs.names.starts_with(&["reset", "snapshot"]), "{:?}", bobs.names);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_permitted_one_by_one_are_read_anew() {
    let system = System::new();
    system.change(0, 1, Some("ann"));
    system.change(0, 2, Some("bob"));
    let mut client = Client::of(request(&system, "text", "ann", None));
    client.until("live").await;
    assert_eq!(client.rows(), [(1, "ann")]);
    let token = client.token.clone();
    drop(std::mem::replace(&mut client.said, mpsc::channel(1).1));
    system.change(0, 1, None);
    system.change(0, 3, Some("ann"));
    let mut again = Client::of(request(&system, "text", "ann", token)).with(client);
    again.until("live").await;
    assert_eq!(again.rows(), [(3, "ann")]);
    assert!(!again.names.contains(&"reset"), "{:?}", again.names);
    system.change(0, 2, None);
    system.change(0, 3, Some("bob"));
    again.until("change").await;
    assert_eq!(again.rows(), [], "it went to another");
}

/// The floor that whoever has the token may read in it.
fn floor_of(token: &Option<String>) -> String {
    let bytes = URL_SAFE_NO_PAD.decode(token.as_deref().unwrap()).unwrap();
    let (length, rest) = bytes.split_first_chunk::<2>().unwrap();
    String::from_utf8(rest[..u16::from_be_bytes(*length).into()].to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_rows_are_shown_as_are_wanted_and_no_token_says_more() {
    let system = System::new();
    for (at, text) in [(77_707, "ann"), (77_706, "bob"), (77_705, "ann"), (77_704, "ann"), (77_703, "bob")] {
        system.change(0, at, Some(text));
    }
    let mut ann = request(&system, "text", "ann", None);
    ann.limit = Some(2);
    let mut client = Client::of(ann);
    client.until("live").await;
    assert_eq!(client.rows(), [(77_705, "ann"), (77_707, "ann")]);
    let text = floor_of(&client.token);
    assert!(text.contains("77705") && !text.contains("77706") && !text.contains("77704"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_many_rows_are_hidden_is_not_told() {
    let system = System::new();
    for at in 0..350 {
        system.change(0, at, Some("bob"));
    }
    let mut ann = request(&system, "text", "ann", None);
    ann.limit = Some(200);
    let mut client = Client::of(ann);
    client.until("live").await;
    assert_eq!(client.names, ["snapshot", "live"]);
    assert_eq!(floor_of(&client.token), "null");
    let mut bob = request(&system, "text", "bob", None);
    bob.limit = Some(250);
    let mut client = Client::of(bob);
    client.until("live").await;
    assert_eq!(client.rows.len(), 250);
    assert_eq!(client.names, ["snapshot", "snapshot", "snapshot", "live"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rows_that_are_another_s_nothing_is_read() {
    let system = with_owners();
    owned_by(&system, "bob", 1);
    for at in 0..250 {
        system.change(0, 77_000 + at, Some("one"));
    }
    let mut ann = request(&system, "owner of owners", "ann", None);
    ann.limit = Some(200);
    let mut client = Client::of(ann);
    client.until("live").await;
    assert_eq!(client.names, ["snapshot", "live"]);
    assert_eq!(floor_of(&client.token), "null");
}
