use std::sync::Arc;

use ::uplink::SendQueue;
use media::{Packet, PacketSink, Pooled, Track};

pub(crate) type Queue = SendQueue<Pooled<Vec<u8>>>;

/// Joins a pipeline to the uplink, which knows nothing of it.
pub(crate) struct QueueSink(pub(crate) Arc<Queue>);

fn track(track: Track) -> ::uplink::Track {
    match track {
        Track::Video => ::uplink::Track::Video,
        Track::Audio => ::uplink::Track::Audio,
    }
}

impl PacketSink for QueueSink {
    fn configure(&mut self, of: Track, configuration: &[u8]) {
        self.0.set_configuration(track(of), configuration);
    }

    fn push(&mut self, packet: Packet) {
        let Packet { track: of, sync, time, data } = packet;
        self.0.push(::uplink::Packet { track: track(of), sync, time: time.micros(), data });
    }

    fn wants_idr(&mut self) -> bool {
        self.0.wants_idr()
    }
}
