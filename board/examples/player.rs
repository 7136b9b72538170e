//! Plays the simulated camera and microphone for outputs of the kernel whose other ends are a camera and a microphone, so that
//! a stream from these can be measured like one of the simulated board: pictures, NV12 of 640 x 480, go to standard output,
//! sound to a PCM: `player hw:Loopback,0 | v4l2-ctl -d /dev/video3 --stream-out-mmap --stream-from=-`.

use std::error::Error;
use std::io::{Write, stdout};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use alsa::pcm::{Access, Format, HwParams, PCM};
use alsa::{Direction, ValueOr};
use board::Board;
use media::{AudioBlock, CaptureError, Frame, Timestamp, now};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const BOARD: &str = "
    name = 'player'
    [[camera]]
    position = 'front'
    source.sim = { width = 640, height = 480, rate = 30, pixels = 'nv12' }
    [microphone]
    source.sim = { rate = 48000 }";
const RATE: u32 = 48_000;
/// Both are played so long after they were made, in step.
const DELAY: Duration = Duration::from_millis(300);

fn main() -> Result<()> {
    let pcm = std::env::args().nth(1).ok_or("give a PCM, such as hw:Loopback,0")?;
    let folder = std::env::temp_dir().join("player.toml");
    std::fs::write(&folder, BOARD)?;
    let board = Board::read(&folder)?;
    let mut camera = board::open_camera(&board.cameras[0], board.encoders().first())?;
    let (drawn, frames) = mpsc::sync_channel(32);
    let pictures = thread::spawn(move || play_pictures(&frames));
    thread::spawn(move || -> std::result::Result<(), CaptureError> {
        // The player of the pictures says why it ended.
        while drawn.send(camera.next()?).is_ok() {}
        Ok(())
    });
    let sound = thread::spawn(move || play_sound(&board, &pcm));
    while !pictures.is_finished() && !sound.is_finished() {
        thread::sleep(DELAY);
    }
    let ended = if pictures.is_finished() { pictures } else { sound };
    ended.join().unwrap_or_else(|_| Err("it panicked".into()))
}

fn play_pictures(frames: &Receiver<Frame>) -> Result<()> {
    let mut output = stdout().lock();
    for frame in frames {
        thread::sleep(left(frame.captured));
        output.write_all(frame.plane(0).data)?;
        output.write_all(frame.plane(1).data)?;
        output.flush()?;
    }
    Ok(())
}

fn play_sound(board: &Board, name: &str) -> Result<()> {
    let config = board.microphone.as_ref().ok_or("no microphone")?;
    let mut microphone = board::open_microphone(config, RATE)?;
    let pcm = PCM::new(name, Direction::Playback, false)?;
    let parameters = HwParams::any(&pcm)?;
    parameters.set_access(Access::RWInterleaved)?;
    parameters.set_format(Format::s16())?;
    parameters.set_channels(1)?;
    parameters.set_rate(RATE, ValueOr::Nearest)?;
    parameters.set_buffer_time_near(2 * DELAY.as_micros() as u32, ValueOr::Nearest)?;
    pcm.hw_params(&parameters)?;
    let start = pcm.sw_params_current()?;
    start.set_start_threshold(i64::from(RATE) * 10)?;
    pcm.sw_params(&start)?;
    let (io, mut block, mut started) = (pcm.io_i16()?, AudioBlock::default(), false);
    loop {
        microphone.read(&mut block)?;
        if !started {
            let silence = left(block.captured).as_micros() * u128::from(RATE) / 1_000_000;
            io.writei(&vec![0; silence as usize])?;
            pcm.start()?;
            started = true;
        }
        let samples: Vec<i16> = block.samples.iter().map(|sample| (sample * 32_767.0) as i16).collect();
        io.writei(&samples)?;
    }
}

/// The time until what was made at `made` is to be played.
fn left(made: Timestamp) -> Duration {
    DELAY.saturating_sub(Duration::from_micros(now().since(made).max(0).unsigned_abs()))
}
