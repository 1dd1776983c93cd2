//! How a feed is read: its ends, its pages, and stores that answer oddly.

use crate::common;

use std::cell::RefCell;

use common::tables::Tables;
use millrace_domain_chirp::feed::{Cursor, FeedError, FeedPage, MOST_AT_ONCE, feed};
use millrace_domain_chirp::messages::rows::{
    CelebrityChirpsRow, ChirpsByAuthorBucketsRow, ChirpsByAuthorRow, FollowingByUserRow, HomeTimelinesRow,
    TimelineFloorsRow, UserProfilesRow,
};
use millrace_domain_chirp::{Settings, settings::SettingsError};
use millrace_kernel::{Page, PageQuery, Value};

type Answer = Result<FeedPage, FeedError<&'static str>>;

fn read(tables: &Tables, cursor: Option<&Cursor>, limit: usize, cap: usize) -> Answer {
    let mut read = |queries: &[PageQuery]| Ok(queries.iter().map(|query| tables.read(query)).collect());
    feed(&mut read, "ann", cursor, limit, cap)
}

fn home(posted_at: i64, author: &str) -> HomeTimelinesRow {
    HomeTimelinesRow {
        reader_id: "ann".into(),
        posted_at,
        chirp_id: format!("c{posted_at}").into(),
        author_id: author.into(),
        username: "name".into(),
        content: "text".into(),
        edited_at: None,
        deleted: None,
    }
}

fn follows(author: &str, pulled_until: i64) -> FollowingByUserRow {
    FollowingByUserRow { follower_id: "ann".into(), followee_id: author.into(), since: 1, pulled_until }
}

fn ann() -> Tables {
    let mut tables = Tables::new();
    let row = UserProfilesRow { user_id: "ann".into(), username: "Ann".into(), registered_at: 1 };
    tables.write(&row.put(1));
    tables
}

fn times(page: &FeedPage) -> Vec<i64> {
    page.items.iter().map(|item| item.posted_at).collect()
}

#[test]
fn who_is_no_user_has_no_feed() {
    for reader in ["bob", "", "no id", &"x".repeat(100)] {
        let tables = ann();
        let mut read = |queries: &[PageQuery]| {
            assert!(!reader.is_empty(), "no store is asked for an empty key");
            Ok::<_, ()>(queries.iter().map(|query| tables.read(query)).collect())
        };
        let error = feed(&mut read, reader, None, 10, 800).unwrap_err();
        assert!(matches!(&error, FeedError::UnknownUser(id) if id == reader), "{error:?}");
    }
    let page = read(&ann(), None, 10, 800).unwrap();
    assert_eq!((page.items.len(), page.is_last), (0, true));
}

#[test]
fn a_feed_ends_after_its_cap_however_it_is_cut() {
    let mut tables = ann();
    tables.write(&follows("bob", 0).put(1));
    (1..=30).for_each(|at| tables.write(&home(at, "bob").put(at)));
    let all: Vec<i64> = (11..=30).rev().collect();
    assert_eq!(times(&read(&tables, None, 100, 20).unwrap()), all);
    for limit in [1, 3, 7, 10, 19, 20, 21] {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = read(&tables, cursor.as_ref(), limit, 20).unwrap();
            seen.extend(times(&page));
            cursor = page.items.last().map(|item| item.cursor.clone());
            if page.is_last {
                break;
            }
        }
        assert_eq!(seen, all, "in pages of {limit}");
        let page = read(&tables, cursor.as_ref(), limit, 20).unwrap();
        assert_eq!((page.items.len(), page.is_last), (0, true), "nothing behind the end");
    }
    let page = read(&tables, None, 0, 20).unwrap();
    assert_eq!((page.items.len(), page.is_last), (0, false));
}

#[test]
fn many_follows_and_many_rows_to_skip_are_read_through() {
    let mut tables = ann();
    for n in 0..2100 {
        tables.write(&follows(&format!("author-{n:04}"), 0).put(1));
    }
    // the newest thousand are of somebody who is not followed any more
    (1000..2000).for_each(|at| tables.write(&home(at, "former").put(at)));
    tables.write(&home(7, "author-2099").put(7));
    tables.write(&home(5, "author-0000").put(5));
    assert_eq!(times(&read(&tables, None, 2, 800).unwrap()), [7, 5]);
}

/// The same chirp as its author's, in a bucket for a thousand times.
fn by_author(tables: &mut Tables, row: HomeTimelinesRow) {
    let HomeTimelinesRow { posted_at, chirp_id, author_id, username, content, edited_at, .. } = row;
    let bucket = posted_at - posted_at % 1_000;
    tables.write(&ChirpsByAuthorBucketsRow { author_id: author_id.clone(), bucket }.put(1));
    let row = ChirpsByAuthorRow { author_id, bucket, posted_at, chirp_id, username, content, edited_at };
    tables.write(&row.put(1));
}

