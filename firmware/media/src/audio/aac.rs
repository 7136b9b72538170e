use std::ffi::c_void;
use std::ptr;
use std::slice;
use std::time::Duration;

use libxaac_sys as xaac;

/// Samples a channel in an AAC-LC frame (ISO/IEC 14496-3, `frameLengthFlag` 0).
pub const FRAME: usize = 1024;

/// Samples by which the encoder looks ahead, and the overlap of the transform.
const DELAY: u64 = 1600;

#[derive(Debug, thiserror::Error)]
pub enum AacError {
    #[error("{from} Hz can't be resampled to {to} Hz")]
    Rate { from: u32, to: u32 },
    #[error("the AAC encoder refuses {rate} Hz at {bitrate} b/s (libxaac {code:#x})")]
    Settings { rate: u32, bitrate: u32, code: u32 },
    #[error("the AAC encoder failed (libxaac {0:#x})")]
    Frame(u32),
}

/// An AAC-LC encoder for one channel (libxaac). It has all its memory from the start.
pub struct AacEncoder {
    input: Box<xaac::ixheaace_input_config>,
    output: Box<xaac::ixheaace_output_config>,
    configuration: Vec<u8>,
    rate: u32,
}

// SAFETY: the encoder's memory is its own, and libxaac has no state besides it.
unsafe impl Send for AacEncoder {}

impl AacEncoder {
    /// `rate` in Hz, one of the AAC table's; `bitrate` in bits a second.
    pub fn new(rate: u32, bitrate: u32) -> Result<Self, AacError> {
        // SAFETY: zero is a value of each field: numbers, null pointers, no function.
        let (input, output) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        let (mut input, mut output): (Box<xaac::ixheaace_input_config>, Box<xaac::ixheaace_output_config>) =
            (Box::new(input), Box::new(output));
        input.aot = xaac::AOT_AAC_LC as i32;
        input.frame_length = FRAME as i32;
        input.ui_pcm_wd_sz = i16::BITS;
        input.i_channels = 1;
        input.i_samp_freq = rate;
        input.i_bitrate = bitrate as i32;
        input.i_mps_tree_config = -1;
        input.i_use_es = 1;
        let aac = &mut input.aac_config;
        aac.sample_rate = rate as i32;
        aac.bitrate = bitrate as i32;
        (aac.num_channels_in, aac.num_channels_out) = (1, 1);
        aac.use_tns = 1;
        aac.bitreservoir_size = RESERVOIR;
        output.malloc_xheaace = Some(allocate);
        output.free_xheaace = Some(release);

        let mut encoder = Self { input, output, configuration: Vec::new(), rate };
        // SAFETY: both point to what libxaac expects, and live as long as the encoder.
        let code = unsafe { xaac::ixheaace_create(encoder.input(), encoder.output()) };
        succeeded(code).map_err(|code| AacError::Settings { rate, bitrate, code })?;
        encoder.configuration = encoder.written().to_vec();
        Ok(encoder)
    }

    /// The AudioSpecificConfig (ISO/IEC 14496-3 clause 1.6.2.1).
    pub fn configuration(&self) -> &[u8] {
        &self.configuration
    }

    /// By how much the sound decoded from a packet is older than the samples that went in with it.
    pub fn delay(&self) -> Duration {
        Duration::from_micros(DELAY * 1_000_000 / u64::from(self.rate))
    }

    /// Encodes [`FRAME`] samples, full scale ±1, and appends the raw access unit to `out`.
    pub fn encode(&mut self, samples: &[f32; FRAME], out: &mut Vec<u8>) -> Result<(), AacError> {
        let input = self.output.mem_info_table[xaac::IA_MEMTYPE_INPUT as usize].mem_ptr.cast::<i16>();
        // SAFETY: libxaac made its input buffer for a frame of 16-bit samples.
        let input = unsafe { slice::from_raw_parts_mut(input, FRAME) };
        for (to, from) in input.iter_mut().zip(samples) {
            *to = (from * 32767.0).round() as i16;
        }
        // SAFETY: the object was made by `ixheaace_create`, and the configurations are the ones it was made with.
        let code =
            unsafe { xaac::ixheaace_process(self.output.pv_ia_process_api_obj, self.input(), self.output()) };
        succeeded(code).map_err(AacError::Frame)?;
        out.extend_from_slice(self.written());
        Ok(())
    }

    fn input(&mut self) -> *mut c_void {
        ptr::from_mut(&mut *self.input).cast()
    }

    fn output(&mut self) -> *mut c_void {
        ptr::from_mut(&mut *self.output).cast()
    }

    fn written(&self) -> &[u8] {
        let buffer = self.output.mem_info_table[xaac::IA_MEMTYPE_OUTPUT as usize].mem_ptr.cast::<u8>();
        // SAFETY: the last call wrote so many bytes into libxaac's output buffer.
        unsafe { slice::from_raw_parts(buffer, self.output.i_out_bytes as usize) }
    }
}

impl Drop for AacEncoder {
    fn drop(&mut self) {
        // SAFETY: frees what `ixheaace_create` allocated, whether it succeeded or not.
        unsafe { xaac::ixheaace_delete(self.output()) };
    }
}

/// Bytes that a frame may save for later ones.
const RESERVOIR: i32 = 768;

/// Codes with the highest bit are fatal; others tell of a loss in quality.
fn succeeded(code: i32) -> Result<(), u32> {
    if code < 0 { Err(code as u32) } else { Ok(()) }
}

unsafe extern "C" fn allocate(size: u32, alignment: u32) -> *mut c_void {
    let alignment = (alignment as usize).next_power_of_two().max(size_of::<usize>());
    let mut memory = ptr::null_mut();
    // SAFETY: the alignment is a power of two and at least a pointer's.
    match unsafe { libc::posix_memalign(&raw mut memory, alignment, size as usize) } {
        0 => memory,
        _ => ptr::null_mut(),
    }
}

unsafe extern "C" fn release(memory: *mut c_void) {
    // SAFETY: the memory is `allocate`'s.
    unsafe { libc::free(memory) }
}
