//! An encoder that follows no other bitrate until it begins anew: it is opened anew for one.

use std::time::{Duration, Instant};

use media::{AccessUnit, Buffer, EncodeError, EncoderInput, EncoderSettings, Frame, Pooled, VideoEncoder};

use super::bitrate::{Bitrate, Change};
use super::encoder::V4l2Encoder;

pub(crate) struct Reopened {
    /// `None` once it could not be opened anew.
    encoder: Option<V4l2Encoder>,
    input: EncoderInput,
    bitrate: Bitrate,
}

impl Reopened {
    pub(crate) fn new(encoder: V4l2Encoder) -> Self {
        let mut bitrate = Bitrate::new(Change::Stopped);
        // To begin with it costs nothing to wait.
        bitrate.interrupted(Instant::now());
        Self { input: encoder.input(), encoder: Some(encoder), bitrate }
    }

    fn encoder(&mut self) -> Result<&mut V4l2Encoder, EncodeError> {
        let gone = || EncodeError::Failed { encoder: "V4L2".into(), cause: "it was not opened anew".into() };
        self.encoder.as_mut().ok_or_else(gone)
    }

    /// The old one is closed first: there may be no context for another.
    fn reopen(&mut self, bitrate: u32) -> Result<(), EncodeError> {
        self.encoder()?.empty()?;
        if let Some(mut old) = self.encoder.take() {
            let (config, settings) = (old.config.clone(), EncoderSettings { bitrate, ..old.settings });
            let early = std::mem::take(&mut old.early);
            drop(old);
            let new = self.encoder.insert(V4l2Encoder::open(&config, settings)?);
            new.early = early;
            self.bitrate.interrupted(Instant::now());
        }
        Ok(())
    }
}

impl VideoEncoder for Reopened {
    fn name(&self) -> &str {
        self.encoder.as_ref().map_or("V4L2", V4l2Encoder::name)
    }

    fn is_hardware(&self) -> bool {
        true
    }

    fn input(&self) -> EncoderInput {
        self.encoder.as_ref().map_or(self.input, V4l2Encoder::input)
    }

    fn memory(&mut self) -> Option<Pooled<Box<dyn Buffer>>> {
        self.encoder.as_mut()?.memory()
    }

    /// Before a picture is made in its memory, which would keep it open.
    fn has_room(&mut self) -> Result<bool, EncodeError> {
        let has = self.encoder()?.settings.bitrate;
        if let Some(bitrate) = self.bitrate.due(Instant::now()).filter(|wanted| *wanted != has) {
            self.reopen(bitrate)?;
        }
        self.encoder()?.has_room()
    }

    fn submit(&mut self, picture: Frame, idr: bool) -> Result<usize, EncodeError> {
        self.encoder()?.submit(picture, idr)
    }

    fn next(&mut self, wait: Duration) -> Result<Option<AccessUnit>, EncodeError> {
        self.encoder()?.next(wait)
    }

    fn drain(&mut self) -> Result<(), EncodeError> {
        self.encoder()?.drain()
    }

    fn set_bitrate(&mut self, bitrate: u32) -> Result<(), EncodeError> {
        let min_bitrate = self.encoder()?.config.min_bitrate;
        self.bitrate.want(bitrate.max(min_bitrate));
        Ok(())
    }

    fn set_fps(&mut self, fps: u32) -> Result<(), EncodeError> {
        self.encoder()?.set_fps(fps)
    }
}
