//! S1: each cell of the transition table of section 5.2, which `transitions.md` holds word by word.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use std::time::Duration;

use live_pusher::{
    CallId, Code, Device, DeviceEvent, Input, Media, Method, NetworkEvent, Output, Reason, State,
};
use serde_json::{Map, json};
use world::{Answer, OTHER_URL, World};

const TABLE: &str = include_str!("transitions.md");
const COLUMNS: [State; 7] = [
    State::Idle,
    State::Previewing,
    State::Connecting,
    State::Pushing,
    State::Paused,
    State::Reconnecting,
    State::Suspended,
];

/// What happens; a method's call.
type Act = fn(&mut World) -> Option<CallId>;

/// One run of a cell: what is there, what happens, and the words that must then be true.
struct Case<'a> {
    world: World,
    act: Act,
    expected: Vec<&'a str>,
}

#[test]
fn s1_every_cell_of_the_table_is_as_specified() {
    let mut cells = 0;
    for line in TABLE.lines().skip(2) {
        let words: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (row, row_cells) = (words[0], &words[1..]);
        for (column, cell) in COLUMNS.into_iter().zip(row_cells) {
            // Privacy is as background, whose cells are run for it too.
            if cell.is_empty() || row == "privacy on / off" {
                continue;
            }
            for case in cases(row, column, cell) {
                run(case, &format!("{row}, {}: {cell}", column.name()), column);
            }
            cells += 1;
        }
    }
    assert_eq!(cells, 134, "the table has lost cells");
}

fn run(case: Case<'_>, name: &str, before: State) {
    let Case { mut world, act, expected } = case;
    world.outputs.clear();
    let call = act(&mut world);
    let mut codes = Vec::new();
    let mut state = None;
    for phrase in expected {
        let phrase = phrase.trim_start_matches("→ ");
        if let Some(named) = named(phrase) {
            state = Some(named);
        } else if phrase.split(' ').all(|word| word.replace('−', "-").parse::<i32>().is_ok()) {
            codes.extend(phrase.split(' ').map(|word| word.replace('−', "-").parse::<i32>().unwrap()));
        } else {
            check(&mut world, phrase, call, before, name);
        }
    }
    assert_eq!(world.codes(0), codes, "codes of {name}");
    assert_eq!(world.state(), state.unwrap_or(before), "state after {name}");
}

fn named(phrase: &str) -> Option<State> {
    Some(match phrase {
        "UNBOUND" => State::Unbound,
        "IDLE" => State::Idle,
        "PREVIEWING" => State::Previewing,
        "CONN" => State::Connecting,
        "PUSHING" => State::Pushing,
        "PAUSED" => State::Paused,
        "RECON" => State::Reconnecting,
        "SUSP" => State::Suspended,
        _ => return None,
    })
}

fn check(world: &mut World, phrase: &str, call: Option<CallId>, before: State, name: &str) {
    let replied = call.map(|id| world.replies(id));
    let failed = |number: i32| {
        let replies = replied.as_ref().unwrap();
        replies.len() == 1 && replies[0].as_ref().is_err_and(|failure| failure.number() == number)
    };
    let reasons = world.machine.reasons();
    let holds = |reason| reasons.contains(reason);
    let closes = |device| world.has(0, &Output::Close(device));
    let ends = || world.outputs.iter().any(|output| matches!(output, Output::Disconnect { .. }));
    let begins = || world.outputs.iter().any(|output| matches!(output, Output::Connect { .. }));
    let is_true = match phrase {
        "ok" => replied.as_ref().unwrap() == &[Ok(Map::new())],
        "F(−2)" => failed(-2),
        "F(−3)" => failed(-3),
        "F(−7)" => failed(-7),
        "–" => world.outputs.is_empty(),
        "+api" => holds(Reason::Api),
        "−api" => !holds(Reason::Api),
        "+background" => holds(Reason::Background) || holds(Reason::Privacy),
        "−background" => !holds(Reason::Background) && !holds(Reason::Privacy),
        "+interrupt" | "+" => holds(Reason::Interrupt),
        "−interrupt" | "−" => !holds(Reason::Interrupt),
        "sensor closed" => closes(Device::Camera) && closes(Device::Microphone) != holds(Reason::Background),
        "sensor opened" => world.has(0, &Output::Open(Device::Camera)),
        "placeholder" => world.media().is_some_and(|media| !media.live),
        "silence" => world.media().is_some_and(|media| !media.audible),
        "live" => world.media() == Some(Media { live: true, audible: true }),
        "session closed" => ends(),
        "same connection" | "kept" | "session kept" | "state kept" | "stays" => {
            !ends() && !begins() && world.state() == before
        }
        "restart" => {
            world.state() == State::Connecting
                && begins()
                && (ends() || matches!(before, State::Suspended | State::Reconnecting))
        }
        "shows view" | "hides view only" => {
            !world.outputs.iter().any(|it| matches!(it, Output::Open(_) | Output::Close(_)))
        }
        "retry open" => {
            let begin = world.pass(Duration::from_millis(2100));
            let opened = world.has(begin, &Output::Open(Device::Camera));
            world.outputs.truncate(begin);
            opened
        }
        "noted only" | "reopen at resume" | "opens at resume" => {
            let quiet = world.outputs.is_empty();
            let begin = world.outputs.len();
            world.call(Method::Resume);
            let opened = world.has(begin, &Output::Open(Device::Camera));
            world.call(Method::Pause);
            world.outputs.clear();
            quiet && opened
        }
        "ended" => world.state() == State::Previewing,
        other => panic!("{name}: what does {other:?} mean?"),
    };
    assert!(is_true, "{name}: not {phrase:?}; outputs {:#?}", world.outputs);
}

