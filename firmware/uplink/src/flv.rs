//! FLV: the bodies of RTMP's media messages, and files (FLV annex E).

use std::io::{self, IoSlice, Write};

use crate::Track;
use crate::chunk::kind;

/// VideoTagHeader and AudioTagHeader (FLV annex E.4): what stands before a packet or a decoder configuration.
pub(crate) fn prefix(track: Track, sync: bool, is_configuration: bool) -> ([u8; 5], usize) {
    let packet_type = u8::from(!is_configuration);
    match track {
        // Frame type 1 is a key frame, 2 an inter frame; codec 7 is AVC; composition time 0, as there are no B-frames.
        Track::Video => ([if sync { 0x17 } else { 0x27 }, packet_type, 0, 0, 0], 5),
        // Format 10 is AAC, whose other fields are fixed: 44 kHz, 16 bits, stereo.
        Track::Audio => ([0xaf, packet_type, 0, 0, 0], 2),
    }
}

/// Bytes of a tag's header.
pub(crate) const TAG_HEADER: usize = 11;

/// The header of a tag with `size` bytes of data (FLV annex E.4.1).
pub(crate) fn tag_header(kind: u8, timestamp: u32, size: u32) -> [u8; TAG_HEADER] {
    let [_, s0, s1, s2] = size.to_be_bytes();
    let [extension, t0, t1, t2] = timestamp.to_be_bytes();
    [kind, s0, s1, s2, t0, t1, t2, extension, 0, 0, 0]
}

pub(crate) fn message_kind(track: Track) -> u8 {
    match track {
        Track::Video => kind::VIDEO,
        Track::Audio => kind::AUDIO,
    }
}

/// What onMetaData tells of the stream (FLV annex E.5).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    pub video: Option<VideoMetadata>,
    pub audio: Option<AudioMetadata>,
    /// Name and version of the program.
    pub encoder: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct VideoMetadata {
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    /// 1000 bits a second.
    pub kbps: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AudioMetadata {
    /// Hz.
    pub rate: u32,
    /// 1000 bits a second.
    pub kbps: u32,
    pub stereo: bool,
}

impl Metadata {
    /// The body of the script data tag: the name and an ECMA array in AMF0.
    pub(crate) fn body(&self) -> Vec<u8> {
        let mut numbers = Vec::new();
        if let Some(video) = &self.video {
            numbers.extend([
                ("width", video.width),
                ("height", video.height),
                ("framerate", video.fps),
                ("videodatarate", video.kbps),
                ("videocodecid", 7),
            ]);
        }
        if let Some(audio) = &self.audio {
            numbers.extend([
                ("audiodatarate", audio.kbps),
                ("audiosamplerate", audio.rate),
                ("audiosamplesize", 16),
                ("audiocodecid", 10),
            ]);
        }
        let count = numbers.len() + usize::from(self.audio.is_some()) + 1;
        let mut body = Vec::with_capacity(512);
        body.push(2);
        put_name(&mut body, "onMetaData");
        body.push(8);
        body.extend_from_slice(&(count as u32).to_be_bytes());
        for (name, number) in numbers {
            put_name(&mut body, name);
            body.push(0);
            body.extend_from_slice(&f64::from(number).to_be_bytes());
        }
        if let Some(audio) = &self.audio {
            put_name(&mut body, "stereo");
            body.extend_from_slice(&[1, u8::from(audio.stereo)]);
        }
        put_name(&mut body, "encoder");
        body.push(2);
        put_name(&mut body, &self.encoder);
        body.extend_from_slice(&[0, 0, 9]);
        body
    }
}

fn put_name(body: &mut Vec<u8>, name: &str) {
    body.extend_from_slice(&(name.len() as u16).to_be_bytes());
    body.extend_from_slice(name.as_bytes());
}

/// Writes an FLV file, or any stream of the same form.
pub struct FlvWriter<W> {
    out: W,
}

impl<W: Write> FlvWriter<W> {
    /// Begins the file with its header and the metadata.
    pub fn new(mut out: W, metadata: &Metadata) -> io::Result<Self> {
        let tracks = u8::from(metadata.audio.is_some()) << 2 | u8::from(metadata.video.is_some());
        out.write_all(&[b'F', b'L', b'V', 1, tracks, 0, 0, 0, 9, 0, 0, 0, 0])?;
        let mut writer = Self { out };
        writer.tag(kind::DATA, 0, &[], &metadata.body())?;
        Ok(writer)
    }

    /// Writes a decoder configuration. `timestamp` in milliseconds.
    pub fn configuration(&mut self, track: Track, timestamp: u32, configuration: &[u8]) -> io::Result<()> {
        let (prefix, length) = prefix(track, true, true);
        self.tag(message_kind(track), timestamp, &prefix[..length], configuration)
    }

    /// Writes an access unit. `timestamp` in milliseconds.
    pub fn packet(&mut self, track: Track, sync: bool, timestamp: u32, data: &[u8]) -> io::Result<()> {
        let (prefix, length) = prefix(track, sync, false);
        self.tag(message_kind(track), timestamp, &prefix[..length], data)
    }

    /// Ends the file.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn tag(&mut self, kind: u8, timestamp: u32, prefix: &[u8], data: &[u8]) -> io::Result<()> {
        let size = (prefix.len() + data.len()) as u32;
        if size > 0xff_ffff {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an FLV tag of more than 16 MiB"));
        }
        let header = tag_header(kind, timestamp, size);
        let tag_size = (size + TAG_HEADER as u32).to_be_bytes();
        write_all(&mut self.out, &mut [&header[..], prefix, data, &tag_size].map(IoSlice::new))
    }
}

