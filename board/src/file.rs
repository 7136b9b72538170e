//! Pictures from a file or a named pipe, at the rate of the board file.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::Arc;

use media::{Buffer, Camera, CaptureError, Frame, Layout, PixelFormat, Pool, Timestamp, VideoFormat, now};

use crate::sim::sleep_until;
use crate::{FileCamera, OpenError};

const BUFFERS: usize = 6;
/// The largest access unit that is read.
const ACCESS_UNIT: usize = 4 << 20;
/// Bytes that are read at once.
const READ: usize = 64 << 10;

pub(crate) struct FilePictures {
    config: FileCamera,
    layout: Layout,
    file: File,
    /// Bytes of an H.264 stream that were read but belong to later access units.
    pending: Vec<u8>,
    /// When the first of them came, and the last.
    arrived: Timestamp,
    filled: Timestamp,
    pool: Arc<Pool<Box<dyn Buffer>>>,
    /// A pipe is paced by its writer.
    paced: bool,
    start: Timestamp,
    sequence: u32,
}

impl FilePictures {
    pub(crate) fn open(config: &FileCamera) -> Result<Self, OpenError> {
        let device = config.path.display().to_string();
        let open = || -> io::Result<(File, bool)> {
            let file = File::open(&config.path)?;
            let regular = file.metadata()?.is_file();
            Ok((file, regular))
        };
        let (file, paced) =
            open().map_err(|error| OpenError::from_io(&device, &error, "give a readable file"))?;
        let layout = Layout::packed(config.pixels, config.width, config.height);
        let bytes = if config.pixels == PixelFormat::H264 { ACCESS_UNIT } else { layout.size() };
        if bytes == 0 {
            return Err(OpenError::failed(
                device,
                "MJPEG has no frame boundaries in a file",
                "give h264 or raw pictures",
            ));
        }
        Ok(Self {
            config: config.clone(),
            layout,
            file,
            pending: Vec::with_capacity(ACCESS_UNIT + READ),
            arrived: now(),
            filled: now(),
            pool: Pool::new(BUFFERS, move || -> Box<dyn Buffer> { Box::new(vec![0; bytes]) }),
            paced,
            start: now(),
            sequence: 0,
        })
    }
}

impl FilePictures {
    /// Fills `picture` and returns how many bytes of it are used.
    fn read(&mut self, picture: &mut [u8]) -> io::Result<usize> {
        if self.config.pixels == PixelFormat::H264 {
            return self.read_access_unit(picture);
        }
        let whole = self.layout.size();
        match self.file.read_exact(&mut picture[..whole]) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && self.rewind()? => {
                self.file.read_exact(&mut picture[..whole])?;
            }
            other => other?,
        }
        Ok(whole)
    }

    /// Reads until the next access unit begins, or to the end of the file.
    fn read_access_unit(&mut self, picture: &mut [u8]) -> io::Result<usize> {
        let length = loop {
            if let Some(length) = access_unit(&self.pending) {
                break length;
            }
            if self.pending.len() >= ACCESS_UNIT {
                break self.pending.len();
            }
            if self.fill()? == 0 {
                if !self.pending.is_empty() {
                    break self.pending.len();
                }
                if !self.rewind()? || self.fill()? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        };
        let Some(picture) = picture.get_mut(..length) else {
            return Err(io::Error::other("an access unit of more than 4 MiB: give an H.264 byte stream"));
        };
        picture.copy_from_slice(&self.pending[..length]);
        self.pending.drain(..length);
        Ok(length)
    }

    /// Takes what is there, up to a limit, and notes when it came.
    fn fill(&mut self) -> io::Result<usize> {
        let start = self.pending.len();
        self.pending.resize(start + READ, 0);
        let read = self.file.read(&mut self.pending[start..]);
        self.pending.truncate(start + read.as_ref().copied().unwrap_or(0));
        self.filled = now();
        if start == 0 {
            self.arrived = self.filled;
        }
        read
    }

    /// Goes back to the start of an endless file; false at the end of any other.
    fn rewind(&mut self) -> io::Result<bool> {
        if self.config.endless && self.paced {
            self.file.rewind()?;
        }
        Ok(self.config.endless && self.paced)
    }
}

