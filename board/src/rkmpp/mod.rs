//! Rockchip's encoder (RK3566, RK3568, RK3588, RV1106), by its Media Process Platform.
//!
//! The library's task interface (`mpp_task.h`) is used, not `encode_put_frame`: that one holds its caller until the
//! picture is encoded, and for ever where the hardware stands still. One picture is with the hardware at a time.
//! Commands go out between pictures only, since they too wait for the hardware.

mod configuration;
mod context;
mod input;
mod memory;
mod packets;

use std::ffi::c_char;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use media::{
    AccessUnit, AccessUnitKind, Buffer, EncodeError, EncoderInput, EncoderSettings, Frame, Layout,
    PixelFormat, PlaneLayout, Pooled, VideoEncoder,
};
use rkmpp_sys as mpp;
use rkmpp_sys::MppTask;

use configuration::Configuration;
use context::Context;
use input::Input;
use memory::InputMemory;
use packets::{Lender, Packet};

use crate::RockchipMppConfig;

const NAME: &str = "Rockchip MPP";
/// Tag and caller in the library's log, which wants them.
const TAG: *const c_char = c"pushbox".as_ptr();
/// What the hardware wants strides to be multiples of, in bytes and rows.
const ALIGNMENT: u32 = 16;
/// How long a picture may be late behind its packet.
const AFTERMATH: Duration = Duration::from_millis(5);
/// How long the end of an encoder waits for the picture that the hardware has.
const FAREWELL: Duration = Duration::from_secs(1);

/// Leaves warnings and errors in the library's log, where the environment asks for nothing else: it tells of each bitrate. To
/// be called before any thread is started.
pub(crate) fn shorten_log() {
    const LEVEL: &str = "mpp_log_level";
    if std::env::var_os(LEVEL).is_none() {
        // SAFETY: no other thread runs yet, so nobody reads the environment meanwhile.
        unsafe { std::env::set_var(LEVEL, "3") };
    }
}

/// A hardware encoder: NV12 in, from DMA-BUFs without a copy; no B-frames, constant bitrate, packets out without a copy.
pub(crate) struct RkMpp {
    input: Input,
    /// The picture that the hardware reads.
    in_flight: Option<Frame>,
    /// The input port's task, while the hardware has none.
    task: Option<MppTask>,
    /// Pictures that went in and did not come out.
    inside: usize,
    configuration: Configuration,
    min_bitrate: u32,
    settings: EncoderSettings,
    layout: Layout,
    memory: Arc<InputMemory>,
    packets: Arc<Lender>,
    context: Arc<Context>,
}

// SAFETY: the library's objects have no ties to the thread that made them; calls need `&mut self`.
unsafe impl Send for RkMpp {}

impl RkMpp {
    /// Opens the hardware. Pictures are `settings.width` by `settings.height` pixels, both even.
    pub(crate) fn open(config: RockchipMppConfig, settings: EncoderSettings) -> Result<Self, EncodeError> {
        if settings.width == 0 || settings.height == 0 || !config.takes(settings.width, settings.height) {
            return Err(size_refused(&settings));
        }
        let min_bitrate = config.min_bitrate;
        let settings = EncoderSettings { bitrate: settings.bitrate.max(min_bitrate), ..settings };
        let layout = input_layout(&settings);
        let context = Arc::new(Context::open().map_err(while_opening)?);
        let strides = strides(&layout).unwrap_or_default();
        Ok(Self {
            input: Input::new().map_err(while_opening)?,
            in_flight: None,
            task: None,
            inside: 0,
            min_bitrate,
            configuration: Configuration::new(&context, &settings, strides).map_err(while_opening)?,
            settings,
            layout,
            memory: InputMemory::new(strides),
            packets: Lender::new(Arc::clone(&context)),
            context,
        })
    }