#[test]
fn what_is_deleted_at_the_front_is_passed_over() {
    let mut tables = ann();
    tables.write(&follows("bob", 0).put(1));
    for at in 1..1_000 {
        let deleted = (at > 20).then_some(true);
        tables.write(&HomeTimelinesRow { deleted, ..home(at, "bob") }.put(at));
    }
    assert_eq!(times(&read(&tables, None, 5, 800).unwrap()), [20, 19, 18, 17, 16]);
}

#[test]
fn below_the_greatest_floor_authors_are_asked() {
    let mut tables = ann();
    tables.write(&follows("bob", 4).put(1));
    for (partition, floor) in [(0, 3), (1, 10)] {
        let reader_id = "ann".into();
        tables.write(&TimelineFloorsRow { reader_id, source_partition: partition, floor }.put(1));
    }
    for at in 1..=12 {
        by_author(&mut tables, home(at, "bob"));
    }
    // 11 is missing: above the floor the timeline is right
    for at in [12, 10, 8] {
        tables.write(&home(at, "bob").put(1));
    }
    // 1 to 3 are pulled from celebrity_chirps, which is empty
    assert_eq!(times(&read(&tables, None, 100, 800).unwrap()), [12, 10, 9, 8, 7, 6, 5, 4]);
}

/// Tables of a reader who follows regular authors with a trimmed timeline, and celebrities.
fn trimmed() -> Tables {
    let mut tables = ann();
    for n in 0..30 {
        tables.write(&follows(&format!("author-{n:02}"), 0).put(1));
    }
    for n in 0..5 {
        tables.write(&follows(&format!("star-{n}"), i64::MAX).put(1));
    }
    tables.write(&TimelineFloorsRow { reader_id: "ann".into(), source_partition: 0, floor: 895 }.put(1));
    for at in 0..1000 {
        let author = format!("author-{:02}", at % 30);
        let row = home(at, &author);
        let HomeTimelinesRow { posted_at, username, content, edited_at, .. } = row.clone();
        if at >= 895 {
            tables.write(&row.clone().put(at));
        }
        by_author(&mut tables, row);
        let (author_id, chirp_id) = (format!("star-{}", at % 5).into(), format!("s{at}").into());
        let row = CelebrityChirpsRow { author_id, posted_at, chirp_id, username, content, edited_at };
        tables.write(&row.put(at));
    }
    tables
}

#[test]
fn a_page_is_one_call_behind_the_follows_and_others_only_below_the_floor() {
    let tables = trimmed();
    let mut calls: Vec<Vec<String>> = Vec::new();
    let (mut cursor, mut seen, mut pages) = (None, Vec::new(), Vec::new());
    loop {
        calls.clear();
        let mut read = |queries: &[PageQuery]| {
            calls.push(queries.iter().map(|query| query.table.clone()).collect());
            Ok::<_, ()>(queries.iter().map(|query| tables.read(query)).collect())
        };
        let page = feed(&mut read, "ann", cursor.as_ref(), 20, 800).unwrap();
        seen.extend(times(&page));
        cursor = page.items.last().map(|item| item.cursor.clone());
        pages.push(calls.clone());
        if page.is_last {
            break;
        }
    }
    let expected: Vec<i64> = (600..1000).rev().flat_map(|at| [at, at]).collect();
    assert_eq!(seen, expected);
    let stars = ["celebrity_chirps"; 5];
    for (number, calls) in pages.iter().enumerate() {
        let above = number < 10;
        assert_eq!(calls[0], ["user_profiles", "following_by_user"], "page {number}");
        assert_eq!(calls[1], [&["home_timelines", "timeline_floors"][..], &stars].concat(), "page {number}");
        assert_eq!(calls.len(), if above { 2 } else { 4 }, "page {number}: {calls:?}");
        if !above {
            assert_eq!(calls[2], ["chirps_by_author_buckets"; 30], "page {number}");
            assert_eq!(calls[3], ["chirps_by_author"; 30], "page {number}");
        }
    }
}

#[test]
fn a_page_is_bounded_whatever_is_asked_for() {
    let mut tables = ann();
    tables.write(&follows("bob", 0).put(1));
    (1..=1000).for_each(|at| tables.write(&home(at, "bob").put(at)));
    let first = read(&tables, None, usize::MAX, usize::MAX).unwrap();
    assert_eq!((first.items.len(), first.is_last), (MOST_AT_ONCE, false));
    let rest = read(&tables, first.items.last().map(|item| &item.cursor), usize::MAX, usize::MAX).unwrap();
    assert_eq!((rest.items.len(), rest.is_last), (200, true));
}

