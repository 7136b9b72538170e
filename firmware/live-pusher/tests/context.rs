//! Methods of the context, devices, pauses and retries, by the names of section 14.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_cmp)]

mod world;

use std::time::Duration;

use live_pusher::{
    Action, Code, DegradedStart, Device, DeviceEvent, DevicePosition, Failure, Hardware, Input, Media,
    Method, MusicCommand, MusicEvent, NetworkEvent, Options, Output, Profile, Reason, SnapshotQuality, State,
    Transition, WindowEvent,
};
use serde_json::{Map, Value, json};
use world::{Answer, World, hardware, object};

const SECOND: Duration = Duration::from_secs(1);

fn parsed(name: &str, arguments: Value) -> Result<Method, i32> {
    Method::parse(name, &object(arguments)).unwrap().map_err(Failure::number)
}

fn opened(world: &World, begin: usize, device: Device) -> bool {
    world.has(begin, &Output::Open(device))
}

#[test]
fn p8_an_update_of_url_and_autopush_makes_one_connection() {
    let mut world = World::new(json!({}));
    world.give(Input::Attach);
    world.set(json!({"autopush": true, "url": world::URL}));
    let connections = |world: &World| {
        world.outputs.iter().filter(|output| matches!(output, Output::Connect { .. })).count()
    };
    assert_eq!((connections(&world), world.state()), (1, State::Connecting));
    world.connected();
    // The same again is nothing new, another address is.
    world.set(json!({"autopush": true, "url": world::URL}));
    assert_eq!(connections(&world), 1);
    world.set(json!({"url": world::OTHER_URL}));
    assert_eq!((connections(&world), world.state()), (2, State::Connecting));
    world.set(json!({"url": ""}));
    assert_eq!((connections(&world), world.state()), (2, State::Connecting));
}

#[test]
fn p8_an_automatic_start_is_not_lost_while_a_call_waits() {
    let mut world = World::new(json!({}));
    world.give(Input::Attach);
    world.set(json!({"url": world::URL, "device-position": "back", "autopush": true}));
    assert_eq!(world.state(), State::Connecting);
    for waiting in [Method::StartPreview, Method::Start] {
        let mut world = World::new(json!({"url": world::URL}));
        world.give(Input::Attach);
        world.answer = Answer::Silent;
        world.call(waiting);
        world.set(json!({"autopush": true, "url": world::OTHER_URL}));
        for device in [Device::Camera, Device::Microphone] {
            world.device(device, DeviceEvent::Opened(Map::new()));
        }
        world.device(Device::Camera, DeviceEvent::FirstFrame(Map::new()));
        let connected = world.outputs.iter().rev().find_map(|output| match output {
            Output::Connect { url, .. } => Some(url.as_str()),
            _ => None,
        });
        assert_eq!((world.state(), connected), (State::Connecting, Some(world::OTHER_URL)));
    }
}

#[test]
fn p4_what_counts_for_the_next_session_counts_with_the_next_address() {
    let mut world = World::at(State::Pushing);
    let begin = world.set(json!({"audio-quality": "low", "url": world::OTHER_URL}));
    assert!(!world.has(begin, &Output::Media(None)));
    let begin = world.outputs.len();
    world.ask(Method::Start).unwrap();
    assert!(world.has(begin, &Output::Media(None)));
    assert_eq!(world.media(), Some(Media { live: true, audible: true }));
}

#[test]
fn p9_4998_and_4999_tell_each_effective_change() {
    let mut world = World::at(State::Pushing);
    let audible = |world: &World| world.media() == Some(Media { live: true, audible: true });
    for (properties, codes, sounds) in [
        (json!({"muted": true}), vec![4999], false),
        (json!({"muted": true}), vec![], false),
        (json!({"muted": false}), vec![4999], true),
        (json!({"enable-mic": false}), vec![4998], false),
        (json!({"enable-mic": false, "muted": true}), vec![4999], false),
        (json!({"enable-mic": true, "muted": false}), vec![4998, 4999], true),
    ] {
        let begin = world.set(properties.clone());
        assert_eq!(world.codes(begin), codes, "{properties}");
        assert_eq!(audible(&world), sounds, "{properties}");
    }
    let mut idle = World::at(State::Idle);
    let begin = idle.set(json!({"muted": true}));
    assert!(idle.codes(begin).is_empty());
}

#[test]
fn m1_start_is_answered_once_its_devices_are_there_and_calls_behind_it_wait() {
    let mut world = World::at(State::Idle);
    world.answer = Answer::Silent;
    let start = world.call(Method::Start);
    let pause = world.call(Method::Pause);
    assert_eq!((world.replies(start).len(), world.replies(pause).len()), (0, 0));
    world.device(Device::Camera, DeviceEvent::Opened(Map::new()));
    world.device(Device::Microphone, DeviceEvent::Opened(Map::new()));
    assert_eq!(world.state(), State::Idle);
    world.device(Device::Camera, DeviceEvent::FirstFrame(Map::new()));
    assert_eq!(world.replies(start), [Ok(Map::new())]);
    assert_eq!(world.replies(pause), [Ok(Map::new())]);
    assert!(world.machine.reasons().contains(Reason::Api));
}

