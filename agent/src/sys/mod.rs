//! What only the kernel can do and no safe library offers: the packet ring, a filtered tap.
//!
//! The one room with unsafe code. Each use stands behind a safe door, says why it is sound, and
//! why nothing safe would do.

pub mod ring;
pub mod tap;
