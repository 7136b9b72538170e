use std::time::Duration;

use syom::{EncodeContainer, EncodeOptions, Encoder};

/// Samples a channel in an AAC-LC frame (ISO/IEC 14496-3, `frameLengthFlag` 0).
pub const FRAME: usize = 1024;

/// The first frame that an encoder puts out decodes to what came before its input: the overlap of the transform.
const PRIMING: usize = 1024;

#[derive(Debug, thiserror::Error)]
#[error("sound can't be encoded: {0}")]
pub struct AacError(String);

impl AacError {
    pub(super) fn rate(from: u32, to: u32) -> Self {
        Self(format!("{from} Hz can't be resampled to {to} Hz"))
    }
}

/// An AAC-LC encoder for one channel.
pub struct AacEncoder {
    encoder: Encoder,
    rate: u32,
}

impl AacEncoder {
    /// `rate` in Hz, one of the AAC table's; `bitrate` in bits a second.
    pub fn new(rate: u32, bitrate: u32) -> Result<Self, AacError> {
        let mut options = EncodeOptions::default();
        options.container = EncodeContainer::Raw;
        options.bitrate_bps = bitrate;
        let encoder = Encoder::new(rate, 1, &options).map_err(|error| AacError(error.to_string()))?;
        Ok(Self { encoder, rate })
    }

    /// The AudioSpecificConfig (ISO/IEC 14496-3 clause 1.6.2.1).
    pub fn configuration(&self) -> &[u8] {
        self.encoder.asc()
    }

    /// By how much the sound decoded from a packet is older than the samples that went in with it.
    pub fn delay(&self) -> Duration {
        Duration::from_micros(PRIMING as u64 * 1_000_000 / u64::from(self.rate))
    }

    /// Encodes [`FRAME`] samples, full scale ±1, and appends the raw access unit to `out`.
    pub fn encode(&mut self, samples: &[f32], out: &mut Vec<u8>) -> Result<(), AacError> {
        let fed = self.encoder.feed(&[samples], |frame| {
            out.extend_from_slice(frame.payload);
            Ok(())
        });
        fed.map(|_| ()).map_err(|error| AacError(error.to_string()))
    }
}
