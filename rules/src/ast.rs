//! Our own tree of a Sigma document: what the parser room promises and everything after it reads.
//!
//! Generic over how a field is named: text as the rule writes it after parsing ([`String`]), a
//! number in the set's name table after compiling. One tree for both keeps explain, lint and the
//! matcher talking about the same thing. Modifiers are gone here: each value already is a test.

use std::time::Duration;

use watchpost_model::alert::{Outcome, Severity};

use crate::matcher::Test;
use crate::taxonomy::OwnedLogsource;

/// What stands above the detection of any document.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The rule's id; empty where it has none.
    pub id: String,
    /// Its `name`, which correlations may refer to; empty where it has none.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its level; informational where it has none.
    pub severity: Severity,
    /// Tags as written.
    pub tags: Vec<String>,
    /// The `watchpost:` block.
    pub ours: Ours,
}

/// The `watchpost:` block of a rule: what Sigma has no word for.
#[derive(Clone, Debug, Default)]
pub struct Ours {
    /// Title in Chinese.
    pub title_zh: String,
    /// What a handler should do, in English.
    pub advice: String,
    /// The same in Chinese.
    pub advice_zh: String,
    /// ECS names that findings are grouped by.
    pub group_by: Vec<String>,
    /// What a finding says about the attack's success.
    pub outcome: Outcome,
    /// Whether a correlation fires when its group falls silent.
    pub absence: bool,
}

/// A detection rule.
#[derive(Debug)]
pub struct DetectionRule {
    /// Its head.
    pub head: Head,
    /// Which events it wants.
    pub logsource: OwnedLogsource,
    /// What it wants of them.
    pub detection: Detection<String>,
}

/// A filter: a further condition on other rules.
#[derive(Debug)]
pub struct FilterRule {
    /// Its head.
    pub head: Head,
    /// Rules by id or name; empty means every rule of its logsource.
    pub rules: Vec<String>,
    /// Which rules it applies to.
    pub logsource: OwnedLogsource,
    /// What must hold besides.
    pub detection: Detection<String>,
}

/// A correlation rule.
#[derive(Clone, Debug)]
pub struct CorrelationRule {
    /// Its head.
    pub head: Head,
    /// What is counted.
    pub kind: Counting,
    /// Rules by id or name.
    pub rules: Vec<String>,
    /// Fields or aliases that separate the windows.
    pub group_by: Vec<String>,
    /// Alias, then (rule, field) pairs.
    pub aliases: Vec<(String, Vec<(String, String)>)>,
    /// Length of the window.
    pub timespan: Duration,
    /// The count must satisfy all of these.
    pub bounds: Vec<(Compare, u64)>,
    /// Whether the base rules still fire on their own.
    pub generate: bool,
}

/// What a correlation counts in its window.
#[derive(Clone, Debug)]
pub enum Counting {
    /// Events.
    Events,
    /// Distinct values of these fields taken together.
    Values(Vec<String>),
    /// Distinct base rules, of which all must have fired.
    Rules(Order),
    /// Base rules, by position, of which these must have fired; where there are turns, one of them
    /// must have been taken in order.
    When(Condition, Vec<Turn>),
    /// A figure over the numbers in a field.
    Figure(Figure, String),
    /// Nothing: it fires when a group that was seen is silent for a whole timespan.
    Silence,
}

/// One way to satisfy an ordered condition: rules by position, in the order listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// These fired, one after the other.
    pub needs: Vec<usize>,
    /// None of these fired.
    pub lacks: Vec<usize>,
}

/// A figure over numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Their sum.
    Sum,
    /// Their mean.
    Average,
    /// The smallest of them that so many per cent do not exceed (nearest rank); 50 is the median.
    Percentile(u8),
}

/// Whether a temporal correlation minds the order of its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Any order.
    Any,
    /// As listed.
    AsListed,
}

/// One document.
#[derive(Debug)]
pub enum Document {
    /// A detection rule.
    Detection(Box<DetectionRule>),
    /// A correlation.
    Correlation(Box<CorrelationRule>),
    /// A filter.
    Filter(Box<FilterRule>),
}

impl Document {
    /// What stands above its detection.
    #[must_use]
    pub fn head(&self) -> &Head {
        match self {
            Self::Detection(rule) => &rule.head,
            Self::Correlation(rule) => &rule.head,
            Self::Filter(rule) => &rule.head,
        }
    }
}

