//! Banks that were changed by something else than the store.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use store::{Damage, Origin, Store};

use crate::disk::Disk;
use crate::*;

/// The banks of a store with changes 1 and 2.
fn banks() -> [Vec<u8>; 2] {
    let disk = Disk::default();
    let (mut store, _) = Store::open_in(disk.clone(), SCHEMA);
    assert!(save(&mut store, 1) && save(&mut store, 2));
    ["a", "b"].map(|name| disk.get(name).unwrap())
}

fn disk_with(banks: [&[u8]; 2]) -> Disk {
    let disk = Disk::default();
    disk.put("a", banks[0]);
    disk.put("b", banks[1]);
    disk
}

/// Checks what is found if one bank is damaged, the other, or both.
fn check(good: &[Vec<u8>; 2], damage: impl Fn(&mut Vec<u8>)) {
    let bad = good.clone().map(|mut bank| {
        damage(&mut bank);
        bank
    });
    for (a, b, kept) in [(&bad[0], &good[1], 2), (&good[0], &bad[1], 1), (&bad[0], &bad[1], 0)] {
        let disk = disk_with([a, b]);
        let (store, found) = Store::open_in(disk.clone(), SCHEMA);
        assert!(*store.document() == document(kept));
        assert_eq!(found.origin, if kept > 0 { Origin::Saved } else { Origin::Lost });
        assert_eq!(found.damaged.len(), if kept > 0 { 1 } else { 2 });
        assert_eq!(disk.get("a.corrupt").as_ref(), (kept != 1).then_some(&bad[0]));
        assert_eq!(disk.get("b.corrupt").as_ref(), (kept != 2).then_some(&bad[1]));
    }
}

#[test]
fn each_flipped_bit_is_noticed() {
    let good = banks();
    for bit in 0..good[0].len() * 8 {
        check(&good, |bank| bank[bit / 8] ^= 1 << (bit % 8));
    }
}

#[test]
fn each_truncation_and_each_lost_sector_is_noticed() {
    let good = banks();
    for length in 0..good[0].len() {
        check(&good, |bank| bank.truncate(length));
    }
    check(&good, |bank| bank.push(0));
    for start in (0..good[0].len() - 512).step_by(512) {
        check(&good, |bank| bank[start..start + 512].fill(0));
        check(&good, |bank| bank[start..start + 512].fill(0xff));
    }
}

#[test]
fn no_mixture_of_the_banks_passes() {
    let payloads = ["1", "2"].map(|digit| format!("{{\"text\":\"{}\"}}", digit.repeat(2000)));
    let a = bank(1, 1, 0, payloads[0].as_bytes());
    let b = bank(1, 2, 0, payloads[1].as_bytes());
    // Both begin and end alike.
    for at in 9..a.len() - 2 {
        let mixed = [&a[..at], &b[at..]].concat();
        let (store, found) = Store::open_in(disk_with([&a, &mixed]), SCHEMA);
        assert_eq!(found.damaged.len(), 1, "{at}");
        assert_eq!(found.damaged[0].damage, Damage::Checksum);
        assert_eq!(Value::Object(store.document().clone()).to_string(), payloads[0]);
    }
}

