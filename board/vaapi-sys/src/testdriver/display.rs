use std::ffi::{c_int, c_void};
use std::{mem, ptr};

use super::exports;
use crate::{VADisplay, VADriverContextP, VAStatus};

type Init = unsafe extern "C" fn(VADriverContextP) -> VAStatus;

extern "C" {
    /// `display.c`: a display whose driver's `__vaDriverInit` is `init`.
    fn testdriver_display(init: Init) -> VADisplay;
}

/// In libva-drm's place, which wants a DRM node: any character device will do.
///
/// # Safety
/// As that of libva-drm.
#[allow(non_snake_case)] // C's name
pub unsafe fn vaGetDisplayDRM(fd: c_int) -> VADisplay {
    // SAFETY: a plain struct of numbers.
    let mut node: libc::stat = unsafe { mem::zeroed() };
    // SAFETY: `node` is a place for the result; a bad descriptor makes it fail.
    let found = unsafe { libc::fstat(fd, &raw mut node) } == 0;
    if !found || node.st_mode & libc::S_IFMT != libc::S_IFCHR {
        return ptr::null_mut::<c_void>();
    }
    // SAFETY: the function is one of the kind that is called.
    unsafe { testdriver_display(exports::initialize) }
}
