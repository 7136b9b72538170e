//! The video thread: pictures of the camera, or the placeholder, through geometry and encoder.

mod order;

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ::uplink::VideoMetadata;
use board::EncoderConfig;
use live_pusher::{Code, Input, Kbps, Properties, Size};
use media::{
    AccessUnitKind, DropOldest, EncodeError, EncoderInput, EncoderSettings, Frame, GeometrySettings,
    H264Profile, Layout, PAUSED_FPS, PixelFormat, VideoControl, VideoCounters, VideoEncoder, VideoPipeline,
    now, still,
};
use serde_json::{Map, Value, json};
use tracing::{info, warn};

use crate::camera::Captured;
use crate::encoders::{Encoders, Verdict};
use crate::hand::{PreviewTap, Seen};
use crate::news::{News, Reporter};
use crate::privacy::Privacy;
use crate::sink::{Description, QueueSink};
use order::Order;

/// From one IDR picture to the next (spec 10.3).
const GOP: Duration = Duration::from_secs(3);
/// Pictures between camera and video thread: of a sensor one under way and one that waits; of those that refer to one
/// another none may be lost in a burst.
const PICTURES: usize = 2;
const ACCESS_UNITS: usize = 32;
/// How many of those are kept for a session that begins: a driver has few buffers.
const HELD: usize = 3;
/// How long the thread sleeps where nothing is to be shown.
const IDLE: Duration = Duration::from_secs(10);
/// For an encoder that failed to be closed.
const CLOSING: Duration = Duration::from_secs(1);
/// From one placeholder to the next.
const PLACEHOLDER: Duration = Duration::from_millis(1000 / PAUSED_FPS as u64);

/// The video thread, from outside.
pub(crate) struct VideoStage {
    order: Mutex<Order>,
    pub(crate) frames: Arc<DropOldest<Captured>>,
    pub(crate) control: Arc<VideoControl>,
    pub(crate) counters: Arc<VideoCounters>,
    privacy: Privacy,
    encoders: Vec<EncoderConfig>,
    /// Where a display shows the camera's pictures.
    preview: Option<Arc<PreviewTap>>,
    reporter: Reporter,
    description: Arc<Description>,
}

impl VideoStage {
    /// `encoders` in the order in which they are tried; `passes` where a camera encodes by itself.
    pub(crate) fn new(
        properties: &Properties,
        encoders: Vec<EncoderConfig>,
        passes: bool,
        preview: Option<Arc<PreviewTap>>,
        description: Arc<Description>,
        reporter: Reporter,
        privacy: Privacy,
    ) -> Arc<Self> {
        let Kbps(kbps) = properties.start_bitrate();
        let control = VideoControl::new(kbps * 1000, properties.fps, properties.mirror);
        let mut order = Order::default();
        order.follow(properties);
        Arc::new(Self {
            order: Mutex::new(order),
            frames: Arc::new(DropOldest::new(if passes { ACCESS_UNITS } else { PICTURES })),
            control: Arc::new(control),
            counters: Arc::default(),
            privacy,
            encoders,
            preview,
            reporter,
            description,
        })
    }

    /// Changes what the thread is to make, and wakes it.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Order)) {
        change(&mut self.order());
        self.frames.wake();
    }

    /// The size that is published.
    pub(crate) fn size(&self) -> Size {
        self.order().published()
    }

    /// What it would be without steps.
    pub(crate) fn whole_size(&self) -> Size {
        self.order().whole()
    }

    /// By how many steps it may be smaller, as far as is known.
    pub(crate) fn most_steps(&self) -> u8 {
        self.order().most_steps.unwrap_or(u8::MAX)
    }

    /// A display may have the picture when everybody else is done with it.
    fn let_pass(&self, captured: Captured) -> Captured {
        let Some(preview) = &self.preview else {
            return captured;
        };
        let Captured { frame, quarter_turns, position } = captured;
        let zoom = self.control.zoom.load(Relaxed);
        let frame = preview.pass(frame, || Seen { position, quarter_turns, zoom });
        Captured { frame, quarter_turns, position }
    }

    fn notice(&self, code: Code, params: Map<String, Value>) {
        self.reporter.tell(News::Input(Input::Notice { code, params }));
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread's work.
    pub(crate) fn run(self: Arc<Self>) -> ! {
        let encoders = Encoders::new(self.encoders.clone());
        let (line, placeholder, published) = (None, None, None);
        Worker {
            stage: self,
            encoders,
            lost_hardware: None,
            line,
            instances: 0,
            placeholder,
            held: Vec::new(),
            next: Instant::now(),
            published,
        }
        .run()
    }
}

