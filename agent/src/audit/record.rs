//! One audit record: its type, the id it shares with the others of its event, its pairs.
//!
//! Read from auditd's log, from audisp's syslog lines and from the kernel ring. The names of an
//! enriched record (after the group separator) keep their capitals.

use watchpost_model::Timestamp;

use super::{decode, socket};

/// What joins records: where and when they were written, and the number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) time: Timestamp,
    pub(super) serial: u64,
    pub(super) node: String,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub(super) id: Id,
    /// Type in capitals: `SYSCALL`, `EXECVE`…; a number that we do not know as it is.
    pub(super) kind: String,
    /// Decoded pairs in their order.
    pub(super) pairs: Vec<(String, String)>,
    /// The line, secrets masked.
    pub(super) raw: String,
}

/// Types by number, as the kernel ring has them.
const NUMBERS: [(&str, &str); 14] = [
    ("1300", "SYSCALL"),
    ("1302", "PATH"),
    ("1305", "CONFIG_CHANGE"),
    ("1306", "SOCKADDR"),
    ("1307", "CWD"),
    ("1309", "EXECVE"),
    ("1320", "EOE"),
    ("1321", "BPRM_FCAPS"),
    ("1325", "NETFILTER_CFG"),
    ("1326", "SECCOMP"),
    ("1327", "PROCTITLE"),
    ("1334", "BPF"),
    ("1400", "AVC"),
    ("1701", "ANOM_ABEND"),
];

/// Types that come with others of their event, so that one of them waits.
const JOINED: [&str; 28] = [
    "SYSCALL",
    "PATH",
    "SOCKADDR",
    "CWD",
    "EXECVE",
    "EOE",
    "BPRM_FCAPS",
    "CAPSET",
    "PROCTITLE",
    "AVC",
    "SELINUX_ERR",
    "OBJ_PID",
    "IPC",
    "IPC_SET_PERM",
    "MMAP",
    "FD_PAIR",
    "SOCKETCALL",
    "MQ_OPEN",
    "NETFILTER_CFG",
    "KERN_MODULE",
    "BPF",
    "TIME_INJOFFSET",
    "TIME_ADJNTPVAL",
    "OPENAT2",
    "URINGOP",
    "MAC_POLICY_LOAD",
    "ANOM_PROMISCUOUS",
    "ANOM_LINK",
];

impl Record {
    /// Reads a line; `None` where it is no audit record.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (before, rest) = line.split_once("type=")?;
        let node = before.split_whitespace().find_map(|word| word.strip_prefix("node=")).unwrap_or_default();
        let (kind, rest) = rest.split_once(' ')?;
        let rest = rest.trim_start();
        let rest = rest.strip_prefix("msg=").unwrap_or(rest);
        let (stamp, body) = rest.strip_prefix("audit(")?.split_once(')')?;
        let body = body.strip_prefix(':').unwrap_or(body);
        let (time, serial) = stamp.split_once(':')?;
        let kind = NUMBERS.iter().find(|(number, _)| *number == kind).map_or(kind, |(_, name)| name);
        if kind.is_empty()
            || kind.len() > 64
            || !kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'[' || b == b']')
        {
            return None;
        }
        let mut pairs = decode::pairs(kind, body.trim());
        if kind == "SOCKADDR" {
            let address = pairs.iter().find(|(key, _)| key == "saddr").map(|(_, hex)| socket::described(hex));
            pairs.extend(address.unwrap_or_default());
        }
        Some(Self {
            id: Id { time: moment(time)?, serial: serial.parse().ok()?, node: node.to_owned() },
            kind: kind.to_owned(),
            pairs,
            raw: crate::parse::mask(line.trim_end()).into_owned(),
        })
    }

    /// Whether an event of this type has no other records.
    pub(super) fn stands_alone(&self) -> bool {
        !JOINED.contains(&self.kind.as_str())
    }

    /// Whether no record of the event follows: the end mark, or the title, which auditd writes last.
    pub(super) fn is_last(&self) -> bool {
        matches!(self.kind.as_str(), "EOE" | "PROCTITLE")
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// `1492037289.295`, seconds and milliseconds.
fn moment(text: &str) -> Option<Timestamp> {
    let (seconds, millis) = text.split_once('.')?;
    let (seconds, millis) = (seconds.parse::<i64>().ok()?, millis.parse::<i64>().ok()?);
    if !(0..1_000).contains(&millis) || !(0..=253_402_300_799).contains(&seconds) {
        return None;
    }
    Some(Timestamp::from_millis(seconds.checked_mul(1_000)?.checked_add(millis)?))
}
