//! Tries each device of a board.

use std::collections::VecDeque;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use media::{AudioBlock, Camera, EncoderSettings, Microphone, patiently};

use crate::inputs::Contact;
use crate::keys::Key;
use crate::lines::Line;
use crate::panel::{self, OledPanel, ScreenPanel, TftConfig};
use crate::sim::SimulatedCamera;
use crate::{
    Board, ButtonConfig, CameraConfig, EncoderConfig, LineConfig, MicrophoneConfig, MicrophoneSource,
    OledConfig, OpenError, ScreenConfig, SimCamera, Torch, TorchConfig, open_camera, open_encoder,
    open_microphone, trial_settings,
};

/// How long a device is watched, and a screen can be looked at.
const WATCH: Duration = Duration::from_secs(1);
/// How long a camera or a microphone may deliver nothing.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pictures a second, and in a test of an encoder.
const RATE: u32 = 30;
/// How long a lamp is lit.
const LIT: Duration = Duration::from_millis(300);

/// What became of one device: what it delivers, or what is wrong with it and what to do.
#[derive(Debug)]
pub struct Finding {
    pub device: String,
    pub result: Result<String, String>,
}

/// Tries each device of a board in turn: watches cameras, microphone and switches, lights lamps, draws on displays,
/// writes to the flash. Nothing that it does lasts, but the picture on a small display.
pub fn probe(board: &Board) -> Vec<Finding> {
    let mut findings = Findings::default();
    let encoders = board.encoders();
    for camera in &board.cameras {
        findings.add(camera_name(camera), probe_camera(camera, encoders.first()));
    }
    findings.each(board.microphone.as_ref(), microphone_name, probe_microphone);
    for encoder in &encoders {
        findings.add(encoder.to_string(), probe_encoder(encoder, encoders.first(), &board.cameras));
    }
    for (name, button) in &board.buttons {
        findings.add(format!("button {name}, {button}"), probe_button(button));
    }
    let closed = |line: &_| probe_switch(line, ["open", "closed"]);
    findings.each(board.privacy_switch.as_ref(), |it| format!("privacy switch, line {}", it.line), closed);
    for (name, lamp) in [("camera", &board.lamps.camera), ("on air", &board.lamps.on_air)] {
        findings.each(lamp.as_ref(), |it| format!("lamp {name}, line {}", it.line), probe_lamp);
    }
    findings.each(board.torch.as_ref(), |it| format!("torch, {}", it.source), probe_torch);
    findings.each(board.oled.as_ref(), ToString::to_string, probe_oled);
    findings.each(board.tft.as_ref(), ToString::to_string, probe_tft);
    findings.each(board.screen.as_ref(), ToString::to_string, probe_screen);
    findings.each(
        board.serial_line.as_ref(),
        |it| format!("serial line {}", it.device.display()),
        |it| probe_serial_line(&it.device),
    );
    findings.each(
        board.flash.as_ref(),
        |it| format!("flash {}", it.folder.display()),
        |it| probe_flash(&it.folder),
    );
    findings.each(
        board.watchdog.as_ref(),
        |it| format!("watchdog {}", it.device.display()),
        |it| probe_watchdog(&it.device),
    );
    findings.0
}

type Probed = Result<String, Box<dyn Error>>;

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, device: String, result: Probed) {
        self.0.push(Finding { device, result: result.map_err(|error| error.to_string()) });
    }

    fn each<T>(&mut self, device: Option<&T>, name: impl Fn(&T) -> String, probe: impl Fn(&T) -> Probed) {
        if let Some(device) = device {
            self.add(name(device), probe(device));
        }
    }
}

fn camera_name(config: &CameraConfig) -> String {
    format!("{} camera {}", config.position, config.device())
}

fn microphone_name(config: &MicrophoneConfig) -> String {
    match &config.source {
        MicrophoneSource::Alsa(source) => format!("microphone {}", source.device),
        MicrophoneSource::Sim(_) => "microphone simulated".into(),
    }
}

fn probe_button(config: &ButtonConfig) -> Probed {
    let states = ["released", "pressed"];
    match config {
        ButtonConfig::Line(line) => probe_switch(line, states),
        ButtonConfig::Key(key) => Ok(states[usize::from(Key::open(key)?.is_active()?)].into()),
    }
}

fn probe_switch(line: &LineConfig, states: [&str; 2]) -> Probed {
    Ok(states[usize::from(Line::input(line)?.is_active()?)].into())
}

fn probe_lamp(line: &LineConfig) -> Probed {
    let lamp = Line::output(line)?;
    lamp.set(true)?;
    thread::sleep(LIT);
    lamp.set(false)?;
    Ok(format!("lit for {} ms", LIT.as_millis()))
}

