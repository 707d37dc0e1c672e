//! One thing that is wrong with a rule, said in English for programs; people's languages stand in
//! the console's catalogue.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its id is another rule's; it is not loaded.
    SameId {
        /// Where the other stands.
        other: String,
    },
    /// It says what another rule says.
    SameDetection {
        /// The other's id.
        other: String,
        /// Where that stands.
        file: String,
    },
    /// A selection that the condition never asks.
    Unused {
        /// Its name.
        selection: String,
    },
    /// A selection that wants two things of one field which exclude each other.
    Contradiction {
        /// Its name.
        selection: String,
        /// The one thing: key and value.
        one: String,
        /// The other.
        other: String,
    },
    /// Two selections that the condition wants together exclude each other.
    Clash {
        /// The one.
        one: String,
        /// The other.
        other: String,
    },
    /// A filter that holds whenever the selection does.
    Swallowed {
        /// The selection.
        selection: String,
        /// The filter.
        filter: String,
    },
    /// The condition can not become true.
    Never,
    /// A value that a broader one of the same list makes superfluous.
    Subsumed {
        /// The key.
        key: String,
        /// The superfluous value.
        narrow: String,
        /// The value that says it all.
        broad: String,
    },
    /// A value that stands twice in one list.
    Repeated {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// A regex that no text of at least three bytes is needed for: it is tried on every value.
    NoLiteral {
        /// The key.
        key: String,
        /// The regex.
        regex: String,
    },
    /// A regex that begins with `.*`, which a search does not need.
    Leading {
        /// The key.
        key: String,
        /// The regex.
        regex: String,
    },
    /// Words sought in every value of the event.
    Keywords {
        /// How many.
        words: usize,
    },
    /// No category.
    NoCategory,
    /// A category that GB/T 20986 does not have.
    BadCategory {
        /// The code.
        code: String,
    },
    /// No technique.
    NoTechnique,
}

impl Fault {
    /// A word for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::SameId { .. } => "same_id",
            Self::SameDetection { .. } => "same_detection",
            Self::Unused { .. } => "unused_selection",
            Self::Contradiction { .. } => "contradiction",
            Self::Clash { .. } => "clash",
            Self::Swallowed { .. } => "swallowed",
            Self::Never => "never_true",
            Self::Subsumed { .. } => "subsumed_value",
            Self::Repeated { .. } => "repeated_value",
            Self::NoLiteral { .. } => "regex_without_literal",
            Self::Leading { .. } => "regex_leading_wildcard",
            Self::Keywords { .. } => "keywords",
            Self::NoCategory => "no_category",
            Self::BadCategory { .. } => "bad_category",
            Self::NoTechnique => "no_technique",
        }
    }

    /// What is wrong, in a sentence.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::SameId { other } => format!("its id is already used by {other}"),
            Self::SameDetection { other, file } => format!("it detects the same as {other} in {file}"),
            Self::Unused { selection } => format!("the condition never uses the selection '{selection}'"),
            Self::Contradiction { selection, one, other } => {
                format!("the selection '{selection}' can never hold: {one} excludes {other}")
            }
            Self::Clash { one, other } => {
                format!("the condition can never be true: '{one}' excludes '{other}'")
            }
            Self::Swallowed { selection, filter } => {
                format!(
                    "the condition can never be true: the filter '{filter}' holds whenever '{selection}' does"
                )
            }
            Self::Never => "the condition can never be true".into(),
            Self::Subsumed { key, narrow, broad } => {
                format!("in '{key}' the value '{narrow}' is already covered by '{broad}'")
            }
            Self::Repeated { key, value } => format!("in '{key}' the value '{value}' stands twice"),
            Self::NoLiteral { key, regex } => {
                format!(
                    "in '{key}' the regex '{regex}' needs no text of 3 bytes or more, so every value is searched"
                )
            }
            Self::Leading { key, regex } => {
                format!("in '{key}' the regex '{regex}' begins with an unbounded '.*'")
            }
            Self::Keywords { words } => format!("{words} keyword(s) are sought in every value of each event"),
            Self::NoCategory => "it has no GB/T 20986 category".into(),
            Self::BadCategory { code } => format!("'{code}' is no category of GB/T 20986"),
            Self::NoTechnique => "it names no ATT&CK technique".into(),
        }
    }

    /// What to do.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::SameId { .. } => "give it an id of its own, or remove one of the two",
            Self::SameDetection { .. } => "keep one of the two",
            Self::Unused { .. } => "name it in the condition, or remove it",
            Self::Contradiction { .. } => "make it two selections joined by 'or', or a list of values",
            Self::Clash { .. } => "join them by 'or', or correct one of them",
            Self::Swallowed { .. } => "narrow the filter",
            Self::Never => "check 'and', 'or' and 'not'",
            Self::Subsumed { .. } | Self::Repeated { .. } => "remove it",
            Self::NoLiteral { .. } => {
                "use contains, startswith or endswith, or add a text that always stands there"
            }
            Self::Leading { .. } => "remove it: a regex is found anywhere",
            Self::Keywords { .. } => "ask a field instead",
            Self::NoCategory => "add the tag gbt20986.CODE (docs/rules.md lists the codes)",
            Self::BadCategory { .. } => "use a code that docs/rules.md lists",
            Self::NoTechnique => "add the tag attack.tNNNN",
        }
    }

    /// What to look for in the rule's text, one after the other.
    pub(super) fn traces(&self) -> Vec<String> {
        let below = |part: &str| vec!["detection:".to_owned(), part.to_owned()];
        let value = |key: &str, value: &str| vec!["detection:".into(), format!("{key}:"), value.to_owned()];
        match self {
            Self::SameId { .. } => vec!["id:".into()],
            Self::Unused { selection } | Self::Contradiction { selection, .. } => {
                below(&format!("{selection}:"))
            }
            Self::Swallowed { filter, .. } => below(&format!("{filter}:")),
            Self::Clash { .. } | Self::Never => below("condition:"),
            Self::Repeated { key, value: twice } => [value(key, twice), vec![twice.clone()]].concat(),
            Self::Subsumed { key, narrow: text, .. }
            | Self::NoLiteral { key, regex: text }
            | Self::Leading { key, regex: text } => value(key, text),
            Self::Keywords { .. } => below("keywords:"),
            Self::SameDetection { .. } => vec!["detection:".into()],
            Self::NoCategory | Self::BadCategory { .. } | Self::NoTechnique => vec!["tags:".into()],
        }
    }
}

/// A fault of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The rule's id.
    pub rule: String,
    /// Its title.
    pub name: String,
    /// The file.
    pub file: String,
    /// The line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// For slow rules: bytes that are looked at for one event, estimated.
    pub cost: Option<u64>,
    /// What is wrong.
    pub fault: Fault,
}

impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Note", 8)?;
        out.serialize_field("rule", &self.rule)?;
        out.serialize_field("name", &self.name)?;
        out.serialize_field("file", &self.file)?;
        if let Some(line) = self.line {
            out.serialize_field("line", &line)?;
        }
        out.serialize_field("kind", self.fault.kind())?;
        out.serialize_field("reason", &self.fault.reason())?;
        out.serialize_field("hint", self.fault.hint())?;
        if let Some(cost) = self.cost {
            out.serialize_field("cost", &cost)?;
        }
        out.end()
    }
}
