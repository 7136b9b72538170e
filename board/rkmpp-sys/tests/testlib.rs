//! The test library through C's eyes: what goes in comes out, what is kept is counted, what is wrong is noted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::c_char;
use std::ptr::null_mut;

use rkmpp_sys as mpp;
use rkmpp_sys::testlib::{self, Live};
use rkmpp_sys::{MppApi, MppBuffer, MppBufferGroup, MppCtx, MppEncCfg, MppFrame, MppPacket, MppTask};

const WIDTH: usize = 64;
const HEIGHT: usize = 48;
const TAG: *const c_char = c"test".as_ptr();

struct Raw {
    ctx: MppCtx,
    api: *mut MppApi,
    group: MppBufferGroup,
    frame: MppFrame,
}

impl Raw {
    fn new() -> Self {
        let mut raw = Self { ctx: null_mut(), api: null_mut(), group: null_mut(), frame: null_mut() };
        let mut cfg: MppEncCfg = null_mut();
        // SAFETY: each place is valid for its result, each object is used after it was made.
        unsafe {
            assert_eq!(mpp::mpp_create(&raw mut raw.ctx, &raw mut raw.api), 0);
            assert_eq!(mpp::mpp_init(raw.ctx, mpp::MPP_CTX_ENC, mpp::MPP_VIDEO_CodingAVC), 0);
            assert_eq!(mpp::mpp_enc_cfg_init(&raw mut cfg), 0);
            assert_eq!(raw.control(mpp::MPP_ENC_GET_CFG, cfg), 0);
            for (name, value) in [
                (c"prep:width", WIDTH),
                (c"prep:height", HEIGHT),
                (c"prep:hor_stride", WIDTH),
                (c"prep:ver_stride", HEIGHT),
            ] {
                assert_eq!(mpp::mpp_enc_cfg_set_s32(cfg, name.as_ptr(), value as i32), 0);
            }
            assert_eq!(mpp::mpp_enc_cfg_set_s32(cfg, c"rc:no_such".as_ptr(), 1), mpp::MPP_NOK);
            assert_eq!(raw.control(mpp::MPP_ENC_SET_CFG, cfg), 0);
            assert_eq!(mpp::mpp_enc_cfg_deinit(cfg), 0);
            let (kind, mode) = (mpp::MPP_BUFFER_TYPE_DRM, mpp::MPP_BUFFER_INTERNAL);
            assert_eq!(mpp::mpp_buffer_group_get(&raw mut raw.group, kind, mode, TAG, TAG), 0);
            assert_eq!(mpp::mpp_frame_init(&raw mut raw.frame), 0);
        }
        raw
    }

    fn control(&self, command: mpp::MpiCmd, parameter: mpp::MppParam) -> i32 {
        // SAFETY: the table and the context live until `release`.
        unsafe { (*self.api).control.unwrap()(self.ctx, command, parameter) }
    }

    fn task(&self, port: mpp::MppPortType, wait: i32) -> Option<MppTask> {
        let mut task = null_mut();
        // SAFETY: as above; `task` is a place for the result.
        let code = unsafe {
            match (*self.api).poll.unwrap()(self.ctx, port, wait) {
                1.. => (*self.api).dequeue.unwrap()(self.ctx, port, &raw mut task),
                none => none,
            }
        };
        (code == 0).then_some(task)
    }

    fn enqueue(&self, port: mpp::MppPortType, task: MppTask) {
        // SAFETY: as above; the task came from `dequeue`.
        assert_eq!(unsafe { (*self.api).enqueue.unwrap()(self.ctx, port, task) }, 0);
    }