#[test]
fn m1_calls_that_wait_are_few_and_not_for_long() {
    let mut world = World::at(State::Idle);
    world.answer = Answer::Silent;
    let start = world.call(Method::Start);
    let waiting: Vec<_> = (0..33).map(|_| world.call(Method::GetMaxZoom)).collect();
    assert_eq!(world.replies(waiting[32]), [Err(Failure::Busy)]);
    let switch = world.call(Method::SwitchCamera);
    assert_eq!(world.replies(switch), [Err(Failure::Busy)]);
    world.pass(Duration::from_millis(1100));
    for id in &waiting[..32] {
        assert_eq!(world.replies(*id), [Err(Failure::Timeout)]);
    }
    assert_eq!(world.replies(start), []);
}

#[test]
fn m1_devices_that_do_not_answer_end_a_start_after_five_seconds() {
    let mut world = World::at(State::Idle);
    world.answer = Answer::Silent;
    let start = world.call(Method::Start);
    world.pass(Duration::from_millis(4900));
    assert_eq!(world.replies(start), []);
    let begin = world.pass(Duration::from_millis(200));
    assert_eq!(world.replies(start), [Err(Failure::Device)]);
    assert_eq!(world.codes(begin), [-1301]);
    assert!(world.has(begin, &Output::Close(Device::Camera)) && world.state() == State::Idle);
    let options = Options { degraded_start: DegradedStart::Placeholder, ..Options::default() };
    let mut world = World::with(json!({ "url": world::URL }), options, hardware());
    world.give(Input::Attach);
    world.answer = Answer::Silent;
    let start = world.call(Method::Start);
    let begin = world.pass(Duration::from_millis(5100));
    assert_eq!((world.replies(start), world.state()), (vec![Ok(Map::new())], State::Connecting));
    assert_eq!(world.codes(begin), [-1301, -1302]);
}

#[test]
fn m2_one_snapshot_at_a_time_and_only_of_a_picture() {
    let snapshot = || Method::Snapshot(SnapshotQuality::Raw);
    for state in [State::Idle, State::Suspended] {
        assert_eq!(World::at(state).ask(snapshot()), Err(-3), "{state:?}");
    }
    for state in [State::Previewing, State::Connecting, State::Pushing, State::Paused, State::Reconnecting] {
        let mut world = World::at(state);
        let first = world.call(snapshot());
        assert!(world.has(0, &Output::Perform { id: first, action: Action::Snapshot(SnapshotQuality::Raw) }));
        assert_eq!(world.ask(snapshot()), Err(-5));
        let result = Ok(object(json!({"width": 360})));
        world.give(Input::Performed { id: first, result: result.clone() });
        world.give(Input::Performed { id: first, result: result.clone() });
        assert_eq!(world.replies(first), [result]);
        let slow = world.call(snapshot());
        world.pass(3 * SECOND);
        assert_eq!(world.replies(slow), [Err(Failure::Timeout)]);
    }
    assert_eq!(parsed("snapshot", json!({"quality": "best"})), Err(-2));
    assert_eq!(parsed("snapshot", json!({"sourceType": 3})), Err(-2));
    assert_eq!(parsed("snapshot", json!({})), Ok(snapshot()));
    assert_eq!(
        parsed("snapshot", json!({"sourceType": "view"})),
        Ok(Method::SnapshotView(SnapshotQuality::Raw))
    );
}

#[test]
fn m2_a_snapshot_of_the_view_needs_a_view_that_shows_the_camera() {
    let snapshot = || Method::SnapshotView(SnapshotQuality::Compressed);
    for state in [State::Idle, State::Paused, State::Suspended] {
        assert_eq!(World::at(state).ask(snapshot()), Err(-3), "{state:?}");
    }
    for state in [State::Previewing, State::Connecting, State::Pushing, State::Reconnecting] {
        let mut world = World::at(state);
        let action = Action::SnapshotView(SnapshotQuality::Compressed);
        let id = world.call(snapshot());
        assert!(world.has(0, &Output::Perform { id, action }), "{state:?}");
        assert_eq!(world.ask(Method::Snapshot(SnapshotQuality::Raw)), Err(-5), "one at a time");
        world.give(Input::Performed { id, result: Ok(Map::new()) });
        world.give(Input::Condition { reason: Reason::Privacy, holds: true });
        assert_eq!(world.ask(snapshot()), Err(-3), "{state:?}, in private");
    }
    let mut hidden = World::at(State::Pushing);
    hidden.ask(Method::StopPreview).unwrap();
    assert_eq!(hidden.ask(snapshot()), Err(-4));
    let headless = Hardware { preview: false, ..hardware() };
    let mut headless = World::with(json!({"url": world::URL}), Options::default(), headless);
    headless.give(Input::Attach);
    headless.ask(Method::Start).unwrap();
    assert_eq!(headless.ask(snapshot()), Err(-4));
}

/// Of one who hears what is told of the small window.
fn windows(world: &World, begin: usize) -> Vec<bool> {
    let window = |output: &Output| match output {
        Output::Window(open) => Some(*open),
        _ => None,
    };
    world.outputs[begin..].iter().filter_map(window).collect()
}

fn window_of(transition: Transition) -> World {
    let mut world = World::at(State::Pushing);
    world.set(json!({"picture-in-picture-mode": "push,pop"}));
    let begin = world.give(Input::Window(WindowEvent::Entered(transition)));
    assert_eq!(windows(&world, begin), [true]);
    world
}

