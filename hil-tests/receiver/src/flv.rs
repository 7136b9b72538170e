//! FLV files (Video File Format Specification 10, annex E).

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, ensure};

use crate::Tag;

pub struct FlvWriter<W>(W);

impl<W: Write> FlvWriter<W> {
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(b"FLV\x01\x05\0\0\0\x09\0\0\0\0")?;
        Ok(Self(out))
    }

    pub fn write(&mut self, tag: &Tag) -> io::Result<()> {
        let size = (tag.body.len() as u32).to_be_bytes();
        let time = tag.timestamp.to_be_bytes();
        let header = [tag.kind, size[1], size[2], size[3], time[1], time[2], time[3], time[0], 0, 0, 0];
        self.0.write_all(&header)?;
        self.0.write_all(&tag.body)?;
        self.0.write_all(&(tag.body.len() as u32 + 11).to_be_bytes())
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The tags of a file. A last one that is cut off is left out.
pub fn read(path: &Path) -> anyhow::Result<Vec<Tag>> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    ensure!(bytes.starts_with(b"FLV") && bytes.len() >= 13, "{} is no FLV file", path.display());
    let mut rest = &bytes[13..];
    let mut tags = Vec::new();
    while let Some((header, after)) = rest.split_at_checked(11) {
        let size = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
        let Some((body, after)) = after.split_at_checked(size) else {
            break;
        };
        let timestamp = u32::from_be_bytes([header[7], header[4], header[5], header[6]]);
        tags.push(Tag { kind: header[0] & 0x1f, timestamp, body: body.to_vec() });
        rest = after.get(4..).unwrap_or_default();
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_read_back_without_the_tag_that_was_cut_off() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let tag = |kind, timestamp| Tag { kind, timestamp, body: vec![kind; 70_000] };
        let mut writer = FlvWriter::new(file.reopen().unwrap()).unwrap();
        for tag in [tag(18, 0), tag(9, 0x0123_4567), tag(8, 5)] {
            writer.write(&tag).unwrap();
        }
        writer.finish().unwrap();
        let length = file.as_file().metadata().unwrap().len();
        file.as_file().set_len(length - 100).unwrap();
        let tags = read(file.path()).unwrap();
        let found: Vec<_> = tags.iter().map(|tag| (tag.kind, tag.timestamp, tag.body.len())).collect();
        assert_eq!(found, [(18, 0, 70_000), (9, 0x0123_4567, 70_000)]);
    }

    #[test]
    fn another_file_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, b"RIFF and so on, longer than a header").unwrap();
        assert!(read(file.path()).unwrap_err().to_string().contains("is no FLV file"));
    }
}
