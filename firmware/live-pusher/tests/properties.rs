//! The properties, as section 14 of the specification asks: P1 to P6, P12, P14. Tables are copied from sections 3 and 4.
#![allow(clippy::unwrap_used)]

use live_pusher::{Aspect, Kbps, Kind, Mode, Orientation, Outcome, Properties, Size, Store, TABLE, schema};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

fn set(store: &mut Store, values: &Value) -> Outcome {
    store.update(object(values))
}

/// What `name` is after `value` was written to a fresh store; `None` if it was refused.
fn after(name: &str, value: &Value) -> Option<Value> {
    let mut store = Store::default();
    let outcome = set(&mut store, &json!({ name: value }));
    assert!(outcome.refused.len() < 2);
    if !outcome.refused.is_empty() {
        assert_eq!(store, Store::default(), "a refused value changes nothing");
        return None;
    }
    Some(store.values()[name].clone())
}

#[test]
fn p1_defaults_are_those_of_table_4_0() {
    let table = json!({
        "url": "", "mode": "RTC", "autopush": false, "enable-video-custom-render": false, "muted": false,
        "enable-camera": true, "auto-focus": true, "orientation": "vertical", "beauty": 0, "whiteness": 0,
        "aspect": "9:16", "min-bitrate": 200, "max-bitrate": 1000, "audio-quality": "high", "waiting-image": "",
        "waiting-image-hash": "", "zoom": false, "device-position": "front", "background-mute": false,
        "mirror": false, "local-mirror": "auto", "audio-reverb-type": 0, "enable-mic": true,
        "enable-agc": false, "enable-ans": false, "audio-volume-type": "auto", "video-width": 360,
        "video-height": 640, "beauty-style": "smooth", "filter": "standard", "picture-in-picture-mode": [],
        "voice-changer-type": 0, "custom-effect": false, "skin-whiteness": 0, "skin-smoothness": 0,
        "face-thinness": 0, "eye-bigness": 0, "fps": 15,
    });
    assert_eq!(Store::default().values(), *object(&table));
    // Set to their defaults, they mean the same, but for the sides, which count once they are set.
    let mut store = Store::default();
    set(&mut store, &table);
    let set = Properties { video_width: None, video_height: None, ..store.properties().clone() };
    assert_eq!((set, Properties::default()), (Properties::default(), Store::default().properties().clone()));
}

#[test]
fn p2_switches_take_booleans_and_their_spellings() {
    for (value, expected) in [
        (json!(true), true),
        (json!("true"), true),
        (json!(" TRUE "), true),
        (json!("1"), true),
        (json!(""), true),
        (json!(false), false),
        (json!("False"), false),
        (json!("0"), false),
    ] {
        for property in TABLE.iter().filter(|property| property.kind == Kind::Switch) {
            assert_eq!(after(property.name, &value), Some(json!(expected)), "{} {value}", property.name);
        }
    }
    for value in [json!("yes"), json!(1), json!([true]), json!({})] {
        assert_eq!(after("muted", &value), None, "{value}");
    }
}

#[test]
fn p2_numbers_are_brought_into_their_range() {
    let table = [
        ("beauty", 0.0, 9.0),
        ("whiteness", 0.0, 9.0),
        ("min-bitrate", 50.0, 20_000.0),
        ("max-bitrate", 50.0, 20_000.0),
        ("video-width", 96.0, 1920.0),
        ("video-height", 96.0, 1920.0),
        ("skin-whiteness", 0.0, 1.0),
        ("skin-smoothness", 0.0, 1.0),
        ("face-thinness", 0.0, 1.0),
        ("eye-bigness", 0.0, 1.0),
        ("fps", 1.0, 30.0),
    ];
    for (name, low, high) in table {
        let number = |value: &Value| after(name, value).and_then(|value| value.as_f64());
        assert_eq!((number(&json!(-1e9)), number(&json!(1e9))), (Some(low), Some(high)), "{name}");
        assert_eq!(number(&json!(format!(" {high} "))), Some(high), "{name}");
        for bad in [json!("NaN"), json!("inf"), json!("ten"), json!(true), json!([1])] {
            assert_eq!(number(&bad), None, "{name} {bad}");
        }
    }
    assert_eq!(after("beauty", &json!("4.5")), Some(json!(4.5)));
    assert_eq!(after("fps", &json!(14.6)), Some(json!(15)));
}