    fn put(&self, pts: i64) {
        let task = self.task(mpp::MPP_PORT_INPUT, 0).unwrap();
        let (mut buffer, mut before): (MppBuffer, MppFrame) = (null_mut(), null_mut());
        let size = WIDTH * HEIGHT * 3 / 2;
        // SAFETY: as above.
        unsafe {
            mpp::mpp_task_meta_get_frame(task, mpp::KEY_INPUT_FRAME, &raw mut before);
            assert_eq!(mpp::mpp_buffer_get_with_tag(self.group, &raw mut buffer, size, TAG, TAG), 0);
            assert!(!mpp::mpp_buffer_get_ptr_with_caller(buffer, TAG).is_null());
            mpp::mpp_frame_set_buffer(self.frame, buffer);
            mpp::mpp_buffer_put_with_caller(buffer, TAG);
            mpp::mpp_frame_set_width(self.frame, WIDTH as u32);
            mpp::mpp_frame_set_height(self.frame, HEIGHT as u32);
            mpp::mpp_frame_set_hor_stride(self.frame, WIDTH as u32);
            mpp::mpp_frame_set_ver_stride(self.frame, HEIGHT as u32);
            mpp::mpp_frame_set_pts(self.frame, pts);
            assert_eq!(mpp::mpp_task_meta_set_frame(task, mpp::KEY_INPUT_FRAME, self.frame), 0);
        }
        self.enqueue(mpp::MPP_PORT_INPUT, task);
    }

    /// Length and time of the next packet.
    fn get(&self) -> Option<(usize, i64)> {
        let task = self.task(mpp::MPP_PORT_OUTPUT, 10)?;
        let mut packet: MppPacket = null_mut();
        // SAFETY: as above.
        let seen = unsafe {
            mpp::mpp_task_meta_get_packet(task, mpp::KEY_OUTPUT_PACKET, &raw mut packet);
            let seen = (mpp::mpp_packet_get_length(packet), mpp::mpp_packet_get_pts(packet));
            assert!(!mpp::mpp_packet_get_pos(packet).is_null());
            assert_eq!(mpp::mpp_packet_deinit(&raw mut packet), 0);
            seen
        };
        self.enqueue(mpp::MPP_PORT_OUTPUT, task);
        Some(seen)
    }

    fn release(mut self) {
        // SAFETY: each object is released here, once.
        unsafe {
            mpp::mpp_destroy(self.ctx);
            mpp::mpp_frame_deinit(&raw mut self.frame);
            mpp::mpp_buffer_group_put(self.group);
        }
    }
}

#[test]
fn pictures_become_packets_and_nothing_stays() {
    let session = testlib::session();
    let raw = Raw::new();
    for pts in 0..20 {
        raw.put(pts);
        let (length, at) = raw.get().unwrap();
        assert!(length > 3);
        assert_eq!(at, pts);
    }
    assert_eq!(session.live(), Live { contexts: 1, frames: 1, buffers: 1, groups: 1, ..Live::default() });
    raw.release();
    assert_eq!(session.live(), Live::default());
    assert_eq!(session.counts().pictures, 20);
    assert_eq!(session.misuses(), [""; 0]);
}

#[test]
fn faults_come_as_told_and_misuse_is_noted() {
    let session = testlib::session();
    let raw = Raw::new();
    session.faults(|faults| faults.short = 1);
    raw.put(0);
    assert_eq!(raw.get(), Some((3, 0)));
    session.faults(|faults| faults.fail = 1);
    raw.put(1);
    assert_eq!(raw.get(), Some((0, 1)));
    session.faults(|faults| faults.silent = true);
    raw.put(2);
    assert_eq!(raw.get(), None);
    session.faults(|faults| faults.stuck = true);
    raw.put(3);
    assert!(raw.task(mpp::MPP_PORT_INPUT, 10).is_none());
    assert_ne!(raw.control(mpp::MPP_ENC_SET_IDR_FRAME, null_mut()), 0);
    session.faults(|faults| faults.stuck = false);
    let mut frame = raw.frame;
    raw.release();
    // SAFETY: the library knows its live objects.
    assert_ne!(unsafe { mpp::mpp_frame_deinit(&raw mut frame) }, 0);
    let after = "a picture after one that failed";
    let expected = [after, "a command would wait for ever", after, "a frame released once too often"];
    assert_eq!(session.misuses(), expected);
}