    /// Takes back the input port's task and the picture that was encoded with it, if there is one within `wait`.
    fn take_back(&mut self, wait: Duration) -> Result<bool, EncodeError> {
        if self.task.is_some() {
            return Ok(true);
        }
        let Some(task) = self.context.task(mpp::MPP_PORT_INPUT, wait)? else {
            return Ok(false);
        };
        self.input.take_back(task);
        self.in_flight = None;
        self.task = Some(task);
        Ok(true)
    }

    /// Points the input at a picture, or at a copy where the hardware can't read it. Returns the picture to keep, and how
    /// many bytes were copied.
    fn place(&mut self, picture: Frame) -> Result<(Frame, usize), EncodeError> {
        if strides(&picture.layout).is_some() && self.input.refer(&picture, &self.memory) {
            return Ok((picture, 0));
        }
        let memory = self.memory.take()?.ok_or_else(|| failed("all its memory is on loan".into()))?;
        match picture.copy_to(memory, self.layout).filter(|copy| self.input.refer(copy, &self.memory)) {
            Some(copy) => {
                let Layout { format, width, height, .. } = self.layout;
                Ok((copy, Layout::packed(format, width, height).size()))
            }
            None => Err(failed(format!("no copy of {picture:?} can be made"))),
        }
    }

    /// Hands the input over to the hardware, which has nothing to do.
    fn start(&mut self, idr: bool) -> Result<(), EncodeError> {
        self.configuration.apply(&self.context)?;
        if idr {
            let (name, command) = ("MPP_ENC_SET_IDR_FRAME", mpp::MPP_ENC_SET_IDR_FRAME);
            // SAFETY: the command takes no parameter.
            unsafe { self.context.control(name, command, std::ptr::null_mut())? };
        }
        let Some(task) = self.task else {
            return Err(failed("has no room".into()));
        };
        self.input.put(task)?;
        self.context.enqueue(mpp::MPP_PORT_INPUT, task)?;
        self.task = None;
        Ok(())
    }

    /// What a packet says of its picture. The hardware fails on one with an empty packet. No picture may follow it: version
    /// 1.0.8 of the library, which asks itself for an IDR picture then, ends the process at the one after that on RK3588
    /// (`find_cpb_frame` in `h264e_dpb.c`).
    fn finish(&self, packet: Packet) -> Result<AccessUnit, EncodeError> {
        let captured = packet.captured();
        let Some(kind) = AccessUnitKind::of(packet.bytes()) else {
            return Err(failed(format!("the hardware left {} bytes without a slice", packet.bytes().len())));
        };
        Ok(AccessUnit { kind, captured, bytes: self.packets.lend(packet) })
    }
}

impl VideoEncoder for RkMpp {
    fn name(&self) -> &str {
        NAME
    }

    fn is_hardware(&self) -> bool {
        true
    }

    fn input(&self) -> EncoderInput {
        EncoderInput { layout: self.layout, any_strides: true, imports: true, latency: 0 }
    }

    fn memory(&mut self) -> Option<Pooled<Box<dyn Buffer>>> {
        // Where there is none, the picture is made elsewhere, and its submission says why.
        self.memory.take().ok().flatten()
    }

    fn has_room(&mut self) -> Result<bool, EncodeError> {
        self.take_back(Duration::ZERO)
    }

    fn submit(&mut self, picture: Frame, idr: bool) -> Result<usize, EncodeError> {
        if !self.input().takes(&picture.layout) {
            let EncoderSettings { width, height, .. } = self.settings;
            return Err(failed(format!("{picture:?} where NV12 {width}x{height} is due")));
        }
        if !self.has_room()? {
            return Err(failed("has no room".into()));
        }
        let (picture, copied) = self.place(picture)?;
        let strides = strides(&picture.layout).unwrap_or_default();
        self.input.describe(&self.settings, strides, picture.captured);
        let started = self.configuration.set_strides(strides).and_then(|()| self.start(idr));
        if let Err(error) = started {
            self.input.clear();
            return Err(error);
        }
        self.in_flight = Some(picture);
        self.inside += 1;
        Ok(copied)
    }

