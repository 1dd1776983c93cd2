//! The window against a model so naive that it is obviously right: a list that is searched backwards.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use millrace_ports::{Answered, Change, LocalFault, LocalStore, Space};
use proptest::prelude::*;

use super::answers::Answers;
use super::hashed::Hash;
use super::window::{Known, Window, WindowMark, WindowPart};

const SPAN_SECONDS: u64 = 2;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Remembers an answer to one of few commands, so much later than the last.
    Remember { command: u8, after_micros: i64 },
    /// Begins a checkpoint, if none is under way.
    Freeze,
    /// Writes the checkpoint under way.
    Write,
    /// The process dies; what was not written is lost.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let remember = (0..12_u8, prop_oneof![5 => Just(1_i64), 2 => 0..300_000_i64, 1 => 0..3_000_000_i64]);
    let remember = remember.prop_map(|(command, after_micros)| Step::Remember { command, after_micros });
    let step = prop_oneof![
        12 => remember,
        2 => Just(Step::Freeze),
        2 => Just(Step::Write),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..120)
}

/// All that was ever answered: command, `recorded_at`, outcome.
#[derive(Clone, Default)]
struct Model(Vec<(u8, i64, u32)>);

impl Model {
    fn answer(&self, command: u8, max_ids: usize) -> Option<u32> {
        let newest = self.0.iter().map(|it| it.1).max()?;
        let (at, found) = self.0.iter().enumerate().rev().find(|(_, it)| it.0 == command)?;
        let is_recent = found.1 >= newest - SPAN_SECONDS as i64 * 1_000_000;
        (is_recent && self.0.len() - at <= max_ids).then_some(found.2)
    }
}

/// Answers by command id, with their generations.
type Entries = BTreeMap<Vec<u8>, (u64, Vec<u8>)>;

/// A store of answers, and what it was told to keep.
#[derive(Default)]
struct Answering {
    entries: Mutex<Entries>,
}

impl LocalStore for Answering {
    fn get(&self, _: Space, key: &[u8]) -> Result<Option<Bytes>, LocalFault> {
        let entries = self.entries.lock().unwrap();
        Ok(entries.get(key).map(|(_, value)| Bytes::copy_from_slice(value)))
    }

    fn scan_kept(&self, _: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LocalFault> {
        Ok(())
    }

    fn write(&self, changes: &[Change<'_>], answered: Answered, _: &[u8]) -> Result<(), LocalFault> {
        let mut entries = self.entries.lock().unwrap();
        for change in changes {
            entries.insert(change.key.to_vec(), (answered.newest, change.value.unwrap().to_vec()));
        }
        entries.retain(|_, (generation, _)| *generation >= answered.oldest);
        Ok(())
    }

    fn checkpoint(&self) -> Result<Option<Bytes>, LocalFault> {
        Ok(None)
    }

    fn path(&self) -> PathBuf {
        PathBuf::from("answering")
    }
}

fn id(command: u8) -> String {
    format!("command-{command}")
}

fn check(
    window: &Window,
    writing: Option<&WindowPart>,
    model: &Model,
    max_ids: usize,
) -> Result<(), TestCaseError> {
    for command in 0..13 {
        let id = id(command);
        let found = window.answer(Hash::of(&id), id.as_bytes(), writing).unwrap();
        let expected = model
            .answer(command, max_ids)
            .map(|outcome| Known::Answer(Bytes::from(outcome.to_le_bytes().to_vec())));
        prop_assert_eq!(found, expected, "{}", id);
    }
    Ok(())
}

fn remember(window: &mut Window, model: &mut Model, command: u8, at: i64, outcome: u32) {
    let id = id(command);
    window.remember(Hash::of(&id), id.as_bytes(), at, &outcome.to_le_bytes());
    model.0.push((command, at, outcome));
}

fn write(store: &Answering, part: &WindowPart) {
    let space = Space::Answers;
    let changes: Vec<_> = part
        .all()
        .flat_map(Answers::iter)
        .map(|(key, value)| Change { space, key, value: Some(value) })
        .collect();
    store.write(&changes, part.answered, b"").unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn in_memory_it_answers_as_the_model(steps in steps(), max_ids in 1..40_usize) {
        let (mut window, mut model) = (Window::new(SPAN_SECONDS, max_ids), Model::default());
        let mut at = 0;
        for (outcome, step) in steps.into_iter().enumerate() {
            if let Step::Remember { command, after_micros } = step {
                at += after_micros;
                remember(&mut window, &mut model, command, at, outcome as u32);
            }
            check(&window, None, &model, max_ids)?;
        }
        prop_assert!(window.len() <= max_ids + max_ids / 8 + 2, "{} of {max_ids}", window.len());
    }

    #[test]
    fn over_a_store_it_answers_as_the_model(steps in steps(), max_ids in 1..40_usize) {
        let store = Arc::new(Answering::default());
        let opened = |mark: Option<WindowMark>| {
            Window::stored(Arc::clone(&store) as Arc<dyn LocalStore>, mark, SPAN_SECONDS, max_ids)
        };
        let (mut window, mut model) = (opened(None), Model::default());
        let mut writing: Option<(WindowPart, WindowMark, Model)> = None;
        let mut written = (None, Model::default());
        let mut at = 0;
        for (outcome, step) in steps.into_iter().enumerate() {
            match step {
                Step::Remember { command, after_micros } => {
                    at += after_micros;
                    remember(&mut window, &mut model, command, at, outcome as u32);
                }
                Step::Freeze if writing.is_none() => {
                    let (part, mark) = window.freeze();
                    writing = Some((part, mark, model.clone()));
                }
                Step::Freeze => {}
                Step::Write => if let Some((part, mark, then)) = writing.take() {
                    write(&store, &part);
                    prop_assert_eq!(mark.newest().map(|(id, _)| id.to_owned()), then.0.last().map(|it| id(it.0)));
                    written = (Some(mark), then);
                    window.reuse(part);
                },
                Step::Restart => {
                    writing = None;
                    window = opened(written.0.clone());
                    model = written.1.clone();
                }
            }
            check(&window, writing.as_ref().map(|it| &it.0), &model, max_ids)?;
        }
    }
}