#[test]
fn a_floor_that_rises_while_reading_is_honoured() {
    let mut tables = ann();
    tables.write(&follows("bob", 0).put(1));
    for at in 1..=40 {
        tables.write(&home(at, "bob").put(at));
        by_author(&mut tables, home(at, "bob"));
    }
    for rises_after in 1..5 {
        let mut tables_now = 0;
        let mut read = |queries: &[PageQuery]| {
            if queries[0].table == HomeTimelinesRow::TABLE {
                tables_now += 1;
                if tables_now == rises_after {
                    let reader_id: std::sync::Arc<str> = "ann".into();
                    let floor = 40 - rises_after * 5;
                    let row = TimelineFloorsRow { reader_id: reader_id.clone(), source_partition: 0, floor };
                    tables.write(&row.put(floor));
                    tables.write(&HomeTimelinesRow::delete_after(reader_id, floor, 100));
                }
            }
            Ok::<_, ()>(queries.iter().map(|query| tables.read(query)).collect())
        };
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let page = feed(&mut read, "ann", cursor.as_ref(), 9, 800).unwrap();
            seen.extend(times(&page));
            cursor = page.items.last().map(|item| item.cursor.clone());
            if page.is_last {
                break;
            }
        }
        assert_eq!(seen, (1..=40).rev().collect::<Vec<i64>>());
    }
}

#[test]
fn a_timeline_that_is_trimmed_between_any_two_queries_loses_nothing() {
    let store = |tables: &RefCell<Tables>, asked: &mut usize, trim_before: usize, query: &PageQuery| {
        if *asked == trim_before {
            let (reader_id, floor): (std::sync::Arc<str>, i64) = ("ann".into(), 980);
            let row = TimelineFloorsRow { reader_id: reader_id.clone(), source_partition: 1, floor };
            tables.borrow_mut().write(&row.put(floor));
            tables.borrow_mut().write(&HomeTimelinesRow::delete_after(reader_id, floor, 2_000));
        }
        *asked += 1;
        tables.borrow().read(query)
    };
    for trim_before in 0..9 {
        let (tables, mut asked) = (RefCell::new(trimmed()), 0);
        // whoever answers side by side may come to the last turn first
        let mut read = |queries: &[PageQuery]| {
            let mut turns: Vec<Vec<Page>> = Vec::new();
            for (_, turn) in PageQuery::turns(queries).collect::<Vec<_>>().into_iter().rev() {
                turns.push(turn.iter().map(|query| store(&tables, &mut asked, trim_before, query)).collect());
            }
            Ok::<_, ()>(turns.into_iter().rev().flatten().collect())
        };
        let page = feed(&mut read, "ann", None, 100, 800).unwrap();
        let expected: Vec<i64> = (950..1000).rev().flat_map(|at| [at, at]).collect();
        assert_eq!(times(&page), expected, "trimmed before query {trim_before}");
    }
}

#[test]
fn a_store_that_fails_or_answers_oddly_is_named() {
    let mut fails = |_: &[PageQuery]| Err("down");
    let error = feed(&mut fails, "ann", None, 10, 800).unwrap_err();
    assert!(matches!(error, FeedError::Read("down")), "{error:?}");

    let tables = ann();
    let mut short = |queries: &[PageQuery]| {
        Ok::<_, ()>(queries.iter().skip(1).map(|query| tables.read(query)).collect::<Vec<Page>>())
    };
    assert!(matches!(feed(&mut short, "ann", None, 10, 800), Err(FeedError::Table(_))));

    for table in ["following_by_user", "home_timelines", "timeline_floors"] {
        let mut odd = |queries: &[PageQuery]| {
            let page = |query: &PageQuery| match query.table == table {
                true => Page { rows: vec![vec![Value::Null]] },
                false => tables.read(query),
            };
            Ok::<_, ()>(queries.iter().map(page).collect())
        };
        let error = feed(&mut odd, "ann", None, 10, 800).unwrap_err();
        assert!(error.to_string().contains(table), "{error}");
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    assert_eq!(Settings::default().validate(), Ok(()));
    let upside_down = Settings { celebrity_above: 5, celebrity_below: 6, ..Settings::default() };
    assert_eq!(upside_down.validate(), Err(SettingsError::Band { below: 6, above: 5 }));
    let nothing = Settings { timeline_cap: 0, ..Settings::default() };
    assert_eq!(nothing.validate(), Err(SettingsError::Cap));
    let some: Settings = serde_json::from_str(r#"{"timeline_cap": 10}"#).unwrap();
    assert_eq!(some, Settings { timeline_cap: 10, ..Settings::default() });
    assert!(serde_json::from_str::<Settings>(r#"{"timeline_cup": 10}"#).is_err());
}
