//! Figures from `/proc` and what follows from two of them. Reading is apart from reckoning, so that
//! the reckoning is tested without a machine in a certain state.

use std::fs;
use std::time::Duration;

/// Processor time since boot, in ticks of all cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ticks {
    busy: u64,
    total: u64,
}

impl Ticks {
    /// The share of time spent busy since `before`, 0 to 1.
    pub(super) fn share_since(self, before: Self) -> f64 {
        ratio(self.busy.saturating_sub(before.busy), self.total.saturating_sub(before.total))
    }
}

/// `part` of `whole`; 0 where there is no whole.
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share for people; ticks stay far below 2^52")]
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The first line of `/proc/stat`.
pub(super) fn ticks(stat: &str) -> Ticks {
    let numbers: Vec<u64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        // user nice system idle iowait irq softirq steal; guest time is part of user already.
        .take(8)
        .map(|number| number.parse().unwrap_or(0))
        .collect();
    let total: u64 = numbers.iter().sum();
    let idle: u64 = numbers.iter().skip(3).take(2).sum();
    Ticks { busy: total.saturating_sub(idle), total }
}

/// The first number of `/proc/uptime`, seconds.
pub(super) fn uptime(text: &str) -> Duration {
    let seconds: f64 = text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// The load over one minute from `/proc/loadavg`.
pub(super) fn load(text: &str) -> f64 {
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

/// A line of `/proc/meminfo` or `/proc/self/status` in kilobytes, as bytes.
pub(super) fn kilobytes(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0).saturating_mul(1024)
}

/// Processor ticks used by a process, from `/proc/<pid>/stat`.
pub(super) fn used(stat: &str) -> u64 {
    let Some((_, fields)) = stat.rsplit_once(')') else { return 0 };
    fields.split_whitespace().skip(11).take(2).filter_map(|number| number.parse::<u64>().ok()).sum()
}

/// The name and version of the operating system, from `os-release`.
pub(super) fn os_name(text: &str) -> String {
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(|value| value.trim_matches(['"', '\'']))
    };
    value("PRETTY_NAME").or_else(|| value("NAME")).unwrap_or_default().to_owned()
}

/// The text of a small file; empty where it can not be read.
pub(super) fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_that_of_the_time_between() {
        let before = ticks("cpu  100 0 100 800 0 0 0 0 50 0\ncpu0 1");
        let after = ticks("cpu  150 0 150 900 0 0 0 0 99 0\n");
        assert!((after.share_since(before) - 0.5).abs() < 1e-9);
        assert!(before.share_since(before).abs() < 1e-9);
        assert!(before.share_since(after).abs() < 1e-9);
    }

    #[test]
    fn figures_are_read_and_rubbish_is_zero() {
        assert_eq!(uptime("12.50 3.0"), Duration::from_millis(12_500));
        assert_eq!(uptime("-1"), Duration::ZERO);
        assert_eq!(uptime("inf"), Duration::ZERO);
        assert!((load("0.25 1 1") - 0.25).abs() < 1e-9);
        assert_eq!(kilobytes("MemTotal:  2 kB\nMemAvailable: 1 kB\n", "MemAvailable"), 1024);
        assert_eq!(kilobytes("", "MemTotal"), 0);
        assert_eq!(used("7 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13"), 23);
        assert_eq!(used(""), 0);
        assert_eq!(os_name("NAME=x\nPRETTY_NAME=\"Some OS 1\"\n"), "Some OS 1");
    }
}