#[test]
fn p2_enumerations_take_their_values_only() {
    for property in &TABLE {
        match property.kind {
            Kind::Choice(words) => {
                for word in words {
                    assert_eq!(after(property.name, &json!(format!(" {word} "))), Some(json!(word)));
                }
                for bad in [json!(""), json!(words[0].to_uppercase() + "x"), json!(1)] {
                    assert_eq!(after(property.name, &bad), None, "{} {bad}", property.name);
                }
            }
            Kind::Code(codes) => {
                for code in 0..=255_u8 {
                    let taken = after(property.name, &json!(code)).is_some();
                    assert_eq!(taken, codes.contains(&code), "{} {code}", property.name);
                }
                for bad in [json!(1.5), json!(-1), json!("two")] {
                    assert_eq!(after(property.name, &bad), None, "{} {bad}", property.name);
                }
            }
            _ => {}
        }
    }
    for misspelt in ["Standard", "white", "solar"] {
        assert_eq!(after("filter", &json!(misspelt)), None);
    }
    assert_eq!(after("aspect", &json!("3:2")), None);
}

#[test]
fn p2_texts_hashes_and_lists() {
    assert_eq!(after("url", &json!("\u{7} rtmp://host/app/key\n")), Some(json!("rtmp://host/app/key")));
    let md5 = "00112233445566778899AABBCCDDEEFF";
    assert_eq!(after("waiting-image-hash", &json!(md5)), Some(json!(md5.to_lowercase())));
    assert_eq!(after("waiting-image-hash", &json!("")), Some(json!("")));
    assert_eq!(after("waiting-image-hash", &json!(&md5[1..])), None);
    for (value, expected) in [
        (json!("push"), json!(["push"])),
        (json!("pop, push, fly"), json!(["push", "pop"])),
        (json!("[\"pop\"]"), json!(["pop"])),
        (json!(["push", 7, "fly"]), json!(["push"])),
        (json!([]), json!([])),
        (json!(""), json!([])),
    ] {
        assert_eq!(after("picture-in-picture-mode", &value), Some(expected), "{value}");
    }
}

#[test]
fn p2_null_restores_a_default_and_forgets_that_it_was_set() {
    let mut store = Store::default();
    set(&mut store, &json!({ "video-width": 360, "mode": "HD" }));
    assert_eq!(store.properties().video_width, Some(360));
    let outcome = set(&mut store, &json!({ "video-width": null, "mode": null }));
    assert_eq!(outcome.changed, ["mode", "video-width"], "a size that is set counts");
    assert_eq!(store, Store::default());
    assert_eq!(set(&mut store, &json!({ "video-width": 360 })).changed, ["video-width"]);
    assert_eq!(set(&mut store, &json!({ "video-width": 360 })).changed, [""; 0]);
}

#[test]
fn p2_the_same_value_again_is_no_change_and_an_update_has_its_order() {
    let mut store = Store::default();
    let update = json!({ "autopush": true, "url": "rtmp://h/a/s", "muted": true, "mode": "SD", "fps": 30 });
    assert_eq!(set(&mut store, &update).changed, ["url", "mode", "fps", "muted", "autopush"]);
    assert_eq!(set(&mut store, &update), Outcome::default());
}

#[test]
fn p2_what_is_wrong_is_told_and_the_rest_is_applied() {
    let mut store = Store::default();
    let outcome =
        set(&mut store, &json!({ "fps": "many", "mode": "HD", "colour": "red", "url": ["rtmp://h/a/key"] }));
    assert_eq!(outcome.changed, ["mode"]);
    let told: Vec<_> = outcome.refused.iter().map(|it| (it.property.as_str(), it.reason.as_str())).collect();
    let expected = [
        ("colour", "there is no such property"),
        ("fps", "give a number from 1 to 30"),
        ("url", "give a text of at most 4096 bytes"),
    ];
    assert_eq!(told, expected);
    assert!(!format!("{outcome:?}").contains("key"), "an address is never told");
}

#[test]
fn p3_each_alias_writes_its_property() {
    let table = [
        ("enableCamera", "enable-camera", json!(false)),
        ("minBitrate", "min-bitrate", json!(300)),
        ("waitingImage", "waiting-image", json!("/a.png")),
        ("waiting-image-md5", "waiting-image-hash", json!("0".repeat(32))),
        ("waitingImageMd5", "waiting-image-hash", json!("0".repeat(32))),
        ("waitingImageHash", "waiting-image-hash", json!("0".repeat(32))),
        ("remote-mirror", "mirror", json!(true)),
        ("remoteMirror", "mirror", json!(true)),
        ("enableVideoCustomRender", "enable-video-custom-render", json!(true)),
        ("pictureInPictureMode", "picture-in-picture-mode", json!(["pop"])),
    ];
    for (alias, name, value) in table {
        let mut store = Store::default();
        assert_eq!(set(&mut store, &json!({ alias: value })).changed, [name]);
        assert_eq!(store.values()[name], value);
    }
}

