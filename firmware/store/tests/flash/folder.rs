//! The store on a real file system.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use store::{Damage, Origin, Store};

use crate::*;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn it_keeps_a_document_in_two_files_for_its_owner_only() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("settings");
    let (mut store, found) = Store::open(&folder, SCHEMA);
    assert_eq!(
        (found.origin, found.to_string().as_str()),
        (Origin::Factory, "no settings were saved yet, factory values are used")
    );
    assert!(!folder.exists());
    for change in 1..=3 {
        assert!(save(&mut store, change));
        let (reopened, found) = Store::open(&folder, SCHEMA);
        assert_eq!((reopened.document(), found.to_string().as_str()), (&document(change), "settings read"));
    }
    assert_eq!(names(&folder), ["a", "b"]);
    assert_eq!((mode(&folder), mode(&folder.join("a")), mode(&folder.join("b"))), (0o700, 0o600, 0o600));
}

#[test]
fn what_lies_in_the_way_is_no_danger() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "not ours").unwrap();
    symlink(&elsewhere, folder.path().join("new")).unwrap();
    symlink(&elsewhere, folder.path().join("a")).unwrap();
    fs::create_dir(folder.path().join("b")).unwrap();
    // Can't be replaced by a file.
    fs::create_dir_all(folder.path().join("a.corrupt/x")).unwrap();
    let (mut store, found) = Store::open(folder.path(), SCHEMA);
    assert_eq!(found.origin, Origin::Lost);
    assert!(found.damaged.iter().all(|damaged| matches!(damaged.damage, Damage::Unreadable(_))));
    for change in 1..=4 {
        assert!(save(&mut store, change), "{change}");
        let (reopened, found) = Store::open(folder.path(), SCHEMA);
        assert_eq!((reopened.document(), found.damaged), (&document(change), vec![]));
    }
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "not ours");
}

#[test]
fn a_bank_that_was_written_anew_is_not_set_aside_any_more() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "damaged").unwrap();
    fs::create_dir_all(folder.path().join("a.corrupt/x")).unwrap();
    let (mut store, found) = Store::open(folder.path(), SCHEMA);
    assert_eq!(found.damaged[0].aside, folder.path().join("a"));
    assert!(save(&mut store, 1));
    fs::remove_dir_all(folder.path().join("a.corrupt")).unwrap();
    assert!(save(&mut store, 2));
    assert_eq!(names(folder.path()), ["a", "b"]);
}

#[test]
fn a_file_that_others_could_read_is_replaced_by_one_that_they_can_not() {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("new");
    fs::write(&new, "left from before").unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o644)).unwrap();
    let (mut store, _) = Store::open(folder.path(), SCHEMA);
    assert!(save(&mut store, 1));
    assert_eq!(mode(&folder.path().join("a")), 0o600);
}

#[test]
fn a_folder_that_can_not_be_made_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, found) = Store::open(folder.path().join("not/there"), SCHEMA);
    assert_eq!(found.origin, Origin::Factory);
    store.set(Instant::now(), document(1));
    let error = store.flush().unwrap_err().to_string();
    assert!(
        error.ends_with("No such file or directory (os error 2); mount or make the folder's parent"),
        "{error}"
    );
    fs::create_dir(folder.path().join("not")).unwrap();
    assert!(store.flush().unwrap());
}
