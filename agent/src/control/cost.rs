//! What the agent costs its host: memory and a share of one core, as the kernel counts them.

use std::time::Instant;

use serde::{Deserialize, Serialize};

/// What the agent costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// Resident bytes.
    pub memory: u64,
    /// Share of one core since the last look, 0 to the number of cores.
    pub cpu: f64,
}

/// Measures from one look to the next.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    last: Option<(Instant, f64)>,
}

impl Meter {
    /// Has not looked yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { last: None }
    }

    /// Looks. The first look can not tell a share and says zero.
    pub fn read(&mut self, now: Instant) -> Cost {
        let seconds = cpu_seconds().unwrap_or(0.0);
        let cpu = self.last.map_or(0.0, |(then, before)| {
            let span = now.saturating_duration_since(then).as_secs_f64();
            if span > 0.0 { (seconds - before).max(0.0) / span } else { 0.0 }
        });
        self.last = Some((now, seconds));
        Cost { memory: memory().unwrap_or(0), cpu }
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(u64::try_from(rustix::param::page_size()).ok()?)
}

fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name may hold spaces; what follows its closing bracket does not.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    let ticks = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
    Some((f64::from(user) + f64::from(system)) / f64::from(ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_the_first_look_knows_no_share() {
        let cost = Meter::new().read(crate::clock::monotonic());
        assert!(cost.memory > 100_000, "{cost:?}");
        assert_eq!(cost.cpu, 0.0);
    }
}