/// Section 4.2, the table of frame sizes.
#[test]
fn p4_every_mode_aspect_and_orientation_gives_its_size() {
    let table = [
        (Mode::Qvga, (180, 320), (240, 320)),
        (Mode::Hvga, (270, 480), (320, 426)),
        (Mode::Sd, (360, 640), (360, 480)),
        (Mode::Hd, (540, 960), (540, 720)),
        (Mode::Fhd, (720, 1280), (720, 960)),
        (Mode::Rtc, (360, 640), (360, 480)),
    ];
    for (mode, nine_to_sixteen, three_to_four) in table {
        for (aspect, (short, long)) in
            [(Aspect::NineToSixteen, nine_to_sixteen), (Aspect::ThreeToFour, three_to_four)]
        {
            for (orientation, width, height) in
                [(Orientation::Vertical, short, long), (Orientation::Horizontal, long, short)]
            {
                let properties = Properties { mode, aspect, orientation, ..Properties::default() };
                assert_eq!(Size::of(&properties), Size { width, height }, "{mode:?} {aspect:?}");
            }
        }
    }
}

#[test]
fn p5_explicit_sides_override_mode_and_both_override_aspect() {
    let size = |values: Value| {
        let mut store = Store::default();
        set(&mut store, &values);
        let Size { width, height } = Size::of(store.properties());
        (width, height)
    };
    assert_eq!(size(json!({ "video-width": 1280, "video-height": 720, "mode": "SD" })), (720, 1280));
    assert_eq!(
        size(json!({ "video-width": 721, "video-height": 721, "orientation": "horizontal" })),
        (720, 720)
    );
    assert_eq!(size(json!({ "video-width": 540 })), (540, 960));
    assert_eq!(size(json!({ "video-height": 960, "orientation": "horizontal" })), (960, 540));
    assert_eq!(size(json!({ "video-width": 5, "video-height": 9999 })), (96, 1920));
}

#[test]
fn p6_bounds_that_cross_are_both_the_one_written_last() {
    let mut store = Store::default();
    set(&mut store, &json!({ "min-bitrate": 1500 }));
    assert_eq!(store.properties().bitrates(), (Kbps(1500), Kbps(1500)));
    set(&mut store, &json!({ "max-bitrate": 700 }));
    assert_eq!(store.properties().bitrates(), (Kbps(700), Kbps(700)));
    assert_eq!(
        (store.values()["min-bitrate"].clone(), store.properties().start_bitrate()),
        (json!(1500), Kbps(700))
    );
    set(&mut store, &json!({ "max-bitrate": 2000 }));
    assert_eq!(store.properties().bitrates(), (Kbps(1500), Kbps(2000)));
}

#[test]
fn p6_a_session_starts_with_the_modes_nominal_rate_within_the_bounds() {
    let start = |mode: &str, min: u32, max: u32| {
        let mut store = Store::default();
        set(&mut store, &json!({ "mode": mode, "min-bitrate": min, "max-bitrate": max }));
        store.properties().start_bitrate()
    };
    for (mode, nominal) in
        [("QVGA", 300), ("HVGA", 450), ("SD", 800), ("HD", 1200), ("FHD", 1800), ("RTC", 500)]
    {
        assert_eq!(start(mode, 50, 20_000), Kbps(nominal));
    }
    assert_eq!((start("FHD", 200, 1000), start("QVGA", 600, 1000)), (Kbps(1000), Kbps(600)));
}

#[test]
fn p12_custom_effect_stays_as_it_was_when_attached() {
    let mut store = Store::default();
    set(&mut store, &json!({ "custom-effect": true }));
    store.attach();
    for value in [json!(false), Value::Null] {
        assert_eq!(set(&mut store, &json!({ "custom-effect": value })).refused.len(), 1);
    }
    assert!(store.properties().custom_effect);
}

#[test]
fn p14_there_is_no_fifth_voice() {
    assert_eq!(after("voice-changer-type", &json!(5)), None);
    assert_eq!(after("voice-changer-type", &json!("6")), Some(json!(6)));
}

#[test]
fn the_shipped_schema_is_that_of_the_table() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/properties.schema.json");
    let shipped: Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap_or_default()).unwrap_or_default();
    assert_eq!(shipped, schema(), "{}", serde_json::to_string_pretty(&schema()).unwrap());
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        any::<i64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        prop::sample::select(vec!["true", "HD", "[\"push\"]", "1e999", "push,pop", "0x10"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::from))
}

proptest! {
    #[test]
    fn any_update_leaves_valid_properties_that_survive_being_kept(
        values in prop::collection::vec((0..TABLE.len(), any_value()), 0..10)
    ) {
        let values: Map<_, _> = values.into_iter().map(|(i, value)| (TABLE[i].name.to_owned(), value)).collect();
        let mut store = Store::default();
        store.update(&values);
        let mut again = Store::default();
        let outcome = again.update(store.written());
        prop_assert_eq!(outcome.refused, vec![]);
        prop_assert_eq!(again.values(), store.values());
        let (low, high) = store.properties().bitrates();
        prop_assert!(low <= high);
    }
}
