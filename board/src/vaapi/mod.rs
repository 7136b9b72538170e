//! Encoders behind the Video Acceleration API (VA-API), as x86's graphics have them.
//!
//! The driver sees one picture at a time: references, numbers and parameter sets are kept here (`va_enc_h264.h`). Up to
//! [`DEPTH`] pictures are with the hardware; they come out in their order.

mod context;
mod display;
mod headers;
mod import;
mod memory;
mod parameters;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use media::{
    AccessUnit, AccessUnitKind, Buffer, Bytes, EncodeError, EncoderInput, EncoderSettings, Frame, Layout,
    Pool, Pooled, Timestamp, VideoEncoder, nal_units,
};
use vaapi_sys as va;
use vaapi_sys::VASurfaceID;

use context::Context;
use display::{Display, Surfaces};
use headers::Slice;
use memory::InputMemory;
use parameters::{Parameters, Places, Rates};

use crate::VaapiConfig;

/// Why no encoder can be had.
enum Refusal {
    Size,
    Other(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size => f.write_str("the driver does not support this size"),
            Self::Other(cause) => f.write_str(cause),
        }
    }
}

impl<T: Into<String>> From<T> for Refusal {
    fn from(cause: T) -> Self {
        Self::Other(cause.into())
    }
}

/// Pictures that may be with the hardware: one that it works on, and the next.
const DEPTH: usize = 2;
/// Pictures in a row that the hardware may fail on.
const FAILURES: u32 = 5;
/// How long the end of an encoder waits for the pictures that the hardware has.
const FAREWELL: Duration = Duration::from_secs(1);
/// Access units that may be on loan to a send queue before memory grows.
const UNITS: usize = 128;
/// Memory that an access unit has from the start, in bytes; the pool keeps what one grew to.
const UNIT: usize = 32 << 10;
/// NAL unit type of a sequence parameter set.
const SPS: u8 = 7;

/// A hardware encoder: NV12 in, from DMA-BUFs without a copy; no B-frames, one reference, one slice a picture.
pub(crate) struct Vaapi {
    name: String,
    settings: EncoderSettings,
    rates: Rates,
    /// The rates that the driver knows are others.
    rates_changed: bool,
    parameter_sets: Vec<u8>,
    slice_header: Vec<u8>,
    refuses_imports: bool,
    in_flight: VecDeque<InFlight>,
    /// The slice of the last picture that went in.
    last: Option<Slice>,
    /// Pictures so far, and since the last IDR picture.
    number: usize,
    order: i32,
    wants_idr: bool,
    /// A picture was lost, and what refers to it is of no use.
    lost: bool,
    failures: u32,
    pool: Arc<Pool<Vec<u8>>>,
    memory: Arc<InputMemory>,
    context: Context,
    display: Arc<Display>,
}

/// A picture that the hardware has.
struct InFlight {
    surface: VASurfaceID,
    coded: va::VABufferID,
    captured: Timestamp,
    /// Before the picture whose memory it is in.
    _import: Option<Surfaces<1>>,
    _picture: Frame,
}

impl Vaapi {
    /// Opens the hardware. Pictures are `settings.width` by `settings.height` pixels, both even.
    pub(crate) fn open(config: &VaapiConfig, settings: EncoderSettings) -> Result<Self, EncodeError> {
        let name = format!("VA-API {}", config.device.display());
        let EncoderSettings { width, height, .. } = settings;
        Self::try_open(config, &name, settings).map_err(|refusal| match refusal {
            Refusal::Size => EncodeError::Size { encoder: name, width, height },
            Refusal::Other(cause) => EncodeError::Open { encoder: name, cause },
        })
    }

    fn try_open(config: &VaapiConfig, name: &str, settings: EncoderSettings) -> Result<Self, Refusal> {
        let EncoderSettings { width, height, fps, bitrate, .. } = settings;
        if width == 0 || height == 0 {
            return Err(Refusal::Size);
        }
        let display = Display::open(&config.device)?;
        let context = Context::new(&display, &settings)?;
        Ok(Self {
            name: name.into(),
            settings,
            rates: Rates { bitrate, fps },
            rates_changed: true,
            parameter_sets: headers::parameter_sets(&settings),
            slice_header: Vec::with_capacity(32),
            refuses_imports: false,
            in_flight: VecDeque::with_capacity(DEPTH),
            last: None,
            number: 0,
            order: 0,
            wants_idr: true,
            lost: false,
            failures: 0,
            pool: Pool::new(UNITS, || Vec::with_capacity(UNIT)),
            memory: InputMemory::new(&display, (width, height))?,
            context,
            display,
        })
    }

