//! Protobuf's bytes: keys, numbers, lengths. Borrows, allocates nothing, and refuses what the
//! generated decoder refuses: cut values, wire types that do not fit, lengths beyond the end.

/// Groups within groups that are skipped; deeper is hostile.
const MOST_DEPTH: u32 = 100;

/// Why bytes are not the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The bytes end within a value.
    #[error("cut within a value")]
    Cut,
    /// A number of more than ten bytes or 64 bits.
    #[error("a number is too long")]
    Number,
    /// A key that can not be.
    #[error("a key is not one")]
    Key,
    /// A value is of another type than its tag says.
    #[error("a value has the wrong wire type")]
    WireType,
    /// A text that is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// Unknown groups nest too deep or do not end as they began.
    #[error("an unknown group is not whole")]
    Group,
    /// An event has more fields than allowed.
    #[error("an event has more than {} fields", crate::limits::EVENT_FIELDS)]
    Fields,
    /// A list has more items than allowed.
    #[error("a list has more than {} items", crate::limits::LIST_ITEMS)]
    Items,
}

/// How a value stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Varint,
    Fixed64,
    Length,
    Begin,
    End,
    Fixed32,
}

/// What is left to read.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next key: tag and wire type. `None` at the end.
    #[inline]
    pub(super) fn key(&mut self) -> Result<Option<(u32, Wire)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = u32::try_from(self.number()?).map_err(|_| Malformed::Key)?;
        let wire = match key & 7 {
            0 => Wire::Varint,
            1 => Wire::Fixed64,
            2 => Wire::Length,
            3 => Wire::Begin,
            4 => Wire::End,
            5 => Wire::Fixed32,
            _ => return Err(Malformed::Key),
        };
        if key >> 3 == 0 { Err(Malformed::Key) } else { Ok(Some((key >> 3, wire))) }
    }

    #[inline]
    pub(super) fn varint(&mut self, wire: Wire) -> Result<u64, Malformed> {
        is(wire, Wire::Varint)?;
        self.number()
    }

    /// A number of which 32 bits count.
    #[inline]
    pub(super) fn uint32(&mut self, wire: Wire) -> Result<u32, Malformed> {
        let number = self.varint(wire)? & u64::from(u32::MAX);
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    #[inline]
    pub(super) fn fixed(&mut self, wire: Wire) -> Result<u64, Malformed> {
        is(wire, Wire::Fixed64)?;
        let (bytes, rest) = self.0.split_first_chunk::<8>().ok_or(Malformed::Cut)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    #[inline]
    pub(super) fn slice(&mut self, wire: Wire) -> Result<&'a [u8], Malformed> {
        is(wire, Wire::Length)?;
        let length = usize::try_from(self.number()?).map_err(|_| Malformed::Cut)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed::Cut)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn message(&mut self, wire: Wire) -> Result<Self, Malformed> {
        self.slice(wire).map(Self)
    }

    pub(super) fn text(&mut self, wire: Wire) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.slice(wire)?).map_err(|_| Malformed::Text)
    }

    /// Steps over a value whose tag means nothing here.
    pub(super) fn skip(&mut self, tag: u32, wire: Wire) -> Result<(), Malformed> {
        self.skip_within(tag, wire, MOST_DEPTH)
    }

    fn skip_within(&mut self, tag: u32, wire: Wire, depth: u32) -> Result<(), Malformed> {
        match wire {
            Wire::Varint => self.number().map(|_| ())?,
            Wire::Fixed64 => self.fixed(wire).map(|_| ())?,
            Wire::Length => self.slice(wire).map(|_| ())?,
            Wire::Fixed32 => self.0 = self.0.get(4..).ok_or(Malformed::Cut)?,
            Wire::End => return Err(Malformed::Group),
            Wire::Begin => {
                let depth = depth.checked_sub(1).ok_or(Malformed::Group)?;
                loop {
                    match self.key()?.ok_or(Malformed::Cut)? {
                        (end, Wire::End) if end == tag => break,
                        (_, Wire::End) => return Err(Malformed::Group),
                        (tag, wire) => self.skip_within(tag, wire, depth)?,
                    }
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn number(&mut self) -> Result<u64, Malformed> {
        // Most numbers have one byte.
        if let Some((first, rest)) = self.0.split_first()
            && *first < 0x80
        {
            self.0 = rest;
            return Ok(u64::from(*first));
        }
        self.long_number()
    }

    fn long_number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0_u64;
        for nth in 0..10_u32 {
            let (byte, rest) = self.0.split_first().ok_or(Malformed::Cut)?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << (7 * nth);
            if *byte < 0x80 {
                // The tenth byte has one bit left to give.
                return if nth == 9 && *byte > 1 { Err(Malformed::Number) } else { Ok(number) };
            }
        }
        Err(Malformed::Number)
    }
}

fn is(wire: Wire, wanted: Wire) -> Result<(), Malformed> {
    if wire == wanted { Ok(()) } else { Err(Malformed::WireType) }
}
