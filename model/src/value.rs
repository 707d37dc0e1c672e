//! A field's value: small, typed, and comparable the way rules and screens need it.

use std::fmt;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use crate::time::Timestamp;

/// One value of a field. Numbers keep their sign and exactness; an address stays an address.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// UTF-8 text; bytes that were not UTF-8 are replaced before they get here.
    Text(String),
    /// An unsigned number (counts, ports, byte sizes, durations in nanoseconds).
    Uint(u64),
    /// A signed number.
    Int(i64),
    /// A real number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// An IPv4 or IPv6 address.
    Ip(IpAddr),
    /// A point in time.
    Time(Timestamp),
    /// Several texts or addresses, in the order seen; a rule matches if any element does.
    List(Vec<Value>),
}

impl Value {
    /// The text, if this is text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The unsigned number, if this is a number that fits.
    #[must_use]
    pub fn as_uint(&self) -> Option<u64> {
        match self {
            Self::Uint(n) => Some(*n),
            Self::Int(n) => u64::try_from(*n).ok(),
            _ => None,
        }
    }

    /// The address, if this is one.
    #[must_use]
    pub fn as_ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            _ => None,
        }
    }

    /// As JSON: addresses and times become strings.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => serde_json::Value::from(text.as_str()),
            Self::Uint(n) => serde_json::Value::from(*n),
            Self::Int(n) => serde_json::Value::from(*n),
            Self::Float(n) => serde_json::Value::from(*n),
            Self::Bool(b) => serde_json::Value::from(*b),
            Self::Ip(_) | Self::Time(_) => serde_json::Value::from(self.to_string()),
            Self::List(items) => serde_json::Value::Array(items.iter().map(Self::to_json).collect()),
        }
    }
}

impl fmt::Display for Value {
    /// As a rule sees it as text; list elements are joined by a comma and a space.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Uint(n) => write!(f, "{n}"),
            Self::Int(n) => write!(f, "{n}"),
            Self::Float(n) => write!(f, "{n}"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Ip(ip) => write!(f, "{ip}"),
            Self::Time(time) => write!(f, "{time}"),
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{item}")?;
                }
                Ok(())
            }
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

macro_rules! from_plain {
    ($($from:ty => $variant:ident),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

from_plain! {
    String => Text, &str => Text, u64 => Uint, u32 => Uint, u16 => Uint, u8 => Uint,
    i64 => Int, i32 => Int, f64 => Float, bool => Bool, IpAddr => Ip,
    std::net::Ipv4Addr => Ip, std::net::Ipv6Addr => Ip, Timestamp => Time, Vec<Value> => List,
}

impl From<Vec<String>> for Value {
    fn from(texts: Vec<String>) -> Self {
        Self::List(texts.into_iter().map(Self::Text).collect())
    }
}

impl From<std::time::Duration> for Value {
    /// Durations are whole nanoseconds, as ECS `event.duration` is.
    fn from(span: std::time::Duration) -> Self {
        Self::Uint(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
    }
}
