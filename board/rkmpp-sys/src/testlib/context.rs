//! Contexts: ports, commands, and the hardware in between.

use std::collections::VecDeque;
use std::ffi::c_int;
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use stand_in_encoder::Encoder;

use super::config::Config;
use super::exports::{give, handle, pointer, take};
use super::state::{self, Frame, Handle, Packet, State, Task};
use crate::{
    MPP_CTX_ENC, MPP_ENC_GET_CFG, MPP_ENC_HEADER_MODE_EACH_IDR, MPP_ENC_SET_CFG, MPP_ENC_SET_HEADER_MODE,
    MPP_ENC_SET_IDR_FRAME, MPP_ENC_SET_SEI_CFG, MPP_ERR_INIT, MPP_ERR_NULL_PTR, MPP_ERR_TIMEOUT,
    MPP_ERR_VALUE, MPP_NOK, MPP_OK, MPP_POLL_NON_BLOCK, MPP_PORT_INPUT, MPP_PORT_OUTPUT, MPP_RET,
    MPP_VIDEO_CodingAVC, MpiCmd, MppApi, MppCodingType, MppCtx, MppCtxType, MppParam, MppPollType,
    MppPortType, MppTask,
};

/// As many as `mpp.cpp` sets up.
const OUTPUT_TASKS: usize = 8;

#[derive(Default)]
pub(super) struct Context {
    config: Config,
    encoder: Option<Encoder>,
    /// At the caller's side of the input port: one task, or none while the caller or the hardware has it.
    input: Option<Handle>,
    /// What the hardware works on, and when it began.
    busy: Option<(Handle, Instant)>,
    free: VecDeque<Handle>,
    output: VecDeque<Handle>,
    headers: bool,
    /// It has failed on a picture.
    failed: bool,
    idr: bool,
    since_idr: usize,
}

static API: MppApi = MppApi {
    size: size_of::<MppApi>() as u32,
    version: 0,
    decode: None,
    decode_put_packet: None,
    decode_get_frame: None,
    encode: None,
    encode_put_frame: None,
    encode_get_packet: None,
    isp: None,
    isp_put_frame: None,
    isp_get_frame: None,
    poll: Some(poll),
    dequeue: Some(dequeue),
    enqueue: Some(enqueue),
    reset: None,
    control: Some(control),
    reserv: [0; 16],
};

#[unsafe(no_mangle)]
extern "C" fn mpp_create(ctx: *mut MppCtx, mpi: *mut *mut MppApi) -> MPP_RET {
    let mut state = state::lock();
    let number = state.number();
    state.contexts.insert(number, Context::default());
    give(ctx, pointer(number));
    give(mpi, (&raw const API).cast_mut());
    MPP_OK
}

#[unsafe(no_mangle)]
extern "C" fn mpp_init(ctx: MppCtx, kind: MppCtxType, coding: MppCodingType) -> MPP_RET {
    let mut state = state::lock();
    if let Some(code) = state.faults.init {
        return code;
    }
    if kind != MPP_CTX_ENC || coding != MPP_VIDEO_CodingAVC {
        return MPP_NOK;
    }
    let tasks: Vec<Handle> = (0..=OUTPUT_TASKS).map(|_| state.number()).collect();
    for task in &tasks {
        state.tasks.insert(*task, Task { context: handle(ctx), frame: 0, packet: 0 });
    }
    let Some(context) = state.contexts.get_mut(&handle(ctx)) else { return MPP_ERR_NULL_PTR };
    context.input = tasks.first().copied();
    context.free = tasks[1..].iter().copied().collect();
    MPP_OK
}

/// The thread ends after the picture that it works on; packets that nobody took are released with it, and so is a frame
/// that it had not begun with. Others stay the caller's.
#[unsafe(no_mangle)]
extern "C" fn mpp_destroy(ctx: MppCtx) -> MPP_RET {
    if !rest(ctx) {
        state::lock().misuse("mpp_destroy would wait for ever");
        return MPP_ERR_TIMEOUT;
    }
    let mut state = state::lock();
    let Some(context) = state.contexts.remove(&handle(ctx)) else {
        state.misuse("a context destroyed once too often");
        return MPP_NOK;
    };
    for task in &context.output {
        if let Some(packet) = state.tasks.get(task).map(|task| task.packet).filter(|packet| *packet != 0) {
            state.drop_packet(packet);
        }
    }
    if let Some(frame) = context.busy.and_then(|(task, _)| state.tasks.get(&task)).map(|task| task.frame) {
        state.drop_frame(frame);
    }
    state.tasks.retain(|_, task| task.context != handle(ctx));
    MPP_OK
}

