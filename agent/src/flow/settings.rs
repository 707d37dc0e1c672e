//! How long flows are kept and how many.

use std::time::Duration;

/// Bounds and spans of the flow table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Flows kept at once. More arriving end the ones that were idle longest.
    /// One flow costs about 1 kB.
    pub most: usize,
    /// Bytes that inspection may hold for all flows together. A flow that would need more is
    /// counted but no longer looked into: stops many half-sent handshakes from filling memory.
    pub inspected: usize,
    /// A flow's first record is written so long after its first packet, whatever became of it;
    /// `None` waits for its end.
    pub early: Option<Duration>,
    /// Interim records of flows that go on.
    pub active: Duration,
    /// A TCP flow without packets for so long is over.
    pub idle_tcp: Duration,
    /// The same for UDP and everything that is neither TCP nor ICMP.
    pub idle_udp: Duration,
    /// The same for ICMP.
    pub idle_icmp: Duration,
    /// After FIN or RST, how long the record waits for the last acknowledgements.
    pub linger: Duration,
    /// How long a closed flow is then remembered, so that stragglers open no new one.
    pub grave: Duration,
}

impl Default for Settings {
    /// For live capture: each flow is known after a second, so that rules can fire in time.
    fn default() -> Self {
        Self {
            most: 65_536,
            inspected: 32 * 1_024 * 1_024,
            early: Some(Duration::from_secs(1)),
            active: Duration::from_secs(60),
            idle_tcp: Duration::from_secs(300),
            idle_udp: Duration::from_secs(60),
            idle_icmp: Duration::from_secs(60),
            linger: Duration::from_millis(300),
            grave: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// For capture files: one record per flow as far as possible, since nobody waits for it.
    #[must_use]
    pub fn offline() -> Self {
        Self {
            most: 1_000_000,
            early: None,
            active: Duration::from_secs(24 * 3_600),
            linger: Duration::from_secs(5),
            ..Self::default()
        }
    }
}
