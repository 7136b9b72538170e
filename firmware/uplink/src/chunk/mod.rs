//! Chunk streams (RTMP section 5.3): messages cut into chunks, several streams interleaved.

mod reader;
mod writer;

pub use reader::{ChunkError, ChunkReader, Message};
pub(crate) use writer::{ChunkWriter, Chunks, Head, PIECES};

/// Timestamps from here on are written in the extended field.
const EXTENDED: u32 = 0xff_ffff;
/// Size of chunks until a peer says otherwise.
const DEFAULT_CHUNK_SIZE: usize = 128;

/// Message types (RTMP sections 5.4, 6.2 and 7.1).
pub(crate) mod kind {
    pub(crate) const SET_CHUNK_SIZE: u8 = 1;
    pub(crate) const ABORT: u8 = 2;
    pub(crate) const ACKNOWLEDGEMENT: u8 = 3;
    pub(crate) const USER_CONTROL: u8 = 4;
    pub(crate) const WINDOW_SIZE: u8 = 5;
    pub(crate) const PEER_BANDWIDTH: u8 = 6;
    pub(crate) const AUDIO: u8 = 8;
    pub(crate) const VIDEO: u8 = 9;
    pub(crate) const COMMAND_AMF3: u8 = 17;
    pub(crate) const DATA: u8 = 18;
    pub(crate) const COMMAND: u8 = 20;
}
