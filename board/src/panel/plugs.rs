//! What is plugged into a card, as the kernel knows it (kernel: drivers/gpu/drm/drm_sysfs.c).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(250);

/// The connectors of a card. To read what the kernel knows of them asks nothing of the screens. It knows by each connector's
/// hot-plug interrupt; of one that has none most drivers ask themselves each ten seconds, and some never.
pub(super) struct Plugs {
    /// Normally `/sys/class/drm`.
    class: PathBuf,
    card: PathBuf,
    known: Vec<(PathBuf, String)>,
    looked: Option<Instant>,
}

impl Plugs {
    pub(super) fn new(class: &Path, card: &Path) -> Self {
        Self { class: class.into(), card: card.into(), known: Vec::new(), looked: None }
    }

    /// Whether something was plugged in or out since the last time.
    pub(super) fn changed(&mut self, now: Instant) -> bool {
        if self.looked.is_some_and(|looked| now.saturating_duration_since(looked) < LOOK) {
            return false;
        }
        self.looked = Some(now);
        let found = self.look();
        std::mem::replace(&mut self.known, found) != self.known
    }

    /// The connectors' status files, with what they say.
    fn look(&self) -> Vec<(PathBuf, String)> {
        // The board file may have named it by its place, in /dev/dri/by-path.
        let Ok(card) = self.card.canonicalize() else {
            return Vec::new();
        };
        let prefix = format!("{}-", card.file_name().unwrap_or_default().display());
        let entries = fs::read_dir(&self.class).into_iter().flatten().filter_map(Result::ok);
        let connectors = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
        let files = connectors.map(|connector| connector.path().join("status"));
        let mut found: Vec<_> =
            files.filter_map(|file| fs::read_to_string(&file).ok().map(|status| (file, status))).collect();
        found.sort();
        found
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn each_change_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let say = |connector: &str, status: &str| {
            fs::create_dir_all(folder.path().join(connector)).unwrap();
            fs::write(folder.path().join(connector).join("status"), status).unwrap();
        };
        fs::write(folder.path().join("card1"), "").unwrap();
        let card = folder.path().join("pci-0000:00:02.0-card");
        symlink("card1", &card).unwrap();
        say("card1-HDMI-A-1", "disconnected\n");
        say("card1-DP-1", "unknown\n");
        let mut plugs = Plugs::new(folder.path(), &card);
        let mut now = Instant::now();
        let mut told = || {
            now += LOOK;
            plugs.changed(now)
        };
        assert_eq!([told(), told()], [true, false]);
        say("card1-HDMI-A-1", "connected\n");
        assert_eq!([told(), told()], [true, false]);
        say("card0-HDMI-A-1", "connected\n");
        assert!(!told(), "another card");
        fs::remove_dir_all(folder.path().join("card1-DP-1")).unwrap();
        assert_eq!([told(), told()], [true, false]);
        say("card1-HDMI-A-1", "disconnected\n");
        assert!(!plugs.changed(now), "it has just looked");
        assert!(plugs.changed(now + LOOK));
    }

    #[test]
    fn a_card_that_is_not_there_has_nothing_plugged_in() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!Plugs::new(folder.path(), &folder.path().join("card0")).changed(Instant::now()));
    }
}