#[test]
fn m7_the_small_window_is_told_once_each_way() {
    for transition in [Transition::Push, Transition::Pop] {
        let mut world = window_of(transition);
        let begin = world.give(Input::Window(WindowEvent::Entered(transition)));
        assert_eq!(windows(&world, begin), [true; 0]);
        let begin = world.give(Input::Window(WindowEvent::Left { by_hand: false }));
        world.give(Input::Window(WindowEvent::Left { by_hand: false }));
        assert_eq!((windows(&world, begin), world.state()), (vec![false], State::Pushing), "home again");
    }
}

#[test]
fn m7_closed_on_purpose_the_window_of_a_page_that_was_left_takes_the_session_with_it() {
    for (transition, state) in [(Transition::Push, State::Pushing), (Transition::Pop, State::Idle)] {
        let mut world = window_of(transition);
        let begin = world.give(Input::Window(WindowEvent::Left { by_hand: true }));
        assert_eq!(
            (windows(&world, begin), world.state()),
            (vec![false], state),
            "{transition:?} by its user"
        );

        let mut world = window_of(transition);
        let begin = world.outputs.len();
        assert_eq!(world.ask(Method::ExitPictureInPicture), Ok(Map::new()));
        assert!(world.has(begin, &Output::CloseWindow));
        world.give(Input::Window(WindowEvent::Left { by_hand: true }));
        assert_eq!(
            (windows(&world, begin), world.state()),
            (vec![false], state),
            "{transition:?} by the method"
        );
        assert_eq!(world.ask(Method::ExitPictureInPicture), Err(-3));
    }
}

#[test]
fn m7_emptying_the_property_closes_the_window_and_a_stop_does() {
    for transition in [Transition::Push, Transition::Pop] {
        let mut world = window_of(transition);
        let begin = world.set(json!({"picture-in-picture-mode": []}));
        assert!(world.has(begin, &Output::CloseWindow));
        assert_eq!((windows(&world, begin), world.state()), (vec![false], State::Pushing), "{transition:?}");

        let mut world = window_of(transition);
        let begin = world.outputs.len();
        world.ask(Method::Stop).unwrap();
        assert_eq!((windows(&world, begin), world.state()), (vec![false], State::Idle));
    }
}

#[test]
fn m7_headless_there_is_no_small_window() {
    let headless = Hardware { preview: false, ..hardware() };
    let mut world = World::with(json!({"picture-in-picture-mode": "push"}), Options::default(), headless);
    world.give(Input::Attach);
    assert_eq!(world.ask(Method::ExitPictureInPicture), Err(-4));
    assert_eq!(World::at(State::Pushing).ask(Method::ExitPictureInPicture), Err(-3));
}

#[test]
fn m3_zoom_is_rounded_clamped_and_reset() {
    let mut world = World::at(State::Pushing);
    for (given, got) in [(json!(2.26), 2.3), (json!("3"), 3.0), (json!(0.2), 1.0), (json!(99), 5.0)] {
        let method = parsed("setZoom", json!({ "zoom": given })).unwrap();
        assert_eq!(world.ask(method).unwrap()["zoom"], json!(got));
    }
    assert_eq!(parsed("setZoom", json!({"zoom": "NaN"})), Err(-2));
    assert_eq!(parsed("setZoom", json!({})), Err(-2));
    assert_eq!(world.ask(Method::GetMaxZoom).unwrap()["maxZoom"], "5.0");
    let begin = world.outputs.len();
    world.ask(Method::SwitchCamera).unwrap();
    assert!(world.has(begin, &Output::Zoom(1.0)));
    world.ask(Method::SetZoom(2.0)).unwrap();
    let begin = world.outputs.len();
    world.ask(Method::Stop).unwrap();
    assert!(world.has(begin, &Output::Zoom(1.0)));
    assert_eq!(world.ask(Method::SetZoom(2.0)), Err(-3));
    assert_eq!(world.ask(Method::GetMaxZoom), Err(-3));
}

#[test]
fn m4_the_lamp_belongs_to_its_running_camera() {
    let mut world = World::at(State::Pushing);
    assert_eq!(world.ask(Method::ToggleTorch), Err(-4), "the front camera has none");
    let lit = |world: &mut World| {
        let reply = world.toggle_torch(true, Ok(())).unwrap();
        reply["torch"] == true && world.machine.has_torch_lit()
    };
    world.set(json!({"device-position": "back"}));
    let out: [fn(&mut World); 5] = [
        |world| drop(world.ask(Method::Pause)),
        |world| drop(world.ask(Method::SwitchCamera)),
        |world| {
            world.lose(Device::Camera);
        },
        |world| {
            world.give(Input::Condition { reason: Reason::Privacy, holds: true });
        },
        |world| drop(world.ask(Method::Stop)),
    ];
    for act in out {
        assert!(lit(&mut world));
        world.outputs.clear();
        act(&mut world);
        assert!(world.has(0, &Output::TorchOut) && !world.machine.has_torch_lit());
        world.give(Input::Condition { reason: Reason::Privacy, holds: false });
        world.ask(Method::Resume).ok();
        world.set(json!({"device-position": "front"}));
        world.set(json!({"device-position": "back"}));
        world.pass(3 * SECOND);
    }
    assert_eq!(world.ask(Method::ToggleTorch), Err(-3), "no camera runs");
}