/// The phrases of a cell, one by one, with what stands in brackets on its own.
fn phrases(cell: &str) -> Vec<&str> {
    let brackets: &[char] = &['(', ')'];
    let parts = cell.split([';', ',']).map(str::trim);
    let phrases = parts.flat_map(|part| match part.strip_prefix("F(") {
        Some(_) => vec![part],
        None => part.split(brackets).collect(),
    });
    phrases.map(str::trim).filter(|phrase| !phrase.is_empty()).collect()
}

/// Rows of which each cell is one run from its state.
const SIMPLE: &[(&str, Act)] = &[
    ("detach / destroy", |world| quiet(world, Input::Detach)),
    ("`stop`", |world| Some(world.call(Method::Stop))),
    ("`startPreview`", |world| Some(world.call(Method::StartPreview))),
    ("`stopPreview`", |world| Some(world.call(Method::StopPreview))),
    ("`pause`", |world| Some(world.call(Method::Pause))),
    ("interruption begin", |world| condition(world, Reason::Interrupt, true)),
    ("connection lost by server", |world| failed(world, Code::ServerRefused)),
    ("read/write failure, stall", |world| failed(world, Code::TransferFailed)),
    ("retry begins", |world| passed(world, Duration::from_secs(3))),
    ("camera lost", |world| {
        world.lose(Device::Camera);
        None
    }),
];

/// Rows of which an attempt to connect fails.
const FAILURES: &[(&str, Act)] = &[
    ("name resolution fails", |world| failed(world, Code::NameNotResolved)),
    ("connect fails", |world| failed(world, Code::ConnectFailed)),
    ("handshake or protocol step fails without an answer of refusal", |world| {
        failed(world, Code::HandshakeFailed)
    }),
    ("server refuses explicitly (connect rejected, bad name) or closes", |world| {
        failed(world, Code::ServerRefused)
    }),
];

fn cases<'a>(row: &str, column: State, cell: &'a str) -> Vec<Case<'a>> {
    let find = |table: &[(&str, Act)]| table.iter().find(|(name, _)| *name == row).map(|(_, act)| *act);
    if let Some(act) = find(SIMPLE) {
        return one(World::at(column), words(cell), act);
    }
    if let Some(act) = find(FAILURES) {
        return failure_cases(column, cell, act);
    }
    match row {
        "attach (from UNBOUND)" => attach_cases(),
        "`start`, url valid and devices granted" => start_cases(column, cell),
        "`start`, url invalid" => {
            let mut world = World::at(column);
            world.set(json!({"url": "nowhere"}));
            one(world, words(cell), |world| Some(world.call(Method::Start)))
        }
        "`start`, device refuses" => refused_cases(column, cell),
        "`resume`" => resume_cases(column, cell),
        "background enter" => {
            let begin: [Act; 2] = [
                |world| condition(world, Reason::Background, true),
                |world| condition(world, Reason::Privacy, true),
            ];
            begin.into_iter().flat_map(|act| one(World::at(column), words(cell), act)).collect()
        }
        "background leave" => {
            let mut cases = leave_cases(column, cell, Reason::Background, |world| {
                condition(world, Reason::Background, false)
            });
            cases.extend(leave_cases(column, cell, Reason::Privacy, |world| {
                condition(world, Reason::Privacy, false)
            }));
            cases
        }
        "interruption end" => {
            leave_cases(column, cell, Reason::Interrupt, |world| condition(world, Reason::Interrupt, false))
        }
        "TCP connected" => one(connecting(World::at(column)), words(cell), |world| {
            told(world, NetworkEvent::Connected(Map::new()))
        }),
        "publish accepted" => published_cases(column),
        "retries used up" => used_up_cases(),
        "pause limit reached (background, privacy, interrupt only)" => {
            let mut world = connecting(World::at(column));
            world.give(Input::Condition { reason: Reason::Privacy, holds: true });
            one(world, words(cell), |world| passed(world, Duration::from_secs(181)))
        }
        "camera back" => camera_back_cases(column, cell),
        "microphone lost / back" => microphone_cases(column, cell),
        "encoder unrecoverable" => encoder_cases(column),
        "`pause` reasons emptied in PAUSED" => {
            one(World::at(column), vec!["PUSHING", "1003 1007", "live"], |world| {
                world.call(Method::Resume);
                None
            })
        }
        other => panic!("what is {other}?"),
    }
}

