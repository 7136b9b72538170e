use std::collections::{HashMap, HashSet};

use stand_in_encoder::Settings;

use crate::{MPP_ERR_VALUE, MPP_NOK, MPP_OK, MPP_RET};

/// Bits a second between which rates lie, `rk_venc_rc.h`.
const MPP_ENC_MIN_BPS: i64 = 1 << 10;
const MPP_ENC_MAX_BPS: i64 = 200 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    S32,
    U32,
}

/// Names that every version of the library since 2021 knows, with the values before any is set (`mpp_enc_cfg.cpp`,
/// `h264e_api_v2.c`).
const NAMES: &[(&str, Kind, i64)] = &[
    ("prep:width", Kind::S32, 1280),
    ("prep:height", Kind::S32, 720),
    ("prep:hor_stride", Kind::S32, 1280),
    ("prep:ver_stride", Kind::S32, 720),
    ("prep:format", Kind::S32, 0),
    ("prep:range", Kind::S32, 0),
    ("prep:colorspace", Kind::S32, 2),
    ("prep:colorprim", Kind::S32, 2),
    ("prep:colortrc", Kind::S32, 2),
    ("rc:mode", Kind::S32, 1),
    ("rc:bps_target", Kind::S32, 2_000_000),
    ("rc:bps_max", Kind::S32, 2_500_000),
    ("rc:bps_min", Kind::S32, 1_500_000),
    ("rc:fps_in_flex", Kind::S32, 0),
    ("rc:fps_in_num", Kind::S32, 30),
    ("rc:fps_in_denorm", Kind::S32, 1),
    ("rc:fps_out_flex", Kind::S32, 0),
    ("rc:fps_out_num", Kind::S32, 30),
    ("rc:fps_out_denorm", Kind::S32, 1),
    ("rc:gop", Kind::S32, 60),
    ("rc:drop_mode", Kind::U32, 0),
    ("rc:max_reenc_times", Kind::U32, 1),
    ("rc:stats_time", Kind::S32, 3),
    ("h264:profile", Kind::S32, 66),
    ("h264:level", Kind::S32, 31),
    ("h264:cabac_en", Kind::S32, 0),
    ("h264:cabac_idc", Kind::S32, 0),
    ("h264:trans8x8", Kind::S32, 0),
];

#[derive(Clone)]
pub(super) struct Config {
    values: HashMap<&'static str, i64>,
    /// What differs from the encoder's, which is all that it is told.
    changed: HashSet<&'static str>,
}

impl Default for Config {
    fn default() -> Self {
        let values = NAMES.iter().map(|(name, _, value)| (*name, *value)).collect();
        Self { values, changed: HashSet::new() }
    }
}

impl Config {
    pub(super) fn get(&self, name: &str) -> Option<i64> {
        self.values.get(name).copied()
    }

    /// As OpenH264 is told.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            width: self.number("prep:width"),
            height: self.number("prep:height"),
            fps: self.number("rc:fps_out_num"),
            bitrate: self.number("rc:bps_target"),
            cabac: self.number("h264:cabac_en") == 1,
        }
    }

    pub(super) fn number(&self, name: &str) -> usize {
        self.get(name).and_then(|value| usize::try_from(value).ok()).unwrap_or(0)
    }

    pub(super) fn set(&mut self, name: &str, kind: Kind, value: i64) -> MPP_RET {
        match NAMES.iter().find(|(known, of, _)| *known == name && *of == kind) {
            Some((known, ..)) => {
                if self.values.insert(known, value) != Some(value) {
                    self.changed.insert(known);
                }
                MPP_OK
            }
            None => MPP_NOK,
        }
    }

    /// This one with what was changed in `other`, where that is not noted any more, whatever becomes of it.
    pub(super) fn with_changes(&self, other: &mut Self) -> Self {
        let mut this = self.clone();
        for name in other.changed.drain() {
            this.values.extend(other.values.get_key_value(name));
        }
        this
    }

    /// What the library checks (`mpp_enc_impl.cpp`, `h264e_api_v2.c`): strides that hold the picture, and rates within its
    /// bounds. No size is too large or too small for it; that is the hardware's.
    pub(super) fn check(&self, largest: Option<(i64, i64)>) -> MPP_RET {
        let value = |name| self.get(name).unwrap_or(0);
        let (width, height) = (value("prep:width"), value("prep:height"));
        let sizes = width <= value("prep:hor_stride")
            && height <= value("prep:ver_stride")
            && largest.is_none_or(|largest| width <= largest.0 && height <= largest.1);
        let rates = value("rc:fps_in_num") >= 0
            && value("rc:fps_out_num") >= 0
            && ["rc:bps_min", "rc:bps_target", "rc:bps_max"]
                .into_iter()
                .all(|name| value(name) > MPP_ENC_MIN_BPS && value(name) < MPP_ENC_MAX_BPS);
        if sizes && rates { MPP_OK } else { MPP_ERR_VALUE }
    }

    pub(super) fn differs(&self, other: &Self, names: &[&str]) -> bool {
        names.iter().any(|name| self.get(name) != other.get(name))
    }
}
