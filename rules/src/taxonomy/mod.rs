//! Which logsources an event answers to, and where it keeps the field a rule names.
//!
//! Events of ours answer through the model's table ([`watchpost_model::field::sigma`]). Foreign
//! JSON events are matched on the names they bear; what they are is either said by the caller or
//! read off them ([`infer`]): Windows channels and providers, Sysmon's event numbers.

mod foreign;
mod typed;
mod windows;

pub(crate) use foreign::{
    SECURITY_4688, Sink, attribute, everything, fill, first, gather, is_4688, path, slot, take,
};
pub(crate) use typed::{audit_pairs, audit_slot, everything as typed_everything, slot as typed_slot};
pub use windows::infer;

use serde::{Deserialize, Serialize};
use watchpost_model::Event;
use watchpost_model::field::sigma::Logsource;

/// What a rule's `logsource` names, or what an event is; see [`Logsource`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OwnedLogsource {
    /// For example `process_creation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// For example `windows`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// For example `sysmon`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

impl OwnedLogsource {
    /// Reads `category=process_creation,product=windows`. `None` where a part is not known.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut out = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=')?;
            let slot = match key.trim() {
                "category" => &mut out.category,
                "product" => &mut out.product,
                "service" => &mut out.service,
                _ => return None,
            };
            *slot = Some(value.trim().to_owned());
        }
        Some(out)
    }

    /// The same, borrowed.
    #[must_use]
    pub fn view(&self) -> Logsource<'_> {
        Logsource {
            category: self.category.as_deref(),
            product: self.product.as_deref(),
            service: self.service.as_deref(),
        }
    }
}

impl From<Logsource<'_>> for OwnedLogsource {
    fn from(from: Logsource<'_>) -> Self {
        Self {
            category: from.category.map(str::to_owned),
            product: from.product.map(str::to_owned),
            service: from.service.map(str::to_owned),
        }
    }
}

impl std::fmt::Display for OwnedLogsource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [("category", &self.category), ("product", &self.product), ("service", &self.service)];
        let mut first = true;
        for (name, value) in parts {
            if let Some(value) = value {
                write!(f, "{}{name}={value}", if first { "" } else { "," })?;
                first = false;
            }
        }
        if first { f.write_str("any") } else { Ok(()) }
    }
}

/// What is held against the rules.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// An event of ours.
    Typed(&'a Event),
    /// Any JSON object.
    Foreign {
        /// The object.
        json: &'a serde_json::Value,
        /// What it is, where the caller knows; else it is read off the event.
        logsource: Option<&'a OwnedLogsource>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logsource_reads_what_it_prints() {
        let text = "category=dns,product=zeek";
        assert_eq!(OwnedLogsource::parse(text).unwrap().to_string(), text);
        assert_eq!(OwnedLogsource::parse("").unwrap().to_string(), "any");
        assert_eq!(OwnedLogsource::parse("colour=red"), None);
        assert_eq!(OwnedLogsource::parse("dns"), None);
    }
}
