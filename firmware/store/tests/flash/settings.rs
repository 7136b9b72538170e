//! When and what the store writes.

use std::time::Duration;

use store::{LATEST, PAUSE, RETRY, SETTLE, Store, Writes};

use crate::disk::Disk;
use crate::*;

const MS: Duration = Duration::from_millis(1);

fn empty() -> (Disk, Store<Disk>) {
    let disk = Disk::default();
    let (store, _) = Store::open_in(disk.clone(), SCHEMA);
    (disk, store)
}

#[test]
fn a_change_is_written_when_it_has_settled() {
    let (disk, mut store) = empty();
    let start = Instant::now();
    assert_eq!(store.deadline(), None);
    store.set(start, document(1));
    store.set(start + SETTLE / 2, document(2));
    let due = start + SETTLE / 2 + SETTLE;
    assert_eq!(store.deadline(), Some(due));
    assert!(!store.commit_due(due.checked_sub(MS).unwrap()).unwrap());
    assert_eq!(disk.get("a"), None);
    assert!(store.commit_due(due).unwrap());
    assert_eq!(store.deadline(), None);
    let bytes = disk.get("a").unwrap().len() as u64;
    assert_eq!(store.writes(), Writes { commits: 1, bytes });
}

#[test]
fn changes_without_end_are_written_now_and_then() {
    let (_, mut store) = empty();
    let start = Instant::now();
    let mut written = vec![];
    for change in 1..=60 {
        let now = start + SETTLE / 2 * change;
        store.set(now, document(change.into()));
        if store.commit_due(now).unwrap() {
            written.push(change);
        }
    }
    assert_eq!(LATEST, SETTLE / 2 * 10);
    assert_eq!(written, [11, 22, 33, 44, 55]);
}

#[test]
fn two_writes_are_some_time_apart() {
    let (_, mut store) = empty();
    let start = Instant::now();
    store.set(start, document(1));
    assert!(store.commit_due(start + SETTLE).unwrap());
    store.set(start + SETTLE, document(2));
    assert_eq!(store.deadline(), Some(start + SETTLE + PAUSE));
}

#[test]
fn what_is_no_change_is_not_written() {
    let (disk, mut store) = empty();
    let now = Instant::now();
    assert!(save(&mut store, 1));
    let calls = disk.calls();
    store.set(now, document(1));
    assert_eq!(store.deadline(), None);
    store.set(now, document(2));
    store.set(now, document(1));
    assert_eq!(store.deadline(), None);
    assert!(!store.flush().unwrap());
    assert!(!store.commit_due(now + RETRY).unwrap());
    assert_eq!(disk.calls(), calls);
}

#[test]
fn a_full_disk_is_told_and_tried_again() {
    let (disk, mut store) = empty();
    assert!(save(&mut store, 1));
    let start = Instant::now();
    store.set(start, document(2));
    for room in (0..2000).step_by(100) {
        disk.set_room(Some(room));
        assert!(store.flush().is_err());
        assert_eq!(disk.get("new"), None);
        assert!(open_one_of(&disk.copy(), &[1].into()).is_some());
    }
    let error = store.commit_due(start + SETTLE).unwrap_err();
    assert_eq!(
        error.to_string(),
        "settings are in use but not saved: can't write /disk/new: no storage space; delete files there to make room"
    );
    assert_eq!(*store.document(), document(2));
    let due = start + SETTLE + RETRY;
    assert_eq!(store.deadline(), Some(due));
    assert!(!store.commit_due(due.checked_sub(MS).unwrap()).unwrap());
    disk.set_room(None);
    assert!(store.commit_due(due).unwrap());
    assert_eq!(store.writes().commits, 2);
    assert!(open_one_of(&disk, &[2].into()).is_some());
}

#[test]
fn a_read_only_disk_is_told_and_tried_again() {
    let (disk, mut store) = empty();
    assert!(save(&mut store, 1));
    disk.set_read_only(true);
    store.set(Instant::now(), document(2));
    let error = store.flush().unwrap_err().to_string();
    assert!(
        error.contains("can't make /disk/new: read-only") && error.contains("remount it for writing"),
        "{error}"
    );
    let (reopened, found) = Store::open_in(disk.copy(), SCHEMA);
    assert_eq!((reopened.document(), found.damaged.len()), (&document(1), 0));
    disk.set_read_only(false);
    assert!(store.flush().unwrap());
    assert!(open_one_of(&disk, &[2].into()).is_some());
}

