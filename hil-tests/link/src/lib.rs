//! Bad links to try rate control on: traces of their rates, a simulator that gives the same result each time, and what
//! others in the field do about them.

mod emulator;
mod encoder;
mod peers;
mod random;
mod sim;
mod tcp;
mod trace;
mod window;

pub use emulator::{Emulator, SERVER};
pub use encoder::EncoderModel;
pub use peers::{Own, peers};
pub use sim::{Drop, Numbers, Observation, Outcome, RateControl, Scenario, Sending, Server, run};
pub use tcp::PathModel;
pub use trace::Trace;
pub use window::CongestionControl;