/// Waits until the hardware works on nothing; false where that is never. A picture without a task for its packet is not
/// begun with.
fn rest(ctx: MppCtx) -> bool {
    loop {
        let mut state = state::lock();
        let wait = state.work(handle(ctx));
        match state.contexts.get(&handle(ctx)) {
            Some(context) if context.busy.is_some() && !context.free.is_empty() => {}
            _ => return true,
        }
        drop(state);
        match wait {
            Some(wait) => thread::sleep(wait),
            None => return false,
        }
    }
}

extern "C" fn poll(ctx: MppCtx, port: MppPortType, timeout: MppPollType) -> MPP_RET {
    let deadline = u64::try_from(timeout).ok().map(|wait| Instant::now() + Duration::from_millis(wait));
    loop {
        let mut state = state::lock();
        let next = state.work(handle(ctx));
        let Some(context) = state.contexts.get(&handle(ctx)) else {
            state.misuse("a context used that is gone");
            return MPP_ERR_NULL_PTR;
        };
        let ready = match port {
            MPP_PORT_INPUT => usize::from(context.input.is_some()),
            _ => context.output.len(),
        };
        if ready > 0 {
            return ready as c_int;
        }
        if timeout != MPP_POLL_NON_BLOCK && state.faults.spurious > 0 {
            state.faults.spurious -= 1;
            return MPP_OK;
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let wait = match (next, left) {
            (_, Some(Duration::ZERO)) => return MPP_NOK,
            (Some(next), Some(left)) => next.min(left),
            (None, Some(left)) => left,
            (Some(next), None) => next,
            (None, None) => {
                state.misuse("a poll would wait for ever");
                return MPP_NOK;
            }
        };
        drop(state);
        thread::sleep(wait);
    }
}

extern "C" fn dequeue(ctx: MppCtx, port: MppPortType, task: *mut MppTask) -> MPP_RET {
    let mut state = state::lock();
    let Some(context) = state.contexts.get_mut(&handle(ctx)) else { return MPP_ERR_NULL_PTR };
    let taken = match port {
        MPP_PORT_INPUT => context.input.take(),
        _ => context.output.pop_front(),
    };
    give(task, taken.map_or(ptr::null_mut(), pointer));
    if taken.is_some() { MPP_OK } else { MPP_NOK }
}

extern "C" fn enqueue(ctx: MppCtx, port: MppPortType, task: MppTask) -> MPP_RET {
    let mut state = state::lock();
    let Some(&Task { context: owner, frame, .. }) = state.tasks.get(&handle(task)) else {
        return MPP_ERR_NULL_PTR;
    };
    let Some(context) = state.contexts.get_mut(&handle(ctx)).filter(|_| owner == handle(ctx)) else {
        return MPP_NOK;
    };
    match port {
        MPP_PORT_OUTPUT => context.free.push_back(handle(task)),
        _ if frame == 0 => context.input = Some(handle(task)),
        _ => context.busy = Some((handle(task), Instant::now())),
    }
    MPP_OK
}

extern "C" fn control(ctx: MppCtx, command: MpiCmd, parameter: MppParam) -> MPP_RET {
    if !rest(ctx) {
        state::lock().misuse("a command would wait for ever");
        return MPP_ERR_TIMEOUT;
    }
    let mut guard = state::lock();
    let state = &mut *guard;
    let Some(context) = state.contexts.get_mut(&handle(ctx)) else { return MPP_ERR_NULL_PTR };
    if context.free.is_empty() && context.output.is_empty() {
        return MPP_ERR_INIT;
    }
    match command {
        MPP_ENC_GET_CFG => match state.configs.get_mut(&handle(parameter)) {
            Some(config) => {
                config.clone_from(&context.config);
                MPP_OK
            }
            None => MPP_ERR_NULL_PTR,
        },
        MPP_ENC_SET_CFG => {
            state.counts.configurations += 1;
            let Some(config) = state.configs.get_mut(&handle(parameter)) else { return MPP_ERR_NULL_PTR };
            let config = context.config.with_changes(config);
            let code = state.faults.configure.unwrap_or_else(|| config.check(state.faults.largest));
            if code == MPP_OK {
                state.configured = Some(config.clone());
                context.configure(config);
            }
            code
        }
        MPP_ENC_SET_IDR_FRAME => {
            context.idr = true;
            MPP_OK
        }
        MPP_ENC_SET_HEADER_MODE => match take(parameter.cast::<c_int>()) {
            Some(mode) => {
                context.headers = mode == MPP_ENC_HEADER_MODE_EACH_IDR;
                MPP_OK
            }
            None => MPP_NOK,
        },
        MPP_ENC_SET_SEI_CFG => take(parameter.cast::<c_int>()).map_or(MPP_NOK, |_| MPP_OK),
        _ => MPP_ERR_VALUE,
    }
}

impl Context {
    /// Takes a configuration. What changes the parameter sets makes the next picture an IDR picture
    /// (`check_resend_hdr` in `mpp_enc_impl.cpp`); the bitrate does not.
    fn configure(&mut self, config: Config) {
        let made_anew = ["prep:width", "prep:height", "h264:profile", "h264:cabac_en", "rc:fps_out_num"];
        let sent_anew = ["prep:hor_stride", "prep:ver_stride", "prep:format", "rc:gop", "rc:mode"];
        let new = config.differs(&self.config, &made_anew);
        self.idr |= new || config.differs(&self.config, &sent_anew);
        let bitrate = config.number("rc:bps_target");
        self.config = config;
        match &mut self.encoder {
            Some(encoder) if !new => encoder.set_bitrate(bitrate),
            encoder => *encoder = None,
        }
    }

    /// As a frame tells it.
    fn shape(&self) -> [u32; 4] {
        ["prep:width", "prep:height", "prep:hor_stride", "prep:ver_stride"]
            .map(|name| self.config.number(name) as u32)
    }

    /// Encodes the picture at `bytes`: its access unit, and whether it is an IDR picture.
    fn encode(&mut self, bytes: &[u8], pts: i64) -> Option<(Vec<u8>, bool)> {
        if self.encoder.is_none() {
            self.encoder = Encoder::new(self.config.settings());
        }
        let gop = self.config.number("rc:gop");
        let idr = std::mem::take(&mut self.idr) || (gop > 0 && self.since_idr >= gop);
        let (stride, rows) = (self.config.number("prep:hor_stride"), self.config.number("prep:ver_stride"));
        let (unit, idr) = self.encoder.as_mut()?.encode(bytes, stride, stride * rows, pts, idr)?;
        self.since_idr = if idr { 1 } else { self.since_idr + 1 };
        Some((unit, idr))
    }
}

impl State {
    /// Lets the hardware do what its time has come for. Returns when there will be more to do; `None` where that is
    /// never.
    fn work(&mut self, number: Handle) -> Option<Duration> {
        let (task, begun) = self.contexts.get(&number)?.busy?;
        if self.faults.stuck {
            return None;
        }
        let left = self.faults.delay.saturating_sub(begun.elapsed());
        if !left.is_zero() {
            return Some(left);
        }
        if self.contexts.get(&number)?.free.is_empty() {
            return None;
        }
        let packet = self.encode(number, task);
        let context = self.contexts.get_mut(&number)?;
        context.busy = None;
        context.input = Some(task);
        if let Some(packet) = packet {
            let output = context.free.pop_front()?;
            context.output.push_back(output);
            self.tasks.get_mut(&output)?.packet = packet;
        }
        None
    }

    /// The packet of a task's picture; `None` where packets don't come.
    fn encode(&mut self, number: Handle, task: Handle) -> Option<Handle> {
        let frame = self.tasks.get(&task)?.frame;
        let &Frame { pts, buffer, shape } = self.frames.get(&frame).unwrap_or(&Frame::default());
        if shape != self.contexts.get(&number)?.shape() {
            self.misuse("a frame of another shape than the configuration's");
        }
        if self.contexts.get(&number)?.failed {
            self.misuse("a picture after one that failed");
        }
        self.counts.pictures += 1;
        let coded = match self.buffers.get_mut(&buffer) {
            Some(buffer) => self.contexts.get_mut(&number)?.encode(buffer.bytes(), pts),
            None => None,
        };
        if coded.is_none() {
            self.misuse("a picture whose frame or memory is gone or too small");
        }
        let (mut unit, idr) = coded.unwrap_or_default();
        self.counts.idr_pictures += u32::from(idr);
        if self.faults.silent {
            return None;
        }
        if self.faults.fail > 0 {
            self.faults.fail -= 1;
            unit.clear();
            let context = self.contexts.get_mut(&number)?;
            (context.idr, context.failed) = (true, true);
        } else if self.faults.short > 0 {
            self.faults.short -= 1;
            unit.truncate(3);
        }
        self.packet(&unit, pts)
    }

    fn packet(&mut self, unit: &[u8], pts: i64) -> Option<Handle> {
        let buffer = self.allocate(unit.len().max(1))?;
        let memory = self.buffers.get_mut(&buffer)?.memory();
        if !memory.is_null() {
            // SAFETY: the buffer was just made for so many bytes, and nobody else knows it.
            unsafe { ptr::copy_nonoverlapping(unit.as_ptr(), memory.cast(), unit.len()) };
        }
        let packet = self.number();
        self.packets.insert(packet, Packet { pts, buffer, length: unit.len() });
        Some(packet)
    }
}
