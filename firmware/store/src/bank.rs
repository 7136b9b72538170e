//! A bank as bytes.

use crc::{CRC_32_ISO_HDLC, Crc};
use serde_json::{Map, Value};

/// The longest bank; what is longer is no bank.
pub(crate) const LIMIT: usize = 256 * 1024;

const MAGIC: [u8; 4] = *b"BANK";
const FORMAT: u32 = 1;
const CHECKED_HEADER: usize = 24;
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Why a file is no bank that can be used. Tells nothing of what is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("it can't be read: {0}")]
    Unreadable(String),
    #[error("it does not begin as a bank does")]
    Foreign,
    #[error("it is in format {0}, known is 1")]
    Format(u32),
    #[error("it is too long or too short")]
    Length,
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it holds no JSON object")]
    Content,
}

/// Why a document can't be made a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("it has {0} bytes, more than 256 KiB")]
    TooLong(usize),
    #[error("it could not be read again, perhaps for being nested too deeply")]
    Unreadable,
}

#[derive(PartialEq)]
pub(crate) struct Image {
    pub(crate) generation: u64,
    pub(crate) version: u32,
    pub(crate) document: Map<String, Value>,
}

impl Image {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Unfit> {
        let payload = serde_json::to_vec(&self.document).map_err(|_| Unfit::Unreadable)?;
        let mut bytes = Vec::with_capacity(CHECKED_HEADER + 4 + payload.len());
        bytes.extend(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(self.generation.to_le_bytes());
        bytes.extend(self.version.to_le_bytes());
        bytes.extend((payload.len() as u32).to_le_bytes());
        bytes.extend(checksum(&bytes, &payload).to_le_bytes());
        bytes.extend(payload);
        if bytes.len() > LIMIT {
            return Err(Unfit::TooLong(bytes.len()));
        }
        // serde_json writes what it refuses to read, such as 128 nested lists: that would be lost at the next start.
        if Self::decode(&bytes).is_ok_and(|read| read == *self) { Ok(bytes) } else { Err(Unfit::Unreadable) }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let mut rest = bytes;
        if take(&mut rest)? != MAGIC {
            return Err(Damage::Foreign);
        }
        let format = u32::from_le_bytes(take(&mut rest)?);
        if format != FORMAT {
            return Err(Damage::Format(format));
        }
        let generation = u64::from_le_bytes(take(&mut rest)?);
        let version = u32::from_le_bytes(take(&mut rest)?);
        let length = u32::from_le_bytes(take(&mut rest)?);
        let expected = u32::from_le_bytes(take(&mut rest)?);
        if rest.len() != length as usize {
            return Err(Damage::Length);
        }
        let header = bytes.get(..CHECKED_HEADER).ok_or(Damage::Length)?;
        if checksum(header, rest) != expected {
            return Err(Damage::Checksum);
        }
        // serde_json's own message may quote a value.
        let document = serde_json::from_slice(rest).map_err(|_| Damage::Content)?;
        Ok(Self { generation, version, document })
    }

    /// Whether this one was written after the other; generations wrap around.
    pub(crate) fn is_after(&self, other: &Self) -> bool {
        (self.generation.wrapping_sub(other.generation) as i64) > 0
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Damage> {
    let (head, rest) = bytes.split_first_chunk().ok_or(Damage::Length)?;
    *bytes = rest;
    Ok(*head)
}

fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(header);
    digest.update(payload);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn image(generation: u64) -> Image {
        let Value::Object(document) = json!({"mode": "HD", "volume": 0.1, "unknown": [1, null]}) else {
            panic!("an object")
        };
        Image { generation, version: 3, document }
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let bytes = image(7).encode().unwrap();
        let payload = br#"{"mode":"HD","unknown":[1,null],"volume":0.1}"#;
        assert_eq!(bytes[..4], *b"BANK");
        assert_eq!(bytes[4..24], [1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 45, 0, 0, 0]);
        // Of another implementation of CRC-32.
        assert_eq!(bytes[24..28], 0xcb38_d0f3_u32.to_le_bytes());
        assert_eq!(bytes[28..], *payload);
        assert!(Image::decode(&bytes).unwrap() == image(7));
    }

    #[test]
    fn generations_wrap_around() {
        assert!(image(2).is_after(&image(1)));
        assert!(!image(1).is_after(&image(2)));
        assert!(!image(1).is_after(&image(1)));
        assert!(image(0).is_after(&image(u64::MAX)));
    }

    #[test]
    fn what_could_not_be_read_again_is_refused() {
        let nested = (0..200).fold(Value::Null, |inner, _| json!([inner]));
        let document = Map::from_iter([("nested".to_owned(), nested)]);
        assert_eq!(Image { document, ..image(1) }.encode(), Err(Unfit::Unreadable));
        let document = Map::from_iter([("long".to_owned(), "x".repeat(LIMIT).into())]);
        assert!(matches!(Image { document, ..image(1) }.encode(), Err(Unfit::TooLong(_))));
    }
}
