//! Power goes at every call, and nothing that was saved is lost or mixed.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use store::Store;

use crate::disk::{Call, Chance, Disk, Fault};
use crate::{SCHEMA, document, open_one_of as open, save};

const CHANGES: u64 = 6;

/// Saves changes until power goes; tells what the disk may hold then.
fn run_until_cut(disk: &Disk) -> BTreeSet<u64> {
    let (mut store, _) = Store::open_in(disk.clone(), SCHEMA);
    let saved = (1..=CHANGES).take_while(|change| save(&mut store, *change)).count() as u64;
    (saved..=(saved + 1).min(CHANGES)).collect()
}

/// Lets power go at each call, many times with another part of what was not synced. Returns how often, and how often the
/// store did not come back as it should.
fn cut_everywhere(idle: &'static [Call], times: u64) -> (u64, u64) {
    let (mut cuts, mut wrong) = (0, 0);
    for call in 0.. {
        let disk = Disk::default();
        disk.set_idle(idle);
        disk.fail_at(call, Fault::Power);
        let allowed = run_until_cut(&disk);
        for seed in 0..times {
            let left = disk.after_power_cut(&mut Chance(seed << 32 | call as u64));
            cuts += 1;
            let is_right = open(&left, &allowed).is_some_and(|(mut store, found, _)| {
                found.damaged.is_empty() && save(&mut store, 99) && open(&left, &[99].into()).is_some()
            });
            wrong += u64::from(!is_right);
        }
        if disk.calls() < call {
            break;
        }
    }
    (cuts, wrong)
}

#[test]
fn what_was_saved_stays_wherever_power_goes() {
    let (cuts, wrong) = cut_everywhere(&[], 400);
    assert!(cuts > 15_000, "{cuts} cuts");
    assert_eq!(wrong, 0, "of {cuts}");
}

/// The test above would find a store that leaves out one of its calls.
#[test]
fn a_call_left_out_is_found() {
    for idle in [&[Call::Sync], &[Call::Rename], &[Call::SyncFolder]] {
        let (cuts, wrong) = cut_everywhere(idle, 20);
        assert!(wrong > 20, "{wrong} of {cuts} cuts without {idle:?}");
    }
}

/// A card may say that it holds what it still writes. Then a bank can be torn, and the one before is used.
#[test]
fn the_state_before_stays_if_the_flash_lies() {
    let (mut cuts, mut torn) = (0, 0);
    for change in 1..=CHANGES {
        for call in 0..20 {
            let disk = Disk::default();
            let (mut store, _) = Store::open_in(disk.clone(), SCHEMA);
            assert!((1..change).all(|change| save(&mut store, change)));
            disk.settle();
            if call % 2 == 1 {
                store = Store::open_in(disk.clone(), SCHEMA).0;
            }
            disk.set_idle(&[Call::Sync, Call::SyncFolder]);
            disk.fail_at(disk.calls() + call, Fault::Power);
            save(&mut store, change);
            for seed in 0..80 {
                let left = disk.after_power_cut(&mut Chance(seed << 32 | change << 8 | call as u64));
                let (mut store, found, _) = open(&left, &[change - 1, change].into()).expect("either state");
                for damaged in &found.damaged {
                    assert!(left.get(damaged.aside.file_name().unwrap().to_str().unwrap()).is_some());
                }
                torn += found.damaged.len();
                cuts += 1;
                assert!(save(&mut store, 99) && open(&left, &[99].into()).is_some());
            }
        }
    }
    assert!(cuts > 9000 && torn > 500, "{cuts} cuts, {torn} banks torn");
}

/// Cuts, ends of the process and errors of the disk one after the other: what was read once or saved stays.
#[test]
fn no_row_of_mishaps_loses_what_was_saved() {
    let mut mishaps = 0;
    for seed in 0..600 {
        let mut chance = Chance(seed);
        let mut disk = Disk::default();
        let mut allowed = BTreeSet::from([0]);
        let (mut store, _) = Store::open_in(disk.clone(), SCHEMA);
        for change in 1..=20 {
            let mishap = chance.below(5);
            let works = chance.one_in(2);
            let fault = match mishap {
                0 | 1 => Some(Fault::Power),
                2 => Some(Fault::Error { kind: ErrorKind::StorageFull, works }),
                3 => Some(Fault::Error { kind: ErrorKind::ReadOnlyFilesystem, works }),
                _ => None,
            };
            if let Some(fault) = fault {
                disk.fail_at(disk.calls() + chance.below(8), fault);
                mishaps += 1;
            }
            if save(&mut store, change) {
                allowed.clear();
            }
            allowed.insert(change);
            assert_eq!(*store.document(), document(change));
            if mishap < 2 {
                disk = if mishap == 0 { disk.after_power_cut(&mut chance) } else { disk.copy() };
                let (reopened, found, change) = open(&disk, &allowed).expect("one of the states");
                assert_eq!(found.damaged, []);
                store = reopened;
                allowed = [change].into();
            }
        }
    }
    assert!(mishaps > 5000, "{mishaps} mishaps");
}

/// Setting a damaged bank aside is no danger to the other.
#[test]
fn the_good_bank_stays_while_the_other_is_set_aside() {
    let mut cuts = 0;
    for length in [0, 3000, 300_000] {
        for name in ["a", "b"] {
            for call in 0..20 {
                let disk = Disk::default();
                let (mut store, _) = Store::open_in(disk.clone(), SCHEMA);
                assert!(save(&mut store, 1) && save(&mut store, 2));
                disk.put(name, &vec![7; length]);
                disk.fail_at(disk.calls() + call, Fault::Power);
                let kept = if name == "a" { 2 } else { 1 };
                let (mut store, _, _) = open(&disk, &[kept].into()).expect("the good bank");
                let allowed = if save(&mut store, 3) { [3].into() } else { [kept, 3].into() };
                for seed in 0..20 {
                    let left = disk.after_power_cut(&mut Chance(seed << 32 | call as u64));
                    assert!(open(&left, &allowed).is_some(), "{name} of {length} bytes, call {call}");
                    cuts += 1;
                }
            }
        }
    }
    assert!(cuts >= 2400, "{cuts} cuts");
}
