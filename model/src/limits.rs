//! Bounds that both ends of the wire must agree on. Each says which attack or waste it stops.

/// Events in one batch. More only delays the first alert; fewer wastes a round trip.
pub const BATCH_EVENTS: usize = 1_000;

/// Compressed bytes of one batch that the collector reads before it answers 413.
/// A batch of 1,000 flow events measures about 50 kB.
pub const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Bytes that one batch may unpack to: stops a zstd bomb.
pub const BATCH_UNPACKED_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of one text value on the wire. A longer one is cut and marked by its producer.
pub const TEXT_BYTES: usize = 64 * 1024;

/// Elements of one list value (DNS answers, arguments).
pub const LIST_ITEMS: usize = 256;

/// Fields of one event. The field table has fewer; more means a hostile sender.
pub const EVENT_FIELDS: usize = 512;