fn probe_torch(config: &TorchConfig) -> Probed {
    let mut torch = Torch::open(&config.source)?;
    torch.light(true)?;
    thread::sleep(LIT);
    torch.light(false)?;
    Ok(format!("lit for {} ms", LIT.as_millis()))
}

fn probe_oled(config: &OledConfig) -> Probed {
    panel::test(&mut OledPanel::open(config)?)?;
    Ok("shows the test picture".into())
}

fn probe_tft(config: &TftConfig) -> Probed {
    panel::test(panel::open_tft(config)?.as_mut())?;
    Ok("shows the test picture".into())
}

fn probe_screen(config: &ScreenConfig) -> Probed {
    let mut screen = ScreenPanel::open(config)?;
    panel::test(&mut screen)?;
    thread::sleep(WATCH);
    Ok(format!("{}, showed the test picture for {} s", screen.mode(), WATCH.as_secs()))
}

fn probe_serial_line(device: &Path) -> Probed {
    let name = device.display().to_string();
    let line = File::open(device)
        .map_err(|error| OpenError::from_io(&name, &error, "check the name in the board file"))?;
    if !line.is_terminal() {
        let remedy = "check the name in the board file";
        return Err(OpenError::failed(name, "it is no serial line", remedy).into());
    }
    Ok("can be opened".into())
}

/// Writes a file as settings are written, and reads it back.
fn probe_flash(folder: &Path) -> Probed {
    let file = folder.join(".selftest");
    let written = b"selftest";
    let write = || {
        let started = Instant::now();
        let mut target = File::create(&file)?;
        target.write_all(written)?;
        target.sync_all()?;
        let took = started.elapsed();
        let read = fs::read(&file)?;
        fs::remove_file(&file)?;
        Ok((took, read == written))
    };
    let (name, remedy) = (folder.display().to_string(), "mount it for writing, with some space left");
    match write().map_err(|error: io::Error| OpenError::from_io(&name, &error, remedy))? {
        (took, true) => Ok(format!("keeps what is written, after {:.1} ms", took.as_secs_f64() * 1e3)),
        (_, false) => Err(OpenError::failed(name, "it reads back something else", "replace it").into()),
    }
}

/// Asks the kernel about it. Opening it would start it.
fn probe_watchdog(device: &Path) -> Probed {
    let node = device.file_name().unwrap_or_default();
    let folder = Path::new("/sys/class/watchdog").join(node);
    let read = |name: &str| {
        let text = fs::read_to_string(folder.join(name));
        text.map_err(|error| OpenError::from_io(device.display().to_string(), &error, "load its driver"))
    };
    Ok(format!("{}, resets after {} s", read("identity")?.trim(), read("timeout")?.trim()))
}

fn probe_camera(config: &CameraConfig, encoder: Option<&EncoderConfig>) -> Probed {
    let started = Instant::now();
    let mut camera: Box<dyn Camera> = open_camera(config, encoder)?;
    let mut next = || patiently(PATIENCE, || true, || camera.next());
    let first = next()?;
    let (waited, mut last, mut count) = (started.elapsed(), first.captured, 0);
    let (start, sequence) = (first.captured, first.sequence);
    drop(first);
    let mut newest = sequence;
    while last.since(start) < WATCH.as_micros() as i64 {
        let frame = next()?;
        (last, newest) = (frame.captured, frame.sequence);
        count += 1;
    }
    let rate = f64::from(count) * 1e6 / last.since(start) as f64;
    let lost = newest.wrapping_sub(sequence).saturating_sub(count);
    let found = format!("{}, first picture after {} ms, {rate:.1} fps", camera.format(), waited.as_millis());
    Ok(format!("{found}, {lost} lost, {} corrupt", camera.corrupt()))
}

/// Encodes drawn pictures, and one of a camera that is opened for the board's first encoder: tells how long one takes, and
/// whether it must be copied.
fn probe_encoder(config: &EncoderConfig, first: Option<&EncoderConfig>, cameras: &[CameraConfig]) -> Probed {
    let (width, height) = (1280, 720);
    let mut encoder = open_encoder(config, trial_settings(width, height))?;
    let input = encoder.input();
    let sim = SimCamera { width, height, rate: RATE, pixels: input.layout.format };
    let mut camera = SimulatedCamera::new(&sim);
    let (mut submitted, mut took, mut bytes) = (VecDeque::new(), Vec::new(), 0);
    for number in 0..RATE {
        let picture = camera.next()?;
        submitted.push_back(Instant::now());
        encoder.submit(picture, number == 0)?;
        let wait = if submitted.len() > input.latency { WATCH } else { Duration::ZERO };
        if let Some(unit) = encoder.next(wait)? {
            took.extend(submitted.pop_front().map(|then| then.elapsed()));
            bytes += unit.bytes.len();
        }
    }
    encoder.drain()?;
    while let Some(unit) = encoder.next(WATCH)? {
        took.extend(submitted.pop_front().map(|then| then.elapsed()));
        bytes += unit.bytes.len();
    }
    let kind = if encoder.is_hardware() { "hardware" } else { "software" };
    drop(encoder);
    if !submitted.is_empty() {
        return Err(format!("of {RATE} pictures {} did not come out", submitted.len()).into());
    }
    let way = cameras.iter().find_map(|camera| Some((camera, way_of_picture(config, first, camera)?)));
    let way = way
        .map_or(String::new(), |(camera, way)| format!(", pictures of the {} camera {way}", camera.position));
    let mean = took.iter().sum::<Duration>() / RATE;
    let longest = took.iter().max().copied().unwrap_or_default();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(format!(
        "{kind}, {}{way}, {RATE} of {width}x{height}, {:.1} ms each, {:.1} at most, {} kB",
        input.layout.format,
        ms(mean),
        ms(longest),
        bytes / 1000
    ))
}

