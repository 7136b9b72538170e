//! Bindings to libva, made from its headers; names are C's. Empty without feature `link`.

#[cfg(feature = "link")]
#[allow(clippy::all, clippy::pedantic, clippy::undocumented_unsafe_blocks)]
#[allow(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/va.rs"));
}
#[cfg(all(feature = "link", feature = "testdriver"))]
#[allow(non_upper_case_globals)] // C's names
pub mod testdriver;

#[cfg(feature = "link")]
pub use bindings::*;

#[cfg(all(feature = "link", not(feature = "testdriver")))]
extern "C" {
    /// `va_drm.h`: a display for an open render node, which stays the caller's; null where it is none.
    pub fn vaGetDisplayDRM(fd: std::ffi::c_int) -> VADisplay;
}
#[cfg(all(feature = "link", feature = "testdriver"))]
pub use testdriver::vaGetDisplayDRM;
