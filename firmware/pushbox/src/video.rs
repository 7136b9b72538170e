//! The video thread: pictures of the camera, or the placeholder, through geometry and encoder.

mod line;
mod order;

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use board::EncoderConfig;
use live_pusher::{Code, Input, Kbps, Properties, Size};
use media::{
    AccessUnitKind, DropOldest, EncodeError, Frame, PAUSED_FPS, PixelFormat, VideoControl, VideoCounters,
    now, still,
};
use serde_json::{Map, Value, json};

use crate::camera::Captured;
use crate::encoders::Encoders;
use crate::hand::{PreviewTap, Seen};
use crate::news::{News, Reporter};
use crate::privacy::Privacy;
use crate::sink::Description;
use line::Line;
use order::Order;

/// Pictures between camera and video thread: of a sensor one under way and one that waits; of those that refer to one
/// another none may be lost in a burst.
const PICTURES: usize = 2;
const ACCESS_UNITS: usize = 32;
/// How many of those are kept for a session that begins: a driver has few buffers.
const HELD: usize = 3;
/// How long the thread sleeps where nothing is to be shown.
const IDLE: Duration = Duration::from_secs(10);
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
    /// The first of them that is not given up.
    encoder: Arc<AtomicUsize>,
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
            encoder: Arc::default(),
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

    /// The encoder that is used, as far as is known.
    pub(crate) fn encoder(&self) -> Option<EncoderConfig> {
        self.encoders.get(self.encoder.load(Relaxed)).cloned()
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
        let encoders = Encoders::new(self.encoders.clone(), Arc::clone(&self.encoder));
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
                    self.close();
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

fn same(one: Option<&Arc<[u8]>>, other: Option<&Arc<[u8]>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}