#[test]
fn a_damage_is_told_without_contents() {
    let cases = [
        (vec![], Damage::Length, "it is too long or too short"),
        ([bank(1, 1, 0, b"{}"), vec![0]].concat(), Damage::Length, "it is too long or too short"),
        (vec![0; 40], Damage::Foreign, "it does not begin as a bank does"),
        (bank(2, 1, 0, b"{}"), Damage::Format(2), "it is in format 2, known is 1"),
        (bank(1, 1, 0, br#""secret""#), Damage::Content, "it holds no JSON object"),
    ];
    for (bytes, damage, text) in cases {
        let disk = Disk::default();
        disk.put("a", &bytes);
        let (_, found) = Store::open_in(disk, SCHEMA);
        assert_eq!(found.damaged[0].damage, damage);
        assert_eq!(
            found.to_string(),
            format!(
                "settings are lost, factory values are used; please set them again; /disk/a is damaged: {text}; its bytes \
                 are kept in /disk/a.corrupt"
            )
        );
        assert!(!format!("{found:?}").contains("secret"));
    }
}

#[test]
fn only_the_newest_damaged_bank_is_kept_and_never_much_of_it() {
    let disk = Disk::default();
    for byte in 1..4 {
        disk.put("a", &vec![byte; 1_000_000]);
        let (_, found) = Store::open_in(disk.clone(), SCHEMA);
        assert_eq!(found.damaged[0].damage, Damage::Length);
        assert_eq!(disk.get("a.corrupt").unwrap(), vec![byte; 256 * 1024]);
        assert_eq!(disk.get("a"), None);
    }
}

#[test]
fn on_a_read_only_disk_damage_is_told_and_set_aside_later() {
    let [mut a, b] = banks();
    a.truncate(9);
    let disk = disk_with([&a, &b]);
    disk.set_read_only(true);
    let (mut store, found) = Store::open_in(disk.clone(), SCHEMA);
    assert!(
        found
            .to_string()
            .ends_with("/disk/a is damaged: it is too long or too short; its bytes are kept in /disk/a")
    );
    assert!(!save(&mut store, 3));
    disk.set_read_only(false);
    assert!(save(&mut store, 3));
    assert_eq!(disk.get("a.corrupt"), Some(a));
    assert!(open_one_of(&disk, &[3].into()).is_some());
}

/// Otherwise they would be the newer ones when the disk is well again.
#[test]
fn banks_that_could_not_be_read_do_not_come_back() {
    for read_only in [false, true] {
        let [a, b] = banks();
        let disk = disk_with([&a, &b]);
        disk.set_unreadable(true);
        disk.set_read_only(read_only);
        let (mut store, found) = Store::open_in(disk.clone(), SCHEMA);
        assert_eq!((found.origin, found.damaged.len()), (Origin::Lost, 2));
        disk.set_unreadable(false);
        disk.set_read_only(false);
        assert!(save(&mut store, 3));
        assert!(open_one_of(&disk, &[3].into()).is_some());
        assert_eq!((disk.get("a.corrupt"), disk.get("b.corrupt")), (Some(a), Some(b)));
    }
}

/// A bank as the crate's documentation describes it.
fn bank(format: u32, generation: u64, version: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"BANK".to_vec();
    bytes.extend(format.to_le_bytes());
    bytes.extend(generation.to_le_bytes());
    bytes.extend(version.to_le_bytes());
    bytes.extend((payload.len() as u32).to_le_bytes());
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&[&bytes, payload].concat());
    bytes.extend(crc.to_le_bytes());
    bytes.extend(payload);
    bytes
}

fn any_bank() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        vec(any::<u8>(), 0..200),
        any_json().prop_map(|value| value.to_string().into_bytes()),
        "[\\[\\]{}\":,0-9eE+.-]{0,200}".prop_map(String::into_bytes),
    ];
    prop_oneof![
        vec(any::<u8>(), 0..600),
        (1..3_u32, any::<u64>(), any::<u32>(), payload)
            .prop_map(|(format, generation, version, payload)| bank(format, generation, version, &payload)),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(a in option::of(any_bank()), b in option::of(any_bank())) {
        let disk = Disk::default();
        for (name, bytes) in [("a", &a), ("b", &b)] {
            if let Some(bytes) = bytes {
                disk.put(name, bytes);
            }
        }
        let (mut store, found) = Store::open_in(disk.clone(), SCHEMA);
        prop_assert_eq!(found.origin == Origin::Factory, a.is_none() && b.is_none());
        prop_assert!(found.origin == Origin::Saved || store.document().is_empty());
        prop_assert!(save(&mut store, 5));
        prop_assert!(open_one_of(&disk, &[5].into()).is_some());
    }

    #[test]
    fn any_document_is_read_as_it_was_set(values in btree_map(any::<String>(), any_json(), 1..6)) {
        let document: Map<String, Value> = values.into_iter().collect();
        let disk = Disk::default();
        let (mut store, _) = Store::open_in(disk.clone(), SCHEMA);
        store.set(Instant::now(), document.clone());
        prop_assert!(store.flush().unwrap());
        let (store, _) = Store::open_in(disk, SCHEMA);
        prop_assert_eq!(store.document(), &document);
    }
}