    fn next(&mut self, wait: Duration) -> Result<Option<AccessUnit>, EncodeError> {
        if self.inside == 0 {
            return Ok(None);
        }
        let Some(task) = self.context.task(mpp::MPP_PORT_OUTPUT, wait)? else {
            return Ok(None);
        };
        let packet = packets::take(task);
        self.context.enqueue(mpp::MPP_PORT_OUTPUT, task)?;
        self.inside -= 1;
        // The library gives the picture back right after its packet, and the camera waits for it.
        self.take_back(if self.inside == 0 { AFTERMATH } else { Duration::ZERO })?;
        self.finish(packet?).map(Some)
    }

    fn set_bitrate(&mut self, bitrate: u32) -> Result<(), EncodeError> {
        self.configuration.set_bitrate(bitrate.max(self.min_bitrate))
    }

    fn set_fps(&mut self, fps: u32) -> Result<(), EncodeError> {
        self.configuration.set_rate(fps, self.settings.with_fps(fps).gop)
    }
}

impl Drop for RkMpp {
    /// The library's end waits for its thread, which may have a picture for ever where the hardware stands still: then both
    /// are left behind.
    fn drop(&mut self) {
        let start = Instant::now();
        while self.in_flight.is_some() {
            // A picture whose packet has no place is not begun with.
            while let Ok(Some(_)) = self.next(Duration::ZERO) {}
            let left = FAREWELL.saturating_sub(start.elapsed());
            if left.is_zero() || self.take_back(left.min(FAREWELL / 10)).is_err() {
                tracing::error!("{NAME} does not give back a picture: its context stays open");
                self.input.leave();
                mem::forget(Arc::clone(&self.context));
                break;
            }
        }
    }
}

fn failed(cause: String) -> EncodeError {
    EncodeError::Failed { encoder: NAME.into(), cause }
}

fn size_refused(settings: &EncoderSettings) -> EncodeError {
    let EncoderSettings { width, height, .. } = *settings;
    EncodeError::Size { encoder: NAME.into(), width, height }
}

fn while_opening(error: EncodeError) -> EncodeError {
    match error {
        EncodeError::Failed { encoder, cause } => EncodeError::Open { encoder, cause },
        other => other,
    }
}

/// As the camera's pictures lie, where the hardware can read them; else NV12 with aligned strides.
pub(crate) fn input_layout(settings: &EncoderSettings) -> Layout {
    let EncoderSettings { width, height, .. } = *settings;
    let stride = width.next_multiple_of(ALIGNMENT) as usize;
    let rows = height.next_multiple_of(ALIGNMENT) as usize;
    let plane = |offset| PlaneLayout { memory: 0, offset, stride };
    let planes = [plane(0), plane(stride * rows), plane(0)];
    let aligned = Layout { format: PixelFormat::Nv12, width, height, planes };
    let kind = |layout: &Layout| (layout.format, layout.width, layout.height);
    let readable = |source: &Layout| {
        kind(source) == kind(&aligned) && source.planes[0].memory == 0 && strides(source).is_some()
    };
    settings.source.filter(readable).unwrap_or(aligned)
}

/// Bytes from one row to the next, and rows from luma to chroma, of an NV12 picture that the hardware can read where it is:
/// from the start of one memory plane on.
fn strides(layout: &Layout) -> Option<(usize, usize)> {
    let [luma, chroma, _] = layout.planes;
    let stride = luma.stride;
    let fits = stride > 0
        && stride.is_multiple_of(ALIGNMENT as usize)
        && chroma.stride == stride
        && luma.memory == chroma.memory
        && luma.offset == 0
        && chroma.offset.is_multiple_of(stride)
        && chroma.offset / stride >= layout.height as usize;
    fits.then(|| (stride, chroma.offset / stride))
}