/// Whether a camera's pictures go into the encoder as they are. None where the camera shows none, or encodes them.
fn way_of_picture(
    config: &EncoderConfig,
    first: Option<&EncoderConfig>,
    camera: &CameraConfig,
) -> Option<&'static str> {
    let mut opened = open_camera(camera, first).ok()?;
    let picture = patiently(PATIENCE, || true, || opened.next()).ok()?;
    let layout = picture.layout;
    let settings = EncoderSettings { source: Some(layout), ..trial_settings(layout.width, layout.height) };
    let mut encoder = open_encoder(config, settings).ok()?;
    if camera.encodes() {
        return None;
    }
    if !encoder.input().takes(&layout) {
        return Some("are made anew");
    }
    let copied = encoder.submit(picture, true).ok()?;
    encoder.next(WATCH).ok()?;
    Some(if copied == 0 { "go in as they are" } else { "are copied" })
}

fn probe_microphone(config: &MicrophoneConfig) -> Probed {
    let mut microphone: Box<dyn Microphone> = open_microphone(config, 48_000)?;
    let (mut block, mut energy, mut samples) = (AudioBlock::default(), 0.0, 0_u32);
    let mut overruns = 0;
    let started = Instant::now();
    while started.elapsed() < WATCH {
        patiently(PATIENCE, || true, || microphone.read(&mut block))?;
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
    use crate::CameraSource;

    #[test]
    fn the_simulated_board_passes_and_a_missing_camera_is_named_with_a_remedy() {
        let mut board = Board::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("boards/sim.toml")).unwrap();
        for finding in probe(&board) {
            let found = finding.result.unwrap();
            let expected = ["30.0 fps", "48000 Hz", "software, I420, "];
            assert!(expected.iter().any(|text| found.contains(text)), "{found}");
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

    #[test]
    fn parts_that_are_not_there_are_named_with_a_remedy() {
        let text = "name = 'x'\nbuttons.start = { line = 'no such button' }\ntorch.source.line = { line = 'no such torch' }
            oled.bus = '/nonexistent/i2c'\nscreen.device = '/nonexistent/card'
            serial-line.device = '/etc/passwd'\nflash.folder = '/nonexistent/data'
            watchdog.device = '/nonexistent/watchdog'";
        let findings = probe(&toml::from_str(text).unwrap());
        let parts = findings.into_iter().filter(|it| !it.device.contains("OpenH264"));
        let wrong: Vec<String> = parts.map(|it| it.result.unwrap_err()).collect();
        let expected = [
            ("no such button", "gpioinfo"),
            ("no such torch", "gpioinfo"),
            ("/nonexistent/i2c", "check the name"),
            ("/nonexistent/card", "check the name"),
            ("/etc/passwd", "no serial line"),
            ("/nonexistent/data", "check the name"),
            ("/nonexistent/watchdog", "check the name"),
        ];
        assert_eq!(wrong.len(), expected.len(), "{wrong:#?}");
        for (error, (device, remedy)) in wrong.iter().zip(expected) {
            assert!(error.contains(device) && error.contains(remedy), "{error}");
        }
    }

    #[test]
    fn torches_of_other_kinds_that_are_not_there_are_named_too() {
        for (source, name) in
            [("led = 'no such LED'", "no such LED"), ("flash = '/nonexistent/sub'", "/nonexistent/sub")]
        {
            let board = toml::from_str(&format!("name = 'x'\ntorch.source.{source}")).unwrap();
            let torch =
                probe(&board).into_iter().find(|finding| finding.device.starts_with("torch")).unwrap();
            let wrong = torch.result.unwrap_err();
            assert!(wrong.contains(name) && wrong.contains("check the name"), "{wrong}");
        }
    }

    #[test]
    fn a_folder_that_keeps_what_is_written_passes_and_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        assert!(probe_flash(folder.path()).unwrap().contains("keeps"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