/// Named selections and the condition over them.
#[derive(Clone, Debug)]
pub struct Detection<F> {
    /// Sorted by name.
    pub selections: Vec<Selection<F>>,
    /// Over positions in `selections`.
    pub condition: Condition,
}

/// One named selection.
#[derive(Clone, Debug)]
pub struct Selection<F> {
    /// Its name.
    pub name: String,
    /// What it asks for.
    pub body: Expr<F>,
}

/// A condition over selections, by position.
#[derive(Clone, Debug)]
pub enum Condition {
    /// All hold.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// At least so many of these selections hold.
    AtLeast(usize, Vec<usize>),
    /// This selection holds.
    Is(usize),
}

/// The body of a selection.
#[derive(Clone, Debug)]
pub enum Expr<F> {
    /// All hold.
    All(Vec<Expr<F>>),
    /// At least one holds.
    Any(Vec<Expr<F>>),
    /// A field and its tests.
    Item(Item<F>),
}

/// A field and the tests on it.
#[derive(Clone, Debug)]
pub struct Item<F> {
    /// The field; `None` asks the whole event (keywords).
    pub field: Option<F>,
    /// The key as the rule writes it: `Image|endswith`.
    pub shown: String,
    /// Whether one test or all must hold.
    pub link: Link,
    /// The tests, one per value.
    pub wants: Vec<Want<F>>,
}

/// How the values of one item are linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// One is enough.
    Any,
    /// All are needed (`|all`).
    All,
}

/// One value of an item.
#[derive(Clone, Debug)]
pub struct Want<F> {
    /// The value as the rule writes it.
    pub shown: String,
    /// The test that it means.
    pub test: Test<F>,
}

/// A comparison of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Less than.
    Lt,
    /// At most.
    Lte,
    /// Greater than.
    Gt,
    /// At least.
    Gte,
    /// Equal.
    Eq,
    /// Different.
    Neq,
}

impl Compare {
    /// Whether `have` stands in this relation to `want`.
    #[must_use]
    pub fn holds<T: PartialOrd>(self, have: &T, want: &T) -> bool {
        match self {
            Self::Lt => have < want,
            Self::Lte => have <= want,
            Self::Gt => have > want,
            Self::Gte => have >= want,
            Self::Eq => have == want,
            Self::Neq => have != want,
        }
    }
}

impl<F> Detection<F> {
    /// The same detection with every field named another way.
    pub fn rename<G>(self, name: &mut dyn FnMut(F) -> G) -> Detection<G> {
        let selections = self
            .selections
            .into_iter()
            .map(|selection| Selection { name: selection.name, body: selection.body.rename(name) })
            .collect();
        Detection { selections, condition: self.condition }
    }

    /// This detection and `other`: both conditions must hold.
    pub fn and(&mut self, other: Detection<F>, prefix: &str) {
        let shift = self.selections.len();
        self.selections.extend(other.selections.into_iter().map(|selection| Selection {
            name: format!("{prefix}.{}", selection.name),
            body: selection.body,
        }));
        let own = std::mem::replace(&mut self.condition, Condition::All(Vec::new()));
        self.condition = Condition::All(vec![own, other.condition.shifted(shift)]);
    }
}

impl Condition {
    fn shifted(self, by: usize) -> Self {
        match self {
            Self::All(parts) => Self::All(parts.into_iter().map(|part| part.shifted(by)).collect()),
            Self::Any(parts) => Self::Any(parts.into_iter().map(|part| part.shifted(by)).collect()),
            Self::Not(part) => Self::Not(Box::new(part.shifted(by))),
            Self::AtLeast(n, of) => Self::AtLeast(n, of.into_iter().map(|at| at + by).collect()),
            Self::Is(at) => Self::Is(at + by),
        }
    }
}

impl<F> Expr<F> {
    fn rename<G>(self, name: &mut dyn FnMut(F) -> G) -> Expr<G> {
        match self {
            Self::All(parts) => Expr::All(parts.into_iter().map(|part| part.rename(name)).collect()),
            Self::Any(parts) => Expr::Any(parts.into_iter().map(|part| part.rename(name)).collect()),
            Self::Item(item) => Expr::Item(item.rename(name)),
        }
    }
}

impl<F> Item<F> {
    fn rename<G>(self, name: &mut dyn FnMut(F) -> G) -> Item<G> {
        let field = self.field.map(&mut *name);
        let wants = self
            .wants
            .into_iter()
            .map(|want| Want { shown: want.shown, test: want.test.rename(name) })
            .collect();
        Item { field, shown: self.shown, link: self.link, wants }
    }
}
