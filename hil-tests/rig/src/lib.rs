//! The rig: drives a board, virtual or real, from power off to a live stream, and is the hardware round a virtual one.

mod board;
mod console;
pub mod devices;
mod strategy;
mod virtual_board;

pub use board::{Board, Part};
pub use console::{Console, Output};
pub use strategy::{Bench, Stage, Stuck};
pub use virtual_board::VirtualBoard;
