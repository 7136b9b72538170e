//! What arrived, put into figures.

use std::cmp::Ordering;

use anyhow::Result;
use media::Timestamp;
use media::mark::{Mark, Orientation, Reader};

use crate::Tag;
use crate::amf::{self, Value};
use crate::audio::{Sound, smooth};
use crate::coding::{self, Coding};
use crate::report::{Arrival, Report, missing, quantiles};
use crate::snapshot::Snapshot;
use crate::video::{self, Decoder, Picture};

/// Faults that are kept; more of them say nothing new.
const FAULTS: usize = 20;

/// What came within the second of stream time that is under way.
#[derive(Default)]
struct Second {
    number: u32,
    bytes: u64,
    frames: u64,
}

/// Takes the tags of one stream.
pub struct Measure {
    decoder: Decoder,
    reader: Reader,
    sound: Option<Sound>,
    parameter_sets: Vec<u8>,
    configuration: Vec<u8>,
    sound_configuration: Vec<u8>,
    report: Report,
    numbers: Vec<u32>,
    latencies: Vec<f64>,
    /// Stream time less capture time of the pictures, in milliseconds, its rounding averaged out.
    video_clock: Option<f64>,
    bytes: u64,
    second: Second,
    times: [Option<u32>; 2],
    first: Option<u32>,
    first_picture: Option<u32>,
    pub snapshot: Snapshot,
}

impl Measure {
    pub fn new() -> Result<Self> {
        Ok(Self {
            decoder: Decoder::new()?,
            reader: Reader::default(),
            sound: None,
            parameter_sets: Vec::new(),
            configuration: Vec::new(),
            sound_configuration: Vec::new(),
            report: Report::default(),
            numbers: Vec::new(),
            latencies: Vec::new(),
            video_clock: None,
            bytes: 0,
            second: Second::default(),
            times: [None; 2],
            first: None,
            first_picture: None,
            snapshot: Snapshot::default(),
        })
    }

    /// Takes a tag that came at `arrived`.
    pub fn take(&mut self, tag: &Tag, arrived: Option<Timestamp>) {
        self.bytes += tag.body.len() as u64;
        if let Some(at) = arrived.map(Timestamp::micros) {
            let (bytes, is_picture) = (tag.body.len(), tag.kind == 9);
            self.report.arrivals.push(Arrival { at, bytes, is_picture, latency_ms: None });
        }
        match tag.kind {
            8 => self.audio(tag, arrived),
            9 => self.video(tag, arrived),
            18 => self.metadata(&tag.body),
            _ => {}
        }
    }

    pub fn fault(&mut self, what: impl Into<String>) {
        if self.report.faults.len() < FAULTS {
            self.report.faults.push(what.into());
        }
    }

    fn time(&mut self, tag: &Tag, arrived: Option<Timestamp>) {
        // Servers need not keep the metadata in their recordings.
        if arrived.is_some() && self.report.metadata.is_empty() && self.first.is_none() {
            self.fault("media before the metadata");
        }
        let last = &mut self.times[usize::from(tag.kind == 9)];
        let backwards = last.replace(tag.timestamp).is_some_and(|last| tag.timestamp < last);
        if backwards {
            self.fault(format!("time runs backwards at {} ms", tag.timestamp));
        }
        let first = *self.first.get_or_insert(tag.timestamp);
        self.report.duration_ms = self.report.duration_ms.max(tag.timestamp.saturating_sub(first));
        self.rate(tag);
    }

    fn rate(&mut self, tag: &Tag) {
        let number = tag.timestamp / 1000;
        if number > self.second.number {
            self.report.kbps_now = self.second.bytes as f64 * 8.0 / 1000.0;
            self.report.fps_now = self.second.frames as f64;
            self.second = Second { number, ..Second::default() };
        }
        self.second.bytes += tag.body.len() as u64;
        self.second.frames += u64::from(tag.kind == 9);
    }

    fn metadata(&mut self, body: &[u8]) {
        let values = amf::read(body);
        let Some(object @ Value::Object(properties)) = values.last() else {
            return self.fault("metadata that can't be read");
        };
        let numbers =
            properties.iter().filter_map(|(name, value)| value.number().map(|number| (name.clone(), number)));
        self.report.metadata = numbers.collect();
        if object.property("encoder").is_none() {
            self.fault("metadata without the encoder's name");
        }
    }

    /// Whether the metadata, if there is any, tells the truth.
    fn verify(&mut self, name: &str, value: u32) {
        let told = self.report.metadata.iter().find(|(key, _)| key == name);
        if let Some((_, told)) = told
            && *told != f64::from(value)
        {
            self.fault(format!("metadata says {name} {told}, the stream has {value}"));
        }
    }

