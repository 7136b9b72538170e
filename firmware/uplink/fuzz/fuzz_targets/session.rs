//! A server that says anything at all after a plain handshake.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let address = uplink::Address::parse("rtmp://host/app/stream").unwrap();
    let mut session = uplink::Session::new(address).unwrap();
    let mut handshake = vec![0; 1 + 2 * 1536];
    handshake[0] = 3;
    if session.receive(&handshake).is_err() {
        return;
    }
    let Some((portion, bytes)) = input.split_first() else { return };
    for portion in bytes.chunks(usize::from(*portion).max(1)) {
        if session.receive(portion).is_err() {
            return;
        }
        while session.next_event().is_some() {}
        assert!(session.output().len() < 1 << 20);
        session.output().clear();
    }
    let _ = session.close();
});
