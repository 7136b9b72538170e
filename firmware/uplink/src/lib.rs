//! Publishing over RTMP: encoded packets in, bytes at a server out.
//!
//! [`Session`] speaks the protocol without any I/O; [`publish`] drives it over TCP; [`SendQueue`] stands between the
//! pipelines and the network. Section numbers of "RTMP" are those of Adobe's RTMP 1.0, of "FLV" those of the Video File
//! Format Specification 10.

mod address;
mod amf;
mod chunk;
mod flv;
mod publish;
mod queue;
pub mod rate;
mod session;
mod socket;

pub use address::{Address, AddressError};
pub use chunk::{ChunkError, ChunkReader, Message};
pub use flv::{AudioMetadata, FlvWriter, Metadata, VideoMetadata};
pub use publish::{PublishError, Published, publish};
pub use queue::{Dropped, Media, Packet, SendQueue, Track};
pub use session::{Event, Session, SessionError};
