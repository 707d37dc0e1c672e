//! Where an event goes: its group in each correlation, and what it counts as there.
//!
//! A group's key holds the values of its fields, each with its length; with the correlation it
//! says which group. Where state is spread over several places, [`partition`] says which one.

use std::sync::Arc;

use super::entry::{Arrival, Extra};
use super::{Windows, digest};
use crate::ast::{Counting, Order};
use crate::compile::{Body, Core, Joined};
use crate::engine::{View, cut};
use crate::matcher::Had;

/// Which part of spread state a group belongs to: equal in every process and on every machine, and
/// even over all `u64`. Take it modulo the number of parts, or its leading bits. Every entry of a
/// group has the same key, so parts need nothing of each other but the findings of correlations
/// that are counted by others: those are sent to the part of the group they go to.
#[must_use]
pub fn partition(rule: &str, group: &[(String, String)]) -> u64 {
    let mut parts: Vec<&[u8]> = vec![rule.as_bytes()];
    parts.extend(group.iter().map(|(_, value)| value.as_bytes()));
    u64::from_be_bytes(*digest(&parts).first_chunk().unwrap_or(&[0; 8]))
}

impl Windows {
    /// Where a finding of `rule` goes in one correlation; counted where a field is missing.
    pub(super) fn way(
        &mut self,
        core: &Core,
        correlation: usize,
        rule: usize,
        view: &View<'_>,
    ) -> Option<Arrival> {
        let mut buffer = std::mem::take(&mut self.key);
        let way = arrival(core, correlation, rule, view, &mut buffer);
        self.key = buffer;
        self.counters.ungrouped += u64::from(way.is_none());
        way
    }

    /// Where an event of `rule` goes in every correlation that stands on those that count it.
    pub(super) fn onward(&self, core: &Core, rule: usize, view: &View<'_>) -> Arc<[Arrival]> {
        let mut rules: Vec<usize> = core.feeds.get(rule).cloned().unwrap_or_default();
        let (mut at, mut out, mut buffer) = (0, Vec::new(), Vec::new());
        while let Some(from) = rules.get(at).copied() {
            at += 1;
            for further in core.feeds.get(from).into_iter().flatten() {
                out.extend(arrival(core, *further, from, view, &mut buffer));
                if !rules.contains(further) {
                    rules.push(*further);
                }
            }
        }
        out.into()
    }
}

/// The ways on from correlation `from`, of those that an event brought along.
pub(super) fn ways<'a>(
    core: &'a Core,
    from: usize,
    extra: Option<&'a Extra>,
) -> impl Iterator<Item = &'a Arrival> {
    extra.into_iter().flat_map(|extra| extra.onward.iter()).filter(move |way| {
        let Some(Body::Correlation(joined)) = core.bodies.get(way.correlation) else { return false };
        joined.members.get(usize::from(way.member)) == Some(&from)
    })
}

fn arrival(
    core: &Core,
    correlation: usize,
    rule: usize,
    view: &View<'_>,
    buffer: &mut Vec<u8>,
) -> Option<Arrival> {
    let Some(Body::Correlation(joined)) = core.bodies.get(correlation) else { return None };
    let member = joined.members.iter().position(|member| *member == rule)?;
    buffer.clear();
    for (_, fields) in &joined.group {
        let text = view.slot(*fields.get(member)?).joined()?;
        let text = cut(&text);
        buffer.extend_from_slice(&u32::try_from(text.len()).ok()?.to_le_bytes());
        buffer.extend_from_slice(text.as_bytes());
    }
    let counted = counted(joined, member, view)?;
    let member = u16::try_from(member).ok()?;
    Some(Arrival { correlation, member, key: buffer.as_slice().into(), counted })
}

/// The values in a group's key.
pub(super) fn values(mut key: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    while let Some((length, rest)) = key.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((text, rest)) = rest.split_at_checked(length) else { break };
        out.push(String::from_utf8_lossy(text).into_owned());
        key = rest;
    }
    out
}

/// What an entry counts as: equal numbers are counted once; of a figure, the bits of its number.
fn counted(joined: &Joined, member: usize, view: &View<'_>) -> Option<u64> {
    match &joined.kind {
        Counting::Events | Counting::Silence => Some(0),
        Counting::Rules(Order::Any | Order::AsListed) | Counting::When(..) => u64::try_from(member).ok(),
        Counting::Figure(..) => {
            let slot = view.slot(*joined.counted.first()?.get(member)?);
            slot.values.iter().find_map(Had::number).map(f64::to_bits)
        }
        Counting::Values(_) => {
            let mut texts: Vec<String> = Vec::with_capacity(joined.counted.len());
            for fields in &joined.counted {
                texts.push(view.slot(*fields.get(member)?).joined()?);
            }
            let parts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
            Some(u64::from_le_bytes(*digest(&parts).first_chunk()?))
        }
    }
}