/// What a pipeline is made for.
#[derive(Clone, Copy, PartialEq)]
struct Plan {
    session: Option<u32>,
    size: Size,
    baseline: bool,
    vbv: Duration,
    /// Whether the camera encodes by itself.
    passes: bool,
}

/// A pipeline and its encoder; without where none could be opened.
struct Line {
    plan: Plan,
    pipeline: Option<VideoPipeline<QueueSink>>,
    encoder: Option<Instance>,
}

/// An encoder that was opened.
#[derive(Clone, Copy)]
struct Instance {
    number: u32,
    is_hardware: bool,
    input: EncoderInput,
    /// How the pictures lay for which it was opened.
    source: Option<Layout>,
}

impl Line {
    /// Whether the encoder could take pictures of this layout as they are if it were opened for them.
    fn misses(&self, layout: &Layout) -> bool {
        let is_published = (layout.width, layout.height) == (self.plan.size.width, self.plan.size.height);
        self.encoder.is_some_and(|encoder| {
            encoder.is_hardware
                && is_published
                && encoder.source != Some(*layout)
                && !encoder.input.takes(layout)
        })
    }
}

struct Placeholder {
    size: Size,
    file: Option<Arc<[u8]>>,
    frame: Frame,
}

struct Worker {
    stage: Arc<VideoStage>,
    encoders: Encoders,
    /// Why hardware is used no longer, until software takes over (1103).
    lost_hardware: Option<String>,
    line: Option<Line>,
    /// Encoders that were opened.
    instances: u32,
    placeholder: Option<Placeholder>,
    /// The beginning of a group that came before the session did, of a source that encodes by itself.
    held: Vec<Captured>,
    /// When the next placeholder is due.
    next: Instant,
    /// Of the last packet: encoder, session and size.
    published: Option<(u32, Option<u32>, Size)>,
}

impl Worker {
    fn run(mut self) -> ! {
        let mut order = Order::default();
        loop {
            let wait = match order.session {
                Some(_) if !order.live => self.next.saturating_duration_since(Instant::now()),
                _ => IDLE,
            };
            let captured = self.stage.frames.pop(wait).map(|captured| self.stage.let_pass(captured));
            order = self.stage.order().clone();
            order.live &= !self.stage.privacy.is_closed();
            let result = match (captured, order.session) {
                (Some(captured), None) if captured.frame.layout.format == PixelFormat::H264 => {
                    self.hold(captured);
                    Ok(())
                }
                (Some(captured), None) => self.show(captured, &order),
                (Some(captured), Some(_)) if order.live => {
                    let held = std::mem::take(&mut self.held);
                    held.into_iter().chain([captured]).try_for_each(|captured| self.show(captured, &order))
                }
                (None, None) => {
                    self.line = None;
                    Ok(())
                }
                (_, Some(_)) if !order.live && self.next <= Instant::now() => self.hold_place(&order),
                _ => Ok(()),
            };
            if let Err(error) = result {
                self.recover(&error);
            }
        }
    }

    /// A start waits for the source's first picture, which then is the one that its stream begins with.
    fn hold(&mut self, captured: Captured) {
        let is_idr = AccessUnitKind::of(captured.frame.compressed()) == Some(AccessUnitKind::Idr);
        let goes_on = !self.held.is_empty() && self.held.len() < HELD;
        if is_idr || !goes_on {
            self.held.clear();
        }
        if is_idr || goes_on {
            self.held.push(captured);
        }
    }

    /// After a failure the encoder is opened anew, or another one.
    fn recover(&mut self, error: &EncodeError) {
        warn!(%error, "the video encoder failed");
        let line = self.line.take();
        let plan = line.as_ref().map(|line| line.plan);
        let encoder = line.as_ref().and_then(|line| line.encoder);
        let was_hardware = encoder.is_some_and(|encoder| encoder.is_hardware);
        let is_closed = line.and_then(|line| line.pipeline).is_none_or(close);
        let verdict = match encoder {
            // What could not be opened is not tried again until something else is wanted.
            None => Verdict::Exhausted,
            Some(_) => self.encoders.failed(Instant::now(), is_closed),
        };
        let params = || Map::from_iter([("reason".to_owned(), json!(error.to_string()))]);
        match verdict {
            Verdict::Restart => self.notice(Code::EncoderRestarted, params()),
            Verdict::Next if was_hardware => self.lost_hardware = Some(error.to_string()),
            Verdict::Next => {}
            Verdict::Exhausted => self.tell(Input::EncoderFailed(Code::VideoEncoderFailed)),
        }
        if verdict == Verdict::Next {
            self.stage.change(|order| order.most_steps = None);
        }
        if verdict == Verdict::Exhausted {
            self.line = plan.map(|plan| Line { plan, pipeline: None, encoder: None });
        }
    }

