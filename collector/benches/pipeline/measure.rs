//! What the kernel says about this process: time used, memory held, threads; and percentiles.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Seconds of all cores that this process has used.
pub(crate) fn cpu() -> f64 {
    seconds(ClockId::ProcessCPUTime)
}

/// Seconds that this thread has used.
pub(crate) fn thread_cpu() -> f64 {
    seconds(ClockId::ThreadCPUTime)
}

fn seconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// MiB from `/proc/self/status`: `VmRSS` for now, `VmHWM` for the most so far.
pub(crate) fn memory(what: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

/// Makes `VmHWM` begin anew.
pub(crate) fn forget_peak() {
    // Refused in some containers; the peak then includes what came before.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Seconds on a core by name of thread, living threads only.
pub(crate) fn threads() -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let name = read("comm").trim().trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
        let nanos = read("schedstat").split_whitespace().next().and_then(|n| n.parse::<f64>().ok());
        *found.entry(name).or_default() += nanos.unwrap_or_default() / 1e9;
    }
    found
}

/// What was used between two looks at [`threads`].
pub(crate) fn since(before: &BTreeMap<String, f64>) -> Vec<(String, f64)> {
    let used = |(name, now): (String, f64)| {
        let used = now - before.get(&name).copied().unwrap_or_default();
        (used > 0.005).then_some((name, used))
    };
    threads().into_iter().filter_map(used).collect()
}

/// Spans, to be asked for percentiles.
#[derive(Debug, Default)]
pub(crate) struct Spans(pub(crate) Vec<Duration>);

impl Spans {
    /// `p50 1.2 ms, p95 …`.
    pub(crate) fn say(&mut self) -> String {
        self.0.sort_unstable();
        let at = |share: f64| {
            let last = self.0.len().saturating_sub(1);
            let span = self.0.get((last as f64 * share) as usize).copied().unwrap_or_default();
            span.as_secs_f64() * 1e3
        };
        let (p50, p95, p99, most) = (at(0.5), at(0.95), at(0.99), at(1.0));
        format!("p50 {p50:.1} ms, p95 {p95:.1} ms, p99 {p99:.1} ms, most {most:.1} ms ({})", self.0.len())
    }
}
