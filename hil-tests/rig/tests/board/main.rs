//! The shipped firmware on a board: `scripts/rig test`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod evidence;
mod faults;
mod lines;
mod media;
mod power;
mod system;

use std::path::{Path, PathBuf};

use anyhow::Result;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use rig::{Bench, Board, Part, VirtualBoard};

struct Test {
    name: &'static str,
    needs: &'static [Part],
    run: fn(&mut Bench) -> Result<()>,
}

fn main() {
    rig::die_with_parent();
    let arguments = Arguments::from_args();
    let Some(image) = std::env::var_os("RIG_IMAGE").map(PathBuf::from) else {
        println!("NOT RUN: the tests on the virtual board. Run scripts/rig test, which builds it.");
        return;
    };
    let tests = [system::TESTS, media::TESTS, faults::TESTS, lines::TESTS, power::TESTS].concat();
    let trials = tests
        .into_iter()
        .map(|test| {
            let image = image.clone();
            Trial::ignorable_test(test.name, move || run(test, &image))
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn run(test: &Test, image: &Path) -> Result<Completion, Failed> {
    let board = VirtualBoard::new(image, test.needs.contains(&Part::BootLoader))?;
    if let Some(part) = test.needs.iter().find(|part| !board.has(**part)) {
        return Ok(Completion::ignored_with(format!("this board has no {part}")));
    }
    let folder = evidence::folder(test.name)?;
    let mut bench = Bench::new(Box::new(board), Some(folder.join("stream.flv")))?;
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
