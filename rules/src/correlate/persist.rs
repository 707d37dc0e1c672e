//! Groups as bytes, so that a detector that was killed goes on where its last checkpoint stood.
//!
//! A row is one group: its key is the correlation's digest and a digest of the group's key, so a
//! group is known again by any rule set in which the correlation means the same. Numbers are
//! varints, times differences to the one before. Bytes that can not be read are an error, never a
//! guess: the owner then rebuilds the windows from the events.

use std::collections::HashMap;
use std::sync::Arc;

use watchpost_model::Timestamp;
use watchpost_model::id::EventRef;

use super::entry::{Arrival, Entry, Extra};
use super::group::{Group, Told};
use super::{FindingId, Windows, digest};
use crate::compile::{Body, Core};

/// Layout of rows; others are not read.
const LAYOUT: u32 = 1;

/// What changed since the last checkpoint. All of it belongs to one moment: it must be kept whole
/// or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Rows that are new or changed: key and value.
    pub put: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keys of rows that are no more.
    pub delete: Vec<Vec<u8>>,
    /// The clock of the windows and the layout of the rows; to be kept beside them.
    pub head: Vec<u8>,
}

/// What became of rows that were read back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Groups that are live again.
    pub groups: u64,
    /// Keys of rows whose correlations are no longer in the set, or mean something else.
    pub foreign: Vec<Vec<u8>>,
    /// Correlations of the set of which the rows say nothing, because they are new or changed.
    /// Known by the digests in the head.
    pub unknown: u64,
    /// Ids of the rules of those.
    pub fresh: Vec<String>,
}

/// Rows that can not be read back.
#[derive(Debug, thiserror::Error)]
#[error(
    "the saved windows of correlations are damaged or of another layout; they must be rebuilt from events"
)]
pub struct Unreadable;

impl Windows {
    /// How many rows a checkpoint would touch now.
    pub(crate) fn changed(&self) -> usize {
        self.store.changes()
    }

    /// What changed since the last time.
    pub(crate) fn changes(&mut self, core: &Core) -> Changes {
        self.store.track();
        let (live, gone) = self.store.take_changes();
        let mut put = Vec::with_capacity(live.len());
        for at in live {
            let Some(slot) = self.store.get(at) else { continue };
            let Some(key) = row_key(core, slot.correlation, &slot.key) else { continue };
            let mut out = Writer::default();
            out.bytes(&slot.key);
            out.time(slot.touched);
            out.group(core, &slot.group);
            put.push((key, out.0));
        }
        let delete = gone.iter().filter_map(|(correlation, key)| row_key(core, *correlation, key)).collect();
        Changes { put, delete, head: self.head(core) }
    }

    fn head(&self, core: &Core) -> Vec<u8> {
        let mut out = Writer::default();
        out.number(u64::from(LAYOUT));
        out.time(self.clock);
        out.number(u64::from(self.ticked));
        out.number(u64::try_from(self.correlations.len()).unwrap_or(u64::MAX));
        for correlation in &self.correlations {
            out.0.extend(digest_of(core, *correlation).unwrap_or_default());
        }
        out.0
    }

