//! Screens as they were judged: `scripts/screens --accept` takes over what has changed.

mod scenes;

use std::path::{Path, PathBuf};

use live_pusher::{Code, State};
use panel::{Canvas, Colours, Interface, Language};
use scenes::picture::Image;
use scenes::{SCENES, SIZES, World};

/// All in English; in the other languages on one display of two colours, and one with many.
fn is_kept(size: (u32, u32, Colours), language: Language) -> bool {
    language == Language::English || matches!(size.0, 128 | 320)
}

/// What is wrong with a screen; none where it looks as it did.
fn difference(name: &str, canvas: &Canvas) -> Option<String> {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens").join(name);
    let new = Image::of(canvas);
    let old = Image::read(&kept);
    if old.as_ref() == Some(&new) {
        return None;
    }
    if std::env::var_os("PUSHBOX_ACCEPT_SCREENS").is_some() {
        new.write(&kept);
        return None;
    }
    let beside: PathBuf = std::env::temp_dir().join("pushbox-screens").join(name);
    new.write(&beside);
    let what = match old {
        None => "is not kept".to_owned(),
        Some(old) if (old.width, old.height) != (new.width, new.height) => "has another size".to_owned(),
        Some(old) => {
            let differs = |at: &usize| old.pixels[*at] != new.pixels[*at];
            let places: Vec<usize> = (0..new.pixels.len()).filter(differs).collect();
            let (first, last) = (places[0] / new.width, places[places.len() - 1] / new.width);
            format!("differs in {} pixels, in rows {first} to {last}", places.len())
        }
    };
    Some(format!("{name} {what}\n    now:  {}\n    kept: {}", beside.display(), kept.display()))
}

/// All scenes of a display, each with its name, and each fault.
fn screens(size: (u32, u32, Colours), language: Language) -> Vec<(String, Canvas)> {
    let scenes = SCENES.iter().filter(|(name, _)| scenes::is_shown(name, size));
    let scenes = scenes.map(|(name, show)| ((*name).to_owned(), scenes::draw(*show, language, size)));
    let pages: &[bool] = if size.2 == Colours::Two { &[false, true] } else { &[false] };
    let faults = scenes::faults().flat_map(|code| pages.iter().map(move |remedy| (code, *remedy)));
    let faults = faults.map(|(code, remedy)| {
        let name = format!("fault-{code}{}", if remedy { "-remedy" } else { "" });
        (name, scenes::draw_message(code, remedy, language, size))
    });
    // The scenes have that one.
    scenes.chain(faults.filter(|(name, _)| !name.starts_with("fault-1101"))).collect()
}

fn compare_all(size: (u32, u32, Colours)) {
    let mut differences = Vec::new();
    for language in Language::ALL.into_iter().filter(|language| is_kept(size, *language)) {
        let screens = screens(size, language);
        for (name, canvas) in &screens {
            let path = format!("{}x{}/{name}.{}.png", size.0, size.1, language.code());
            differences.extend(difference(&path, canvas));
        }
        for (place, (name, canvas)) in screens.iter().enumerate() {
            let same = screens[..place].iter().find(|(_, other)| other.pixels() == canvas.pixels());
            assert_eq!(same.map(|(name, _)| name), None, "{name} {size:?} looks like that");
        }
    }
    assert!(
        differences.is_empty(),
        "look at these, and run scripts/screens --accept where they are right:\n{}",
        differences.join("\n")
    );
}

#[test]
fn two_colours_look_as_they_were_judged() {
    compare_all(SIZES[0]);
}

#[test]
fn square_displays_look_as_they_were_judged() {
    compare_all(SIZES[1]);
}

#[test]
fn wide_displays_look_as_they_were_judged() {
    compare_all(SIZES[2]);
    compare_all(SIZES[3]);
}

#[test]
fn all_words_fit_their_places_in_all_sizes_and_languages() {
    for size in SIZES {
        for language in Language::ALL {
            for (name, show) in SCENES {
                assert_eq!(scenes::draw(*show, language, size).cut(), 0, "{name} {size:?} {language:?}");
            }
            for (code, remedy) in Code::ALL.into_iter().flat_map(|code| [(code, false), (code, true)]) {
                let canvas = scenes::draw_message(code, remedy, language, size);
                assert_eq!(canvas.cut(), 0, "{code} {size:?} {language:?}");
            }
        }
    }
}

/// What a telephone shows; none where it finds no code.
fn scanned(canvas: &Canvas) -> Option<String> {
    let pixels = Image::of(canvas);
    // As a camera sees it: not less than a few pixels a module.
    let zoom = 3;
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(pixels.width * zoom, pixels.height * zoom, |x, y| {
            pixels.pixels[y / zoom * pixels.width + x / zoom][1]
        });
    let code = image.detect_grids().first().map(rqrr::Grid::decode);
    code.and_then(Result::ok).map(|(_, text)| text)
}

#[test]
fn a_telephone_reads_on_every_display_how_the_box_is_set_up() {
    let show = SCENES.iter().find(|(name, _)| *name == "not-set-up").unwrap().1;
    for (size, language) in SIZES.into_iter().flat_map(|size| Language::ALL.map(|it| (size, it))) {
        let text = scanned(&scenes::draw(show, language, size)).unwrap();
        for part in ["PB-004217", "192.168.1.23", "115200", "set url"] {
            assert!(text.to_lowercase().contains(&part.to_lowercase()), "{part} in {text:?} at {size:?}");
        }
        assert_eq!(text.contains("pushbox.toml"), size.0 > 128, "{text:?}");
    }
}

#[test]
fn what_a_small_display_has_no_room_for_in_its_code_is_left_out_from_the_longest_on() {
    let code = |serial: &str, address: &str, baud| {
        let mut world = World::new(SIZES[0].2);
        (world.about.serial, world.about.address, world.about.baud) = (serial.into(), address.into(), baud);
        world.set(serde_json::json!({"url": null}));
        let mut canvas = Canvas::new(SIZES[0].0, SIZES[0].1, SIZES[0].2);
        Interface::new(Language::English).draw(&world.view(State::Idle), &mut canvas);
        scanned(&canvas).unwrap()
    };
    let serial = "10000000abcdef01";
    assert_eq!(code("PB-1", "10.0.2.15", Some(9600)), "PB-1 10.0.2.15 SERIAL 9600: SET URL");
    assert_eq!(code("PB-1", "", None), "PB-1  CARD: PUSHBOX.TOML: URL");
    assert_eq!(code(serial, "192.168.100.123", Some(115_200)), "10000000ABCDEF01 SERIAL 115200: SET URL");
    assert_eq!(code(&serial.repeat(3), "", Some(115_200)), "SERIAL 115200: SET URL");
}
