//! Publishing over RTMP: encoded packets in, bytes at a server out.
//!
//! [`Session`] speaks the protocol without any I/O; [`publish`] drives it over TCP; [`SendQueue`] stands between the
//! pipelines and the network. Section numbers of "RTMP" are those of Adobe's RTMP 1.0, of "FLV" those of the Video File
//! Format Specification 10.

mod address;
mod amf;
mod auth;
mod chunk;
mod connect;
mod flv;
mod options;
mod publish;
mod queue;
mod routes;
mod session;
mod socket;
mod tls;

pub use address::{Address, AddressError};
pub use chunk::{ChunkError, ChunkReader, Message};
pub use flv::{AudioMetadata, FlvWriter, Metadata, VideoMetadata};
pub use options::Options;
pub use publish::{PublishError, Published, publish};
pub use queue::{Dropped, Media, Packet, Payload, SendQueue, Track};
pub use routes::Routes;
pub use session::{Event, Session, SessionError};
