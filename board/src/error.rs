use std::io;

/// Why a device can't be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not there, or not permitted (codes 10001 and 10002 of the spec's section 8.1).
    #[error("{device} may not be used: {cause}; {remedy}")]
    Refused { device: String, cause: String, remedy: String },
    /// There and permitted, but it does not work (codes -1301 and -1302).
    #[error("{device} does not work: {cause}; {remedy}")]
    Failed { device: String, cause: String, remedy: String },
}

impl OpenError {
    pub fn refused(device: impl Into<String>, cause: impl ToString, remedy: impl Into<String>) -> Self {
        Self::Refused { device: device.into(), cause: cause.to_string(), remedy: remedy.into() }
    }

    pub fn failed(device: impl Into<String>, cause: impl ToString, remedy: impl Into<String>) -> Self {
        Self::Failed { device: device.into(), cause: cause.to_string(), remedy: remedy.into() }
    }

    /// Sorts an error of the kernel; `remedy` is for those that say nothing clearer.
    pub fn from_io(device: impl Into<String>, error: &io::Error, remedy: &str) -> Self {
        let device = device.into();
        match error.kind() {
            io::ErrorKind::NotFound => Self::refused(device, error, "check the name in the board file"),
            io::ErrorKind::PermissionDenied => {
                Self::refused(device, error, "add the user to the group that owns the node (video, audio)")
            }
            io::ErrorKind::ResourceBusy => {
                Self::failed(device, error, "end the other program that uses it (fuser -v)")
            }
            _ => Self::failed(device, error, remedy),
        }
    }
}
