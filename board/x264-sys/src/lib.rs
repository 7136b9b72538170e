//! Bindings to x264, made from `x264.h` of the library that is linked; names are C's. Empty without feature `link`.
//!
//! A program that links x264 may be passed on under the terms of the GNU GPL, version 2 or later, only.

#[cfg(feature = "link")]
#[allow(clippy::all, clippy::pedantic, non_camel_case_types, non_upper_case_globals, unreachable_pub)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/x264.rs"));
}

#[cfg(feature = "link")]
pub use bindings::*;
