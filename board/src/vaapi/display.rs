use std::ffi::{CStr, c_char, c_int, c_void};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr;
use std::sync::Arc;

use media::{EncoderSettings, H264Profile};
use vaapi_sys as va;
use vaapi_sys::{VAConfigAttrib, VAConfigID, VADisplay, VAEntrypoint, VAProfile, VAStatus, VASurfaceID};

use super::Refusal;

/// A driver, opened for a render node. Calls may come from any thread.
pub(super) struct Display {
    handle: VADisplay,
    /// The driver reads and writes there.
    _node: File,
}

// SAFETY: libva and its drivers lock what their functions share.
unsafe impl Send for Display {}
// SAFETY: as above.
unsafe impl Sync for Display {}

impl Display {
    pub(super) fn open(path: &Path) -> Result<Arc<Self>, String> {
        let node =
            OpenOptions::new().read(true).write(true).open(path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => format!("{error}: check its name in the board file"),
                io::ErrorKind::PermissionDenied => {
                    format!("{error}: add the user to the group that owns it (render)")
                }
                _ => error.to_string(),
            })?;
        // SAFETY: the node is open, and stays so as long as the display.
        let handle = unsafe { va::vaGetDisplayDRM(node.as_raw_fd()) };
        if handle.is_null() {
            return Err("it is no node of a graphics device".into());
        }
        let this = Self { handle, _node: node };
        let (mut major, mut minor) = (0, 0);
        // SAFETY: the display was just made; the callbacks refer to nothing; the places are for results.
        let status = unsafe {
            va::vaSetErrorCallback(handle, Some(log), ptr::null_mut());
            va::vaSetInfoCallback(handle, None, ptr::null_mut());
            va::vaInitialize(handle, &raw mut major, &raw mut minor)
        };
        check("vaInitialize", status).map_err(|cause| {
            format!("{cause}: its VA-API driver is not installed, or does not work (vainfo)")
        })?;
        Ok(Arc::new(this))
    }

    pub(super) fn handle(&self) -> VADisplay {
        self.handle
    }

    /// Whether the driver is one of Mesa's.
    pub(super) fn is_mesa(&self) -> bool {
        // SAFETY: the display lives.
        let vendor = unsafe { va::vaQueryVendorString(self.handle) };
        // SAFETY: the driver's C string, which lives as long as the display.
        !vendor.is_null() && unsafe { CStr::from_ptr(vendor) }.to_bytes().starts_with(b"Mesa")
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // SAFETY: the display was made by vaGetDisplayDRM and ends here, once, after all that was made of it.
        unsafe { va::vaTerminate(self.handle) };
    }
}

/// What libva has to say of an error.
unsafe extern "C" fn log(_context: *mut c_void, message: *const c_char) {
    // SAFETY: libva gives a C string.
    let message = unsafe { CStr::from_ptr(message) };
    tracing::debug!("libva: {}", message.to_string_lossy().trim_end());
}

pub(super) fn check(call: &str, status: VAStatus) -> Result<(), String> {
    if status == va::VA_STATUS_SUCCESS as VAStatus {
        return Ok(());
    }
    // SAFETY: libva has a constant C string for any number.
    let meaning = unsafe { CStr::from_ptr(va::vaErrorStr(status)) };
    Err(format!("{call} gave {status:#x}, {}", meaning.to_string_lossy()))
}

/// As [`check`], of a call that the size of the pictures may be wrong for.
pub(super) fn check_size(call: &str, status: VAStatus) -> Result<(), Refusal> {
    if status == va::VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED as VAStatus {
        return Err(Refusal::Size);
    }
    Ok(check(call, status)?)
}

/// How the driver is to encode.
pub(super) struct Config {
    display: Arc<Display>,
    pub(super) id: VAConfigID,
    /// Whether its bitrate is constant, or has a ceiling.
    pub(super) is_constant: bool,
    /// `VA_ENC_PACKED_HEADER_*` that it takes from us; it makes the others.
    pub(super) packed_headers: u32,
}

const PACKED_HEADERS: u32 = va::VA_ENC_PACKED_HEADER_SEQUENCE | va::VA_ENC_PACKED_HEADER_SLICE;

impl Config {
    pub(super) fn new(display: &Arc<Display>, settings: &EncoderSettings) -> Result<Self, Refusal> {
        let profile = match settings.profile {
            H264Profile::ConstrainedBaseline => va::VAProfileH264ConstrainedBaseline,
            H264Profile::Main => va::VAProfileH264Main,
        };
        let entrypoint = entrypoint(display, profile)
            .ok_or_else(|| format!("it does not encode H.264 {:?}", settings.profile))?;
        let [formats, rates, headers, max_width, max_height] = attributes(display, profile, entrypoint)?;
        if formats.is_none_or(|formats| formats & va::VA_RT_FORMAT_YUV420 == 0) {
            return Err("it takes no 4:2:0 pictures".into());
        }
        let EncoderSettings { width, height, .. } = *settings;
        if let (Some(most), Some(highest)) = (max_width, max_height)
            && (width > most || height > highest)
        {
            return Err(Refusal::Size);
        }
        let rate_control = [va::VA_RC_CBR, va::VA_RC_VBR]
            .into_iter()
            .find(|mode| rates.is_some_and(|rates| rates & mode != 0))
            .ok_or("it has neither a constant bitrate nor one with a ceiling")?;
        let packed_headers = headers.unwrap_or(0) & PACKED_HEADERS;
        let mut attributes = [
            attribute(va::VAConfigAttribRTFormat, va::VA_RT_FORMAT_YUV420),
            attribute(va::VAConfigAttribRateControl, rate_control),
            attribute(va::VAConfigAttribEncPackedHeaders, packed_headers),
        ];
        let count = if headers.is_some() { 3 } else { 2 };
        let mut id = 0;
        // SAFETY: the display lives; there are `count` attributes; `id` is a place for the result.
        let status = unsafe {
            let (attributes, id) = (attributes.as_mut_ptr(), &raw mut id);
            va::vaCreateConfig(display.handle, profile, entrypoint, attributes, count, id)
        };
        check_size("vaCreateConfig", status)?;
        Ok(Self {
            display: Arc::clone(display),
            id,
            is_constant: rate_control == va::VA_RC_CBR,
            packed_headers,
        })
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: it was made by vaCreateConfig and is destroyed here, once.
        unsafe { va::vaDestroyConfig(self.display.handle, self.id) };
    }
}