fn write_all(out: &mut impl Write, mut pieces: &mut [IoSlice<'_>]) -> io::Result<()> {
    while !pieces.is_empty() {
        match out.write_vectored(pieces) {
            Ok(0) if pieces.iter().any(|piece| !piece.is_empty()) => {
                return Err(io::ErrorKind::WriteZero.into());
            }
            Ok(written) => IoSlice::advance_slices(&mut pieces, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::Value;

    #[test]
    fn a_file_is_laid_out_as_annex_e_says() {
        let audio = AudioMetadata { rate: 48_000, kbps: 64, stereo: false };
        let metadata = Metadata { video: None, audio: Some(audio), encoder: "x".into() };
        let mut writer = FlvWriter::new(Vec::new(), &metadata).unwrap();
        writer.packet(Track::Audio, true, 0x0123_4567, &[1, 2, 3]).unwrap();
        let file = writer.finish().unwrap();
        assert_eq!(file[..13], [b'F', b'L', b'V', 1, 4, 0, 0, 0, 9, 0, 0, 0, 0]);
        let tag = [8, 0, 0, 5, 0x23, 0x45, 0x67, 0x01, 0, 0, 0, 0xaf, 1, 1, 2, 3, 0, 0, 0, 16];
        assert_eq!(file[file.len() - tag.len()..], tag);
        let script = &file[13..file.len() - tag.len()];
        let size = script.len() - 15;
        assert_eq!(script[..4], [18, 0, (size >> 8) as u8, size as u8]);
        assert_eq!(script[script.len() - 4..], ((size + 11) as u32).to_be_bytes());
    }

    #[test]
    fn metadata_is_an_ecma_array_with_the_documented_names() {
        let video = VideoMetadata { width: 640, height: 360, fps: 15, kbps: 500 };
        let body = Metadata { video: Some(video), audio: None, encoder: "Pushbox".into() }.body();
        let values = crate::amf::decode(&body);
        let [Value::Text(name), Value::Object(properties)] = &values[..] else { panic!("{values:?}") };
        let property = |name: &str| properties.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        assert_eq!(name, "onMetaData");
        assert_eq!(property("width"), Some(&Value::Number(640.0)));
        assert_eq!(property("videocodecid"), Some(&Value::Number(7.0)));
        assert_eq!(property("audiocodecid"), None);
        assert_eq!(body[body.len() - 3..], [0, 0, 9]);
    }
}
