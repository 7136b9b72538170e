//! Settings on flash: what the properties were set to comes back after the power was away.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use ::panel::Language;
use anyhow::{Context, Result};
use live_pusher::{DevicePosition, Failure, Property, Reply, Store as Properties};
use md5::{Digest, Md5};
use serde_json::{Map, Value, json};
use store::{Schema, Store};
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::config::{Given, parse_options};

/// The digest of the property file that was taken over last.
const PROVISIONED: &str = "box.provisioned";

/// What else must survive.
const CAMERA: &str = "box.camera";
const MICROPHONE_VOLUME: &str = "box.microphone-volume";
const MUSIC_VOLUME: &str = "box.music-volume";
const OPTIONS: &str = "box.options";
const LANGUAGE: &str = "box.language";
const MINIMUM_CAME_LAST: &str = "box.minimum-came-last";
const CLOCK: &str = "box.clock";

/// What the box remembers besides its properties.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// The one in use, which a switch may have made another than the property names.
    pub(crate) camera: DevicePosition,
    /// 0 to 1.
    pub(crate) microphone_volume: f64,
    pub(crate) music_volume: f64,
    /// Of the display.
    pub(crate) language: Language,
    /// The last time that was known to be right, in seconds since 1970.
    pub(crate) clock: u64,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            camera: DevicePosition::default(),
            microphone_volume: 1.0,
            music_volume: 1.0,
            language: Language::default(),
            clock: 0,
        }
    }
}

const SCHEMA: Schema = Schema { migrations: &[], knows };

fn knows(key: &str) -> bool {
    [PROVISIONED, CAMERA, MICROPHONE_VOLUME, MUSIC_VOLUME, OPTIONS, CLOCK, LANGUAGE, MINIMUM_CAME_LAST]
        .contains(&key)
        || Property::find(key).is_some()
}

/// What is to be written next, in place of what was before, and who waits until it is.
#[derive(Default)]
struct Newest {
    document: Option<Map<String, Value>>,
    waiting: Vec<Saved>,
}

/// Is told when all that was set is on the flash.
pub(crate) type Saved = oneshot::Sender<Result<Reply, Failure>>;

/// The thread that writes them, at its own pace.
pub(crate) struct Settings {
    provisioned: Value,
    options: Value,
    pub(crate) memory: Memory,
    /// Whether the camera was kept, and not another file came since.
    remembers_camera: bool,
    newest: Arc<Mutex<Newest>>,
    /// Tells that there is something new.
    changed: Option<SyncSender<()>>,
    /// Tells whether all was written.
    thread: Option<JoinHandle<bool>>,
}

impl Settings {
    /// Opens what is in `folder`: the properties that were kept.
    pub(crate) fn open(folder: &Path) -> Result<(Self, Given)> {
        let (store, found) = Store::open(folder, SCHEMA);
        info!(folder = %folder.display(), "settings: {found}");
        let mut values = store.document().clone();
        values.retain(|key, _| knows(key));
        let provisioned = values.remove(PROVISIONED).unwrap_or_default();
        let camera = values.remove(CAMERA);
        let mut options = values.remove(OPTIONS).unwrap_or_default();
        if let Err(reason) = parse_options(&options) {
            warn!(reason, "the kept options are left out");
            options = Value::Null;
        }
        let clock = values.remove(CLOCK).and_then(|clock| clock.as_u64()).unwrap_or(0);
        let language = values.remove(LANGUAGE);
        let is_spoken = |known: &Language| language.as_ref().is_some_and(|it| it == known.code());
        let language = Language::ALL.into_iter().find(is_spoken).unwrap_or_default();
        let mut volume =
            |key| values.remove(key).and_then(|it| it.as_f64()).map_or(1.0, |it| it.clamp(0.0, 1.0));
        let memory = Memory {
            camera: match camera.as_ref().and_then(Value::as_str) {
                Some("back") => DevicePosition::Back,
                _ => DevicePosition::Front,
            },
            microphone_volume: volume(MICROPHONE_VOLUME),
            music_volume: volume(MUSIC_VOLUME),
            language,
            clock,
        };
        let mut properties = Properties::default();
        // Of crossed bounds the one that was set last counts (4.12).
        let minimum = values.remove(MINIMUM_CAME_LAST).and_then(|_| values.remove_entry("min-bitrate"));
        for refusal in properties.update(&values).refused {
            warn!(property = refusal.property, reason = refusal.reason, "a kept setting is left out");
        }
        properties.update(&minimum.into_iter().collect());
        let (changed, changes) = sync_channel(1);
        let newest = Arc::<Mutex<Newest>>::default();
        let thread = thread::Builder::new()
            .name("settings".into())
            .spawn({
                let newest = Arc::clone(&newest);
                move || keep(store, &newest, &changes)
            })
            .context("settings thread")?;
        let remembers_camera = camera.is_some();
        let given = Given { store: properties, options: options.clone() };
        Ok((
            Self {
                provisioned,
                options,
                memory,
                remembers_camera,
                newest,
                changed: Some(changed),
                thread: Some(thread),
            },
            given,
        ))
    }

