//! Batches read straight from their bytes: one pass, no message in between.
//!
//! The generated decoder ([`super::proto`], which writes batches) stays the judge: in tests both
//! read the same bytes to the same batch. What it does not hold is held here: the number of
//! events, of fields of one event and of items of one list, *before* they take memory.
//! [`survey`] walks the same bytes and keeps nothing but what the journal needs to know.

use std::net::IpAddr;

use super::bytes::{Bytes, Malformed, Wire};
use super::{Batch, PackError, Summary, VERSION};
use crate::event::{Event, Kind, Record};
use crate::field::FieldId;
use crate::ledger::{Ledger, Stage};
use crate::limits;
use crate::time::Timestamp;
use crate::value::Value;

/// What becomes of a batch's events while it is read.
trait Taking {
    /// One event's message. False where its kind is not known here.
    fn event(&mut self, message: Bytes<'_>) -> Result<bool, Malformed>;
}

/// Keeps the events.
struct Keeping {
    events: Vec<Event>,
    /// Fields of the last event: the next one will have about as many.
    usual: usize,
    room: usize,
}

impl Taking for Keeping {
    fn event(&mut self, message: Bytes<'_>) -> Result<bool, Malformed> {
        let mut record = Record::with_room(self.usual + self.room);
        let head = event(message, &mut |id, value| record.push(id, value))?;
        let Some(kind) = head.kind() else { return Ok(false) };
        self.usual = record.len();
        self.events.push(Event { kind, time: head.time, record });
        Ok(true)
    }
}

/// Only looks.
struct Looking;

impl Taking for Looking {
    fn event(&mut self, message: Bytes<'_>) -> Result<bool, Malformed> {
        Ok(walk_event(message)?.kind().is_some())
    }
}

/// Reads a batch. `room` is how many fields more each event should have room for.
pub(super) fn batch(plain: &[u8], room: usize) -> Result<Batch, PackError> {
    let mut keeping = Keeping { events: Vec::new(), usual: 0, room };
    let (summary, host, ledger) = message(plain, &mut keeping)?;
    let Summary { epoch, sequence, first_event, unknown_kinds, .. } = summary;
    Ok(Batch { epoch, sequence, first_event, host, ledger, events: keeping.events, unknown_kinds })
}

/// What a batch says of itself, checked as [`batch`] checks it.
pub(super) fn survey(plain: &[u8]) -> Result<Summary, PackError> {
    Ok(message(plain, &mut Looking)?.0)
}

fn message(plain: &[u8], taking: &mut impl Taking) -> Result<(Summary, String, Ledger), PackError> {
    let (mut version, mut host, mut ledger) = (0, "", Ledger::default());
    let mut summary = Summary::default();
    let (mut sent, mut bytes) = (0_usize, Bytes(plain));
    while let Some((tag, wire)) = bytes.key()? {
        match tag {
            1 => version = bytes.uint32(wire)?,
            2 => summary.epoch = bytes.fixed(wire)?,
            3 => summary.sequence = bytes.varint(wire)?,
            4 => summary.first_event = bytes.varint(wire)?,
            5 => host = bytes.text(wire)?,
            6 => stage(bytes.message(wire)?, &mut ledger)?,
            7 => {
                sent += 1;
                // Still counted, no longer read: the answer names how many there were.
                if sent > limits::BATCH_EVENTS {
                    bytes.message(wire)?;
                } else if taking.event(bytes.message(wire)?)? {
                    summary.events += 1;
                } else {
                    summary.unknown_kinds += 1;
                }
            }
            _ => bytes.skip(tag, wire)?,
        }
    }
    if version != VERSION {
        return Err(PackError::Version { found: version });
    }
    if sent > limits::BATCH_EVENTS {
        return Err(PackError::TooManyEvents { count: sent, limit: limits::BATCH_EVENTS });
    }
    Ok((summary, host.to_owned(), ledger))
}

fn stage(mut bytes: Bytes<'_>, ledger: &mut Ledger) -> Result<(), Malformed> {
    let (mut name, mut passed, mut lost) = ("", 0, 0);
    while let Some((tag, wire)) = bytes.key()? {
        match tag {
            1 => name = bytes.text(wire)?,
            2 => passed = bytes.varint(wire)?,
            3 => lost = bytes.varint(wire)?,
            _ => bytes.skip(tag, wire)?,
        }
    }
    if let Some(stage) = Stage::named(name) {
        ledger.set(stage, passed, lost);
    }
    Ok(())
}

/// What stands before an event's fields.
#[derive(Default)]
struct Head {
    kind: u32,
    time: Timestamp,
}

impl Head {
    fn kind(&self) -> Option<Kind> {
        Kind::from_number(self.kind)
    }
}

fn event(message: Bytes<'_>, each: &mut impl FnMut(FieldId, Value)) -> Result<Head, Malformed> {
    fields(message, &mut |bytes| {
        let (id, value) = field(bytes)?;
        let id = u16::try_from(id).ok().filter(|id| *id != 0);
        if let (Some(id), Some(value)) = (id, value) {
            each(FieldId(id), value);
        }
        Ok(())
    })
}

fn walk_event(message: Bytes<'_>) -> Result<Head, Malformed> {
    fields(message, &mut walk_field)
}

fn fields<'a>(
    mut bytes: Bytes<'a>,
    each: &mut impl FnMut(Bytes<'a>) -> Result<(), Malformed>,
) -> Result<Head, Malformed> {
    let (mut head, mut count) = (Head::default(), 0_usize);
    while let Some((tag, wire)) = bytes.key()? {
        match tag {
            1 => head.kind = bytes.uint32(wire)?,
            2 => head.time = Timestamp::from_nanos(bytes.fixed(wire)?.cast_signed()),
            3 => {
                count += 1;
                if count > limits::EVENT_FIELDS {
                    return Err(Malformed::Fields);
                }
                each(bytes.message(wire)?)?;
            }
            _ => bytes.skip(tag, wire)?,
        }
    }
    Ok(head)
}

/// A field's number and value; of several values the last one counts.
fn field(mut bytes: Bytes<'_>) -> Result<(u32, Option<Value>), Malformed> {
    let (mut id, mut value, mut seen) = (0, None, 0);
    while let Some((tag, wire)) = bytes.key()? {
        match tag {
            1 => id = bytes.uint32(wire)?,
            9 => {
                let mut items = match value {
                    Some(Value::List(items)) => items,
                    _ => Vec::new(),
                };
                list(bytes.message(wire)?, &mut seen, &mut |bytes| {
                    items.extend(item(bytes)?);
                    Ok(())
                })?;
                value = Some(Value::List(items));
            }
            _ => match scalar(tag, wire, &mut bytes)? {
                Scalar::Value(found) => value = found,
                Scalar::Strange => bytes.skip(tag, wire)?,
            },
        }
    }
    Ok((id, value))
}

/// The items of a list, `seen` of which have been there before.
fn list<'a>(
    mut bytes: Bytes<'a>,
    seen: &mut usize,
    each: &mut impl FnMut(Bytes<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    while let Some((tag, wire)) = bytes.key()? {
        if tag != 1 {
            bytes.skip(tag, wire)?;
            continue;
        }
        *seen += 1;
        if *seen > limits::LIST_ITEMS {
            return Err(Malformed::Items);
        }
        each(bytes.message(wire)?)?;
    }
    Ok(())
}

/// An element of a list; a list within a list is nothing.
fn item(mut bytes: Bytes<'_>) -> Result<Option<Value>, Malformed> {
    let mut value = None;
    while let Some((tag, wire)) = bytes.key()? {
        match tag {
            1 => {
                bytes.uint32(wire)?;
            }
            9 => {
                bytes.message(wire)?;
                value = None;
            }
            _ => match scalar(tag, wire, &mut bytes)? {
                Scalar::Value(found) => value = found,
                Scalar::Strange => bytes.skip(tag, wire)?,
            },
        }
    }
    Ok(value)
}

/// What a tag of a field's message holds.
enum Scalar {
    /// A value; none for an address that is neither 4 nor 16 bytes.
    Value(Option<Value>),
    /// No tag of ours; its bytes are still to be skipped.
    Strange,
}

fn scalar(tag: u32, wire: Wire, bytes: &mut Bytes<'_>) -> Result<Scalar, Malformed> {
    let value = match tag {
        2 => Value::Text(bytes.text(wire)?.to_owned()),
        3 => Value::Uint(bytes.varint(wire)?),
        4 => Value::Int(zigzag(bytes.varint(wire)?)),
        5 => Value::Float(f64::from_bits(bytes.fixed(wire)?)),
        6 => Value::Bool(bytes.varint(wire)? != 0),
        7 => return Ok(Scalar::Value(address(bytes.slice(wire)?).map(Value::Ip))),
        8 => Value::Time(Timestamp::from_nanos(bytes.fixed(wire)?.cast_signed())),
        _ => return Ok(Scalar::Strange),
    };
    Ok(Scalar::Value(Some(value)))
}

/// The same walk as [`field`]'s, with nothing kept.
fn walk_field(mut bytes: Bytes<'_>) -> Result<(), Malformed> {
    let mut seen = 0;
    while let Some((tag, wire)) = bytes.key()? {
        match tag {
            9 => list(bytes.message(wire)?, &mut seen, &mut walk_item)?,
            _ => walk_scalar(tag, wire, &mut bytes)?,
        }
    }
    Ok(())
}

fn walk_item(mut bytes: Bytes<'_>) -> Result<(), Malformed> {
    while let Some((tag, wire)) = bytes.key()? {
        match tag {
            9 => {
                bytes.message(wire)?;
            }
            _ => walk_scalar(tag, wire, &mut bytes)?,
        }
    }
    Ok(())
}

fn walk_scalar(tag: u32, wire: Wire, bytes: &mut Bytes<'_>) -> Result<(), Malformed> {
    match tag {
        1 | 3 | 4 | 6 => bytes.varint(wire).map(|_| ()),
        2 => bytes.text(wire).map(|_| ()),
        5 | 8 => bytes.fixed(wire).map(|_| ()),
        7 => bytes.slice(wire).map(|_| ()),
        _ => bytes.skip(tag, wire),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(<[u8; 4]>::try_from(bytes).ok()?.into()),
        _ => Some(<[u8; 16]>::try_from(bytes).ok()?.into()),
    }
}

/// Signed numbers stand on the wire with their sign in the lowest bit.
const fn zigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -((n & 1).cast_signed())
}

#[cfg(test)]
mod tests;