#[test]
fn m4_the_lamp_counts_as_lit_only_while_it_is() {
    let mut world = World::at(State::Pushing);
    world.set(json!({"device-position": "back"}));
    assert_eq!(world.toggle_torch(true, Err(Failure::Device)), Err(-7));
    assert!(!world.machine.has_torch_lit(), "it could not be lit");
    world.toggle_torch(true, Ok(())).unwrap();
    world.give(Input::TorchOut);
    assert!(!world.machine.has_torch_lit(), "its time is over");
    world.toggle_torch(true, Ok(())).unwrap();
    assert_eq!(world.toggle_torch(false, Ok(())).unwrap()["torch"], false);
    assert!(!world.machine.has_torch_lit());

    let id = world.call(Method::ToggleTorch);
    assert!(!world.machine.has_torch_lit(), "nobody has lit it yet");
    assert_eq!(world.ask(Method::ToggleTorch), Err(-5));
    let begin = world.pass(SECOND);
    assert_eq!(world.replies(id), [Err(Failure::Timeout)]);
    assert!(world.has(begin, &Output::TorchOut), "it may be lit late");
    let id = world.call(Method::ToggleTorch);
    world.call(Method::Pause);
    assert_eq!(world.replies(id), [Err(Failure::InvalidState("no preview"))]);
    world.give(Input::Performed { id, result: Ok(Map::new()) });
    assert!(!world.machine.has_torch_lit(), "it was put out before");
}

#[test]
fn m5_music_plays_pauses_with_the_session_and_tells_why_it_fails() {
    let play =
        || parsed("playBGM", json!({"url": " song.mp3 ", "startTimeMs": -5, "endTimeMs": "0"})).unwrap();
    assert_eq!(World::at(State::Idle).ask(play()), Err(-3));
    let mut world = World::at(State::Pushing);
    for method in [Method::PauseMusic, Method::ResumeMusic] {
        assert_eq!(world.ask(method), Err(-3));
    }
    assert_eq!(world.ask(Method::StopMusic), Ok(Map::new()));
    let id = world.call(play());
    let command = MusicCommand::Play { url: "song.mp3".into(), start: Duration::ZERO, end: None };
    assert!(world.has(0, &Output::Music(command)) && world.replies(id).is_empty());
    world.give(Input::Music(MusicEvent::Started));
    assert_eq!(world.replies(id), [Ok(Map::new())]);
    let begin = world.outputs.len();
    world.ask(Method::Pause).unwrap();
    world.ask(Method::Resume).unwrap();
    world.ask(Method::PauseMusic).unwrap();
    world.ask(Method::PauseMusic).unwrap();
    world.ask(Method::Pause).unwrap();
    world.ask(Method::Resume).unwrap();
    world.ask(Method::ResumeMusic).unwrap();
    let commands: Vec<_> =
        world.outputs[begin..].iter().filter(|it| matches!(it, Output::Music(_))).collect();
    let expected = [MusicCommand::Pause, MusicCommand::Resume, MusicCommand::Pause, MusicCommand::Resume];
    assert_eq!(commands, expected.map(Output::Music).each_ref());
    let begin = world.give(Input::Music(MusicEvent::Failed { reason: "decode".into() }));
    assert_eq!(world.codes(begin), [10_003]);
    let late = world.call(play());
    let begin = world.pass(11 * SECOND);
    assert_eq!((world.codes(begin), world.replies(late)), (vec![10_003], vec![Err(Failure::Device)]));
    for arguments in [json!({}), json!({"url": " "}), json!({"url": "x", "startTimeMs": 9, "endTimeMs": 8})] {
        assert_eq!(parsed("playBGM", arguments), Err(-2));
    }
}

#[test]
fn m5_volumes_are_clamped_and_kept_at_any_time() {
    let mut world = World::at(State::Idle);
    for (given, got) in [(json!("0.5"), 0.5), (json!(7), 1.0), (json!(-1), 0.0)] {
        let method = parsed("setBGMVolume", json!({ "volume": given })).unwrap();
        assert_eq!(method, Method::SetMusicVolume(got));
        assert_eq!(world.ask(method), Ok(Map::new()));
    }
    assert_eq!(parsed("setMICVolume", json!({"volume": "loud"})), Err(-2));
    assert_eq!(parsed("setBGMVolume", json!({})), Err(-2));
}

#[test]
fn m6_messages_go_out_while_pushing_only_and_have_a_length() {
    let text = |length: usize| parsed("sendMessage", json!({"msg": "x".repeat(length)}));
    assert!(text(1).is_ok() && text(1024).is_ok());
    assert_eq!([text(0), text(1025), parsed("sendMessage", json!({"msg": 5}))], [Err(-2), Err(-2), Err(-2)]);
    for state in [State::Idle, State::Previewing, State::Connecting, State::Reconnecting, State::Suspended] {
        assert_eq!(World::at(state).ask(text(1).unwrap()), Err(-3), "{state:?}");
    }
    for state in [State::Pushing, State::Paused] {
        let mut world = World::at(state);
        let id = world.call(text(1).unwrap());
        world.give(Input::Performed { id, result: Ok(Map::new()) });
        assert_eq!(world.replies(id), [Ok(Map::new())]);
    }
}