    /// Takes a property file over where it is another than the last one, and writes beside it what became of it.
    pub(crate) fn provision(
        &mut self,
        path: &Path,
        given: &mut Given,
        read: impl Fn(&Path) -> Result<Given>,
    ) {
        let missing = |error| warn!(%error, file = %path.display(), "no property file, what was kept counts");
        let Ok(bytes) = fs::read(path).map_err(missing) else {
            return;
        };
        let digest = json!(format!("{:032x}", u128::from_be_bytes(Md5::digest(&bytes).into())));
        if digest == self.provisioned {
            return;
        }
        let told = match read(path) {
            Ok(new) => {
                *given = new;
                self.options = given.options.clone();
                self.remembers_camera = false;
                given.told()
            }
            Err(error) => format!("not taken over: {error:#}"),
        };
        info!(file = %path.display(), "property file {told}");
        let result = path.with_extension("result.txt");
        if let Err(error) = fs::write(&result, format!("{told}\n")) {
            warn!(%error, file = %result.display(), "the result can't be written");
        }
        self.provisioned = digest;
        self.keep(&given.store, &self.memory);
        self.save(oneshot::channel().0);
    }

    /// The camera that was in use.
    pub(crate) fn last_camera(&self) -> Option<DevicePosition> {
        self.remembers_camera.then_some(self.memory.camera)
    }

    /// Keeps what is set.
    pub(crate) fn keep(&self, properties: &Properties, memory: &Memory) {
        let mut document = properties.written().clone();
        document.insert(PROVISIONED.into(), self.provisioned.clone());
        document.insert(OPTIONS.into(), self.options.clone());
        document.insert(CAMERA.into(), json!(memory.camera.name()));
        document.insert(MICROPHONE_VOLUME.into(), json!(memory.microphone_volume));
        document.insert(MUSIC_VOLUME.into(), json!(memory.music_volume));
        document.insert(LANGUAGE.into(), json!(memory.language.code()));
        document.insert(CLOCK.into(), json!(memory.clock));
        if properties.properties().minimum_came_last {
            document.insert(MINIMUM_CAME_LAST.into(), json!(true));
        }
        self.tell(|newest| newest.document = Some(document));
    }

    /// Writes at once what is not written yet, though flash wears.
    pub(crate) fn save(&self, saved: Saved) {
        self.tell(|newest| newest.waiting.push(saved));
    }

    /// Waits until all is written; tells whether it is.
    pub(crate) fn end(mut self) -> bool {
        self.finish()
    }

    fn finish(&mut self) -> bool {
        self.changed = None;
        self.thread.take().is_some_and(|thread| thread.join().unwrap_or(false))
    }

    fn tell(&self, change: impl FnOnce(&mut Newest)) {
        change(&mut self.newest.lock().unwrap_or_else(PoisonError::into_inner));
        // Where it was told before and has not looked yet, it will.
        let _ = self.changed.as_ref().map(|changed| changed.try_send(()));
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Whether all was written, in the end.
fn keep(mut store: Store, newest: &Mutex<Newest>, changes: &Receiver<()>) -> bool {
    loop {
        let change = match store.deadline() {
            Some(deadline) => changes.recv_timeout(deadline.saturating_duration_since(Instant::now())),
            None => changes.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let Newest { document, waiting } =
            std::mem::take(&mut *newest.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(document) = document {
            store.set(Instant::now(), document);
        }
        if !waiting.is_empty() {
            let result = store.flush().inspect_err(|error| warn!(%error, "settings are not written yet"));
            for saved in waiting {
                // Who does not wait any longer needs none.
                let _ = saved.send(if result.is_ok() { Ok(Reply::new()) } else { Err(Failure::Internal) });
            }
        }
        let written = match change {
            Ok(()) => Ok(()),
            Err(RecvTimeoutError::Timeout) => store.commit_due(Instant::now()).map(|_| ()),
            Err(RecvTimeoutError::Disconnected) => {
                return store.flush().inspect_err(|error| warn!(%error, "settings are lost")).is_ok();
            }
        };
        if let Err(error) = written {
            warn!(%error, "settings are not written yet");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_box_remembers_is_there_at_the_next_start() {
        let folder = tempfile::TempDir::new().unwrap();
        let open = || Settings::open(folder.path()).unwrap().0;
        assert_eq!(open().memory.clock, 0);
        let memory = Memory { clock: 1_800_000_000, camera: DevicePosition::Back, ..Memory::default() };
        open().keep(&Properties::default(), &memory);
        assert_eq!((open().memory.clock, open().memory.camera), (1_800_000_000, DevicePosition::Back));
    }

    #[test]
    fn of_crossed_bounds_the_one_set_last_still_counts_at_the_next_start() {
        let folder = tempfile::TempDir::new().unwrap();
        for (first, last, counts) in
            [("max-bitrate", "min-bitrate", 500), ("min-bitrate", "max-bitrate", 300)]
        {
            let mut properties = Properties::default();
            let value = |name| if name == "min-bitrate" { 500 } else { 300 };
            for name in [first, last] {
                properties.update(&Map::from_iter([(name.to_owned(), json!(value(name)))]));
            }
            Settings::open(folder.path()).unwrap().0.keep(&properties, &Memory::default());
            let kept = Settings::open(folder.path()).unwrap().1.store;
            assert_eq!(kept.properties().start_bitrate().0, counts);
        }
    }
}