/// Length of the first access unit of an H.264 byte stream (clause 7.4.1.2.3), once the next one has begun.
fn access_unit(stream: &[u8]) -> Option<usize> {
    let mut picture_seen = false;
    for (start, nal) in media::start_codes(stream) {
        let kind = stream.get(nal)? & 0x1f;
        let first_slice = matches!(kind, 1 | 5) && stream.get(nal + 1)? & 0x80 != 0;
        if picture_seen && (first_slice || matches!(kind, 6..=9)) {
            return Some(start);
        }
        picture_seen |= matches!(kind, 1 | 5);
    }
    None
}

impl Camera for FilePictures {
    fn format(&self) -> VideoFormat {
        let FileCamera { pixels, width, height, rate, .. } = self.config;
        VideoFormat { pixels, width, height, rate: f64::from(rate) }
    }

    fn next(&mut self) -> Result<Frame, CaptureError> {
        let mut buffer = self.pool.take();
        let read = self.read(buffer.plane_mut(0));
        let device = || self.config.path.display().to_string();
        let used = match read {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(CaptureError::Ended { device: device() });
            }
            other => {
                other.map_err(|source| CaptureError::Device { device: device(), call: "read", source })?
            }
        };
        let sequence = self.sequence;
        let captured = if self.paced {
            let due = f64::from(sequence) * 1e6 / f64::from(self.config.rate);
            Timestamp::from_micros(self.start.micros() + due as i64)
        } else if self.config.pixels == PixelFormat::H264 {
            std::mem::replace(&mut self.arrived, self.filled)
        } else {
            now()
        };
        if self.paced {
            sleep_until(captured);
        }
        self.sequence += 1;
        Frame::new(self.layout, captured, sequence, [used, 0, 0], buffer).ok_or_else(|| CaptureError::Lost {
            device: self.config.path.display().to_string(),
            cause: "its buffer is too small".into(),
        })
    }

    fn corrupt(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_units_end_where_the_next_begins() {
        let sps = [0, 0, 0, 1, 0x67, 1];
        let idr = [0, 0, 0, 1, 0x65, 0x88, 2];
        let second_slice = [0, 0, 1, 0x65, 0x40, 2];
        let delta = [0, 0, 0, 1, 0x41, 0x9a, 3];
        let first = [&sps[..], &idr, &second_slice].concat();
        let stream = [&first[..], &delta, &sps].concat();
        assert_eq!(access_unit(&stream), Some(first.len()));
        assert_eq!(access_unit(&first), None);
        assert_eq!(access_unit(&stream[first.len()..]), Some(delta.len()));
    }

    #[test]
    fn an_endless_file_of_raw_pictures_begins_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let layout = Layout::packed(PixelFormat::I420, 96, 96);
        std::fs::write(file.path(), [vec![1; layout.size()], vec![2; layout.size()]].concat()).unwrap();
        let path = file.path().to_owned();
        let config =
            FileCamera { path, width: 96, height: 96, rate: 240, pixels: PixelFormat::I420, endless: true };
        let mut camera = FilePictures::open(&config).unwrap();
        let shades: Vec<u8> = (0..5).map(|_| camera.next().unwrap().plane(0).data[0]).collect();
        assert_eq!(shades, [1, 2, 1, 2, 1]);
        camera.config.endless = false;
        assert!(camera.next().is_ok());
        assert!(matches!(camera.next(), Err(CaptureError::Ended { .. })));
    }

    #[test]
    fn a_stream_in_pieces_gives_the_same_access_units() {
        let units = [
            &[0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x65, 0x88, 2][..],
            &[0, 0, 0, 1, 0x41, 0x9a, 3],
            &[0, 0, 1, 0x41, 0x9a, 4],
        ];
        let stream = units.concat();
        let (reader, mut writer) = std::io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader)).into();
        let config =
            FileCamera { path, width: 96, height: 96, rate: 30, pixels: PixelFormat::H264, endless: false };
        let mut camera = FilePictures::open(&config).unwrap();
        drop(reader);
        let pieces = std::thread::spawn(move || {
            for byte in stream {
                std::io::Write::write_all(&mut writer, &[byte]).unwrap();
            }
        });
        for unit in units {
            assert_eq!(camera.next().unwrap().compressed(), unit);
        }
        assert!(matches!(camera.next(), Err(CaptureError::Ended { .. })));
        pieces.join().unwrap();
    }

    #[test]
    fn an_empty_endless_stream_ends() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_owned();
        let config =
            FileCamera { path, width: 96, height: 96, rate: 30, pixels: PixelFormat::H264, endless: true };
        assert!(matches!(FilePictures::open(&config).unwrap().next(), Err(CaptureError::Ended { .. })));
    }
}
