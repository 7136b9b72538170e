use crate::{Pooled, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    Video,
    Audio,
}

/// One access unit on its way to the uplink: H.264 with lengths of four bytes in place of start codes, or raw AAC.
pub struct Packet {
    pub track: Track,
    /// Decodable without earlier packets; always true of sound.
    pub sync: bool,
    /// When it was captured.
    pub time: Timestamp,
    pub data: Pooled<Vec<u8>>,
}

/// Where a pipeline's packets go.
pub trait PacketSink: Send {
    /// The decoder configuration of the packets that follow: an AVCDecoderConfigurationRecord or an
    /// AudioSpecificConfig.
    fn configure(&mut self, track: Track, configuration: &[u8]);

    /// Takes a packet, without waiting.
    fn push(&mut self, packet: Packet);

    /// Whether an IDR picture is asked for since the last call.
    fn wants_idr(&mut self) -> bool;
}
