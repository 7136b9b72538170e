//! The video thread: pictures of the camera, or the placeholder, through geometry and encoder.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ::uplink::VideoMetadata;
use live_pusher::{Code, Input, Kbps, Properties, Size};
use media::{
    DropOldest, EncodeError, EncoderSettings, Frame, GeometrySettings, H264Profile, PAUSED_FPS, PixelFormat,
    VideoControl, VideoCounters, VideoEncoder, VideoPipeline, now, still,
};
use serde_json::{Map, Value, json};
use tracing::{info, warn};

use crate::camera::Captured;
use crate::news::{News, Reporter};
use crate::privacy::Privacy;
use crate::sink::{Description, QueueSink};

/// From one IDR picture to the next (spec 10.3).
const GOP: Duration = Duration::from_secs(3);
/// Pictures between camera and video thread: of a sensor one under way and one that waits; of those that refer to one
/// another none may be lost in a burst.
const PICTURES: usize = 2;
const ACCESS_UNITS: usize = 32;
/// How long the thread sleeps where nothing is to be shown.
const IDLE: Duration = Duration::from_secs(10);
/// From one placeholder to the next.
const PLACEHOLDER: Duration = Duration::from_millis(1000 / PAUSED_FPS as u64);

/// What the video thread is to make.
#[derive(Clone, Default)]
pub(crate) struct Order {
    /// Counts the times that encoding began; none while nothing is encoded.
    pub(crate) session: Option<u32>,
    /// The camera's pictures, or else the placeholder.
    pub(crate) live: bool,
    pub(crate) size: Size,
    /// By which it is smaller as yet, for want of bits, and whether it was that which changed last.
    pub(crate) steps: u8,
    pub(crate) is_adapted: bool,
    /// Where the encoder refuses that size.
    pub(crate) fallback: Size,
    pub(crate) baseline: bool,
    /// The file that the placeholder shows; black without one.
    pub(crate) waiting_image: Option<Arc<[u8]>>,
}

impl Order {
    pub(crate) fn follow(&mut self, properties: &Properties) {
        self.size = Size::of(properties);
        self.fallback = Size::of_mode(properties);
        self.baseline = properties.mode.is_baseline();
        self.is_adapted = false;
    }

    /// What is published.
    fn published(&self) -> Size {
        (0..self.steps).fold(self.size, |size, _| size.smaller().unwrap_or(size))
    }
}

/// The video thread, from outside.
pub(crate) struct VideoStage {
    order: Mutex<Order>,
    pub(crate) frames: Arc<DropOldest<Captured>>,
    pub(crate) control: Arc<VideoControl>,
    pub(crate) counters: Arc<VideoCounters>,
    privacy: Privacy,
    reporter: Reporter,
    description: Arc<Description>,
}

impl VideoStage {
    pub(crate) fn new(
        properties: &Properties,
        passes: bool,
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

    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread's work.
    pub(crate) fn run(self: Arc<Self>) -> ! {
        Worker { stage: self, line: None, placeholder: None, next: Instant::now(), published: None }.run()
    }
}

/// What a pipeline is made for.
#[derive(Clone, Copy, PartialEq)]
struct Plan {
    session: Option<u32>,
    size: Size,
    baseline: bool,
    /// Whether the camera encodes by itself.
    passes: bool,
}

/// A pipeline and the size that its encoder takes; without it where none could be opened.
struct Line {
    plan: Plan,
    size: Size,
    pipeline: Option<VideoPipeline<QueueSink>>,
}

struct Placeholder {
    size: Size,
    file: Option<Arc<[u8]>>,
    frame: Frame,
}

struct Worker {
    stage: Arc<VideoStage>,
    line: Option<Line>,
    placeholder: Option<Placeholder>,
    /// When the next placeholder is due.
    next: Instant,
    /// Plan and size of the last packet.
    published: Option<(Plan, Size)>,
}

impl Worker {
    fn run(mut self) -> ! {
        let mut order = Order::default();
        loop {
            let wait = match order.session {
                Some(_) if !order.live => self.next.saturating_duration_since(Instant::now()),
                _ => IDLE,
            };
            let captured = self.stage.frames.pop(wait);
            order = self.stage.order().clone();
            order.live &= !self.stage.privacy.is_closed();
            let result = match (captured, order.session) {
                (Some(captured), None) => self.show(captured, &order),
                (Some(captured), Some(_)) if order.live => self.show(captured, &order),
                (None, None) => {
                    self.line = None;
                    Ok(())
                }
                (_, Some(_)) if !order.live && self.next <= Instant::now() => self.hold_place(&order),
                _ => Ok(()),
            };
            if let Err(error) = result {
                warn!(%error, "the video encoder failed");
                self.tell(Input::EncoderFailed(Code::VideoEncoderFailed));
            }
        }
    }

