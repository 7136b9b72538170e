use std::io;
use std::time::Duration;

use alsa::pcm::{Access, Format, Frames, HwParams, PCM, TstampType};
use alsa::{Direction, ValueOr};
use media::{AudioBlock, AudioFormat, CAPTURE_WAIT, CaptureError, Microphone, Timestamp};

use crate::OpenError;

const PERIOD: Duration = Duration::from_millis(10);
const BUFFER: Duration = Duration::from_millis(200);

/// A capture PCM in its own format; rates and channels are converted later, in the pipeline.
pub(crate) struct AlsaMicrophone {
    pcm: PCM,
    name: String,
    format: AudioFormat,
    sample: Sample,
    /// Samples as the device has them.
    raw: Vec<i32>,
    period: usize,
    overrun: bool,
}

#[derive(Clone, Copy)]
enum Sample {
    S16,
    S32,
}

impl AlsaMicrophone {
    /// `rate` in Hz; where the device has another, the nearest is taken.
    pub(crate) fn open(name: &str, rate: u32) -> Result<Self, OpenError> {
        let failed = |call: &str, error: alsa::Error| {
            let error = io::Error::from_raw_os_error(error.errno());
            OpenError::from_io(
                name,
                &error,
                &format!("{call} failed; see `arecord --dump-hw-params -D {name}`"),
            )
        };
        // What alsa-lib would print is in the error, too.
        let _ = alsa::Output::local_error_handler();
        let pcm = PCM::new(name, Direction::Capture, false).map_err(|error| failed("opening", error))?;
        let sample = configure(&pcm, rate).map_err(|error| failed("setting the format", error))?;
        let (format, period) = negotiated(&pcm).map_err(|error| failed("reading the format", error))?;
        stamp(&pcm, period).map_err(|error| failed("setting timestamps", error))?;
        pcm.start().map_err(|error| failed("starting", error))?;
        let period = period.clamp(1, 1 << 16) as usize;
        let raw = vec![0; period * usize::from(format.channels)];
        Ok(Self { pcm, name: name.to_owned(), format, sample, raw, period, overrun: false })
    }

    /// Waits for a whole period; `false` where less than one is there, as after an overrun.
    fn wait(&mut self) -> Result<bool, alsa::Error> {
        if !self.pcm.wait(Some(CAPTURE_WAIT.as_millis() as u32))? {
            return Err(alsa::Error::new("snd_pcm_wait", libc::ETIMEDOUT));
        }
        Ok(self.pcm.avail_update()? >= self.period as Frames)
    }

    /// When the oldest frame that can be read was taken: `htimestamp` gives how many wait, and when the newest came.
    fn captured(&self) -> Result<Timestamp, alsa::Error> {
        let status = self.pcm.status()?;
        let stamp = status.get_htstamp();
        #[allow(clippy::useless_conversion)] // time_t and c_long are 32 bits wide on some targets
        let newest = i64::from(stamp.tv_sec) * 1_000_000 + i64::from(stamp.tv_nsec) / 1000;
        let waiting = status.get_avail().max(0) * 1_000_000 / Frames::from(self.format.rate as i32);
        #[allow(clippy::useless_conversion)]
        let waiting = i64::from(waiting);
        Ok(Timestamp::from_micros(newest - waiting))
    }

    fn read_frames(&mut self, block: &mut AudioBlock) -> Result<(), alsa::Error> {
        while !self.wait()? {}
        block.captured = self.captured()?;
        let samples = &mut self.raw[..self.period * usize::from(self.format.channels)];
        block.samples.clear();
        let channels = usize::from(self.format.channels);
        match self.sample {
            Sample::S32 => {
                let count = self.pcm.io_i32()?.readi(samples)? * channels;
                block.samples.extend(samples[..count].iter().map(|sample| *sample as f32 / 2_147_483_648.0));
            }
            Sample::S16 => {
                let samples = as_i16(samples);
                let count = self.pcm.io_i16()?.readi(&mut samples[..self.period * channels])? * channels;
                block.samples.extend(samples[..count].iter().map(|sample| f32::from(*sample) / 32_768.0));
            }
        }
        Ok(())
    }
}

/// The same memory as twice as many samples of half the width.
fn as_i16(samples: &mut [i32]) -> &mut [i16] {
    // SAFETY: i16 has no invalid values, a weaker alignment, and twice as many fit.
    unsafe { std::slice::from_raw_parts_mut(samples.as_mut_ptr().cast(), samples.len() * 2) }
}

fn configure(pcm: &PCM, rate: u32) -> Result<Sample, alsa::Error> {
    let parameters = HwParams::any(pcm)?;
    parameters.set_access(Access::RWInterleaved)?;
    let sample = if parameters.set_format(Format::s16()).is_ok() {
        Sample::S16
    } else {
        parameters.set_format(Format::s32())?;
        Sample::S32
    };
    parameters.set_channels_near(1)?;
    parameters.set_rate_near(rate, ValueOr::Nearest)?;
    parameters.set_period_time_near(PERIOD.as_micros() as u32, ValueOr::Nearest)?;
    parameters.set_buffer_time_near(BUFFER.as_micros() as u32, ValueOr::Nearest)?;
    pcm.hw_params(&parameters)?;
    Ok(sample)
}

fn negotiated(pcm: &PCM) -> Result<(AudioFormat, Frames), alsa::Error> {
    let parameters = pcm.hw_params_current()?;
    let format = AudioFormat { rate: parameters.get_rate()?, channels: parameters.get_channels()? as u16 };
    Ok((format, parameters.get_period_size()?))
}

fn stamp(pcm: &PCM, period: Frames) -> Result<(), alsa::Error> {
    let parameters = pcm.sw_params_current()?;
    parameters.set_avail_min(period)?;
    parameters.set_tstamp_mode(true)?;
    parameters.set_tstamp_type(TstampType::Monotonic)?;
    pcm.sw_params(&parameters)
}

impl Microphone for AlsaMicrophone {
    fn format(&self) -> AudioFormat {
        self.format
    }

    fn read(&mut self, block: &mut AudioBlock) -> Result<(), CaptureError> {
        loop {
            let Err(error) = self.read_frames(block) else {
                block.overrun = std::mem::take(&mut self.overrun);
                return Ok(());
            };
            let cause = io::Error::from_raw_os_error(error.errno());
            match error.errno() {
                // The device overran or was suspended; what it recorded meanwhile is lost.
                libc::EPIPE | libc::ESTRPIPE => {
                    self.overrun = true;
                    tracing::debug!(device = self.name, "overrun");
                    let recovered = self.pcm.try_recover(error, true).and_then(|()| self.pcm.start());
                    if let Err(error) = recovered {
                        let source = io::Error::from_raw_os_error(error.errno());
                        return Err(CaptureError::Device {
                            device: self.name.clone(),
                            call: "snd_pcm_recover",
                            source,
                        });
                    }
                }
                libc::ETIMEDOUT => {
                    return Err(CaptureError::Timeout { device: self.name.clone(), waited: CAPTURE_WAIT });
                }
                libc::ENODEV | libc::ENXIO | libc::EIO => {
                    return Err(CaptureError::Lost { device: self.name.clone(), cause: cause.to_string() });
                }
                _ => {
                    return Err(CaptureError::Device {
                        device: self.name.clone(),
                        call: "snd_pcm_readi",
                        source: cause,
                    });
                }
            }
        }
    }
}