    /// A picture of the camera; where nothing is encoded, for those only who ask for a still.
    fn show(&mut self, captured: Captured, order: &Order) -> Result<(), EncodeError> {
        let Captured { frame, quarter_turns, .. } = captured;
        let layout = frame.layout;
        let passes = layout.format == PixelFormat::H264;
        let size =
            if passes { Size { width: layout.width, height: layout.height } } else { order.published() };
        self.prepare(order, size, passes, Some(layout))?;
        let went_out = match self.line.as_mut().and_then(|line| line.pipeline.as_mut()) {
            Some(pipeline) => pipeline.process(frame, quarter_turns)?,
            None => 0,
        };
        self.account(went_out > 0);
        Ok(())
    }

    fn hold_place(&mut self, order: &Order) -> Result<(), EncodeError> {
        self.next = Instant::now() + PLACEHOLDER;
        self.prepare(order, order.published(), false, None)?;
        let size = self.line.as_ref().map_or(order.size, |line| line.plan.size);
        self.draw_placeholder(size, order);
        let pipeline = self.line.as_mut().and_then(|line| line.pipeline.as_mut());
        let (Some(pipeline), Some(placeholder)) = (pipeline, &mut self.placeholder) else {
            return Ok(());
        };
        placeholder.frame.captured = now();
        let went_out = pipeline.place(&placeholder.frame)?;
        self.account(went_out > 0);
        Ok(())
    }

    /// Makes the pipeline that `order` wants, unless it is there. `source`: how the camera's pictures lie.
    fn prepare(
        &mut self,
        order: &Order,
        size: Size,
        passes: bool,
        source: Option<Layout>,
    ) -> Result<(), EncodeError> {
        let Order { session, baseline, vbv, .. } = *order;
        let mut plan = Plan { session, size, baseline, vbv, passes };
        let fits = |line: &Line| line.plan == plan && !source.is_some_and(|layout| line.misses(&layout));
        if self.line.as_ref().is_some_and(fits) {
            return Ok(());
        }
        self.encoders.begin(plan.session);
        if let Some(Line { plan: before, pipeline: Some(mut pipeline), .. }) = self.line.take()
            && before.session == plan.session
            && let Err(error) = pipeline.finish()
        {
            warn!(%error, "the last pictures stay inside");
        }
        let encoder = if plan.session.is_some() {
            let opened = self.open_encoder(&mut plan, order, source);
            // One that fails is not tried again until something else is wanted.
            self.line = Some(Line { plan, pipeline: None, encoder: None });
            Some(opened?)
        } else {
            None
        };
        self.instances += u32::from(encoder.is_some());
        let instance = encoder.as_ref().map(|encoder| Instance {
            number: self.instances,
            is_hardware: encoder.is_hardware(),
            input: encoder.input(),
            source,
        });
        let Size { width, height } = plan.size;
        let control = &self.stage.control;
        let mirror = control.mirror.load(Relaxed);
        let geometry = GeometrySettings { width, height, quarter_turns: 0, mirror };
        let sink = QueueSink(Arc::clone(self.stage.description.queue()));
        let counters = Arc::clone(&self.stage.counters);
        let pipeline = VideoPipeline::new(geometry, encoder, GOP, sink, Arc::clone(control), counters);
        self.line = Some(Line { plan, pipeline: Some(pipeline), encoder: instance });
        Ok(())
    }