    /// Puts back what [`Windows::changes`] gave: all rows ever put and not deleted, and the last
    /// head. Groups of the correlations it knows are replaced; others are left as they are.
    pub(crate) fn restore(
        &mut self,
        core: &Core,
        head: &[u8],
        rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<Restored, Unreadable> {
        let mut reader = Reader(head);
        if reader.number()? != u64::from(LAYOUT) {
            return Err(Unreadable);
        }
        let (clock, ticked) = (reader.time()?, reader.number()? != 0);
        let known: Vec<[u8; 16]> = reader.list(Reader::array)?;
        let by_digest: HashMap<[u8; 16], u32> =
            self.correlations.iter().filter_map(|at| Some((digest_of(core, *at)?, *at))).collect();
        let mut out = Restored::default();
        self.store.track();
        for correlation in self.correlations.clone() {
            if digest_of(core, correlation).is_some_and(|digest| known.contains(&digest)) {
                while let Some((at, _)) = self.store.stalest(correlation) {
                    self.store.remove(at);
                }
            } else {
                out.unknown += 1;
                let rule = usize::try_from(correlation).ok().and_then(|at| core.rules.get(at));
                out.fresh.extend(rule.map(|rule| rule.meta.id.clone()));
            }
        }
        (self.clock, self.ticked) = (self.clock.max(clock), self.ticked || ticked);
        let mut groups = Vec::new();
        for (key, value) in rows {
            let Some(of) = key.first_chunk::<16>() else { return Err(Unreadable) };
            let Some(correlation) = by_digest.get(of) else {
                out.foreign.push(key);
                continue;
            };
            let mut reader = Reader(&value);
            let key = reader.bytes()?.to_vec();
            let touched = reader.time()?;
            let group = reader.group(&by_digest)?;
            if !reader.0.is_empty() {
                return Err(Unreadable);
            }
            groups.push((touched, *correlation, key, group));
        }
        // Stalest first, as the lists want them; the rest only makes it certain.
        groups.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
        for (touched, correlation, key, group) in groups {
            let at = self.store.add(correlation, &key, touched);
            if let Some(slot) = self.store.get_mut(at) {
                slot.group = group;
                slot.saved = true;
            }
            out.groups += 1;
        }
        Ok(out)
    }
}

fn digest_of(core: &Core, correlation: u32) -> Option<[u8; 16]> {
    match core.bodies.get(usize::try_from(correlation).ok()?)? {
        Body::Correlation(joined) => Some(joined.digest),
        Body::Detection(_) => None,
    }
}

fn row_key(core: &Core, correlation: u32, key: &[u8]) -> Option<Vec<u8>> {
    Some([digest_of(core, correlation)?, digest(&[key])].concat())
}

/// Writes a row.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
            number >>= 7;
        }
        self.0.push(u8::try_from(number).unwrap_or(0));
    }

    fn signed(&mut self, number: i64) {
        self.number((number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned());
    }

    fn time(&mut self, time: Timestamp) {
        self.signed(time.as_nanos());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn length(&mut self, length: usize) {
        self.number(u64::try_from(length).unwrap_or(u64::MAX));
    }

    fn group(&mut self, core: &Core, group: &Group) {
        self.time(group.newest);
        self.time(group.spoken);
        self.number(u64::from(group.held));
        self.length(group.entries.len());
        let mut before = 0;
        for entry in &group.entries {
            self.signed(entry.time.as_nanos().wrapping_sub(before));
            before = entry.time.as_nanos();
            self.event(entry.event());
            self.0.extend(entry.counted.to_le_bytes());
            self.number(u64::from(entry.member));
            self.0.extend([entry.class, u8::from(entry.held)]);
            self.extra(core, entry.extra.as_deref());
        }
        self.length(group.told.len());
        for told in &group.told {
            self.0.extend(told.id.as_bytes());
            self.time(told.time);
            self.number(told.count);
            self.0.extend(told.print.to_le_bytes());
            self.event(told.event);
            self.extra(core, told.extra.as_deref());
        }
    }

    fn event(&mut self, event: EventRef) {
        self.number(event.frame);
        self.number(u64::from(event.index));
    }

    fn extra(&mut self, core: &Core, extra: Option<&Extra>) {
        let Some(extra) = extra else { return self.0.push(0) };
        self.0.push(if extra.source.is_some() { 2 } else { 1 });
        self.0.extend(extra.source.iter().flat_map(|source| *source.as_bytes()));
        self.length(extra.onward.len());
        for way in extra.onward.iter() {
            let correlation = u32::try_from(way.correlation).unwrap_or(u32::MAX);
            self.0.extend(digest_of(core, correlation).unwrap_or_default());
            self.number(u64::from(way.member));
            self.bytes(&way.key);
            self.0.extend(way.counted.to_le_bytes());
        }
    }
}

/// Reads a row.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Result<&'b [u8], Unreadable> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Unreadable)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Unreadable)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, Unreadable> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<u64, Unreadable> {
        let mut out = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            out |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(out);
            }
        }
        Err(Unreadable)
    }

    fn signed(&mut self) -> Result<i64, Unreadable> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn time(&mut self) -> Result<Timestamp, Unreadable> {
        Ok(Timestamp::from_nanos(self.signed()?))
    }

    fn bytes(&mut self) -> Result<&'b [u8], Unreadable> {
        let length = self.number()?;
        self.take(usize::try_from(length).map_err(|_| Unreadable)?)
    }

    fn list<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, Unreadable>,
    ) -> Result<Vec<T>, Unreadable> {
        let length = self.number()?;
        // Each takes at least a byte: a row that claims more is damaged.
        if usize::try_from(length).map_or(true, |length| length > self.0.len()) {
            return Err(Unreadable);
        }
        (0..length).map(|_| one(self)).collect()
    }

    fn group(&mut self, known: &HashMap<[u8; 16], u32>) -> Result<Group, Unreadable> {
        let (newest, spoken, held) = (self.time()?, self.time()?, self.number()? != 0);
        let mut before = 0_i64;
        let entries = self.list(|reader| {
            before = before.wrapping_add(reader.signed()?);
            reader.entry(Timestamp::from_nanos(before), known)
        })?;
        let told = self.list(|reader| {
            Ok(Told {
                id: FindingId::from_bytes(reader.array()?),
                time: reader.time()?,
                count: reader.number()?,
                print: u64::from_le_bytes(reader.array()?),
                event: reader.event()?,
                extra: reader.extra(known)?,
            })
        })?;
        Ok(Group { entries, told, newest, spoken, held, cursor: None })
    }

    fn entry(&mut self, time: Timestamp, known: &HashMap<[u8; 16], u32>) -> Result<Entry, Unreadable> {
        let event = self.event()?;
        let counted = u64::from_le_bytes(self.array()?);
        let member = u16::try_from(self.number()?).map_err(|_| Unreadable)?;
        let [class, held] = self.array()?;
        let way = Arrival { correlation: 0, member, key: Box::default(), counted };
        let mut entry = Entry::new(time, event, &way, class);
        entry.held = held != 0;
        entry.extra = self.extra(known)?;
        Ok(entry)
    }

    fn event(&mut self) -> Result<EventRef, Unreadable> {
        let frame = self.number()?;
        Ok(EventRef { frame, index: u32::try_from(self.number()?).map_err(|_| Unreadable)? })
    }

    fn extra(&mut self, known: &HashMap<[u8; 16], u32>) -> Result<Option<Arc<Extra>>, Unreadable> {
        let source = match self.byte()? {
            0 => return Ok(None),
            1 => None,
            2 => Some(FindingId::from_bytes(self.array()?)),
            _ => return Err(Unreadable),
        };
        let onward = self.list(|reader| {
            let correlation = known.get(&reader.array()?).and_then(|at| usize::try_from(*at).ok());
            Ok(Arrival {
                // One that is no more is nowhere: nothing is sent there.
                correlation: correlation.unwrap_or(usize::MAX),
                member: u16::try_from(reader.number()?).map_err(|_| Unreadable)?,
                key: reader.bytes()?.into(),
                counted: u64::from_le_bytes(reader.array()?),
            })
        })?;
        Ok(Some(Arc::new(Extra { source, onward: onward.into() })))
    }
}

#[cfg(test)]
mod tests {
    use super::{Reader, Writer};

    #[test]
    fn a_list_is_read_however_long_it_is_and_refused_where_it_claims_more_than_there_is() {
        let length = (1 << 20) + 1;
        let mut row = Writer::default();
        row.length(length);
        row.0.resize(row.0.len() + length, 7);
        assert_eq!(Reader(&row.0).list(Reader::byte).unwrap().len(), length);
        row.0.pop();
        assert!(Reader(&row.0).list(Reader::byte).is_err());
    }
}
