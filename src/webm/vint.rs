//! EBML variable-size integers (RFC 8794, section 4).
//!
//! The number of leading zero bits in the first byte, plus one, is the length in bytes:
//!
//! ```text
//! 1xxxxxxx                    1 byte,  7 bits of value
//! 01xxxxxx xxxxxxxx           2 bytes, 14 bits
//! 00000001 xxxxxxxx … (×7)    8 bytes, 56 bits
//! ```

use bytes::BufMut;

/// Longest variable-size integer that EBML allows unless a header says otherwise.
pub const VINT_LENGTH_MAX: usize = 8;

/// Bytes that the integer beginning with `first` takes, or `None` when no integer begins so.
pub fn vint_length(first: u8) -> Option<usize> {
    match first.leading_zeros() as usize + 1 {
        length @ 1..=VINT_LENGTH_MAX => Some(length),
        _ => None,
    }
}

/// A decoded integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vint {
    /// The value without its length marker, or `None` when all value bits are ones: an
    /// "unknown" size (RFC 8794, section 6.2).
    pub value: Option<u64>,
    /// Bytes it took.
    pub length: usize,
}

/// Reads the integer at the front of `bytes`; `None` when it is cut short or malformed.
pub fn read_vint(bytes: &[u8]) -> Option<Vint> {
    let length = vint_length(*bytes.first()?)?;
    let raw = bytes
        .get(..length)?
        .iter()
        .fold(0u64, |value, &byte| value << 8 | u64::from(byte));
    let mask = (1u64 << (7 * length)) - 1;
    let value = raw & mask;
    Some(Vint {
        value: (value != mask).then_some(value),
        length,
    })
}

/// Reads an unsigned integer element's payload: 0 to 8 bytes, big-endian.
pub fn read_uint(bytes: &[u8]) -> Option<u64> {
    (bytes.len() <= 8).then(|| {
        bytes
            .iter()
            .fold(0u64, |value, &byte| value << 8 | u64::from(byte))
    })
}

/// Reads a float element's payload: 0, 4 or 8 bytes, big-endian IEEE 754.
pub fn read_float(bytes: &[u8]) -> Option<f64> {
    match *bytes {
        [] => Some(0.0),
        [a, b, c, d] => Some(f64::from(f32::from_be_bytes([a, b, c, d]))),
        [a, b, c, d, e, f, g, h] => Some(f64::from_be_bytes([a, b, c, d, e, f, g, h])),
        _ => None,
    }
}

/// Writes `value` as an element size in as few bytes as hold it.
///
/// `value` must be below 2^56 - 1; every length of a buffer in memory is.
pub fn write_size(out: &mut impl BufMut, value: u64) {
    let length = (1..VINT_LENGTH_MAX)
        // All ones would read as "unknown", so the largest value of each length is left out.
        .find(|&length| value < (1 << (7 * length)) - 1)
        .unwrap_or(VINT_LENGTH_MAX);
    let marked = value | 1 << (7 * length);
    out.put_slice(&marked.to_be_bytes()[8 - length..]);
}

/// The shortest big-endian form of `value`, at least one byte, and its length.
pub fn uint_bytes(value: u64) -> ([u8; 8], usize) {
    let length = (8 - value.leading_zeros() as usize / 8).max(1);
    let mut bytes = [0; 8];
    bytes[..length].copy_from_slice(&value.to_be_bytes()[8 - length..]);
    (bytes, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_every_length_read_back() {
        for value in [0, 1, 126, 127, 128, 16382, 16383, 1 << 20, (1 << 56) - 2] {
            let mut bytes = Vec::new();
            write_size(&mut bytes, value);
            let read = read_vint(&bytes).unwrap();
            assert_eq!((read.value, read.length), (Some(value), bytes.len()));
        }
    }

    #[test]
    fn all_ones_of_any_length_is_unknown() {
        for length in 1..=8usize {
            let mut bytes = vec![0xff; length];
            bytes[0] = (0xffu16 >> (length - 1)) as u8;
            let read = read_vint(&bytes).unwrap();
            assert_eq!((read.value, read.length), (None, length));
        }
    }

    #[test]
    fn a_zero_first_byte_begins_no_integer() {
        assert_eq!(vint_length(0), None);
        assert_eq!(read_vint(&[0, 1, 2, 3, 4, 5, 6, 7, 8]), None);
    }

    #[test]
    fn unsigned_integers_are_written_in_as_few_bytes_as_hold_them() {
        assert_eq!(uint_bytes(0).1, 1);
        assert_eq!(uint_bytes(255).1, 1);
        let (bytes, length) = uint_bytes(5043);
        assert_eq!(&bytes[..length], &[0x13, 0xb3]);
        assert_eq!(uint_bytes(u64::MAX).1, 8);
    }
}
