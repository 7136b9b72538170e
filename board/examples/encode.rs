//! Drives a V4L2 encoder and tells what it did, for tests of its protocol: `encode NODE h264|fwht WIDTHxHEIGHT [CAMERA]`.
//! Pictures come from the camera's node or are drawn; half way the bitrate changes, and at the end the encoder is drained.
//! With `--rounds N` it is opened, used for a few pictures and closed so often, and what is held after each fifty is told.

use std::error::Error;
use std::fs;
use std::io::{Write, stdout};
use std::time::Duration;

use board::{
    BitrateChange, CameraConfig, CameraSource, Codec, EncoderConfig, MountRotation, Position, SimCamera,
    V4l2EncoderConfig, V4l2Source,
};
use media::{
    AccessUnit, AccessUnitKind, Camera, EncodeError, EncoderSettings, Frame, H264Profile, Layout,
    PixelFormat, Timestamp, VideoEncoder, now, patiently,
};

const PICTURES: usize = 60;
const RATE: u32 = 30;
const PATIENCE: Duration = Duration::from_secs(2);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What went in, and what came out.
#[derive(Default)]
struct Account {
    submitted: Vec<Timestamp>,
    finished: Vec<Timestamp>,
    idr: Vec<usize>,
    copied: usize,
    bytes: Vec<u8>,
    lost: usize,
}

impl Account {
    fn take(&mut self, unit: &AccessUnit) {
        match unit.kind {
            AccessUnitKind::Idr => self.idr.push(self.finished.len()),
            AccessUnitKind::Delta => {}
            AccessUnitKind::Skipped => self.lost += 1,
        }
        self.finished.push(unit.captured);
        self.bytes.extend_from_slice(&unit.bytes);
    }

    fn submit(&mut self, encoder: &mut dyn VideoEncoder, frame: Frame) -> Result<()> {
        while !encoder.has_room()? {
            let unit = encoder.next(PATIENCE)?.ok_or("full, and nothing comes out")?;
            self.take(&unit);
        }
        let number = self.submitted.len();
        self.submitted.push(frame.captured);
        self.copied += encoder.submit(frame, number == 0 || number == PICTURES / 2)?;
        while let Some(unit) = encoder.next(Duration::ZERO)? {
            self.take(&unit);
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, node, codec, size, rest @ ..] = &arguments[..] else {
        return Err("give a node, h264 or fwht, and a size".into());
    };
    let (width, height) = size.split_once('x').ok_or("give a size as 640x360")?;
    let (width, height) = (width.parse()?, height.parse()?);
    let codec = if codec == "fwht" { Codec::Fwht } else { Codec::H264 };
    let (node_of_camera, rounds) = match rest {
        [option, rounds] if option == "--rounds" => (None, Some(rounds.parse()?)),
        _ => (rest.first(), None),
    };
    let mut camera = open_camera(node_of_camera, width, height)?;
    let first = patiently(PATIENCE, || true, || camera.next())?;
    let config = EncoderConfig::V4l2(V4l2EncoderConfig {
        device: node.into(),
        codec,
        min_bitrate: 0,
        latency: 0,
        bitrate_change: BitrateChange::Running,
        max_size: None,
    });
    let settings = EncoderSettings {
        width,
        height,
        fps: RATE,
        bitrate: 1_000_000,
        vbv: Duration::from_secs(1),
        gop: 1000,
        profile: H264Profile::Main,
        source: Some(first.layout),
    };
    match rounds {
        Some(rounds) => again(&config, settings, &first, rounds),
        None => once(&mut *board::open_encoder(&config, settings)?, &mut *camera, first),
    }
}

fn once(encoder: &mut dyn VideoEncoder, camera: &mut dyn Camera, first: Frame) -> Result<()> {
    let Layout { format, planes, .. } = encoder.input().layout;
    let mut account = Account::default();
    account.submit(encoder, first)?;
    for number in 1..PICTURES {
        if number == PICTURES / 2 {
            match encoder.set_bitrate(500_000) {
                // vicodec has none.
                Ok(()) | Err(EncodeError::Unsupported { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let next = patiently(PATIENCE, || true, || camera.next())?;
        account.submit(encoder, next)?;
    }
    let before = account.finished.len();
    encoder.drain()?;
    while let Some(unit) = encoder.next(PATIENCE)? {
        account.take(&unit);
    }
    let in_order = account.submitted == account.finished;
    eprintln!(
        "{format} stride {} copied {} in-order {in_order} units {} drained {} lost {} idr {:?}",
        planes[0].stride,
        account.copied,
        account.finished.len(),
        account.finished.len() - before,
        account.lost,
        account.idr,
    );
    Ok(stdout().write_all(&account.bytes)?)
}

fn again(config: &EncoderConfig, settings: EncoderSettings, picture: &Frame, rounds: usize) -> Result<()> {
    for round in 1..=rounds {
        let _units_outlive_it = encode_some(&mut *board::open_encoder(config, settings)?, picture)?;
        if round % 50 == 0 {
            eprintln!("round {round} {}", held()?);
        }
    }
    Ok(())
}

/// Leaves pictures inside, and access units in the encoder's memory.
fn encode_some(encoder: &mut dyn VideoEncoder, picture: &Frame) -> Result<Vec<AccessUnit>> {
    let mut units = Vec::new();
    for number in 0..3 {
        let mut picture = picture.copy().ok_or("the picture can't be copied")?;
        picture.captured = now();
        encoder.submit(picture, number == 0)?;
        units.extend(encoder.next(if number == 0 { PATIENCE } else { Duration::ZERO })?);
    }
    Ok(units)
}

/// Open files and memory of this process, memory of the kernel and of all, in kB (kernel: filesystems/proc).
fn held() -> Result<String> {
    let [process, all] = [fs::read_to_string("/proc/self/status")?, fs::read_to_string("/proc/meminfo")?];
    let value = |key: &str| {
        let line = process.lines().chain(all.lines()).find(|line| line.starts_with(key));
        let value = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        value.ok_or_else(|| format!("no {key}"))
    };
    Ok(format!(
        "files {} VmRSS {} VmallocUsed {} SUnreclaim {} MemUsed {}",
        fs::read_dir("/proc/self/fd")?.count(),
        value("VmRSS")?,
        value("VmallocUsed")?,
        value("SUnreclaim")?,
        value("MemTotal")?.saturating_sub(value("MemAvailable")?),
    ))
}

fn open_camera(node: Option<&String>, width: u32, height: u32) -> Result<Box<dyn Camera>> {
    let source = match node {
        Some(device) => CameraSource::V4l2(V4l2Source { device: device.into(), width, height, rate: RATE }),
        None => CameraSource::Sim(SimCamera { width, height, rate: RATE, pixels: PixelFormat::Nv12 }),
    };
    let config = CameraConfig { position: Position::Front, source, mount_rotation: MountRotation::default() };
    Ok(board::open_camera(&config, None)?)
}
