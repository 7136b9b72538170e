//! The binary from end to end: what a person gives it, and what real servers get of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bounds;
mod chaos;
mod command_line;
mod control;
mod narrow;
mod preview;
mod provisioning;
mod servers;
mod support;
mod uplink;
