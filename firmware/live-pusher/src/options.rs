//! Configuration values (section 13).

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use crate::Code;

/// Which of the surfaces known in the field is spoken (2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    #[default]
    Default,
    WechatStrict,
    Legacy,
}

impl Profile {
    pub fn has_extended_codes(self) -> bool {
        self != Self::WechatStrict
    }

    /// Whether events have keys that the platform does not document (5.4).
    pub fn has_extension_keys(self) -> bool {
        self != Self::WechatStrict
    }

    /// What the error event tells of `code`: the numbers of old where they are wanted (8.1).
    pub fn error_number(self, code: Code) -> i32 {
        match (self, code) {
            (Self::Legacy, Code::CameraForbidden) => 1001,
            (Self::Legacy, Code::MicrophoneForbidden) => 1002,
            _ => code.number(),
        }
    }
}

/// What becomes of a start where a device refuses (7.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DegradedStart {
    #[default]
    Abort,
    /// The session starts with the placeholder, or with silence.
    Placeholder,
}

/// How the preview fills its place on the display (1.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PreviewFit {
    /// All of the place; what stands over on two sides of the picture is cut off.
    #[default]
    Cover,
    /// All of the picture.
    Contain,
}

/// Choices of whoever sets up the box. Times are given in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    pub profile: Profile,
    pub degraded_start: DegradedStart,
    /// How long a session stays paused for a reason of the box; zero: without limit (10.5).
    #[serde(deserialize_with = "seconds::<0, 3600, _>")]
    pub background_limit: Duration,
    /// The same of method `pause`.
    #[serde(deserialize_with = "seconds::<0, 86_400, _>")]
    pub api_pause_limit: Duration,
    #[serde(deserialize_with = "count::<1, 10, _>")]
    pub retry_count: u32,
    #[serde(deserialize_with = "seconds::<3, 30, _>")]
    pub retry_interval: Duration,
    /// For the name of the server, for a connection to it, and for its permission to publish (10.4).
    #[serde(deserialize_with = "seconds::<1, 60, _>")]
    pub resolve_limit: Duration,
    #[serde(deserialize_with = "seconds::<1, 60, _>")]
    pub connect_limit: Duration,
    #[serde(deserialize_with = "seconds::<1, 60, _>")]
    pub handshake_limit: Duration,
    /// How long bytes may wait without one being acknowledged (7.3).
    #[serde(deserialize_with = "seconds::<3, 60, _>")]
    pub write_stall: Duration,
    /// A file of certificates (PEM) that are trusted besides the usual ones.
    pub ca_file: Option<PathBuf>,
    /// Whether an automatic session that failed for good is started again (4.3).
    pub unattended_restart: bool,
    /// Whether a session goes on by itself after an interruption (12.7).
    pub resume_after_interrupt: bool,
    pub preview_fit: PreviewFit,
    /// How long the lamp may be lit (12.9).
    #[serde(deserialize_with = "seconds::<1, 3600, _>")]
    pub torch_max: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            degraded_start: DegradedStart::default(),
            background_limit: Duration::from_secs(180),
            api_pause_limit: Duration::ZERO,
            retry_count: 3,
            retry_interval: Duration::from_secs(3),
            resolve_limit: Duration::from_secs(5),
            connect_limit: Duration::from_secs(5),
            handshake_limit: Duration::from_secs(8),
            write_stall: Duration::from_secs(10),
            ca_file: None,
            unattended_restart: false,
            resume_after_interrupt: true,
            preview_fit: PreviewFit::default(),
            torch_max: Duration::from_secs(300),
        }
    }
}

fn count<'de, const LOW: u32, const HIGH: u32, D: Deserializer<'de>>(given: D) -> Result<u32, D::Error> {
    let value = u32::deserialize(given)?;
    let wanted = || de::Error::custom(format!("give a number from {LOW} to {HIGH}"));
    (LOW..=HIGH).contains(&value).then_some(value).ok_or_else(wanted)
}

fn seconds<'de, const LOW: u32, const HIGH: u32, D: Deserializer<'de>>(
    given: D,
) -> Result<Duration, D::Error> {
    count::<LOW, HIGH, D>(given).map(|value| Duration::from_secs(value.into()))
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn options_have_their_ranges_and_what_is_unknown_is_told() {
        let options: Options = from_value(json!({"retry-count": 10, "background-limit": 0})).unwrap();
        assert_eq!((options.retry_count, options.background_limit), (10, Duration::ZERO));
        assert_eq!(options.retry_interval, Duration::from_secs(3));
        for (wrong, told) in [
            (json!({"retry-count": 11}), "give a number from 1 to 10"),
            (json!({"retry-interval": 2}), "give a number from 3 to 30"),
            (json!({"write-stall": 2}), "give a number from 3 to 60"),
            (json!({"torch-max": 0}), "give a number from 1 to 3600"),
            (json!({"degraded-start": "never"}), "abort"),
            (json!({"colour": 1}), "unknown field `colour`"),
        ] {
            let error = from_value::<Options>(wrong).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
