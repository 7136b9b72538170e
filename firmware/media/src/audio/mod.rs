//! Sound from microphone blocks to AAC packets.

mod aac;
mod pipeline;
mod timeline;

pub use aac::{AacEncoder, AacError, FRAME};
pub use pipeline::{AudioControl, AudioPipeline, AudioSettings};
pub use timeline::Timeline;
