//! The protobuf messages. Tags are a contract: see `docs/formats/wire.md`.
//!
//! Batches are written through them. They are read by [`super::read`]; that both mean the same is
//! held by its tests, through [`judge`].

use std::net::IpAddr;

use super::{Batch, VERSION};
use crate::event::Event;
use crate::value::Value;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct BatchMessage {
    #[prost(uint32, tag = "1")]
    pub(super) version: u32,
    #[prost(fixed64, tag = "2")]
    epoch: u64,
    #[prost(uint64, tag = "3")]
    sequence: u64,
    #[prost(uint64, tag = "4")]
    first_event: u64,
    #[prost(string, tag = "5")]
    host: String,
    #[prost(message, repeated, tag = "6")]
    ledger: Vec<LedgerMessage>,
    #[prost(message, repeated, tag = "7")]
    events: Vec<EventMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LedgerMessage {
    #[prost(string, tag = "1")]
    stage: String,
    #[prost(uint64, tag = "2")]
    passed: u64,
    #[prost(uint64, tag = "3")]
    lost: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct EventMessage {
    #[prost(uint32, tag = "1")]
    kind: u32,
    /// Nanoseconds since the epoch.
    #[prost(sfixed64, tag = "2")]
    time: i64,
    #[prost(message, repeated, tag = "3")]
    fields: Vec<FieldMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct FieldMessage {
    #[prost(uint32, tag = "1")]
    id: u32,
    #[prost(oneof = "ValueMessage", tags = "2, 3, 4, 5, 6, 7, 8, 9")]
    value: Option<ValueMessage>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum ValueMessage {
    #[prost(string, tag = "2")]
    Text(String),
    #[prost(uint64, tag = "3")]
    Uint(u64),
    #[prost(sint64, tag = "4")]
    Int(i64),
    #[prost(double, tag = "5")]
    Float(f64),
    #[prost(bool, tag = "6")]
    Bool(bool),
    /// 4 or 16 bytes.
    #[prost(bytes, tag = "7")]
    Ip(Vec<u8>),
    #[prost(sfixed64, tag = "8")]
    Time(i64),
    #[prost(message, tag = "9")]
    List(ListMessage),
}

#[derive(Clone, PartialEq, prost::Message)]
struct ListMessage {
    /// Elements; their `id` is 0.
    #[prost(message, repeated, tag = "1")]
    items: Vec<FieldMessage>,
}

impl From<&Batch> for BatchMessage {
    fn from(batch: &Batch) -> Self {
        Self {
            version: VERSION,
            epoch: batch.epoch,
            sequence: batch.sequence,
            first_event: batch.first_event,
            host: batch.host.clone(),
            ledger: batch
                .ledger
                .0
                .iter()
                .map(|entry| LedgerMessage {
                    stage: entry.stage.name().into(),
                    passed: entry.passed,
                    lost: entry.lost,
                })
                .collect(),
            events: batch.events.iter().map(EventMessage::from).collect(),
        }
    }
}

impl From<&Event> for EventMessage {
    fn from(event: &Event) -> Self {
        Self {
            kind: event.kind as u32,
            time: event.time.as_nanos(),
            fields: event
                .record
                .iter()
                .map(|(id, value)| FieldMessage { id: u32::from(id.0), value: Some(value.into()) })
                .collect(),
        }
    }
}

impl From<&Value> for ValueMessage {
    fn from(value: &Value) -> Self {
        match value {
            Value::Text(text) => Self::Text(text.clone()),
            Value::Uint(n) => Self::Uint(*n),
            Value::Int(n) => Self::Int(*n),
            Value::Float(n) => Self::Float(*n),
            Value::Bool(b) => Self::Bool(*b),
            Value::Ip(IpAddr::V4(ip)) => Self::Ip(ip.octets().to_vec()),
            Value::Ip(IpAddr::V6(ip)) => Self::Ip(ip.octets().to_vec()),
            Value::Time(time) => Self::Time(time.as_nanos()),
            Value::List(items) => Self::List(ListMessage {
                items: items.iter().map(|item| FieldMessage { id: 0, value: Some(item.into()) }).collect(),
            }),
        }
    }
}

/// Messages back to a batch: the plain way, for the tests alone.
#[cfg(test)]
mod judge {
    use super::*;
    use crate::event::{Kind, Record};
    use crate::field::FieldId;
    use crate::ledger::{Ledger, Stage};
    use crate::time::Timestamp;

    impl From<BatchMessage> for Batch {
        fn from(message: BatchMessage) -> Self {
            let mut ledger = Ledger::default();
            for entry in message.ledger {
                if let Some(stage) = Stage::named(&entry.stage) {
                    ledger.set(stage, entry.passed, entry.lost);
                }
            }
            let sent = message.events.len();
            let events: Vec<Event> =
                message.events.into_iter().filter_map(EventMessage::into_event).collect();
            let unknown_kinds = u64::try_from(sent - events.len()).unwrap_or(u64::MAX);
            Self {
                epoch: message.epoch,
                sequence: message.sequence,
                first_event: message.first_event,
                host: message.host,
                ledger,
                events,
                unknown_kinds,
            }
        }
    }

    impl EventMessage {
        fn into_event(self) -> Option<Event> {
            let record: Record = self
                .fields
                .into_iter()
                .filter_map(|field| {
                    let id = u16::try_from(field.id).ok().filter(|id| *id != 0)?;
                    Some((FieldId(id), field.value?.into_value(true)?))
                })
                .collect();
            Some(Event {
                kind: Kind::from_number(self.kind)?,
                time: Timestamp::from_nanos(self.time),
                record,
            })
        }
    }

    impl ValueMessage {
        /// `None` for an address that is neither 4 nor 16 bytes, and for a list within a list.
        fn into_value(self, outermost: bool) -> Option<Value> {
            Some(match self {
                Self::Text(text) => Value::Text(text),
                Self::Uint(n) => Value::Uint(n),
                Self::Int(n) => Value::Int(n),
                Self::Float(n) => Value::Float(n),
                Self::Bool(b) => Value::Bool(b),
                Self::Ip(bytes) => Value::Ip(match bytes.len() {
                    4 => <[u8; 4]>::try_from(bytes.as_slice()).ok()?.into(),
                    _ => <[u8; 16]>::try_from(bytes.as_slice()).ok()?.into(),
                }),
                Self::Time(nanos) => Value::Time(Timestamp::from_nanos(nanos)),
                Self::List(list) if outermost => Value::List(
                    list.items.into_iter().filter_map(|item| item.value?.into_value(false)).collect(),
                ),
                Self::List(_) => return None,
            })
        }
    }
}
