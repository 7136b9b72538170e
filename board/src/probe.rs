//! Tries each device of a board.

use std::time::{Duration, Instant};

use media::{AudioBlock, Camera, Microphone};

use crate::{
    Board, CameraConfig, CameraSource, MicrophoneConfig, MicrophoneSource, open_camera, open_microphone,
};

/// How long a device is watched.
const WATCH: Duration = Duration::from_secs(1);

/// What became of one device: what it delivers, or what is wrong with it and what to do.
#[derive(Debug)]
pub struct Finding {
    pub device: String,
    pub result: Result<String, String>,
}

/// Opens each device of a board in turn and watches it for a second.
pub fn probe(board: &Board) -> Vec<Finding> {
    let mut findings = Vec::new();
    for camera in &board.cameras {
        findings.push(Finding { device: camera_name(camera), result: probe_camera(camera) });
    }
    if let Some(microphone) = &board.microphone {
        findings.push(Finding { device: microphone_name(microphone), result: probe_microphone(microphone) });
    }
    findings
}

fn camera_name(config: &CameraConfig) -> String {
    let source = match &config.source {
        CameraSource::V4l2(source) => source.device.display().to_string(),
        CameraSource::Sim(_) => "simulated".into(),
        CameraSource::File(file) => file.path.display().to_string(),
    };
    format!("{} camera {source}", config.position)
}

fn microphone_name(config: &MicrophoneConfig) -> String {
    match &config.source {
        MicrophoneSource::Alsa(source) => format!("microphone {}", source.device),
        MicrophoneSource::Sim(_) => "microphone simulated".into(),
    }
}

fn probe_camera(config: &CameraConfig) -> Result<String, String> {
    let started = Instant::now();
    let mut camera: Box<dyn Camera> = open_camera(config).map_err(|error| error.to_string())?;
    let first = camera.next().map_err(|error| error.to_string())?;
    let (waited, mut last, mut count) = (started.elapsed(), first.captured, 0);
    let (start, sequence) = (first.captured, first.sequence);
    drop(first);
    let mut newest = sequence;
    while last.since(start) < WATCH.as_micros() as i64 {
        let frame = camera.next().map_err(|error| error.to_string())?;
        (last, newest) = (frame.captured, frame.sequence);
        count += 1;
    }
    let rate = f64::from(count) * 1e6 / last.since(start) as f64;
    let lost = newest.wrapping_sub(sequence).saturating_sub(count);
    let found = format!("{}, first picture after {} ms, {rate:.1} fps", camera.format(), waited.as_millis());
    Ok(format!("{found}, {lost} lost, {} corrupt", camera.corrupt()))
}

fn probe_microphone(config: &MicrophoneConfig) -> Result<String, String> {
    let mut microphone: Box<dyn Microphone> =
        open_microphone(config, 48_000).map_err(|error| error.to_string())?;
    let (mut block, mut energy, mut samples) = (AudioBlock::default(), 0.0, 0_u32);
    let mut overruns = 0;
    let started = Instant::now();
    while started.elapsed() < WATCH {
        microphone.read(&mut block).map_err(|error| error.to_string())?;
        energy += block.samples.iter().map(|sample| f64::from(sample * sample)).sum::<f64>();
        samples += block.samples.len() as u32;
        overruns += u32::from(block.overrun);
    }
    let level = 10.0 * (energy / f64::from(samples.max(1))).max(1e-10).log10();
    Ok(format!("{}, level {level:.0} dBFS, {overruns} overruns", microphone.format()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_simulated_board_passes_and_a_missing_camera_is_named_with_a_remedy() {
        let mut board = Board::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("boards/sim.toml")).unwrap();
        for finding in probe(&board) {
            let found = finding.result.unwrap();
            assert!(found.contains("30.0 fps") || found.contains("48000 Hz"), "{found}");
        }
        board.microphone = None;
        board.cameras.truncate(1);
        board.cameras[0].source = CameraSource::V4l2(crate::V4l2Source {
            device: "/nonexistent/video7".into(),
            width: 640,
            height: 480,
            rate: 30,
        });
        let wrong = probe(&board).remove(0).result.unwrap_err();
        assert!(wrong.contains("/nonexistent/video7") && wrong.contains("check the name"), "{wrong}");
    }
}