    fn failed(&self, cause: String) -> EncodeError {
        EncodeError::Failed { encoder: self.name.clone(), cause }
    }

    /// Where the hardware is to read a picture: in its own memory, or in a copy. Returns the picture to keep, its surface,
    /// what was imported for that, and how many bytes were copied.
    fn place(&mut self, picture: Frame) -> Result<(Frame, VASurfaceID, Option<Surfaces<1>>, usize), String> {
        if let Some(surface) = self.memory.surface(picture.buffer())? {
            return Ok((picture, surface, None, 0));
        }
        let import = if self.refuses_imports { None } else { import::import(&self.display, &picture) };
        match import {
            Some(Ok(import)) => return Ok((picture, import.ids[0], Some(import), 0)),
            Some(Err(cause)) => {
                tracing::warn!(cause, "the camera's memory can't be read in place, pictures are copied");
                self.refuses_imports = true;
            }
            None => {}
        }
        let memory = self.memory.take()?.ok_or("all its memory is on loan")?;
        let layout = self.memory.layout;
        let copy =
            picture.copy_to(memory, layout).ok_or_else(|| format!("no copy of {picture:?} can be made"))?;
        let surface = self.memory.surface(copy.buffer())?.ok_or("a copy is in foreign memory")?;
        Ok((copy, surface, None, layout.pixel_bytes()))
    }

    /// What the next picture is.
    fn next_slice(&self, idr: bool) -> (Slice, i32) {
        match self.last {
            Some(last) if !idr => {
                let slice = Slice { idr, frame_num: last.frame_num.wrapping_add(1), ..last };
                (slice, self.order + 1)
            }
            last => {
                let idr_pic_id = last.map_or(0, |last| 1 - last.idr_pic_id);
                (Slice { idr: true, frame_num: 0, idr_pic_id }, 0)
            }
        }
    }

    /// Tells the driver all about a picture, and hands it over.
    fn start(&mut self, surface: VASurfaceID, coded: va::VABufferID, idr: bool) -> Result<(), String> {
        let (slice, order) = self.next_slice(idr);
        let (decoded, reference) = self.context.decoded(self.number);
        let places = Places { decoded, reference, coded };
        let takes = |header: u32| self.context.config.packed_headers & header != 0;
        let mut parameters = Parameters::new(&self.display, self.context.id);
        if slice.idr {
            parameters.sequence(&self.settings, self.rates)?;
        }
        if slice.idr || self.rates_changed {
            parameters.rates(&self.context.config, &self.settings, self.rates)?;
        }
        parameters.picture(&self.settings, slice, order, places)?;
        if slice.idr && takes(va::VA_ENC_PACKED_HEADER_SEQUENCE) {
            let bits = self.parameter_sets.len() * 8;
            parameters.packed_header(va::VAEncPackedHeaderSequence, &self.parameter_sets, bits)?;
        }
        if takes(va::VA_ENC_PACKED_HEADER_SLICE) {
            self.slice_header.clear();
            let bits = headers::slice_header(&mut self.slice_header, slice, self.settings.profile);
            parameters.packed_header(va::VAEncPackedHeaderSlice, &self.slice_header, bits)?;
        }
        parameters.slice(&self.settings, slice, order, places)?;
        parameters.submit(surface)?;
        (self.last, self.order) = (Some(slice), order);
        self.number += 1;
        self.rates_changed = false;
        Ok(())
    }

