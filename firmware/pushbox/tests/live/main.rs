//! The binary from end to end: what a person gives it, and what real servers get of it.

mod command_line;
mod servers;
mod support;