/// The new contents may be there although the write failed: going back to the old ones is a change too.
#[test]
fn after_a_failed_write_the_old_document_is_written_anew() {
    let (disk, mut store) = empty();
    assert!(save(&mut store, 1));
    let fault = crate::disk::Fault::Error { kind: std::io::ErrorKind::Other, works: false };
    // Created, written in three calls, synced, renamed: the folder is not synced.
    disk.fail_at(disk.calls() + 6, fault);
    assert!(!save(&mut store, 2));
    assert!(open_one_of(&disk.copy(), &[2].into()).is_some());
    assert!(save(&mut store, 1));
    assert!(open_one_of(&disk, &[1].into()).is_some());
}

#[test]
fn a_document_that_does_not_fit_is_refused() {
    let (disk, mut store) = empty();
    store.set(Instant::now(), object(json!({"key": "secret".repeat(50_000)})));
    let error = store.flush().unwrap_err().to_string();
    assert_eq!(
        error,
        "settings are in use but can't be saved: it has 300038 bytes, more than 256 KiB; make them smaller"
    );
    assert_eq!(disk.get("new"), None);
}

#[test]
fn contents_are_never_shown() {
    let (_, mut store) = empty();
    store.set(Instant::now(), object(json!({"secret key": "secret value"})));
    assert!(!format!("{store:?}").contains("secret"), "{store:?}");
}

fn schema(migrations: &'static [store::Migration], knows: fn(&str) -> bool) -> Schema {
    Schema { migrations, knows }
}

#[test]
fn an_older_document_is_migrated_step_by_step_and_written_with_the_next_change() {
    let disk = Disk::default();
    let (mut store, _) = Store::open_in(disk.clone(), schema(&[|_| {}], |_| true));
    store.set(Instant::now(), object(json!({"rate": 1})));
    assert!(store.flush().unwrap());
    let calls = disk.calls();

    let newer = schema(
        &[
            |_| panic!("it is in version 1"),
            |document| {
                let rate = document.remove("rate").unwrap();
                document.insert("fps".into(), rate);
            },
            |document| document["fps"] = json!(document["fps"].as_u64().unwrap() * 30),
        ],
        |_| true,
    );
    for _ in 0..2 {
        let (mut store, _) = Store::open_in(disk.clone(), newer);
        assert_eq!(*store.document(), object(json!({"fps": 30})));
        assert!(!store.flush().unwrap());
    }
    assert_eq!(disk.calls(), calls + 2, "more than the folder synced twice");

    let (mut store, _) = Store::open_in(disk.clone(), newer);
    store.set(Instant::now(), object(json!({"fps": 60})));
    assert!(store.flush().unwrap());
    let (store, _) = Store::open_in(disk, newer);
    assert_eq!(*store.document(), object(json!({"fps": 60})));
}

#[test]
fn what_newer_firmware_wrote_survives_older_firmware() {
    let disk = Disk::default();
    let newer = schema(&[|_| {}, |_| panic!("it is in version 2 still")], |_| true);
    let older = schema(&[|_| {}], |key| key == "mode" || key == "url");
    let (mut store, _) = Store::open_in(disk.clone(), newer);
    store.set(Instant::now(), object(json!({"mode": "HD", "url": "u", "zoom": {"steps": [0.1, 1e300]}})));
    assert!(store.flush().unwrap());

    for mode in ["SD", "FHD"] {
        let (mut store, _) = Store::open_in(disk.clone(), older);
        assert_eq!(store.document().len(), if mode == "SD" { 3 } else { 2 });
        store.set(Instant::now(), object(json!({"mode": mode})));
        assert!(store.flush().unwrap());
    }

    let (store, _) = Store::open_in(disk, newer);
    assert_eq!(*store.document(), object(json!({"mode": "FHD", "zoom": {"steps": [0.1, 1e300]}})));
}