    /// What became of a picture that the hardware is done with.
    fn finish(&mut self, coded: va::VABufferID, captured: Timestamp) -> Result<AccessUnit, EncodeError> {
        let mut bytes = self.pool.take();
        bytes.clear();
        let is_good = self.context.read(coded, &mut bytes).map_err(|cause| self.failed(cause))?;
        let kind = AccessUnitKind::of(&bytes).filter(|_| is_good);
        let Some(kind) = kind else {
            self.failures += 1;
            (self.wants_idr, self.lost) = (true, true);
            if self.failures >= FAILURES {
                let (failures, bytes) = (self.failures, bytes.len());
                return Err(
                    self.failed(format!("no slice in {failures} pictures, {bytes} bytes in the last"))
                );
            }
            return Ok(skipped(captured));
        };
        self.failures = 0;
        self.lost &= kind != AccessUnitKind::Idr;
        if self.lost {
            return Ok(skipped(captured));
        }
        // There are drivers that neither take parameter sets nor make them.
        let has_sets = |bytes: &[u8]| nal_units(bytes).any(|nal| nal[0] & 0x1f == SPS);
        if kind == AccessUnitKind::Idr && !has_sets(&bytes) {
            bytes.splice(..0, self.parameter_sets.iter().copied());
        }
        Ok(AccessUnit { kind, captured, bytes: bytes.into() })
    }
}

fn skipped(captured: Timestamp) -> AccessUnit {
    AccessUnit { kind: AccessUnitKind::Skipped, captured, bytes: Bytes::default() }
}

impl VideoEncoder for Vaapi {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_hardware(&self) -> bool {
        true
    }

    fn input(&self) -> EncoderInput {
        let layout = self.memory.layout;
        EncoderInput { layout, any_strides: true, imports: !self.refuses_imports, latency: 0 }
    }

    fn memory(&mut self) -> Option<Pooled<Box<dyn Buffer>>> {
        // Where there is none, the picture is made elsewhere, and its submission says why.
        self.memory.take().ok().flatten()
    }

    fn has_room(&mut self) -> Result<bool, EncodeError> {
        Ok(self.in_flight.len() < DEPTH)
    }

    fn submit(&mut self, picture: Frame, idr: bool) -> Result<usize, EncodeError> {
        if !self.input().takes(&picture.layout) {
            let Layout { format, width, height, .. } = self.memory.layout;
            return Err(self.failed(format!("{picture:?} where {format} {width}x{height} is due")));
        }
        let used = |coded: &&va::VABufferID| self.in_flight.iter().any(|it| it.coded == **coded);
        let Some(coded) = self.context.coded.iter().find(|coded| !used(coded)).copied() else {
            return Err(self.failed("has no room".into()));
        };
        let captured = picture.captured;
        let (picture, surface, import, copied) = self.place(picture).map_err(|cause| self.failed(cause))?;
        let idr = idr | self.wants_idr;
        self.start(surface, coded, idr).map_err(|cause| self.failed(cause))?;
        self.wants_idr = false;
        self.in_flight.push_back(InFlight { surface, coded, captured, _import: import, _picture: picture });
        Ok(copied)
    }

    fn next(&mut self, wait: Duration) -> Result<Option<AccessUnit>, EncodeError> {
        let Some(InFlight { surface, coded, captured, .. }) = self.in_flight.front() else {
            return Ok(None);
        };
        let (surface, coded, captured) = (*surface, *coded, *captured);
        if !self.context.is_done(surface, coded, wait).map_err(|cause| self.failed(cause))? {
            return Ok(None);
        }
        self.in_flight.pop_front();
        self.finish(coded, captured).map(Some)
    }

    fn set_bitrate(&mut self, bitrate: u32) -> Result<(), EncodeError> {
        (self.rates.bitrate, self.rates_changed) = (bitrate, true);
        Ok(())
    }

    fn set_fps(&mut self, fps: u32) -> Result<(), EncodeError> {
        (self.rates.fps, self.rates_changed) = (fps, true);
        Ok(())
    }
}

impl Drop for Vaapi {
    /// The hardware reads pictures until it is done with them, unless it stands still.
    fn drop(&mut self) {
        let start = Instant::now();
        while let Some(InFlight { surface, coded, .. }) = self.in_flight.front() {
            let left = FAREWELL.saturating_sub(start.elapsed());
            match self.context.is_done(*surface, *coded, left) {
                Ok(false) => {
                    tracing::error!(encoder = self.name, "it does not give back a picture");
                    break;
                }
                _ => drop(self.in_flight.pop_front()),
            }
        }
    }
}