#[test]
fn m8_calls_before_attach_and_after_the_end_have_no_pusher() {
    for name in Method::names() {
        let arguments = json!({"volume": 1, "url": "x", "msg": "x", "zoom": 1});
        let method = || parsed(name, arguments.clone()).unwrap();
        assert_eq!(World::new(json!({})).ask(method()), Err(-8), "{name}");
        let mut world = World::at(State::Pushing);
        world.give(Input::Detach);
        assert_eq!(world.ask(method()), Err(-8), "{name}");
    }
    let mut world = World::at(State::Idle);
    world.answer = Answer::Silent;
    let waiting = [world.call(Method::Start), world.call(Method::Pause)];
    world.give(Input::Detach);
    assert_eq!(
        waiting.map(|id| world.replies(id)),
        [vec![Err(Failure::NoPusher)], vec![Err(Failure::NoPusher)]]
    );
}

#[test]
fn m8_what_no_box_can_do_answers_not_supported_and_what_is_unknown_is_not_there() {
    let mut world = World::at(State::Pushing);
    for name in ["applyFilter", "createOffscreenCanvas", "clearMakeups"] {
        assert_eq!(world.ask(parsed(name, json!({})).unwrap()), Err(-4));
    }
    assert_eq!(Method::parse("selfDestruct", &Map::new()), None);
    assert_eq!(Method::names().count(), 19 + 12);
}

#[test]
fn m9_a_switch_needs_another_camera_and_goes_back_where_that_fails() {
    let one = Hardware { cameras: vec![DevicePosition::Back], ..hardware() };
    let mut world = World::with(json!({"url": world::URL}), Options::default(), one);
    world.give(Input::Attach);
    assert_eq!(world.ask(Method::SwitchCamera), Err(-4));
    world.set(json!({"device-position": "front"}));
    assert_eq!(world.machine.position(), DevicePosition::Back, "the only one is used");

    let mut world = World::at(State::Pushing);
    world.pass(2 * SECOND);
    let begin = world.outputs.len();
    assert_eq!(world.ask(Method::SwitchCamera).unwrap()["devicePosition"], "back");
    assert_eq!(world.codes(begin), [1003, 1007]);
    assert_eq!(world.machine.store().properties().device_position, DevicePosition::Front);
    world.set(json!({"device-position": "front"}));
    assert_eq!(
        world.machine.position(),
        DevicePosition::Front,
        "the property names another than the present one"
    );
    world.ask(Method::SwitchCamera).unwrap();
    world.answer = Answer::Refused { device: Device::Camera, forbidden: false };
    let switch = world.call(Method::SwitchCamera);
    assert_eq!(world.replies(switch), [Err(Failure::Device)]);
    assert_eq!((world.machine.position(), world.state()), (DevicePosition::Back, State::Pushing));
    world.answer = Answer::Granted;
    let begin = world.pass(3 * SECOND);
    assert!(opened(&world, begin, Device::Camera));
    assert_eq!(World::at(State::Idle).ask(Method::SwitchCamera).unwrap()["devicePosition"], "back");
}

#[test]
fn m9_a_switch_holds_the_last_picture_for_a_second() {
    let mut world = World::at(State::Pushing);
    world.set(json!({"muted": true}));
    world.answer = Answer::Silent;
    world.call(Method::SwitchCamera);
    world.pass(Duration::from_millis(900));
    assert!(world.media().is_some_and(|media| media.live));
    world.pass(Duration::from_millis(200));
    assert!(world.media().is_some_and(|media| !media.live), "then the placeholder");
}

#[test]
fn m6_a_session_without_pictures_takes_no_message_and_gives_no_snapshot() {
    let mut world = World::new(json!({"url": world::URL, "enable-camera": false}));
    world.give(Input::Attach);
    world.ask(Method::Start).unwrap();
    world.connected();
    assert_eq!(world.ask(Method::SendMessage("x".into())), Err(-3));
    world.ask(Method::Pause).unwrap();
    assert_eq!(world.ask(Method::Snapshot(SnapshotQuality::Raw)), Err(-3));
    world.set(json!({"enable-camera": true}));
    assert_eq!(world.ask(Method::SendMessage("x".into())), Err(-3), "its camera is closed");
    world.ask(Method::Resume).unwrap();
    world.call(Method::SendMessage("x".into()));
    assert!(matches!(world.outputs.last(), Some(Output::Perform { .. })));
    world.set(json!({"enable-camera": false}));
    world.call(Method::Snapshot(SnapshotQuality::Raw));
    assert!(matches!(world.outputs.last(), Some(Output::Perform { .. })), "of the placeholder");
}

#[test]
fn s3_a_session_goes_on_when_the_last_reason_goes() {
    let reasons = [Reason::Background, Reason::Privacy, Reason::Interrupt];
    for (index, last) in reasons.into_iter().enumerate() {
        let mut world = World::at(State::Pushing);
        world.ask(Method::Pause).unwrap();
        for reason in reasons {
            world.give(Input::Condition { reason, holds: true });
        }
        assert_eq!(world.machine.reasons().names(), ["api", "background", "privacy", "interrupt"]);
        let reply = world.ask(Method::Resume).unwrap();
        assert_eq!(reply["reasons"], json!(["background", "privacy", "interrupt"]));
        assert_eq!(reply["paused"], true);
        for other in reasons.into_iter().enumerate().filter(|(other, _)| *other != index).map(|(_, it)| it) {
            world.give(Input::Condition { reason: other, holds: false });
            assert_eq!(world.state(), State::Paused);
        }
        world.give(Input::Condition { reason: last, holds: false });
        assert_eq!(world.state(), State::Pushing);
    }
}

