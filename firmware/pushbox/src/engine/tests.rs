use std::fs;
use std::future::ready;
use std::thread;

use serde_json::json;
use tempfile::TempDir;

use super::*;

const LIMIT: Duration = Duration::from_secs(60);
const DISPLAY: &str = "name = 'bench'\n[sim-display]\nwidth = 240\nheight = 240\n";

fn engine(board: &str, settings: Option<Settings>) -> Engine {
    let board = toml::from_str(board).unwrap();
    let (store, options, bindings) = (live_pusher::Store::default(), Options::default(), BTreeMap::new());
    Engine::new(Config { board, store, options, bindings, settings, once: false }).unwrap().0
}

fn shot(display: &Display) -> Vec<u8> {
    display.shot(None, LIMIT).unwrap().png().unwrap()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test]
async fn power_may_be_cut_only_where_what_was_set_is_on_the_flash() {
    let pictures = [false, true].map(|is_kept| {
        let display = engine(DISPLAY, None).display.unwrap();
        display.end(is_kept);
        shot(&display)
    });
    assert!(pictures[0] != pictures[1]);
    for is_kept in [false, true] {
        let folder = TempDir::new().unwrap();
        let flash = folder.path().join("settings");
        let settings = Settings::open(&flash).unwrap().0;
        if !is_kept {
            fs::write(&flash, "no folder").unwrap();
        }
        let mut engine = engine(DISPLAY, Some(settings));
        let display = Arc::clone(engine.display().unwrap());
        engine.set(Map::from_iter([("mode".to_owned(), json!("FHD"))]));
        engine.run(ready(())).await.unwrap();
        until("it tells something else", || shot(&display) == pictures[usize::from(is_kept)]);
        let (_, kept) = Settings::open(&flash).unwrap();
        assert_eq!(kept.store.properties().mode == Mode::Fhd, is_kept);
    }
}