    /// For the size of the plan, or else for that before a step, to which the plan changes, or for the mode's (-1305).
    fn open_encoder(
        &mut self,
        plan: &mut Plan,
        order: &Order,
        source: Option<Layout>,
    ) -> Result<Box<dyn VideoEncoder>, EncodeError> {
        let fps = self.stage.control.fps.load(Relaxed);
        let bitrate = self.stage.control.bitrate.load(Relaxed);
        let profile = if plan.baseline { H264Profile::ConstrainedBaseline } else { H264Profile::Main };
        let Order { fallback, size: wanted, .. } = *order;
        let (stage, encoders, lost_hardware) = (&self.stage, &mut self.encoders, &mut self.lost_hardware);
        let mut open = |Size { width, height }: Size, has_other_size: bool| {
            let source = source.filter(|layout| (layout.width, layout.height) == (width, height));
            let gop = GOP.as_secs() as u32 * fps;
            let settings =
                EncoderSettings { width, height, fps, bitrate, vbv: plan.vbv, gop, profile, source };
            encoders.open(settings, has_other_size, |config, error| {
                warn!(%error, %config, "given up for this session");
                stage.change(|order| order.most_steps = None);
                if config.is_hardware() {
                    *lost_hardware = Some(error.to_string());
                }
            })
        };
        let opened = if plan.passes {
            Ok(board::passthrough())
        } else {
            let (steps, opened) = order.open(&mut open);
            if steps < order.taken_steps() {
                plan.size = order.after(steps);
                // Another size may be wanted by now.
                stage.change(|order| {
                    if order.size == wanted {
                        (order.steps, order.most_steps) = (steps, Some(steps));
                    }
                });
            }
            opened
        };
        let encoder = match opened {
            Ok(encoder) => encoder,
            Err(error) if fallback == plan.size => return Err(error),
            Err(error) => {
                warn!(%error, size = %plan.size, "size refused");
                stage.notice(Code::SizeUnsupported, plan.size.params());
                stage.change(|order| order.refused = Some(wanted));
                plan.size = fallback;
                open(fallback, false)?
            }
        };
        if !encoder.is_hardware()
            && let Some(reason) = self.lost_hardware.take()
        {
            stage.notice(Code::HardwareEncoderFailed, Map::from_iter([("reason".to_owned(), json!(reason))]));
        }
        let input = encoder.input();
        info!(
            encoder = encoder.name(), size = %plan.size, fps, bitrate,
            input = %input.layout.format, imports = input.imports, "encoder opened"
        );
        let Size { width, height } = plan.size;
        stage.description.set_video(VideoMetadata { width, height, fps, kbps: bitrate / 1000 });
        Ok(encoder)
    }

    fn draw_placeholder(&mut self, size: Size, order: &Order) {
        let is_drawn =
            |it: &Placeholder| it.size == size && same(it.file.as_ref(), order.waiting_image.as_ref());
        if self.placeholder.as_ref().is_some_and(is_drawn) {
            return;
        }
        let Size { width, height } = size;
        let file = order.waiting_image.clone();
        let drawn = file.as_ref().map(|bytes| still::decode(bytes, width, height));
        let frame = match drawn {
            Some(Ok(frame)) => Some(frame),
            // It was looked at when it was loaded.
            Some(Err(_)) | None => still::black(width, height).ok(),
        };
        self.placeholder = frame.map(|frame| Placeholder { size, file, frame });
    }

    /// Tells what is new with the packet that went out.
    fn account(&mut self, went_out: bool) {
        let Some(Line { plan, encoder: Some(encoder), .. }) = self.line.as_ref().filter(|_| went_out) else {
            return;
        };
        let now = (encoder.number, plan.session, plan.size);
        let before = self.published.replace(now);
        if before == Some(now) {
            return;
        }
        // Hardware is 1, software 2.
        let kind = if encoder.is_hardware { 1 } else { 2 };
        let encoder = [("type".to_owned(), json!(kind)), ("codec".to_owned(), json!("h264"))];
        self.notice(Code::EncoderStarted, Map::from_iter(encoder));
        let changed = |(_, session, size): (u32, Option<u32>, Size)| session == now.1 && size != now.2;
        if before.is_some_and(changed) {
            let mut params = now.2.params();
            let is_adapted = self.stage.order().is_adapted;
            params.insert("cause".into(), json!(if is_adapted { "adapt" } else { "property" }));
            self.notice(Code::ResolutionChanged, params);
        }
    }

    fn notice(&self, code: Code, params: Map<String, Value>) {
        self.stage.notice(code, params);
    }

    fn tell(&self, input: Input) {
        self.stage.reporter.tell(News::Input(input));
    }
}

/// Closes an encoder that failed. A driver that stalled may stall whoever closes it: that is waited for a while only.
fn close(failed: VideoPipeline<QueueSink>) -> bool {
    let (closed, told) = mpsc::channel();
    let close = move || {
        drop(failed);
        let _ = closed.send(());
    };
    let closing = thread::Builder::new().name("encoder's end".into()).spawn(close);
    closing.is_ok() && told.recv_timeout(CLOSING).is_ok()
}

fn same(one: Option<&Arc<[u8]>>, other: Option<&Arc<[u8]>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}
