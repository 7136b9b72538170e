//! Sound through ALSA.

mod microphone;

use std::ffi::CString;
use std::io::Write;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::path::Path;

pub(crate) use microphone::AlsaMicrophone;

/// alsa-lib refuses every name, `hw:0` too, without a configuration.
const MINIMAL: &str = include_str!("minimal.conf");

/// Gives alsa-lib a configuration where the system has none. To be called before any thread is started.
pub(crate) fn provide_configuration() {
    let given = std::env::var_os("ALSA_CONFIG_PATH").is_some();
    if given || Path::new("/usr/share/alsa/alsa.conf").exists() {
        return;
    }
    let Ok(name) = CString::new("alsa.conf") else {
        return;
    };
    // SAFETY: `name` is a C string; the call returns a new descriptor or -1.
    let descriptor = unsafe { libc::memfd_create(name.as_ptr(), 0) };
    if descriptor < 0 {
        return;
    }
    // SAFETY: the descriptor is new and owned by nobody else.
    let mut file = unsafe { std::fs::File::from_raw_fd(descriptor) };
    if file.write_all(MINIMAL.as_bytes()).is_ok() {
        // Stays open: alsa-lib reads it by this name whenever a device is opened.
        let path = format!("/proc/self/fd/{}", file.into_raw_fd());
        // SAFETY: no other thread runs yet, so nobody reads the environment meanwhile.
        unsafe { std::env::set_var("ALSA_CONFIG_PATH", path) };
    }
}