fn published_cases(column: State) -> Vec<Case<'static>> {
    let mut paused = connecting(World::at(column));
    paused.call(Method::Pause);
    let act = |world: &mut World| told(world, NetworkEvent::Published(Map::new()));
    let mut cases = one(connecting(World::at(column)), vec!["PUSHING", "1002"], act);
    cases.extend(one(paused, vec!["PAUSED", "1002"], act));
    cases
}

fn camera_back_cases(column: State, cell: &str) -> Vec<Case<'_>> {
    let mut world = World::at(column);
    world.lose(Device::Camera);
    one(world, words(cell), |world| {
        world.pass(Duration::from_millis(2100));
        // The retry of the connection is another row's.
        world.outputs.retain(|it| !matches!(it, Output::Status(it) if it.code == Code::Reconnecting));
        None
    })
}

fn encoder_cases(column: State) -> Vec<Case<'static>> {
    // The preview's camera was closed by the pause, which ends with the session.
    let reopened = (column == State::Paused).then_some("1003 1007");
    let failures: [(&str, Act); 2] = [
        ("-1303", |world| quiet(world, Input::EncoderFailed(Code::VideoEncoderFailed))),
        ("-1304", |world| quiet(world, Input::EncoderFailed(Code::AudioEncoderFailed))),
    ];
    let case = |(code, act)| {
        let expected = [code, "PREVIEWING"].into_iter().chain(reopened).collect();
        one(World::at(column), expected, act)
    };
    failures.into_iter().flat_map(case).collect()
}

/// The words that hold in any case.
fn words(cell: &str) -> Vec<&str> {
    let hints = ["ext.", "counter rules §10.4"];
    phrases(cell)
        .into_iter()
        .filter(|phrase| !hints.contains(phrase))
        .flat_map(|it| it.split(" → "))
        .collect()
}

fn one(world: World, expected: Vec<&str>, act: Act) -> Vec<Case<'_>> {
    vec![Case { world, act, expected }]
}

fn quiet(world: &mut World, input: Input) -> Option<CallId> {
    world.give(input);
    None
}

fn passed(world: &mut World, time: Duration) -> Option<CallId> {
    world.pass(time);
    None
}

fn condition(world: &mut World, reason: Reason, holds: bool) -> Option<CallId> {
    quiet(world, Input::Condition { reason, holds })
}

fn told(world: &mut World, event: NetworkEvent) -> Option<CallId> {
    world.network(event);
    None
}

fn failed(world: &mut World, code: Code) -> Option<CallId> {
    world.fail(code);
    None
}

/// In RECONNECTING, with an attempt under way.
fn connecting(mut world: World) -> World {
    if world.state() == State::Reconnecting {
        world.pass(Duration::from_secs(3));
    }
    world
}

fn attach_cases() -> Vec<Case<'static>> {
    let act = |world: &mut World| quiet(world, Input::Attach);
    let automatic = World::new(json!({"url": world::URL, "autopush": true}));
    let mut cases = one(World::at(State::Unbound), vec!["IDLE"], act);
    cases.extend(one(automatic, vec!["1003 1007", "CONN"], act));
    cases
}

fn start_cases(column: State, cell: &str) -> Vec<Case<'_>> {
    let start = |world: &mut World| Some(world.call(Method::Start));
    let Some((same, _other)) = cell.split_once(" / ") else {
        return one(World::at(column), words(cell), start);
    };
    let mut moved = World::at(column);
    moved.set(json!({"url": OTHER_URL}));
    let paused = same.contains("reasons untouched").then_some("+api");
    let expected = ["ok", "same connection"].into_iter().chain(paused).collect();
    let mut cases = one(World::at(column), expected, start);
    cases.extend(one(moved, vec!["ok", "restart", "CONN"], start));
    cases
}

fn refused_cases(column: State, cell: &str) -> Vec<Case<'_>> {
    assert!(cell.contains("10001/10002/−1301/−1302; F(−7)") || cell == "same; PREVIEWING");
    let kinds = [
        (Device::Camera, true, "10001"),
        (Device::Microphone, true, "10002"),
        (Device::Camera, false, "-1301"),
        (Device::Microphone, false, "-1302"),
    ];
    let case = |(device, forbidden, code)| {
        let mut world = World::at(column);
        if column == State::Previewing {
            world.lose(device);
        }
        world.answer = Answer::Refused { device, forbidden };
        // The camera is opened first: a microphone that refuses finds it open.
        let opened = (column == State::Idle && device == Device::Microphone).then_some("1003 1007");
        let state = if column == State::Idle { "IDLE" } else { "PREVIEWING" };
        let expected = opened.into_iter().chain([code, "F(−7)", state]).collect();
        one(world, expected, |world| Some(world.call(Method::Start))).remove(0)
    };
    kinds.into_iter().map(case).collect()
}