    /// A picture of the camera; where nothing is encoded, for those only who ask for a still.
    fn show(&mut self, captured: Captured, order: &Order) -> Result<(), EncodeError> {
        let Captured { frame, quarter_turns } = captured;
        let layout = frame.layout;
        let passes = layout.format == PixelFormat::H264;
        let size =
            if passes { Size { width: layout.width, height: layout.height } } else { order.published() };
        self.prepare(order, size, passes)?;
        let went_out = match self.line.as_mut().and_then(|line| line.pipeline.as_mut()) {
            Some(pipeline) => pipeline.process(frame, quarter_turns)?,
            None => 0,
        };
        self.account(went_out > 0);
        Ok(())
    }

    fn hold_place(&mut self, order: &Order) -> Result<(), EncodeError> {
        self.next = Instant::now() + PLACEHOLDER;
        self.prepare(order, order.published(), false)?;
        let size = self.line.as_ref().map_or(order.size, |line| line.size);
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

    /// Makes the pipeline that `order` wants, unless it is there.
    fn prepare(&mut self, order: &Order, size: Size, passes: bool) -> Result<(), EncodeError> {
        let plan = Plan { session: order.session, size, baseline: order.baseline, passes };
        if self.line.as_ref().is_some_and(|line| line.plan == plan) {
            return Ok(());
        }
        // One that fails is not tried again until something else is wanted.
        self.line = Some(Line { plan, size, pipeline: None });
        let (size, encoder) = if plan.session.is_some() {
            let (size, encoder) = self.open_encoder(&plan, order.fallback)?;
            (size, Some(encoder))
        } else {
            (size, None)
        };
        let Size { width, height } = size;
        let control = &self.stage.control;
        let mirror = control.mirror.load(Relaxed);
        let geometry = GeometrySettings { width, height, quarter_turns: 0, mirror };
        let sink = QueueSink(Arc::clone(self.stage.description.queue()));
        let counters = Arc::clone(&self.stage.counters);
        let pipeline = VideoPipeline::new(geometry, encoder, GOP, sink, Arc::clone(control), counters);
        self.line = Some(Line { plan, size, pipeline: Some(pipeline) });
        Ok(())
    }

    /// For the size of the plan, or else for `fallback` (-1305).
    fn open_encoder(
        &self,
        plan: &Plan,
        fallback: Size,
    ) -> Result<(Size, Box<dyn VideoEncoder>), EncodeError> {
        let pixels = if plan.passes { PixelFormat::H264 } else { PixelFormat::I420 };
        let fps = self.stage.control.fps.load(Relaxed);
        let bitrate = self.stage.control.bitrate.load(Relaxed);
        let profile = if plan.baseline { H264Profile::ConstrainedBaseline } else { H264Profile::Main };
        let open = |Size { width, height }| {
            let settings = EncoderSettings {
                width,
                height,
                fps,
                bitrate,
                gop: GOP.as_secs() as u32 * fps,
                profile,
                source: None,
            };
            board::open_encoder(pixels, settings)
        };
        let (size, encoder) = match open(plan.size) {
            Ok(encoder) => (plan.size, encoder),
            Err(error) if fallback == plan.size => return Err(error),
            Err(error) => {
                warn!(%error, size = %plan.size, "size refused");
                self.notice(Code::SizeUnsupported, plan.size.params());
                (fallback, open(fallback)?)
            }
        };
        info!(encoder = encoder.name(), %size, fps, bitrate, "encoder opened");
        let Size { width, height } = size;
        self.stage.description.set_video(VideoMetadata { width, height, fps, kbps: bitrate / 1000 });
        Ok((size, encoder))
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
        let Some(Line { plan, size, .. }) = self.line.as_ref().filter(|_| went_out) else {
            return;
        };
        let now = (*plan, *size);
        let before = self.published.replace(now);
        if before == Some(now) {
            return;
        }
        let encoder = [("type".to_owned(), json!(2)), ("codec".to_owned(), json!("h264"))];
        self.notice(Code::EncoderStarted, Map::from_iter(encoder));
        let changed = |(plan, size): (Plan, Size)| plan.session == now.0.session && size != now.1;
        if before.is_some_and(changed) {
            let mut params = now.1.params();
            let is_adapted = self.stage.order().is_adapted;
            params.insert("cause".into(), json!(if is_adapted { "adapt" } else { "property" }));
            self.notice(Code::ResolutionChanged, params);
        }
    }

    fn notice(&self, code: Code, params: Map<String, Value>) {
        self.tell(Input::Notice { code, params });
    }

    fn tell(&self, input: Input) {
        self.stage.reporter.tell(News::Input(input));
    }
}

fn same(one: Option<&Arc<[u8]>>, other: Option<&Arc<[u8]>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}
