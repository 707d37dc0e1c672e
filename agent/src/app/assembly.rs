//! A handshake message or stream whose parts come in any order, as over datagrams.
//!
//! Bounded in bytes and in stretches; what lies beyond is left out, never an error. A stretch that
//! comes again overwrites the first, which for honest peers is the same.

/// Bytes of a direction's handshake that are kept; as many as of a TCP stream.
const MOST_BYTES: usize = 16 * 1_024;

/// Stretches that wait for what lies before them. Clients that shuffle send about twenty.
const MOST_STRETCHES: usize = 64;

/// What is put together.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    data: Vec<u8>,
    /// Stretches of `data` that are there, `(begin, end)`, apart from each other, in order.
    known: Vec<(usize, usize)>,
}

impl Assembly {
    /// Takes a stretch; what lies beyond the bounds is left out.
    pub(super) fn add(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset.saturating_add(bytes.len());
        if bytes.is_empty() || end > MOST_BYTES || self.known.len() >= MOST_STRETCHES {
            return;
        }
        if self.data.len() < end {
            self.data.resize(end, 0);
        }
        if let Some(place) = self.data.get_mut(offset..end) {
            place.copy_from_slice(bytes);
        }
        let mut whole = (offset, end);
        self.known.retain(|stretch| {
            let apart = stretch.1 < whole.0 || whole.1 < stretch.0;
            if !apart {
                whole = (whole.0.min(stretch.0), whole.1.max(stretch.1));
            }
            apart
        });
        self.known.push(whole);
        self.known.sort_unstable();
    }

    /// What is there without a gap from the begin.
    pub(super) fn begin(&self) -> &[u8] {
        let end = self.known.first().filter(|stretch| stretch.0 == 0).map_or(0, |stretch| stretch.1);
        self.data.get(..end).unwrap_or_default()
    }

    /// Memory in use.
    pub(super) fn held(&self) -> usize {
        self.data.capacity()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_lies_beyond_the_bounds_is_left_out() {
        let mut assembly = Assembly::default();
        assembly.add(usize::MAX, b"x");
        assembly.add(MOST_BYTES, b"x");
        assert_eq!((assembly.begin(), assembly.held()), (&[][..], 0));
        for at in 0..1_000 {
            assembly.add(at * 2, b"x");
        }
        assert_eq!((assembly.begin().len(), assembly.known.len()), (1, MOST_STRETCHES));
    }

    proptest! {
        #[test]
        fn stretches_in_any_order_give_what_was_sent(
            data in prop::collection::vec(any::<u8>(), 1..300),
            step in 1..40_usize,
            turn in any::<usize>(),
        ) {
            let mut assembly = Assembly::default();
            let mut places: Vec<usize> = (0..data.len()).step_by(step).collect();
            let middle = turn % places.len();
            places.rotate_left(middle);
            places.reverse();
            for at in places {
                let end = (at + step + 3).min(data.len());
                assembly.add(at, data.get(at..end).unwrap());
            }
            prop_assert_eq!(assembly.begin(), &data[..]);
        }
    }
}
