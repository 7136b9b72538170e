//! A picture file of any bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(frame) = media::still::decode(input, 64, 36) {
        assert_eq!(frame.layout.size(), 64 * 36 * 3 / 2);
        let _ = media::still::jpeg(&frame, 50);
    }
});
