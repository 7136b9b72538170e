use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::ptr;
use std::time::Duration;

use media::EncodeError;
use rkmpp_sys as mpp;
use rkmpp_sys::{MPP_RET, MpiCmd, MppApi, MppCtx, MppParam, MppPollType, MppPortType, MppTask};

use super::failed;

/// The driver of all of Rockchip's codecs.
const DEVICE: &str = "/dev/mpp_service";

/// An encoder of the library, with its thread. Calls may come from any thread.
pub(super) struct Context {
    ctx: MppCtx,
    api: *mut MppApi,
}

// SAFETY: the library locks what its functions share (`mpp_task_impl.cpp`, `mpp_enc_v2.cpp`); the table is not
// written to.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

/// Calls a function of the context's table; evaluates to its return code, `MPP_NOK` where the table has a hole.
macro_rules! call {
    ($context:expr, $function:ident $(, $argument:expr)*) => {
        (*$context.api).$function.map_or(mpp::MPP_NOK, |function| function($context.ctx $(, $argument)*))
    };
}

impl Context {
    pub(super) fn open() -> Result<Self, EncodeError> {
        let mut this = Self { ctx: ptr::null_mut(), api: ptr::null_mut() };
        // SAFETY: both places are valid for what the call makes.
        check("mpp_create", unsafe { mpp::mpp_create(&raw mut this.ctx, &raw mut this.api) })?;
        if this.ctx.is_null() || this.api.is_null() {
            return Err(failed("mpp_create made nothing".into()));
        }
        // SAFETY: the context was just made.
        let code = unsafe { mpp::mpp_init(this.ctx, mpp::MPP_CTX_ENC, mpp::MPP_VIDEO_CodingAVC) };
        check("mpp_init for H.264", code).map_err(|error| device_fault().unwrap_or(error))?;
        Ok(this)
    }

    /// A task at the caller's side of a port. Waits up to `wait` for it.
    pub(super) fn task(&self, port: MppPortType, wait: Duration) -> Result<Option<MppTask>, EncodeError> {
        let wait = wait.as_micros().div_ceil(1000).min(mpp::MPP_POLL_MAX as u128) as MppPollType;
        // SAFETY: context and table live as long as `self`.
        match unsafe { call!(self, poll, port, wait) } {
            mpp::MPP_NOK | mpp::MPP_ERR_TIMEOUT => return Ok(None),
            code => check("poll", code)?,
        }
        let mut task = ptr::null_mut();
        // SAFETY: as above; `task` is a place for the result. A wait may end with success and without a task.
        let _ = unsafe { call!(self, dequeue, port, &raw mut task) };
        Ok((!task.is_null()).then_some(task))
    }

    /// Hands a task on through the port that it came from.
    pub(super) fn enqueue(&self, port: MppPortType, task: MppTask) -> Result<(), EncodeError> {
        // SAFETY: context and table live as long as `self`; the task is one of this context's.
        check("enqueue", unsafe { call!(self, enqueue, port, task) })
    }

    /// Sends a command. It waits until the encoder is done with the picture that it has: send none before that came back, so
    /// that an encoder that stands still does not hold the caller.
    ///
    /// # Safety
    /// `parameter` is what the command takes and lives until the call returns.
    pub(super) unsafe fn send(&self, command: MpiCmd, parameter: MppParam) -> MPP_RET {
        // SAFETY: context and table live as long as `self`; the parameter is the caller's promise.
        unsafe { call!(self, control, command, parameter) }
    }

    /// As [`Self::send`]; the command's name goes into an error.
    ///
    /// # Safety
    /// As for [`Self::send`].
    pub(super) unsafe fn control(
        &self,
        name: &str,
        command: MpiCmd,
        parameter: MppParam,
    ) -> Result<(), EncodeError> {
        // SAFETY: the caller's promise.
        check(name, unsafe { self.send(command, parameter) })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if !self.ctx.is_null() {
            // SAFETY: the context was made by mpp_create and is destroyed here, once.
            unsafe { mpp::mpp_destroy(self.ctx) };
        }
    }
}

/// What keeps the library from the driver; it says nothing but [`mpp::MPP_NOK`] where it can't open it.
fn device_fault() -> Option<EncodeError> {
    let error = OpenOptions::new().read(true).write(true).open(DEVICE).err()?;
    let remedy = match error.kind() {
        ErrorKind::NotFound => "use Rockchip's kernel, with its MPP driver",
        ErrorKind::PermissionDenied => "add the user to the group that owns it",
        _ => "see the kernel's log",
    };
    Some(failed(format!("{DEVICE}: {error}: {remedy}")))
}

/// Codes below zero are errors (`mpp_err.h`).
pub(super) fn check(call: &str, code: MPP_RET) -> Result<(), EncodeError> {
    if code >= 0 {
        return Ok(());
    }
    let meaning = match code {
        mpp::MPP_NOK => ": the library's log (mpp in syslog) says why",
        mpp::MPP_ERR_MALLOC | mpp::MPP_ERR_NOMEM => ": no memory left that hardware can read",
        mpp::MPP_ERR_OPEN_FILE | mpp::MPP_ERR_PERM => ": no access to /dev/mpp_service or /dev/dma_heap",
        mpp::MPP_ERR_VALUE => ": a value out of its range",
        mpp::MPP_ERR_INIT | mpp::MPP_ERR_VPU_CODEC_INIT => ": the hardware was not set up",
        mpp::MPP_ERR_VPUHW => ": the hardware failed",
        _ => "",
    };
    Err(failed(format!("{call} gave {code}{meaning}")))
}
