//! Any bytes in any portions: the first byte sets the portions' size.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((portion, bytes)) = input.split_first() else { return };
    let mut reader = uplink::ChunkReader::default();
    for portion in bytes.chunks(usize::from(*portion).max(1)) {
        reader.push(portion);
        loop {
            match reader.next_message() {
                Ok(Some(message)) => assert!(message.payload.len() <= 1 << 20),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
});
