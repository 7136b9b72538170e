//! Publishing over RTMP, or as FLV over HTTP: encoded packets in, bytes at a server out.
//!
//! [`Session`] speaks RTMP without any I/O; [`publish`] drives it over TCP or TLS; [`SendQueue`] stands between the
//! pipelines and the network; [`rate`] sets the encoder's target by what gets through. Section numbers of "RTMP" are
//! those of Adobe's RTMP 1.0, of "FLV" those of the Video File Format Specification 10.

mod address;
mod amf;
mod auth;
#[cfg(test)]
mod chaos;
mod chunk;
mod clock;
mod connect;
mod error;
mod flv;
#[cfg(fuzzing)]
pub mod fuzzing;
mod http;
mod kernel;
mod options;
mod protocol;
mod publish;
mod queue;
pub mod rate;
mod routes;
mod session;
mod socket;
mod tls;

pub use address::{Address, AddressError};
pub use chunk::{ChunkError, ChunkReader, Message};
pub use error::{PublishError, Published};
pub use flv::{AudioMetadata, FlvWriter, Metadata, VideoMetadata};
pub use options::Options;
pub use publish::publish;
pub use queue::{Dropped, Media, Packet, Payload, SendQueue, Track};
pub use routes::Routes;
pub use session::{Event, Session, SessionError};