#[test]
fn s3_a_start_with_a_reason_opens_no_camera_and_is_paused_once_published() {
    let mut world = World::at(State::Idle);
    world.give(Input::Condition { reason: Reason::Privacy, holds: true });
    world.outputs.clear();
    assert_eq!(world.ask(Method::Start), Ok(Map::new()));
    world.connected();
    assert_eq!((world.state(), world.codes(0)), (State::Paused, vec![1001, 1002]));
    assert!(!opened(&world, 0, Device::Camera) && !opened(&world, 0, Device::Microphone));
}

#[test]
fn s4_a_stop_at_each_step_of_connecting_is_the_last_that_is_heard() {
    let steps: [fn(&mut World); 5] = [
        |_| {},
        |world| {
            world.network(NetworkEvent::Connected(Map::new()));
        },
        World::connected,
        |world| {
            world.fail(Code::ConnectFailed);
        },
        |world| {
            world.fail(Code::ConnectFailed);
            world.pass(3 * SECOND);
        },
    ];
    for step in steps {
        let mut world = World::at(State::Idle);
        world.call(Method::Start);
        step(&mut world);
        let connection = world.connection;
        assert_eq!(world.ask(Method::Stop), Ok(Map::new()));
        let begin = world.outputs.len();
        for event in [NetworkEvent::Connected(Map::new()), NetworkEvent::Published(Map::new())] {
            world.give(Input::Network { connection, event });
        }
        let failed = NetworkEvent::Failed {
            code: Code::ServerRefused,
            params: Map::from_iter([("reason".into(), "late".into())]),
        };
        world.give(Input::Network { connection, event: failed });
        world.pass(60 * SECOND);
        assert_eq!((world.outputs.len(), world.state()), (begin, State::Idle));
    }
}

#[test]
fn s4_a_stop_ends_a_start_that_waits_for_devices() {
    let mut world = World::at(State::Idle);
    world.answer = Answer::Silent;
    let start = world.call(Method::Start);
    assert_eq!(world.ask(Method::Stop), Ok(Map::new()));
    assert_eq!(world.replies(start), [Err(Failure::InvalidState("stopped"))]);
    assert!(world.has(0, &Output::Close(Device::Camera)));
}

#[test]
fn s4_a_stop_ends_the_calls_that_wait_behind_a_start_too() {
    let mut world = World::at(State::Idle);
    world.answer = Answer::Silent;
    let waiting = [Method::Start, Method::Start, Method::StartPreview].map(|method| world.call(method));
    assert_eq!(world.ask(Method::Stop), Ok(Map::new()));
    for id in waiting {
        assert_eq!(world.replies(id), [Err(Failure::InvalidState("stopped"))]);
    }
    world.pass(60 * SECOND);
    assert_eq!(world.state(), State::Idle);
}

#[test]
fn n2_three_retries_then_it_is_over_and_only_the_program_or_an_option_starts_again() {
    let refuse = |world: &mut World| {
        let begin = world.outputs.len();
        world.fail(Code::ServerRefused);
        for _ in 0..3 {
            world.pass(3 * SECOND);
            world.fail(Code::ServerRefused);
        }
        world.codes(begin)
    };
    let mut world = World::at(State::Connecting);
    assert_eq!(refuse(&mut world), [3004, 1102, 3004, 1102, 3004, 1102, 3004, -1307]);
    assert_eq!(world.machine.last_error(), Some(Code::Disconnected));
    let begin = world.pass(1000 * SECOND);
    assert!(world.codes(begin).is_empty());

    let options = Options { unattended_restart: true, ..Options::default() };
    let properties = json!({"url": world::URL, "autopush": true});
    let mut world = World::with(properties, options, hardware());
    world.give(Input::Attach);
    for wait in [10, 20, 40, 80, 160, 300, 300] {
        refuse(&mut world);
        assert_eq!(world.state(), State::Previewing);
        world.pass(Duration::from_millis(wait * 1000 - 100));
        assert_eq!(world.state(), State::Previewing, "{wait}");
        world.pass(Duration::from_millis(200));
        assert_eq!(world.state(), State::Connecting, "{wait}");
    }
    refuse(&mut world);
    world.give(Input::RouteChanged);
    assert_eq!(world.state(), State::Connecting, "a new route is a reason not to wait");
}

#[test]
fn n3_ten_seconds_of_publishing_give_the_retries_back() {
    let mut world = World::at(State::Connecting);
    for _ in 0..3 {
        world.fail(Code::ConnectFailed);
        world.pass(3 * SECOND);
    }
    world.connected();
    world.pass(9 * SECOND);
    let begin = world.fail(Code::TransferFailed);
    assert_eq!(world.codes(begin), [3005, -1307]);

    let mut world = World::at(State::Connecting);
    for _ in 0..3 {
        world.fail(Code::ConnectFailed);
        world.pass(3 * SECOND);
    }
    world.connected();
    world.pass(11 * SECOND);
    world.fail(Code::TransferFailed);
    let begin = world.pass(3 * SECOND);
    assert_eq!((world.codes(begin), world.state()), (vec![1102], State::Reconnecting));
    world.give(Input::RouteChanged);
    world.connected();
    assert_eq!(world.state(), State::Pushing);
}

