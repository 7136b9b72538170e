//! The shipped firmware on a board: `scripts/rig test`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod encoders;
mod evidence;
mod faults;
mod hand;
mod lines;
mod media;
mod power;
mod system;

use std::path::PathBuf;

use anyhow::Result;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use rig::{Bench, Board, Part, RealBoard, VirtualBoard};

struct Test {
    name: &'static str,
    needs: &'static [Part],
    run: fn(&mut Bench) -> Result<()>,
}

fn main() {
    rig::die_with_parent();
    let arguments = Arguments::from_args();
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let kind = match (variable("RIG_BOARD"), variable("RIG_IMAGE")) {
        (Some(description), _) => Kind::Real(description),
        (None, Some(image)) => Kind::Virtual(image),
        (None, None) => {
            println!("NOT RUN: the tests on a board. Run scripts/rig test, which builds a virtual one.");
            return;
        }
    };
    let tests = [
        system::TESTS,
        media::TESTS,
        encoders::TESTS,
        faults::TESTS,
        lines::TESTS,
        hand::TESTS,
        power::TESTS,
    ]
    .concat();
    let trials = tests
        .into_iter()
        .map(|test| {
            let kind = kind.clone();
            Trial::ignorable_test(test.name, move || run(test, &kind))
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

/// What the tests run on: a description of a real board, or the image of the virtual one.
#[derive(Clone)]
enum Kind {
    Real(PathBuf),
    Virtual(PathBuf),
}

impl Kind {
    fn board(&self, test: &Test) -> Result<Box<dyn Board>> {
        Ok(match self {
            Self::Real(description) => Box::new(RealBoard::read(description)?),
            Self::Virtual(image) => {
                Box::new(VirtualBoard::new(image, test.needs.contains(&Part::BootLoader))?)
            }
        })
    }
}

fn run(test: &Test, kind: &Kind) -> Result<Completion, Failed> {
    let board = kind.board(test)?;
    if let Some(part) = test.needs.iter().find(|part| !board.has(**part)) {
        return Ok(Completion::ignored_with(format!("this board has no {part}")));
    }
    let folder = evidence::folder(test.name)?;
    let mut bench = Bench::new(board, Some(folder.join("stream.flv")))?;
    let result = (test.run)(&mut bench).and_then(|()| evidence::kernel_is_content(&mut bench));
    match result {
        Ok(()) => {
            let _ = std::fs::remove_dir_all(&folder);
            Ok(Completion::Completed)
        }
        Err(error) => {
            evidence::collect(&mut bench, &folder);
            Err(format!("{error:#}\nevidence: {}", folder.display()).into())
        }
    }
}
