//! CRYPTO frames, found among the other frames of an Initial packet.
//!
//! A frame of an unknown kind has an unknown length, so reading ends there; Initial packets may hold
//! few kinds, all known.

use super::header::varint;

const PADDING: u64 = 0;
const PING: u64 = 1;
const ACK: u64 = 2;
const ACK_ECN: u64 = 3;
const CRYPTO: u64 = 6;
/// CRYPTO in the versions before the standard; a STREAM since, which no Initial packet may hold.
const CRYPTO_EARLY: u64 = 8;

/// Hands over offset and bytes of each CRYPTO frame, until a frame that does not belong here.
pub(super) fn each(mut frames: &[u8], take: &mut dyn FnMut(usize, &[u8])) {
    while let Some((kind, rest)) = varint(frames) {
        let next = match kind {
            PADDING | PING => Some(rest),
            ACK => acknowledgement(rest),
            ACK_ECN => acknowledgement(rest).and_then(|rest| skip(rest, 3)),
            CRYPTO | CRYPTO_EARLY => crypto(rest, take),
            _ => None,
        };
        let Some(next) = next else { return };
        frames = next;
    }
}

fn crypto<'a>(bytes: &'a [u8], take: &mut dyn FnMut(usize, &[u8])) -> Option<&'a [u8]> {
    let (offset, rest) = varint(bytes)?;
    let (length, rest) = varint(rest)?;
    let (data, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    take(usize::try_from(offset).ok()?, data);
    Some(rest)
}

fn acknowledgement(bytes: &[u8]) -> Option<&[u8]> {
    let rest = skip(bytes, 2)?;
    let (ranges, rest) = varint(rest)?;
    // Each range takes two bytes at least, so more than there are bytes is a lie.
    let ranges = usize::try_from(ranges).ok().filter(|ranges| *ranges <= rest.len())?;
    skip(rest, ranges.saturating_mul(2).saturating_add(1))
}

fn skip(mut bytes: &[u8], count: usize) -> Option<&[u8]> {
    for _ in 0..count {
        bytes = varint(bytes)?.1;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_frames_are_passed_over() {
        // Padding, an acknowledgement of two ranges with ECN, a ping, CRYPTO, padding.
        let frames = [0, 0, 3, 9, 0, 1, 1, 0, 1, 5, 6, 7, 1, 6, 4, 2, b'h', b'i', 0];
        let mut seen = Vec::new();
        each(&frames, &mut |offset, bytes| seen.push((offset, bytes.to_vec())));
        assert_eq!(seen, [(4, b"hi".to_vec())]);
    }

    proptest! {
        #[test]
        fn any_bytes_as_frames_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut count = 0;
            each(&bytes, &mut |_, data| count += data.len());
            prop_assert!(count <= bytes.len());
        }
    }
}
