//! Long headers of QUIC packets, and where each packet of a datagram ends.

/// The longest connection id of the versions we read.
const MOST_ID: usize = 20;

/// A packet with a long header, still protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) version: u32,
    pub(super) initial: bool,
    /// Connection id of the receiver.
    pub(super) destination: &'a [u8],
    /// The packet from its first byte to its end.
    pub(super) packet: &'a [u8],
    /// Where the packet number begins.
    pub(super) number: usize,
}

impl<'a> Header<'a> {
    /// Reads the first packet of a datagram; with it, the packets that follow.
    pub(super) fn parse(data: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (first, rest) = data.split_first()?;
        // Long form, fixed bit.
        if first & 0xc0 != 0xc0 {
            return None;
        }
        let (version, rest) = rest.split_first_chunk::<4>()?;
        let version = u32::from_be_bytes(*version);
        let kind = Kind::of(version, *first)?;
        let (destination, rest) = id(rest)?;
        let (_, mut rest) = id(rest)?;
        if kind == Kind::Initial {
            let (length, after) = varint(rest)?;
            rest = after.get(usize::try_from(length).ok()?..)?;
        }
        let (length, rest) = varint(rest)?;
        let number = data.len().checked_sub(rest.len())?;
        let end = number.checked_add(usize::try_from(length).ok()?)?;
        let (packet, next) = data.split_at_checked(end)?;
        Some((Self { version, initial: kind == Kind::Initial, destination, packet, number }, next))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Initial,
    /// 0-RTT or Handshake: has a length, so what follows it can be found.
    Sealed,
}

impl Kind {
    /// `None` for a Retry and for versions whose packets we can not read.
    const fn of(version: u32, first: u8) -> Option<Self> {
        let number = (first >> 4) & 3;
        match version {
            // Version 2 counts one on.
            super::keys::V2 => match number {
                1 => Some(Self::Initial),
                2 | 3 => Some(Self::Sealed),
                _ => None,
            },
            version if super::keys::is_known(version) => match number {
                0 => Some(Self::Initial),
                1 | 2 => Some(Self::Sealed),
                _ => None,
            },
            _ => None,
        }
    }
}

fn id(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let length = usize::from(*length);
    if length > MOST_ID { None } else { rest.split_at_checked(length) }
}

/// A number of one, two, four or eight bytes, and what follows.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let more = (1_usize << (first >> 6)).saturating_sub(1);
    let (tail, rest) = rest.split_at_checked(more)?;
    let value = tail.iter().fold(u64::from(first & 0x3f), |value, byte| (value << 8) | u64::from(*byte));
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_lengths_of_the_standard() {
        assert_eq!(varint(&[0x25]), Some((37, &[][..])));
        assert_eq!(varint(&[0x7b, 0xbd]), Some((15_293, &[][..])));
        assert_eq!(varint(&[0x9d, 0x7f, 0x3e, 0x7d, 1]), Some((494_878_333, &[1][..])));
        assert_eq!(varint(&[0xc2, 0x19]), None);
    }

    #[test]
    fn a_length_beyond_the_datagram_is_no_packet() {
        let mut bytes = vec![0xc0, 0, 0, 0, 1, 1, 7, 0, 0, 5, 1, 2, 3, 4, 5];
        let (header, rest) = Header::parse(&bytes).unwrap();
        assert_eq!((header.destination, header.number, rest.len()), (&[7][..], 10, 0));
        bytes.pop();
        assert_eq!(Header::parse(&bytes), None);
    }
}
