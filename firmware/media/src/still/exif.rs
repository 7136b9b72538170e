//! How a camera was held (CIPA DC-008, "Exif").

/// The tag "Orientation".
const ORIENTATION: u16 = 0x0112;

/// The orientation that a JPEG file tells.
pub(super) fn of_jpeg(jpeg: &[u8]) -> Option<u8> {
    let mut rest = jpeg.get(2..)?;
    loop {
        let [0xff, marker, high, low, ..] = *rest else { return None };
        let end = 2 + usize::from(u16::from_be_bytes([high, low]));
        let segment = rest.get(4..end)?;
        match marker {
            // Start of scan: no more tables.
            0xda => return None,
            0xe1 if segment.starts_with(b"Exif\0\0") => return of_tiff(&segment[6..]),
            _ => rest = &rest[end..],
        }
    }
}

/// The orientation in Exif's TIFF structure.
pub(super) fn of_tiff(tiff: &[u8]) -> Option<u8> {
    let big_endian = tiff.starts_with(b"MM");
    let short = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk()?;
        Some(if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk()?;
        Some(if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let directory = long(4)? as usize;
    let entries = usize::from(short(directory)?);
    let entry = (0..entries)
        .map(|entry| directory + 2 + 12 * entry)
        .find(|entry| short(*entry) == Some(ORIENTATION))?;
    short(entry + 8)?.try_into().ok().filter(|orientation| (1..=8).contains(orientation))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_taken(length in 0_u8..40, bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let tiff = [b"II*\0\x08\0\0\0", &bytes[..]].concat();
            let _ = super::of_tiff(&bytes);
            let _ = super::of_tiff(&tiff);
            let _ = super::of_jpeg(&bytes);
            let _ = super::of_jpeg(&[b"\xff\xd8\xff\xe1\0", &[length][..], b"Exif\0\0", &tiff].concat());
        }
    }
}
