use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// How connections are made. The limits are those of spec 10.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// For the resolution of the host's name.
    pub resolve: Duration,
    /// For TCP and TLS, over all addresses of the host.
    pub connect: Duration,
    /// From the connection to the permission to publish.
    pub handshake: Duration,
    /// How long bytes may wait without one being acknowledged.
    pub write_stall: Duration,
    /// Certificates in PEM that are trusted besides Mozilla's roots.
    pub ca_file: Option<PathBuf>,
    /// It can't be earlier: certificates are judged at this time where the system clock is behind it, as that of a box
    /// without a clock chip is.
    pub clock_floor: SystemTime,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            resolve: Duration::from_secs(5),
            connect: Duration::from_secs(5),
            handshake: Duration::from_secs(8),
            write_stall: Duration::from_secs(10),
            ca_file: None,
            clock_floor: SystemTime::UNIX_EPOCH,
        }
    }
}
