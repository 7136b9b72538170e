//! What the software encoders put out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod camera;
mod conformance;

use board::{EncoderConfig, SoftwareEncoderConfig, VaapiConfig, X264Config};

fn each(check: fn(&EncoderConfig)) {
    check(&EncoderConfig::Software(SoftwareEncoderConfig::default()));
    if cfg!(feature = "gpl") {
        check(&EncoderConfig::X264(X264Config::default()));
    }
}

#[test]
fn idr_pictures_come_on_demand_with_parameter_sets() {
    each(conformance::idr_pictures_come_on_demand_with_parameter_sets);
}

#[test]
fn a_stream_is_what_was_asked_for() {
    each(conformance::a_stream_is_what_was_asked_for);
}

#[test]
fn x264_tells_how_many_pictures_a_second_has() {
    if cfg!(feature = "gpl") {
        let coding = conformance::coding(&EncoderConfig::X264(X264Config::default()));
        assert_eq!((coding.fps, coding.level), (Some(conformance::RATE.into()), 20));
    }
}

#[test]
fn what_comes_out_is_what_went_in() {
    each(conformance::what_comes_out_is_what_went_in);
}

#[test]
fn the_bitrate_follows_while_running_without_an_idr_picture() {
    each(conformance::the_bitrate_follows_while_running_without_an_idr_picture);
}

#[test]
fn a_picture_of_another_size_is_refused() {
    each(conformance::a_picture_of_another_size_is_refused);
}

#[test]
fn an_encoder_that_the_program_was_built_without_says_so() {
    let vaapi = EncoderConfig::Vaapi(VaapiConfig { device: "/dev/dri/renderD128".into() });
    for (config, name, feature, is_in) in [
        (
            EncoderConfig::RockchipMpp(board::RockchipMppConfig::default()),
            "Rockchip MPP",
            "rkmpp",
            cfg!(feature = "rkmpp"),
        ),
        (vaapi, "VA-API", "vaapi", cfg!(feature = "vaapi")),
        (EncoderConfig::X264(X264Config::default()), "x264", "gpl", cfg!(feature = "gpl")),
    ] {
        if !is_in {
            let error = board::open_encoder(&config, conformance::SETTINGS).err().unwrap();
            let cause = format!("this program was built without it (feature {feature})");
            assert_eq!(error.to_string(), format!("{name} can't be opened: {cause}"));
        }
    }
}
