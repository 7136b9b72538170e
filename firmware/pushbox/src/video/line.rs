//! Pipelines and their encoders: what is opened for an order, and what comes of a failure.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ::uplink::VideoMetadata;
use live_pusher::{Code, Input, Size};
use media::{
    EncodeError, EncoderInput, EncoderSettings, GeometrySettings, H264Profile, Layout, VideoEncoder,
    VideoPipeline,
};
use serde_json::{Map, json};
use tracing::{info, warn};

use super::Worker;
use super::order::Order;
use crate::encoders::Verdict;
use crate::sink::QueueSink;

/// From one IDR picture to the next (spec 10.3).
const GOP: Duration = Duration::from_secs(3);
/// For an encoder to be closed.
const CLOSING: Duration = Duration::from_secs(1);

/// What a pipeline is made for.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Plan {
    pub(super) session: Option<u32>,
    pub(super) size: Size,
    pub(super) baseline: bool,
    pub(super) vbv: Duration,
    /// Whether the camera encodes by itself.
    pub(super) passes: bool,
}

/// A pipeline and its encoder; without where none could be opened.
pub(super) struct Line {
    pub(super) plan: Plan,
    pub(super) pipeline: Option<VideoPipeline<QueueSink>>,
    pub(super) encoder: Option<Instance>,
}

/// An encoder that was opened.
#[derive(Clone, Copy)]
pub(super) struct Instance {
    pub(super) number: u32,
    pub(super) is_hardware: bool,
    pub(super) input: EncoderInput,
    /// How the pictures lay for which it was opened.
    pub(super) source: Option<Layout>,
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

impl Worker {
    /// After a failure the encoder is opened anew, or another one.
    pub(super) fn recover(&mut self, error: &EncodeError) {
        warn!(%error, "the video encoder failed");
        let plan = self.line.as_ref().map(|line| line.plan);
        let encoder = self.line.as_ref().and_then(|line| line.encoder);
        let was_hardware = encoder.is_some_and(|encoder| encoder.is_hardware);
        let is_closed = self.close();
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

    /// Closes the pipeline, if there is one, and tells whether it is. A driver that stalls may stall whoever closes its
    /// encoder: that is waited for a while only, and until then the encoder is not opened anew.
    pub(super) fn close(&mut self) -> bool {
        let Some(Line { pipeline, encoder, .. }) = self.line.take() else {
            return true;
        };
        if !encoder.is_some_and(|encoder| encoder.is_hardware) {
            return true;
        }
        let (closed, told) = mpsc::channel();
        let close = move || {
            drop(pipeline);
            let _ = closed.send(());
        };
        // Where no thread starts, it was closed here.
        let Ok(closing) = thread::Builder::new().name("encoder's end".into()).spawn(close) else {
            return true;
        };
        let is_closed = told.recv_timeout(CLOSING).is_ok();
        if !is_closed {
            self.encoders.still_closes(closing);
        }
        is_closed
    }

    /// Makes the pipeline that `order` wants, unless it is there. `source`: how the camera's pictures lie.
    pub(super) fn prepare(
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
        if let Some(Line { plan: before, pipeline: Some(pipeline), .. }) = &mut self.line
            && before.session == plan.session
            && let Err(error) = pipeline.finish()
        {
            warn!(%error, "the last pictures stay inside");
        }
        self.close();
        self.encoders.begin(plan.session);
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
}
