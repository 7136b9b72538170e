//! Configuration values (section 13).

use std::time::Duration;

use serde::Deserialize;

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
}

/// Choices of whoever sets up the box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub profile: Profile,
    /// Whether a session starts without a device that refuses (7.6).
    pub degraded_start: bool,
    /// How long a session stays paused for a reason of the box; zero: without limit (10.5).
    pub background_limit: Duration,
    /// The same of method `pause`.
    pub api_pause_limit: Duration,
    pub retry_count: u32,
    pub retry_interval: Duration,
    /// Whether an automatic session that failed for good is started again (4.3).
    pub unattended_restart: bool,
    /// Whether a session goes on by itself after an interruption (12.7).
    pub resume_after_interrupt: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            degraded_start: false,
            background_limit: Duration::from_secs(180),
            api_pause_limit: Duration::ZERO,
            retry_count: 3,
            retry_interval: Duration::from_secs(3),
            unattended_restart: false,
            resume_after_interrupt: true,
        }
    }
}
