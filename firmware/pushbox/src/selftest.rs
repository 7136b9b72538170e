//! Opens each device of a board and tells what it found.

use anyhow::bail;
use board::{Board, Finding};

pub(crate) fn run(board: &Board) -> anyhow::Result<()> {
    println!("{}\n", board.name);
    let findings = board::probe(board);
    let width = findings.iter().map(|finding| finding.device.chars().count()).max().unwrap_or(0);
    for Finding { device, result } in &findings {
        match result {
            Ok(found) => println!("ok    {device:width$}  {found}"),
            Err(wrong) => println!("FAIL  {device:width$}  {wrong}"),
        }
    }
    let failed = findings.iter().filter(|finding| finding.result.is_err()).count();
    if failed > 0 {
        bail!("{failed} of {} devices failed", findings.len());
    }
    Ok(())
}