/// The way to encode a profile: by shaders and fixed functions, or else by the latter alone.
fn entrypoint(display: &Display, profile: VAProfile) -> Option<VAEntrypoint> {
    // SAFETY: the display lives.
    let most = unsafe { va::vaMaxNumEntrypoints(display.handle) };
    let mut list = vec![0; usize::try_from(most).unwrap_or(0)];
    let mut count = 0;
    // SAFETY: the list has room for as many as there may be; `count` is a place for the result.
    let status =
        unsafe { va::vaQueryConfigEntrypoints(display.handle, profile, list.as_mut_ptr(), &raw mut count) };
    check("vaQueryConfigEntrypoints", status).ok()?;
    list.truncate(usize::try_from(count).unwrap_or(0));
    [va::VAEntrypointEncSlice, va::VAEntrypointEncSliceLP].into_iter().find(|way| list.contains(way))
}

/// What the driver offers; none where it does not say.
fn attributes(
    display: &Display,
    profile: VAProfile,
    entrypoint: VAEntrypoint,
) -> Result<[Option<u32>; 5], String> {
    let mut list = [
        va::VAConfigAttribRTFormat,
        va::VAConfigAttribRateControl,
        va::VAConfigAttribEncPackedHeaders,
        va::VAConfigAttribMaxPictureWidth,
        va::VAConfigAttribMaxPictureHeight,
    ]
    .map(|kind| attribute(kind, 0));
    let count = list.len() as c_int;
    // SAFETY: the display lives; there are `count` attributes to fill.
    let status =
        unsafe { va::vaGetConfigAttributes(display.handle, profile, entrypoint, list.as_mut_ptr(), count) };
    check("vaGetConfigAttributes", status)?;
    Ok(list.map(|attribute| Some(attribute.value).filter(|value| *value != va::VA_ATTRIB_NOT_SUPPORTED)))
}

fn attribute(kind: va::VAConfigAttribType, value: u32) -> VAConfigAttrib {
    VAConfigAttrib { type_: kind, value }
}

/// NV12 pictures in the device's memory.
pub(super) struct Surfaces<const N: usize> {
    display: Arc<Display>,
    pub(super) ids: [VASurfaceID; N],
}

impl<const N: usize> Surfaces<N> {
    /// `extra` says what else there is to know of their memory.
    pub(super) fn new(
        display: &Arc<Display>,
        (width, height): (u32, u32),
        extra: &[va::VASurfaceAttrib],
    ) -> Result<Self, Refusal> {
        let mut attributes = [integer(va::VASurfaceAttribPixelFormat, va::VA_FOURCC_NV12); 3];
        for (place, attribute) in attributes[1..].iter_mut().zip(extra) {
            *place = *attribute;
        }
        let count = (1 + extra.len()).min(attributes.len());
        let mut ids = [va::VA_INVALID_ID; N];
        // SAFETY: the display lives; there are N places for the results and `count` attributes, which are read during the
        // call, as is what they point to.
        let status = unsafe {
            let (ids, attributes) = (ids.as_mut_ptr(), attributes.as_mut_ptr());
            let format = va::VA_RT_FORMAT_YUV420;
            va::vaCreateSurfaces(
                display.handle,
                format,
                width,
                height,
                ids,
                N as u32,
                attributes,
                count as u32,
            )
        };
        check_size("vaCreateSurfaces", status)?;
        Ok(Self { display: Arc::clone(display), ids })
    }
}

impl<const N: usize> Drop for Surfaces<N> {
    fn drop(&mut self) {
        // SAFETY: they were made by vaCreateSurfaces and are destroyed here, once.
        unsafe { va::vaDestroySurfaces(self.display.handle, self.ids.as_mut_ptr(), N as c_int) };
    }
}

pub(super) fn integer(kind: va::VASurfaceAttribType, value: u32) -> va::VASurfaceAttrib {
    generic(kind, va::VAGenericValueTypeInteger, va::_VAGenericValue__bindgen_ty_1 { i: value as i32 })
}

/// `value` must live as long as the attribute.
pub(super) fn pointer(kind: va::VASurfaceAttribType, value: *mut c_void) -> va::VASurfaceAttrib {
    generic(kind, va::VAGenericValueTypePointer, va::_VAGenericValue__bindgen_ty_1 { p: value })
}

fn generic(
    kind: va::VASurfaceAttribType,
    type_: va::VAGenericValueType,
    value: va::_VAGenericValue__bindgen_ty_1,
) -> va::VASurfaceAttrib {
    let value = va::VAGenericValue { type_, value };
    va::VASurfaceAttrib { type_: kind, flags: va::VA_SURFACE_ATTRIB_SETTABLE, value }
}
