//! Why a document is refused, and what to write instead.

use super::{FILE_BYTES, FILE_VALUES};

/// One reason. The text goes to the person who wrote the rule.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// More than [`FILE_BYTES`].
    #[error("file has {bytes} bytes, more than {FILE_BYTES}; split it into several files")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// More than [`FILE_VALUES`].
    #[error("file has more than {FILE_VALUES} values; split it into several files")]
    TooManyValues,
    /// Regexes that would take too much memory together.
    #[error("file has more than {most} regexes, or large regexes; split it into several files")]
    TooManyRegexes {
        /// The bound.
        most: usize,
    },
    /// A condition or list nested too deep.
    #[error("'{what}' is nested deeper than {most}; write it flatter")]
    TooDeep {
        /// What is nested.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// More brackets than the YAML scanner takes in good time.
    #[error(
        "file has more than {most} opening brackets; write lists and maps over several lines, or split the file"
    )]
    TooManyBrackets {
        /// The bound.
        most: usize,
    },
    /// Collection actions that copy too much.
    #[error("'action' copies one document into too many others; write them out, or split the file")]
    TooMuchCopied,
    /// A head field longer than anyone reads.
    #[error("'{what}' has {have}, more than {most}; shorten it")]
    TooLong {
        /// Which.
        what: &'static str,
        /// How much it has.
        have: usize,
        /// The bound.
        most: usize,
    },
    /// Something that would hold for every event.
    #[error("{what} is empty and would hold for every event; give it a value or take it out")]
    Nothing {
        /// What.
        what: String,
    },
    /// A condition that expands to too many references.
    #[error("condition refers to selections more than {most} times; use fewer selections or patterns")]
    TooManyReferences {
        /// The bound.
        most: usize,
    },
    /// The parser library panicked.
    #[error("the parser failed inside; simplify the file until the part that it can not read is found")]
    Panicked,
    /// Not Sigma.
    #[error("{0}")]
    Syntax(String),
    /// No document.
    #[error("file holds no rule; a rule needs title, logsource and detection")]
    Empty,
    /// A condition that names nothing.
    #[error("condition names '{name}', but no selection is called so; check the spelling")]
    NoSuchSelection {
        /// The name or pattern.
        name: String,
    },
    /// A placeholder.
    #[error(
        "'{key}' needs values for the placeholder '{name}', which nothing provides; configure it, or replace the placeholder by its values"
    )]
    Placeholder {
        /// Its name.
        name: String,
        /// Key as written.
        key: String,
    },
    /// Modifiers that do not go together.
    #[error("'{key}': {why}")]
    Modifiers {
        /// Key as written.
        key: String,
        /// What is wrong and what to do.
        why: &'static str,
    },
    /// A value that its modifier can not take.
    #[error("'{key}' can not take the value {value:?}: {why}")]
    Value {
        /// Key as written.
        key: String,
        /// The value.
        value: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// Something of the language that we do not do.
    #[error("{what} is not supported; {hint}")]
    Unsupported {
        /// What.
        what: String,
        /// What to do.
        hint: &'static str,
    },
}
