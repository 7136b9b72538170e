//! A small RTMP server that measures what a camera box sends: loss, order, latency and A/V offset, by the mark and the
//! clicks of [`media::mark`]. It shares no RTMP code with the publisher, so that a fault of one can't hide in the other.

mod amf;
mod audio;
mod bucket;
mod chunk;
mod coding;
mod conformance;
mod flv;
mod measure;
mod report;
mod server;
mod snapshot;
mod video;

pub use coding::{Coding, read as read_configuration};
pub use conformance::{Rate, complaints, complaints_of_recording};
pub use flv::{FlvWriter, read as read_flv};
pub use measure::Measure;
pub use report::{Arrival, Quantiles, Report};
pub use server::{Receiver, Recording};
pub use snapshot::Snapshot;
pub use video::{Decoder, Picture};

/// A message that carries media, as in RTMP and FLV alike.
#[derive(Clone, Debug)]
pub struct Tag {
    /// 8 sound, 9 pictures, 18 data.
    pub kind: u8,
    /// Milliseconds.
    pub timestamp: u32,
    pub body: Vec<u8>,
}

/// Measures a recording, as made by any server. Latency is unknown then.
pub fn analyse(path: &std::path::Path) -> anyhow::Result<Report> {
    let mut measure = Measure::new()?;
    for tag in read_flv(path)? {
        measure.take(&tag, None);
    }
    Ok(measure.report())
}
