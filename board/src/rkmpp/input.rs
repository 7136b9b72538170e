use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::Arc;

use media::{EncodeError, EncoderSettings, Frame, Timestamp};
use rkmpp_sys as mpp;
use rkmpp_sys::{MppBuffer, MppBufferInfo, MppFrame, MppTask};

use super::TAG;
use super::context::check;
use super::memory::InputMemory;

/// The library's word for a picture: one object, which refers to one picture's memory after the other.
pub(super) struct Input {
    frame: MppFrame,
    refuses_imports: bool,
}

impl Input {
    pub(super) fn new() -> Result<Self, EncodeError> {
        let mut frame = ptr::null_mut();
        // SAFETY: `frame` is a place for what the call makes.
        check("mpp_frame_init", unsafe { mpp::mpp_frame_init(&raw mut frame) })?;
        Ok(Self { frame, refuses_imports: false })
    }

    /// Refers to a picture's memory, if the hardware can read it: the encoder's own, or a DMA-BUF.
    pub(super) fn refer(&mut self, picture: &Frame, memory: &Arc<InputMemory>) -> bool {
        if let Some(buffer) = memory.handle(picture.buffer()) {
            self.set_buffer(buffer);
            return true;
        }
        let plane = picture.layout.planes[0].memory;
        let Some(dma_buf) = picture.buffer().dma_buf(plane).filter(|_| !self.refuses_imports) else {
            return false;
        };
        let mut info = MppBufferInfo {
            r#type: mpp::MPP_BUFFER_TYPE_EXT_DMA,
            size: picture.buffer().plane(plane).len(),
            ptr: ptr::null_mut(),
            hnd: ptr::null_mut(),
            fd: dma_buf.as_raw_fd(),
            index: 0,
        };
        let mut buffer = ptr::null_mut();
        // SAFETY: `info` is read during the call; its descriptor stays open as long as the picture, which outlives the
        // buffer; `buffer` is a place for what the call makes; the group may be null.
        let code = unsafe {
            let (none, info, buffer) = (ptr::null_mut(), &raw mut info, &raw mut buffer);
            mpp::mpp_buffer_import_with_tag(none, info, buffer, TAG, TAG)
        };
        if let Err(error) = check("mpp_buffer_import", code) {
            tracing::warn!(%error, "the camera's memory can't be read in place, pictures are copied");
            self.refuses_imports = true;
            return false;
        }
        self.set_buffer(buffer);
        // SAFETY: the reference that the import gave is dropped; the frame has its own.
        unsafe { mpp::mpp_buffer_put_with_caller(buffer, TAG) };
        true
    }

    pub(super) fn describe(
        &mut self,
        settings: &EncoderSettings,
        strides: (usize, usize),
        captured: Timestamp,
    ) {
        // SAFETY: the frame lives as long as `self`.
        unsafe {
            mpp::mpp_frame_set_width(self.frame, settings.width);
            mpp::mpp_frame_set_height(self.frame, settings.height);
            mpp::mpp_frame_set_hor_stride(self.frame, strides.0 as u32);
            mpp::mpp_frame_set_ver_stride(self.frame, strides.1 as u32);
            mpp::mpp_frame_set_fmt(self.frame, mpp::MPP_FMT_YUV420SP);
            mpp::mpp_frame_set_pts(self.frame, captured.micros());
        }
    }

    /// Puts the picture into a task of the input port.
    pub(super) fn put(&mut self, task: MppTask) -> Result<(), EncodeError> {
        // SAFETY: the task is the caller's; the frame outlives it, see `leave`.
        let code = unsafe { mpp::mpp_task_meta_set_frame(task, mpp::KEY_INPUT_FRAME, self.frame) };
        check("mpp_task_meta_set_frame", code)
    }

    /// Takes the picture out of a task that came back.
    pub(super) fn take_back(&mut self, task: MppTask) {
        let mut frame = ptr::null_mut();
        // SAFETY: the task is the caller's; `frame` is a place for the result, which is this frame, or none in the task's
        // first round.
        unsafe { mpp::mpp_task_meta_get_frame(task, mpp::KEY_INPUT_FRAME, &raw mut frame) };
        self.clear();
    }

    /// Refers to no memory.
    pub(super) fn clear(&mut self) {
        self.set_buffer(ptr::null_mut());
    }

    /// Leaves the frame to the library, which does not give it back.
    pub(super) fn leave(&mut self) {
        self.frame = ptr::null_mut();
    }

    fn set_buffer(&mut self, buffer: MppBuffer) {
        // SAFETY: the frame lives as long as `self`; the buffer lives, or is null.
        unsafe { mpp::mpp_frame_set_buffer(self.frame, buffer) };
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if !self.frame.is_null() {
            // SAFETY: the frame was made by mpp_frame_init, no task has it, and it is released here, once.
            unsafe { mpp::mpp_frame_deinit(&raw mut self.frame) };
        }
    }
}
