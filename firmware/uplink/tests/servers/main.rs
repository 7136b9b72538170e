//! Servers of all kinds, friendly and hostile: what becomes of a connection to them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod dialects;
mod garbage;
mod http;
mod life;
mod login;
mod names;
mod peer;
mod refusals;
mod tls;
