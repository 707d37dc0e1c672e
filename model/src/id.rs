//! Names of things: newtypes, so that an alert's id is never taken for a host's.
//!
//! Ids that the collector gives are *deterministic*: time plus a digest of what the thing is.
//! Detecting the same events again after a crash yields the same ids, so nothing counts twice.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::time::Timestamp;

/// A time-ordered UUID (version 7 layout, RFC 9562 §5.7): 48 bits of milliseconds, then a
/// digest of `parts` where a random UUID would carry randomness.
#[must_use]
pub fn time_ordered(at: Timestamp, parts: &[&[u8]]) -> Uuid {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let mut random = [0_u8; 10];
    for (to, from) in random.iter_mut().zip(digest) {
        *to = from;
    }
    let millis = u64::try_from(at.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Deterministic and time-ordered: see [`time_ordered`].
            #[must_use]
            pub fn derive(at: Timestamp, parts: &[&[u8]]) -> Self {
                Self(time_ordered(at, parts))
            }

            /// The 16 bytes, big-endian: sorts by time.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// From the 16 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                Uuid::parse_str(text.trim()).map(Self).map_err(|_| BadId { what: stringify!($name), text: text.into() })
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

uuid_id! {
    /// One agent installation, given at enrolment.
    AgentId
}
uuid_id! {
    /// One alert: a rule's finding, with its repeats grouped.
    AlertId
}
uuid_id! {
    /// One security incident: alerts that tell one story.
    IncidentId
}

/// A text that is not an id of the wanted kind.
#[derive(Debug, thiserror::Error)]
#[error("not a valid {what}: {text:?} (expected a UUID such as 0190f2a4-0000-7000-8000-000000000000)")]
pub struct BadId {
    what: &'static str,
    text: String,
}

/// Where an event lies in the collector's journal. Stable for the event's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventRef {
    /// Journal frame: counted from 1 over the journal's whole life.
    pub frame: u64,
    /// 0-based position of the event in that frame's batch.
    pub index: u32,
}

impl fmt::Display for EventRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.frame, self.index)
    }
}

impl FromStr for EventRef {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId { what: "EventRef (FRAME.INDEX)", text: text.into() };
        let (frame, index) = text.split_once('.').ok_or_else(bad)?;
        Ok(Self { frame: frame.parse().map_err(|_| bad())?, index: index.parse().map_err(|_| bad())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_deterministic_and_sort_by_time() {
        let early = AlertId::derive(Timestamp::from_millis(1_000), &[b"rule", b"host"]);
        assert_eq!(early, AlertId::derive(Timestamp::from_millis(1_000), &[b"rule", b"host"]));
        let late = AlertId::derive(Timestamp::from_millis(2_000), &[b"a"]);
        assert!(early < late);
        assert_ne!(early, AlertId::derive(Timestamp::from_millis(1_000), &[b"ruleh", b"ost"]));
        assert_eq!(early.to_string().parse::<AlertId>().unwrap(), early);
    }

    #[test]
    fn event_ref_round_trips() {
        let at = EventRef { frame: 7, index: 3 };
        assert_eq!(at.to_string().parse::<EventRef>().unwrap(), at);
        assert!("7".parse::<EventRef>().is_err());
    }
}
