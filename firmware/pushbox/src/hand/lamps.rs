//! Indicators (spec 1.1): "camera in use" and "on air".

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use board::{Lamp, LampsConfig, LineConfig};
use live_pusher::State;
use media::DropOldest;
use tracing::warn;

/// A blinking lamp is lit for so long, and then out for as long.
const BLINK: Duration = Duration::from_millis(250);
const IDLE: Duration = Duration::from_secs(60);

/// How "on air" shines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum OnAir {
    #[default]
    Out,
    Lit,
    Blinking,
}

impl OnAir {
    fn of(state: State) -> Self {
        match state {
            State::Pushing | State::Paused => Self::Lit,
            State::Connecting | State::Reconnecting => Self::Blinking,
            State::Unbound | State::Idle | State::Previewing | State::Suspended => Self::Out,
        }
    }
}

/// What the lamps are to show.
pub(crate) struct Lamps {
    cameras: AtomicU32,
    on_air: Mutex<OnAir>,
    changed: DropOldest<()>,
}

/// While it lives, the lamp says that a camera is in use.
pub(crate) struct InUse(Arc<Lamps>);

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.cameras.fetch_sub(1, Relaxed);
        self.0.changed.push(());
    }
}

impl Lamps {
    /// Starts the thread that drives them. One that can't be driven is done without.
    pub(crate) fn start(config: &LampsConfig) -> std::io::Result<Arc<Self>> {
        let lamps = Arc::new(Self {
            cameras: AtomicU32::new(0),
            on_air: Mutex::default(),
            changed: DropOldest::new(1),
        });
        let (camera, on_air) = (open(config.camera.as_ref()), open(config.on_air.as_ref()));
        if camera.is_some() || on_air.is_some() {
            let lamps = Arc::clone(&lamps);
            thread::Builder::new()
                .name("lamps".into())
                .spawn(move || lamps.drive(camera.as_ref(), on_air.as_ref()))?;
        }
        Ok(lamps)
    }

    pub(crate) fn camera_in_use(self: &Arc<Self>) -> InUse {
        self.cameras.fetch_add(1, Relaxed);
        self.changed.push(());
        InUse(Arc::clone(self))
    }

    pub(crate) fn show(&self, state: State) {
        let wanted = OnAir::of(state);
        let mut on_air = self.on_air.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *on_air, wanted) != wanted {
            self.changed.push(());
        }
    }

    fn drive(&self, camera: Option<&Lamp>, on_air: Option<&Lamp>) -> ! {
        let mut phase = false;
        loop {
            let wanted = *self.on_air.lock().unwrap_or_else(PoisonError::into_inner);
            light(camera, self.cameras.load(Relaxed) > 0);
            light(on_air, wanted == OnAir::Lit || wanted == OnAir::Blinking && phase);
            let limit = if wanted == OnAir::Blinking { BLINK } else { IDLE };
            phase = self.changed.pop(limit).is_some() || !phase;
        }
    }
}

fn open(config: Option<&LineConfig>) -> Option<Lamp> {
    Lamp::open(config?).inspect_err(|error| warn!(%error, "lamp")).ok()
}

fn light(lamp: Option<&Lamp>, lit: bool) {
    if let Some(Err(error)) = lamp.map(|lamp| lamp.light(lit)) {
        warn!(%error, "lamp");
    }
}
