//! One story, one model and one set of damage for every store.

use std::path::Path;

use proptest::prelude::*;

use super::*;

fn settings(directory: &Path, backend: Backend) -> Settings {
    Settings { directory: directory.to_owned(), backend }
}

fn put(state: &dyn State, table: Table, key: &[u8], value: &[u8]) {
    let mut writes = Writes::default();
    writes.put(table, key, value.to_vec());
    state.commit(writes).unwrap();
}

fn keys(entries: Vec<Entry>) -> Vec<Vec<u8>> {
    entries.into_iter().map(|(key, _)| key).collect()
}

/// What every store must do, in the order of a day.
fn story(open: &dyn Fn() -> Arc<dyn State>) {
    let state = open();
    assert_eq!(state.get(Table::Alerts, b"a").unwrap(), None);
    put(state.as_ref(), Table::Alerts, b"a", b"1");
    put(state.as_ref(), Table::Alerts, b"b", b"2");
    put(state.as_ref(), Table::Incidents, b"a", b"other table");
    let mut writes = Writes::default();
    writes.put(Table::Alerts, b"c", b"3".to_vec());
    writes.delete(Table::Alerts, b"a");
    writes.put(Table::Alerts, b"c", b"4".to_vec());
    state.commit(writes).unwrap();
    drop(state);

    let state = open();
    assert_eq!(state.get(Table::Alerts, b"a").unwrap(), None);
    assert_eq!(state.get(Table::Alerts, b"c").unwrap().as_deref(), Some(&b"4"[..]));
    assert_eq!(state.get(Table::Incidents, b"a").unwrap().as_deref(), Some(&b"other table"[..]));
    let all = |reverse, limit| keys(state.range(Table::Alerts, &[], None, reverse, limit).unwrap());
    assert_eq!(all(false, 9), [b"b", b"c"]);
    assert_eq!(all(true, 1), [b"c"]);
    assert_eq!(keys(state.range(Table::Alerts, b"b", Some(b"c"), false, 9).unwrap()), [b"b"]);
    assert!(state.range(Table::Alerts, b"c", Some(b"b"), false, 9).unwrap().is_empty());
    state.check().unwrap();
}

#[test]
fn every_store_tells_the_same_story() {
    for backend in [Backend::Redb, Backend::Sled] {
        let directory = tempfile::tempdir().unwrap();
        story(&|| open(&settings(directory.path(), backend)).unwrap());
    }
}

#[test]
fn an_export_moves_between_stores() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let from = open(&settings(one.path(), Backend::Redb)).unwrap();
    for number in 0..2_345_u32 {
        put_many(from.as_ref(), number);
    }
    let mut file = Vec::new();
    let records = export(from.as_ref(), &mut file).unwrap();
    assert_eq!(records, 2_345 + 1, "the layout's version is a record too");
    let to = open(&settings(two.path(), Backend::Sled)).unwrap();
    assert_eq!(import(to.as_ref(), &mut file.as_slice()).unwrap(), records);
    let everything = |state: &dyn State| state.range(Table::Hosts, &[], None, false, 9_999).unwrap();
    assert_eq!(everything(from.as_ref()), everything(to.as_ref()));
    let refused = import(to.as_ref(), &mut file.as_slice()).unwrap_err();
    assert!(refused.to_string().contains("new data directory"), "{refused}");
}

fn put_many(state: &dyn State, number: u32) {
    let memory = number.to_be_bytes();
    put(state, Table::Hosts, &memory, &memory);
}

#[test]
fn a_cut_export_is_refused() {
    let from = Memory::default();
    put(&from, Table::Hosts, b"k", b"v");
    let mut file = Vec::new();
    export(&from, &mut file).unwrap();
    let lines: Vec<&str> = std::str::from_utf8(&file).unwrap().lines().collect();
    let cut = lines[..lines.len() - 1].join("\n");
    assert!(matches!(import(&Memory::default(), &mut cut.as_bytes()), Err(Error::Import { .. })));
    assert!(matches!(import(&Memory::default(), &mut &b"{}"[..]), Err(Error::Import { line: 1, .. })));
}

