//! Screens as they were judged: `scripts/screens --accept` takes over what has changed.

mod scenes;

use std::path::{Path, PathBuf};

use live_pusher::Code;
use panel::{Canvas, Colours, Language};
use scenes::picture::Image;
use scenes::{SCENES, SIZES};

/// What is kept of the larger displays: a screen of each kind.
const KINDS: [&str; 9] = [
    "not-set-up",
    "home-on-air",
    "home-contained",
    "home-paused",
    "menu-picture-window",
    "menu-window-paused",
    "number-bitrate",
    "message-camera",
    "text-address",
];

fn is_kept(name: &str, size: (u32, u32, Colours), language: Language) -> bool {
    match size.0 {
        128 => true,
        240 if language == Language::English => true,
        _ => KINDS.contains(&name),
    }
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

fn compare_all(size: (u32, u32, Colours)) {
    let all =
        Language::ALL.into_iter().flat_map(|language| SCENES.iter().map(move |scene| (scene, language)));
    let kept = all.filter(|((name, _), language)| is_kept(name, size, *language));
    let differences = kept.filter_map(|((name, show), language)| {
        let path = format!("{}x{}/{name}.{}.png", size.0, size.1, language.code());
        difference(&path, &scenes::draw(*show, language, size))
    });
    let differences: Vec<_> = differences.collect();
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

#[test]
fn a_telephone_reads_the_code_on_every_display() {
    let show = SCENES.iter().find(|(name, _)| *name == "not-set-up").unwrap().1;
    for size in SIZES {
        let canvas = scenes::draw(show, Language::English, size);
        let pixels = Image::of(&canvas);
        // As a camera sees it: not less than a few pixels a module.
        let zoom = 3;
        let mut image =
            rqrr::PreparedImage::prepare_from_greyscale(pixels.width * zoom, pixels.height * zoom, |x, y| {
                pixels.pixels[y / zoom * pixels.width + x / zoom][1]
            });
        let grids = image.detect_grids();
        let (_, text) = grids.first().unwrap_or_else(|| panic!("no code at {size:?}")).decode().unwrap();
        assert_eq!(text, "http://192.168.1.23/?c=4217");
    }
}
