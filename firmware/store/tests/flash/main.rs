//! The store on a disk that can fail in each way, and on a real one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod damage;
mod disk;
mod folder;
mod power_cuts;
mod settings;

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::{Map, Value, json};
use store::{Files, Found, Schema, Store};

use crate::disk::Disk;

const SCHEMA: Schema = Schema { migrations: &[], knows: |_| true };

/// The document after this many changes; some sectors long, each of which tells it from the others.
fn document(change: u64) -> Map<String, Value> {
    let text = format!("{change} ").repeat(1300 + change as usize);
    let document = object(json!({"change": change, "key": "k", "text": text}));
    if change > 0 { document } else { Map::new() }
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("no object: {value}") };
    object
}

fn save<F: Files>(store: &mut Store<F>, change: u64) -> bool {
    store.set(Instant::now(), document(change));
    store.flush().is_ok()
}

/// Opens the store and tells which change it has, if it is one of these as a whole.
fn open_one_of(disk: &Disk, allowed: &BTreeSet<u64>) -> Option<(Store<Disk>, Found, u64)> {
    let (store, found) = Store::open_in(disk.clone(), SCHEMA);
    let change = allowed.iter().find(|change| document(**change) == *store.document())?;
    Some((store, found, *change))
}