    fn video(&mut self, tag: &Tag, arrived: Option<Timestamp>) {
        let [head, packet_type, _, _, _, payload @ ..] = &tag.body[..] else {
            return self.fault("a video message that is too short");
        };
        if *packet_type == 0 {
            if self.configuration == payload {
                self.fault("the AVC header came again without a change");
            }
            self.configuration = payload.to_vec();
            match coding::read(payload) {
                Ok(coding) => self.report.coding = coding,
                Err(what) => self.fault(what),
            }
            self.parameter_sets = coding::byte_stream(payload).unwrap_or_default();
            return;
        }
        // 2 is the end of the sequence, without a picture.
        if *packet_type != 1 {
            return;
        }
        self.time(tag, arrived);
        let idr = head >> 4 == 1;
        if self.parameter_sets.is_empty() {
            return self.fault("a picture before the AVC header");
        }
        if self.report.frames == 0 && !idr {
            self.fault("the first picture is no IDR picture");
        }
        if idr {
            self.report.idr_ms.push(tag.timestamp);
            self.report.first_idr = self.report.first_idr.or(arrived.map(Timestamp::micros));
        }
        self.report.frames += 1;
        let first = *self.first_picture.get_or_insert(tag.timestamp);
        let seconds = f64::from(tag.timestamp.saturating_sub(first).max(1)) / 1000.0;
        self.report.fps = (self.report.frames - 1) as f64 / seconds;
        let Some(stream) = video::byte_stream(payload) else {
            return self.fault("NAL lengths that don't add up");
        };
        if media::nal_units(&stream).any(coding::is_b_slice) {
            self.fault(format!("a B-picture at {} ms", tag.timestamp));
        }
        let unit = if idr { [&self.parameter_sets[..], &stream].concat() } else { stream };
        let decoded = self.decoder.decode(&unit).map(|picture| {
            picture.map(|picture| {
                keep(&picture, &mut self.snapshot);
                (
                    picture.width,
                    picture.height,
                    self.reader.read(picture.planes[0], picture.width, picture.height),
                )
            })
        });
        match decoded {
            Ok(Some((width, height, mark))) => {
                self.size(width, height);
                match mark {
                    Some(mark) => self.mark(tag.timestamp, mark, arrived),
                    None => self.report.unreadable += 1,
                }
            }
            Ok(None) => self.fault(format!("no picture at {} ms", tag.timestamp)),
            Err(error) => self.fault(format!("{error} at {} ms", tag.timestamp)),
        }
    }

    fn size(&mut self, width: u32, height: u32) {
        if (self.report.width, self.report.height) != (width, height) {
            (self.report.width, self.report.height) = (width, height);
            let Coding { width: said, height: said_height, .. } = self.report.coding;
            if (said, said_height) != (width, height) {
                self.fault(format!("the SPS says {said}x{said_height}, pictures have {width}x{height}"));
            }
            self.verify("width", width);
            self.verify("height", height);
        }
    }

    fn mark(&mut self, timestamp: u32, mark: Mark, arrived: Option<Timestamp>) {
        match self.numbers.last().map(|last| mark.frame.cmp(last)) {
            Some(Ordering::Less) => self.report.out_of_order += 1,
            Some(Ordering::Equal) => self.report.duplicates += 1,
            Some(Ordering::Greater) | None => {}
        }
        self.numbers.push(mark.frame);
        let clock = f64::from(timestamp) - mark.captured.micros() as f64 / 1000.0;
        self.video_clock = Some(self.video_clock.map_or(clock, |last| smooth(last, clock)));
        if let Some(arrived) = arrived {
            let latency = arrived.since(mark.captured) as f64 / 1000.0;
            self.latencies.push(latency);
            if let Some(arrival) = self.report.arrivals.last_mut() {
                arrival.latency_ms = Some(latency);
            }
        }
    }

    fn audio(&mut self, tag: &Tag, arrived: Option<Timestamp>) {
        let [_, packet_type, payload @ ..] = &tag.body[..] else {
            return self.fault("an audio message that is too short");
        };
        if *packet_type == 0 {
            return self.sound_header(payload, arrived);
        }
        self.time(tag, arrived);
        self.report.audio_packets += 1;
        let Some(sound) = &mut self.sound else {
            return self.fault("sound before the AAC header");
        };
        let known = sound.clicks.len();
        if let Err(error) = sound.take(tag.timestamp, payload) {
            return self.fault(format!("sound does not decode: {error}"));
        }
        // A click marks a full second of the clock by which the pictures were stamped.
        if let Some(video_clock) = self.video_clock {
            let clicks = sound.clicks[known..].iter();
            let offsets = clicks.map(|click| (click - video_clock + 500.0).rem_euclid(1000.0) - 500.0);
            self.report.av_offset_ms.extend(offsets);
        }
    }

    fn sound_header(&mut self, configuration: &[u8], arrived: Option<Timestamp>) {
        if self.sound_configuration == configuration {
            // Servers may write it twice into their recordings, as nginx does.
            if arrived.is_some() {
                self.fault("the AAC header came again without a change");
            }
            return;
        }
        self.sound_configuration = configuration.to_vec();
        match Sound::new(configuration) {
            Ok(sound) => {
                self.verify("audiosamplerate", sound.rate);
                self.sound = Some(sound);
            }
            Err(error) => self.fault(format!("an AAC header that can't be used: {error}")),
        }
    }

    /// The figures up to now.
    pub fn report(&mut self) -> Report {
        let seconds = f64::from(self.report.duration_ms.max(1)) / 1000.0;
        self.report.kbps = self.bytes as f64 * 8.0 / 1000.0 / seconds;
        self.report.missing = missing(&self.numbers);
        self.report.mirrored = self.reader.orientation().map(|Orientation { mirrored, .. }| mirrored);
        self.report.latency_ms = (!self.latencies.is_empty()).then(|| quantiles(&self.latencies));
        if let Some(sound) = &mut self.sound {
            self.report.sample_rate = sound.rate;
            self.report.tone_hz = sound.tone.frequency();
        }
        self.report.clone()
    }
}

fn keep(picture: &Picture<'_>, snapshot: &mut Snapshot) {
    (snapshot.width, snapshot.height) = (picture.width, picture.height);
    for (i, (to, from)) in snapshot.planes.iter_mut().zip(&picture.planes).enumerate() {
        let width = if i == 0 { picture.width } else { picture.width.div_ceil(2) } as usize;
        to.clear();
        from.data.chunks(from.stride).for_each(|row| to.extend_from_slice(&row[..width.min(row.len())]));
    }
}