#[test]
fn a_new_route_is_tried_at_once() {
    let mut world = World::at(State::Pushing);
    world.fail(Code::TransferFailed);
    let begin = world.give(Input::RouteChanged);
    assert_eq!(world.codes(begin), [1102]);
}

#[test]
fn d1_a_device_that_fails_is_tried_each_two_seconds_and_told_once() {
    for (device, lost) in [(Device::Camera, -1301), (Device::Microphone, -1302)] {
        let mut world = World::at(State::Pushing);
        world.answer = Answer::Refused { device, forbidden: false };
        let begin = world.lose(device);
        world.pass(21 * SECOND);
        assert_eq!(world.codes(begin), [lost]);
        let tries = world.outputs[begin..].iter().filter(|it| **it == Output::Open(device)).count();
        assert_eq!((tries, world.state()), (10, State::Pushing));
        world.answer = Answer::Granted;
        let begin = world.pass(2 * SECOND);
        assert!(opened(&world, begin, device));
        assert_eq!(world.media(), Some(Media { live: true, audible: true }));
    }
}

#[test]
fn d1_a_camera_that_opens_and_sends_nothing_has_failed() {
    let mut world = World::at(State::Pushing);
    world.answer = Answer::Silent;
    world.lose(Device::Camera);
    world.pass(2 * SECOND);
    world.device(Device::Camera, DeviceEvent::Opened(Map::new()));
    let begin = world.pass(5 * SECOND);
    assert_eq!(world.codes(begin), [-1301]);
    let told = world.outputs[begin..].iter().find_map(|output| match output {
        Output::Status(status) => Some(status.params["reason"].clone()),
        _ => None,
    });
    assert_eq!(told, Some(json!("no frames")));
    assert!(world.has(begin, &Output::Close(Device::Camera)));
}

#[test]
fn d1_an_automatic_start_waits_for_its_devices() {
    let mut world = World::new(json!({"url": world::URL, "autopush": true}));
    world.answer = Answer::Refused { device: Device::Camera, forbidden: true };
    world.give(Input::Attach);
    world.pass(60 * SECOND);
    assert_eq!((world.state(), world.codes(0)), (State::Idle, vec![10_001]));
    world.answer = Answer::Granted;
    world.pass(2 * SECOND);
    assert_eq!(world.state(), State::Connecting);
    // A start that fails meanwhile leaves it, an address that is none ends it.
    let mut world = World::new(json!({"url": world::URL, "autopush": true}));
    world.answer = Answer::Refused { device: Device::Camera, forbidden: true };
    world.give(Input::Attach);
    assert_eq!(world.ask(Method::Start), Err(-7));
    let mut wrong = World::new(json!({"url": world::URL, "autopush": true}));
    wrong.answer = world.answer;
    wrong.give(Input::Attach);
    wrong.set(json!({"url": "nowhere"}));
    for world in [&mut world, &mut wrong] {
        world.answer = Answer::Granted;
        world.pass(3 * SECOND);
    }
    assert_eq!((world.state(), wrong.state()), (State::Connecting, State::Idle));
    // One that is called off does not come back.
    let mut world = World::new(json!({"url": world::URL, "autopush": true}));
    world.answer = Answer::Refused { device: Device::Camera, forbidden: true };
    world.give(Input::Attach);
    world.ask(Method::Stop).unwrap();
    world.answer = Answer::Granted;
    world.pass(60 * SECOND);
    assert_eq!(world.state(), State::Idle);
}

#[test]
fn d1_a_session_may_start_without_a_device_that_refuses() {
    let options = Options { degraded_start: DegradedStart::Placeholder, ..Options::default() };
    let mut world = World::with(json!({"url": world::URL}), options, hardware());
    world.give(Input::Attach);
    world.answer = Answer::Refused { device: Device::Camera, forbidden: false };
    assert_eq!(world.ask(Method::Start), Ok(Map::new()));
    assert_eq!(world.media(), Some(Media { live: false, audible: true }));
}

#[test]
fn d2_a_microphone_without_data_is_told_and_opened_again() {
    let mut world = World::at(State::Pushing);
    world.give(Input::Device { device: Device::Microphone, event: DeviceEvent::Silent });
    assert_eq!(world.codes(0), [-1311]);
    assert!(world.has(0, &Output::Close(Device::Microphone)));
    let begin = world.pass(2 * SECOND);
    assert!(opened(&world, begin, Device::Microphone));
}

#[test]
fn d4_the_privacy_switch_closes_both_devices_in_each_state() {
    for state in [State::Previewing, State::Connecting, State::Pushing, State::Reconnecting] {
        let mut world = World::at(state);
        world.give(Input::Condition { reason: Reason::Privacy, holds: true });
        for device in [Device::Camera, Device::Microphone] {
            assert!(world.has(0, &Output::Close(device)), "{device:?} in {state:?}");
        }
        // No method brings them back.
        let begin = world.outputs.len();
        for method in [Method::Resume, Method::StartPreview, Method::Start, Method::SwitchCamera] {
            world.ask(method).ok();
        }
        assert!(!opened(&world, begin, Device::Camera) && !opened(&world, begin, Device::Microphone));
    }
}

