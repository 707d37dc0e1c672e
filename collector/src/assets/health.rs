//! What a heartbeat says of a host and its agent.

use watchpost_model::{Event, FieldId, Value, field as f};

use super::Entry;

/// `event.action` of the last heartbeat before an agent stops on purpose.
const STOP: &str = "agent_stop";

/// Most entries kept of a list that the agent sends.
const MOST_LIST: usize = 64;

pub(super) fn read(entry: &mut Entry, event: &Event) {
    entry.stopped = event.text(f::EVENT_ACTION) == Some(STOP);
    let host = &mut entry.host;
    text(event, f::AGENT_VERSION, &mut host.version);
    text(event, f::HOST_OS_FULL, &mut host.os);
    text(event, f::AGENT_RUNG, &mut host.rung);
    if let Some(ips) = event.record.get(f::HOST_IP) {
        host.ips = texts(ips);
    }
    host.blind = event.record.get(f::AGENT_BLIND).map(texts).unwrap_or_default();
    host.cpu = number(event, f::HOST_CPU_USAGE).unwrap_or(host.cpu);
    host.agent_cpu = number(event, f::AGENT_CPU).unwrap_or(host.agent_cpu);
    host.agent_memory = uint(event, f::AGENT_MEMORY).unwrap_or(host.agent_memory);
    let total = uint(event, f::HOST_MEMORY_TOTAL).filter(|total| *total > 0);
    if let (Some(total), Some(free)) = (total, uint(event, f::HOST_MEMORY_AVAILABLE)) {
        host.memory = share(total.saturating_sub(free), total);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for the screen needs no more than 52 bits")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

fn text(event: &Event, field: FieldId, slot: &mut String) {
    if let Some(text) = event.text(field) {
        text.clone_into(slot);
    }
}

fn uint(event: &Event, field: FieldId) -> Option<u64> {
    event.record.get(field)?.as_uint()
}

/// A finite number; anything else would not survive JSON.
fn number(event: &Event, field: FieldId) -> Option<f64> {
    match event.record.get(field)? {
        Value::Float(n) if n.is_finite() => Some(*n),
        _ => None,
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::List(items) => items.iter().take(MOST_LIST).map(Value::to_string).collect(),
        one => vec![one.to_string()],
    }
}
