//! Field names of all rules, numbered; and per class of our events the field each name means.

use std::collections::HashMap;

use watchpost_model::FieldId;
use watchpost_model::field::sigma::{self, Class};

/// A field name's number within one rule set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NameId(pub(crate) u32);

/// Every class of our events. Saved windows know a class by its position: new ones go to the end.
const CLASSES: [Class; 16] = [
    Class::NetworkConnection,
    Class::Firewall,
    Class::ZeekConn,
    Class::Dns,
    Class::DnsQuery,
    Class::ZeekDns,
    Class::Proxy,
    Class::Webserver,
    Class::ZeekHttp,
    Class::ZeekSsl,
    Class::ZeekSsh,
    Class::ProcessCreation,
    Class::FileEvent,
    Class::Auditd,
    Class::LinuxLog,
    Class::Own,
];

/// The name table of a rule set.
#[derive(Debug, Default)]
pub(crate) struct Names {
    texts: Vec<String>,
    by_text: HashMap<String, NameId>,
    // One row per class, one cell per name.
    fields: HashMap<Class, Vec<Option<FieldId>>>,
}

impl Names {
    /// The number of this name.
    pub(crate) fn intern(&mut self, name: &str) -> NameId {
        if let Some(id) = self.by_text.get(name) {
            return *id;
        }
        let id = NameId(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        self.texts.push(name.to_owned());
        self.by_text.insert(name.to_owned(), id);
        id
    }

    /// Resolves every name in every class; called once, when all names are known.
    pub(crate) fn resolve(&mut self) {
        self.fields = CLASSES
            .into_iter()
            .map(|class| (class, self.texts.iter().map(|name| sigma::resolve(class, name)).collect()))
            .collect();
    }

    /// The name.
    pub(crate) fn text(&self, id: NameId) -> &str {
        self.texts.get(id.index()).map_or("", String::as_str)
    }

    /// How many names there are.
    pub(crate) const fn len(&self) -> usize {
        self.texts.len()
    }

    /// The field that the name means in the class.
    pub(crate) fn field(&self, class: Class, id: NameId) -> Option<FieldId> {
        self.fields.get(&class)?.get(id.index()).copied().flatten()
    }

    /// A class's position, small enough for a byte.
    pub(crate) fn place(class: Class) -> u8 {
        let at = CLASSES.iter().position(|other| *other == class);
        at.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
    }

    /// The class at a position.
    pub(crate) fn class_at(place: u8) -> Option<Class> {
        CLASSES.get(usize::from(place)).copied()
    }

    /// Every class.
    pub(crate) const fn classes() -> [Class; 16] {
        CLASSES
    }
}

impl NameId {
    /// Position in tables by name.
    pub(crate) fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}