fn resume_cases(column: State, cell: &str) -> Vec<Case<'_>> {
    let resume = |world: &mut World| Some(world.call(Method::Resume));
    if column == State::Suspended {
        // A reason of the box brought it there; method pause is on top of it or alone.
        let mut alone = World::at(column);
        alone.call(Method::Pause);
        alone.give(Input::Condition { reason: Reason::Background, holds: false });
        return one(alone, vec!["−api", "CONN", "1003 1007", "ok"], resume);
    }
    let live = (column == State::Paused).then_some("1003 1007");
    let state = (column == State::Paused).then_some("PUSHING");
    let has_session = column.has_session();
    let expected = if has_session { vec!["−api", "ok"] } else { words(cell) };
    one(World::at(column), expected.into_iter().chain(live).chain(state).collect(), resume)
}

/// The last reason goes, and one of two.
fn leave_cases(column: State, cell: &str, reason: Reason, act: Act) -> Vec<Case<'_>> {
    let mut world = World::at(column);
    if cell == "–" {
        return one(world, words(cell), act);
    }
    if column == State::Paused {
        world.call(Method::Resume);
    }
    world.give(Input::Condition { reason, holds: true });
    if column != State::Reconnecting {
        // The same code is told once in a second.
        world.pass(Duration::from_secs(1));
    }
    if column == State::Suspended && reason != Reason::Background {
        world.give(Input::Condition { reason: Reason::Background, holds: false });
    }
    let gone = if reason == Reason::Interrupt { "−interrupt" } else { "−background" };
    let mut expected = vec![gone, "1003 1007"];
    match column {
        State::Previewing => expected.push("sensor opened"),
        State::Paused => expected.push("PUSHING"),
        State::Suspended => expected.push("CONN"),
        _ => {}
    }
    let mut cases = one(world, expected, act);
    if column.has_session() {
        let mut paused = World::at(column);
        paused.call(Method::Pause);
        paused.give(Input::Condition { reason, holds: true });
        if column == State::Suspended && reason != Reason::Background {
            paused.give(Input::Condition { reason: Reason::Background, holds: false });
        }
        cases.extend(one(paused, vec![gone, "+api"], act));
    }
    cases
}

/// In CONNECTING the first attempt; in RECONNECTING one that leaves more, and the last one.
fn failure_cases(column: State, cell: &str, act: Act) -> Vec<Case<'_>> {
    if column == State::Connecting {
        return one(World::at(column), words(cell), act);
    }
    let code = words(cell)[0];
    let mut last = World::at(column);
    for _ in 0..2 {
        last.pass(Duration::from_secs(3));
        last.fail(Code::ConnectFailed);
    }
    last.pass(Duration::from_secs(3));
    let mut cases = one(connecting(World::at(column)), vec![code, "kept"], act);
    cases.extend(one(last, vec![code, "-1307", "ended", "PREVIEWING"], act));
    cases
}

fn used_up_cases() -> Vec<Case<'static>> {
    let last = |preview: bool| {
        let mut world = World::at(State::Reconnecting);
        if !preview {
            world.call(Method::StopPreview);
        }
        for _ in 0..2 {
            world.pass(Duration::from_secs(3));
            world.fail(Code::ServerRefused);
        }
        world.pass(Duration::from_secs(3));
        world
    };
    let act = |world: &mut World| failed(world, Code::TransferFailed);
    let mut cases = one(last(true), vec!["3005", "PREVIEWING", "-1307"], act);
    cases.extend(one(last(false), vec!["3005", "IDLE", "-1307"], act));
    cases
}

fn microphone_cases(column: State, cell: &str) -> Vec<Case<'_>> {
    let (lost, back) = cell.split_once(" / ").unwrap_or((cell, "–"));
    let mut world = World::at(column);
    world.lose(Device::Microphone);
    let lose = |world: &mut World| {
        world.lose(Device::Microphone);
        // What viewers hear is not this row's where it says nothing of it.
        if world.codes(0).is_empty() {
            world.outputs.retain(|output| !matches!(output, Output::Media(_)));
        }
        None
    };
    let mut cases = one(World::at(column), words(lost), lose);
    assert_eq!(back, "–");
    cases.extend(one(world, vec![], |world| {
        world.device(Device::Microphone, DeviceEvent::Opened(Map::new()));
        None
    }));
    cases
}
