//! Sound from microphone blocks to AAC packets.

mod aac;
mod timeline;

pub use aac::{AacEncoder, AacError, FRAME};
pub use timeline::Timeline;
