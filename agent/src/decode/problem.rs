//! What can be wrong with a frame, and how often it was. Foreign bytes are never an error: each
//! frame that can not be used is counted under exactly one kind, so that the sum of packets and
//! problems is the number of frames seen.

/// Why a frame gave no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A frame without IP in it: ARP, spanning tree, LLDP… Nothing is lost by leaving it out.
    NotIp,
    /// The capture cut it before the IP header ended.
    Truncated,
    /// Lengths or versions in it contradict each other.
    Malformed,
    /// The file or interface has a link type that we can not read.
    UnknownLink,
    /// A later fragment of a datagram whose first fragment was not seen.
    OrphanFragment,
}

impl Problem {
    /// Every kind, in the order of [`Problems`].
    pub const ALL: [Self; 5] =
        [Self::NotIp, Self::Truncated, Self::Malformed, Self::UnknownLink, Self::OrphanFragment];

    /// The word used in summaries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotIp => "not_ip",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::UnknownLink => "unknown_link",
            Self::OrphanFragment => "orphan_fragment",
        }
    }

    /// Whether a packet that a flow should have counted is missing because of it.
    #[must_use]
    pub const fn is_loss(self) -> bool {
        !matches!(self, Self::NotIp)
    }
}

/// How often each [`Problem`] was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Problems([u64; Problem::ALL.len()]);

impl Problems {
    /// Counts one.
    pub fn count(&mut self, problem: Problem) {
        if let Some(cell) = self.0.get_mut(problem as usize) {
            *cell = cell.saturating_add(1);
        }
    }

    /// How often `problem` was met.
    #[must_use]
    pub fn get(&self, problem: Problem) -> u64 {
        self.0.get(problem as usize).copied().unwrap_or(0)
    }

    /// Frames from which a packet was lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        Problem::ALL.into_iter().filter(|problem| problem.is_loss()).map(|problem| self.get(problem)).sum()
    }

    /// The kinds that were met, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Problem, u64)> + '_ {
        Problem::ALL.into_iter().map(|problem| (problem, self.get(problem))).filter(|entry| entry.1 > 0)
    }
}
