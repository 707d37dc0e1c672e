//! Batches read straight from their bytes: one pass, no message in between.
//!
//! The generated decoder ([`super::proto`], which writes batches) stays the judge: in tests both
//! read the same bytes to the same batch. What it does not hold is held here: the number of
//! events, of fields of one event and of items of one list, *before* they take memory.
//! [`survey`] walks the same bytes and keeps nothing but what the journal needs to know; [`each`]
//! has one event at a time, for whoever looks at each and keeps few.

use std::net::IpAddr;

use super::bytes::{Bytes, Malformed, Wire};
use super::{Batch, PackError, Summary, VERSION};
use crate::event::{Event, Kind, Record};
use crate::field::FieldId;
use crate::ledger::{Ledger, Stage};
use crate::limits;
use crate::time::Timestamp;
use crate::value::Value;

/// Texts whose memory is used again for the next event's: most events look like the last one.
#[derive(Debug, Default)]
pub struct Spare(Vec<String>);

/// Texts kept, and the longest that is.
const MOST_SPARE: (usize, usize) = (64, 1_024);

impl Spare {
    /// A value with this text.
    pub fn text(&mut self, text: &str) -> Value {
        let mut spare = self.0.pop().unwrap_or_default();
        spare.push_str(text);
        Value::Text(spare)
    }

    /// Takes a record's fields apart.
    fn take(&mut self, record: &mut Record) {
        for (_, value) in record.drain() {
            if let Value::Text(mut text) = value
                && self.0.len() < MOST_SPARE.0
                && text.capacity() <= MOST_SPARE.1
            {
                text.clear();
                self.0.push(text);
            }
        }
    }
}

/// Reads a batch.
pub(super) fn batch(plain: &[u8]) -> Result<Batch, PackError> {
    let mut batch = head(plain)?;
    let (mut usual, mut spare) = (0, Spare::default());
    events(plain, &mut |message| {
        let mut record = Record::with_room(usual);
        let head = event(message, &mut record, &mut spare)?;
        usual = record.len();
        match head.kind() {
            Some(kind) => batch.events.push(Event { kind, time: head.time, record }),
            None => batch.unknown_kinds += 1,
        }
        Ok(())
    })?;
    Ok(batch)
}

/// Gives each event of a batch to `visit`, with its position among those of known kinds, in the
/// memory of the one before. Answers how many were of unknown kinds.
pub(super) fn each(
    plain: &[u8],
    spare: &mut Spare,
    mut visit: impl FnMut(u32, &mut Event, &mut Spare),
) -> Result<u64, PackError> {
    let (mut index, mut unknown) = (0, 0);
    let mut current = Event { kind: Kind::Log, time: Timestamp::EPOCH, record: Record::default() };
    events(plain, &mut |message| {
        spare.take(&mut current.record);
        let head = event(message, &mut current.record, spare)?;
        if let Some(kind) = head.kind() {
            (current.kind, current.time) = (kind, head.time);
            visit(index, &mut current, spare);
            index += 1;
        } else {
            unknown += 1;
        }
        Ok(())
    })?;
    Ok(unknown)
}

/// What a batch says of itself, checked as [`batch`] checks it.
pub(super) fn survey(plain: &[u8]) -> Result<Summary, PackError> {
    let Batch { epoch, sequence, first_event, .. } = head(plain)?;
    let mut summary = Summary { epoch, sequence, first_event, events: 0, unknown_kinds: 0 };
    events(plain, &mut |message| {
        let known = fields(message, &mut walk_field)?.kind().is_some();
        *(if known { &mut summary.events } else { &mut summary.unknown_kinds }) += 1;
        Ok(())
    })?;
    Ok(summary)
}

/// All of a batch but its events, which are only counted.
pub(super) fn head(plain: &[u8]) -> Result<Batch, PackError> {
    let (mut version, mut host, mut batch) = (0, "", Batch::default());
    let (mut sent, mut bytes) = (0_usize, Bytes(plain));
    while let Some((tag, wire)) = bytes.key()? {
        match tag {
            1 => version = bytes.uint32(wire)?,
            2 => batch.epoch = bytes.fixed(wire)?,
            3 => batch.sequence = bytes.varint(wire)?,
            4 => batch.first_event = bytes.varint(wire)?,
            5 => host = bytes.text(wire)?,
            6 => stage(bytes.message(wire)?, &mut batch.ledger)?,
            7 => {
                bytes.message(wire)?;
                sent += 1;
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
    host.clone_into(&mut batch.host);
    Ok(batch)
}

/// The events' messages, in order. [`head`] has said that the rest is sound.
fn events<'a>(
    plain: &'a [u8],
    each: &mut impl FnMut(Bytes<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut bytes = Bytes(plain);
    while let Some((tag, wire)) = bytes.key()? {
        match tag {
            7 => each(bytes.message(wire)?)?,
            _ => bytes.skip(tag, wire)?,
        }
    }
    Ok(())
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

fn event(message: Bytes<'_>, record: &mut Record, spare: &mut Spare) -> Result<Head, Malformed> {
    fields(message, &mut |bytes| {
        if usual_field(bytes, record, spare)? {
            return Ok(());
        }
        let (id, value) = field(bytes, spare)?;
        let id = u16::try_from(id).ok().filter(|id| *id != 0);
        if let (Some(id), Some(value)) = (id, value) {
            record.push(FieldId(id), value);
        }
        Ok(())
    })
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

/// The form that every agent of ours writes: a number beyond the last field's, then one plain
/// value. Puts it where it belongs at once. False for any other form; nothing has changed then.
#[inline]
fn usual_field(mut bytes: Bytes<'_>, record: &mut Record, spare: &mut Spare) -> Result<bool, Malformed> {
    let Some((1, wire)) = bytes.key()? else { return Ok(false) };
    let Ok(id @ 1..) = u16::try_from(bytes.uint32(wire)?) else { return Ok(false) };
    let (id, Some((tag, wire))) = (FieldId(id), bytes.key()?) else { return Ok(false) };
    match tag {
        2 => {
            let text = bytes.text(wire)?;
            Ok(bytes.is_empty() && record.append(id, || spare.text(text)))
        }
        3 => {
            let n = bytes.varint(wire)?;
            Ok(bytes.is_empty() && record.append(id, || Value::Uint(n)))
        }
        7 => {
            let Some(ip) = address(bytes.slice(wire)?) else { return Ok(false) };
            Ok(bytes.is_empty() && record.append(id, || Value::Ip(ip)))
        }
        8 => {
            let nanos = bytes.fixed(wire)?.cast_signed();
            Ok(bytes.is_empty() && record.append(id, || Value::Time(Timestamp::from_nanos(nanos))))
        }
        _ => Ok(false),
    }
}

/// A field's number and value; of several values the last one counts.
fn field(mut bytes: Bytes<'_>, spare: &mut Spare) -> Result<(u32, Option<Value>), Malformed> {
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
                    items.extend(item(bytes, spare)?);
                    Ok(())
                })?;
                value = Some(Value::List(items));
            }
            _ => match scalar(tag, wire, &mut bytes, spare)? {
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
fn item(mut bytes: Bytes<'_>, spare: &mut Spare) -> Result<Option<Value>, Malformed> {
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
            _ => match scalar(tag, wire, &mut bytes, spare)? {
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

fn scalar(tag: u32, wire: Wire, bytes: &mut Bytes<'_>, spare: &mut Spare) -> Result<Scalar, Malformed> {
    let value = match tag {
        2 => spare.text(bytes.text(wire)?),
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