#[test]
fn a_store_of_another_layout_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let state = open(&settings(directory.path(), Backend::Redb)).unwrap();
    put(state.as_ref(), Table::Meta, LAYOUT_KEY, b"99");
    drop(state);
    let refused = open(&settings(directory.path(), Backend::Redb)).map(|_| ()).unwrap_err();
    assert!(matches!(refused, Error::Layout { .. }), "{refused}");
}

#[test]
fn a_second_opening_is_an_error_that_names_the_file() {
    for backend in [Backend::Redb, Backend::Sled] {
        let directory = tempfile::tempdir().unwrap();
        let first = open(&settings(directory.path(), backend)).unwrap();
        let second = open(&settings(directory.path(), backend)).map(|_| ()).unwrap_err();
        assert!(second.to_string().contains("state."), "{second}");
        drop(first);
    }
}

/// A damaged file may lose what it held, but must say so or hold on: no panic gets out.
#[test]
fn damaged_files_are_errors_and_never_panics() {
    for backend in [Backend::Redb, Backend::Sled] {
        let pristine = tempfile::tempdir().unwrap();
        let state = open(&settings(pristine.path(), backend)).unwrap();
        for number in 0..300 {
            put_many(state.as_ref(), number);
        }
        drop(state);
        for seed in 0..12 {
            let copy = tempfile::tempdir().unwrap();
            copy_damaged(pristine.path(), copy.path(), seed);
            if let Ok(state) = open(&settings(copy.path(), backend)) {
                let _ = state.check();
                let _ = state.range(Table::Hosts, &[], None, false, 9_999);
            }
        }
    }
}

/// Copies a directory, flipping or cutting bytes of each file in a way that `seed` decides.
fn copy_damaged(from: &Path, to: &Path, seed: usize) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_damaged(&entry.path(), &target, seed);
            continue;
        }
        let mut bytes = std::fs::read(entry.path()).unwrap();
        if seed.is_multiple_of(4) {
            bytes.truncate(bytes.len() * (seed + 1) / 14);
        } else if !bytes.is_empty() {
            for hit in 0..8 {
                let at = (seed * 7_919 + hit * 104_729) % bytes.len();
                bytes[at] ^= 0x55;
            }
        }
        std::fs::write(target, bytes).unwrap();
    }
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(usize, u8, Option<u8>)>),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let write = (0..Table::ALL.len(), 0..16_u8, proptest::option::of(any::<u8>()));
    let commit = proptest::collection::vec(write, 0..12).prop_map(Step::Commit);
    proptest::collection::vec(prop_oneof![6 => commit, 1 => Just(Step::Reopen)], 1..12)
}

fn holds_to_model(backend: Backend, steps: &[Step]) {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path(), backend);
    let mut state = Some(open(&settings).unwrap());
    let model = Memory::default();
    for step in steps {
        match step {
            Step::Reopen => {
                drop(state.take());
                state = Some(open(&settings).unwrap());
            }
            Step::Commit(changes) => {
                let mut writes = Writes::default();
                for (table, key, value) in changes {
                    // No single-letter key is the layout's own.
                    match value {
                        Some(value) => writes.put(Table::ALL[*table], [*key], vec![*value]),
                        None => writes.delete(Table::ALL[*table], [*key]),
                    }
                }
                model.commit(writes.clone()).unwrap();
                state.as_ref().unwrap().commit(writes).unwrap();
            }
        }
        let state = state.as_ref().unwrap();
        for table in Table::ALL {
            for (to, reverse) in [(Some(&[17][..]), false), (Some(&[9][..]), true)] {
                let found = state.range(table, &[1], to, reverse, 10).unwrap();
                assert_eq!(found, model.range(table, &[1], to, reverse, 10).unwrap(), "{table:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn redb_holds_to_the_model(steps in steps()) {
        holds_to_model(Backend::Redb, &steps);
    }

    #[test]
    fn sled_holds_to_the_model(steps in steps()) {
        holds_to_model(Backend::Sled, &steps);
    }
}
