//! What servers answer beside RTMP's messages: the first byte tells whether it is HTTP, or why they refuse; in portions whose
//! size the second one sets, or line by line.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| match input {
    [b'h', portion, answer @ ..] => uplink::fuzzing::http(answer, usize::from(*portion).max(1)),
    [b'r', refusals @ ..] => uplink::fuzzing::login(&String::from_utf8_lossy(refusals)),
    _ => {}
});
