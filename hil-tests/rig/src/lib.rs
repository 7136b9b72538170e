//! The rig: drives a board, virtual or real, from power off to a live stream, and is the hardware round a virtual one.

mod board;
mod console;
pub mod devices;
mod flash;
mod qmp;
mod real_board;
mod strategy;
mod virtual_board;

pub use board::{Board, Flash, Markers, Part};
pub use console::{Console, Output};
pub use flash::WriteLog;
pub use real_board::RealBoard;
pub use strategy::{Bench, Stage, Stuck};
pub use virtual_board::{VirtualBoard, die_with_parent};