#[test]
fn d5_background_ends_the_connection_after_three_minutes_and_its_end_brings_it_back() {
    let background = |holds| Input::Condition { reason: Reason::Background, holds };
    let mut world = World::at(State::Pushing);
    world.give(background(true));
    let begin = world.pass(Duration::from_secs(179));
    assert!(world.codes(begin).is_empty());
    let begin = world.pass(2 * SECOND);
    assert_eq!((world.codes(begin), world.state()), (vec![5000], State::Suspended));
    let begin = world.give(background(false));
    world.connected();
    assert_eq!(world.state(), State::Pushing);
    assert_eq!(world.codes(begin), [1003, 1007, 1001, 1002]);
    // Method pause has no limit of its own.
    world.ask(Method::Pause).unwrap();
    world.pass(Duration::from_secs(100_000));
    assert_eq!(world.state(), State::Paused);
}

#[test]
fn d5_the_limit_counts_anew_from_a_new_connection() {
    let mut world = World::at(State::Pushing);
    world.give(Input::Condition { reason: Reason::Privacy, holds: true });
    world.pass(100 * SECOND);
    world.fail(Code::TransferFailed);
    world.pass(3 * SECOND);
    world.connected();
    world.pass(179 * SECOND);
    assert_eq!(world.state(), State::Paused);
    world.pass(2 * SECOND);
    assert_eq!(world.state(), State::Suspended);
}

#[test]
fn d6_the_microphone_alone_may_be_taken() {
    let mut world = World::at(State::Pushing);
    world.give(Input::MicrophoneTaken(true));
    assert_eq!((world.codes(0), world.state()), (vec![5001], State::Pushing));
    assert_eq!(world.media(), Some(Media { live: true, audible: false }));
    assert!(world.has(0, &Output::Close(Device::Microphone)));
    world.give(Input::MicrophoneTaken(false));
    assert_eq!(world.media(), Some(Media { live: true, audible: true }));
}

#[test]
fn d6_after_an_interruption_it_goes_on_by_itself_or_waits() {
    let interrupt = |holds| Input::Condition { reason: Reason::Interrupt, holds };
    let mut world = World::at(State::Pushing);
    world.give(interrupt(true));
    assert_eq!((world.codes(0), world.state()), (vec![5001], State::Paused));
    world.give(interrupt(false));
    assert_eq!(world.state(), State::Pushing);

    let options = Options { resume_after_interrupt: false, ..Options::default() };
    let mut world = World::with(json!({"url": world::URL}), options, hardware());
    world.give(Input::Attach);
    world.ask(Method::Start).unwrap();
    world.connected();
    world.give(interrupt(true));
    world.give(interrupt(false));
    assert_eq!((world.state(), world.machine.reasons().names()), (State::Paused, vec!["api"]));
}

#[test]
fn the_strict_profile_leaves_out_what_the_platform_does_not_know() {
    let options = Options { profile: Profile::WechatStrict, ..Options::default() };
    let mut world = World::with(json!({"url": "nowhere", "autopush": true}), options, hardware());
    world.give(Input::Attach);
    assert!(world.codes(0).is_empty());
    let mut world = World::new(json!({"url": "nowhere", "autopush": true}));
    world.give(Input::Attach);
    assert_eq!(world.codes(0), [-1313]);
}

#[test]
fn a_legacy_page_may_be_heard_in_the_background() {
    let options = Options { profile: Profile::Legacy, ..Options::default() };
    let mut world = World::with(json!({ "url": world::URL }), options, hardware());
    world.give(Input::Attach);
    world.ask(Method::Start).unwrap();
    world.connected();
    let condition = |reason, holds| Input::Condition { reason, holds };
    world.give(condition(Reason::Background, true));
    assert_eq!(world.media(), Some(Media { live: false, audible: true }));
    world.give(condition(Reason::Privacy, true));
    assert_eq!(world.media(), Some(Media { live: false, audible: false }));
    world.give(condition(Reason::Privacy, false));
    world.set(json!({"background-mute": true}));
    assert_eq!(world.media(), Some(Media { live: false, audible: false }));
}

#[test]
fn each_connection_tells_that_it_publishes() {
    let mut world = World::at(State::Pushing);
    world.ask(Method::Stop).unwrap();
    for _ in 0..2 {
        world.ask(Method::Start).unwrap();
        let begin = world.outputs.len();
        world.connected();
        assert_eq!(world.codes(begin), [1001, 1002]);
        world.ask(Method::Stop).unwrap();
    }
}

#[test]
fn the_same_code_is_told_once_a_second() {
    let mut world = World::at(State::Pushing);
    let narrow = || Input::Notice { code: Code::UplinkTooNarrow, params: Map::new() };
    world.give(narrow());
    world.give(narrow());
    assert_eq!(world.codes(0), [1101]);
    world.pass(2 * SECOND);
    world.give(narrow());
    assert_eq!(world.codes(0), [1101, 1101]);
}
