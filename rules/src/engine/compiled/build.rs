//! From detections to a plan: fields get numbers, equal tests become one atom, conditions become
//! nodes, and each rule hangs on its witness.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use watchpost_model::field::sigma::Class;

use super::fill::Fields;
use super::lane::{Look, bits};
use super::need;
use super::program::{Atom, Node, NodeId, Program};
use super::settle::{Asked, Wishes};
use super::texts::{index, number};
use super::{Entry, Plan};
use crate::ast::{Condition, Expr, Item, Link};
use crate::compile::{Body, Core, NameId};
use crate::matcher::{Edge, Pattern, Test};
use crate::taxonomy::SECURITY_4688;

/// A plan under construction.
pub(crate) struct Builder<'c> {
    core: &'c Core,
    fields: Fields,
    missing: Option<u32>,
    /// How many fields there are.
    count: u32,
    program: Program,
    looks: Vec<Asked>,
    by_look: HashMap<(u32, Look), u32, RandomState>,
    groups: HashMap<(u32, Vec<u32>), u32>,
    asked: HashMap<String, u32>,
    entries: Vec<Entry>,
}

/// How one value of an item is found.
enum Piece {
    Eager(Look),
    Gated(Test<NameId>, Vec<Look>),
    Lazy(Test<NameId>),
}

impl<'c> Builder<'c> {
    pub(crate) fn new(core: &'c Core) -> Self {
        Self {
            core,
            fields: Fields::default(),
            missing: None,
            count: 0,
            program: Program::default(),
            looks: Vec::new(),
            by_look: HashMap::default(),
            groups: HashMap::new(),
            asked: HashMap::new(),
            entries: Vec::new(),
        }
    }

    /// Adds a rule, its names read as this class does (foreign events have none).
    pub(crate) fn add(&mut self, rule: usize, class: Option<Class>) {
        let core = self.core;
        if let Some(Body::Detection(detection)) = core.bodies.get(rule) {
            let selections: Vec<NodeId> =
                detection.selections.iter().map(|one| self.expr(&one.body, class)).collect();
            let root = self.condition(&detection.condition, &selections);
            self.entries.push(Entry { rule, class, root });
        }
    }

    /// The plan.
    pub(crate) fn finish(self) -> Plan {
        let Self { fields, count, program, looks, entries, .. } = self;
        Wishes { fields, count: index(count), program, looks, entries }.settle()
    }

    fn condition(&mut self, of: &Condition, at: &[NodeId]) -> NodeId {
        match of {
            Condition::All(parts) => {
                let kids = parts.iter().map(|part| self.condition(part, at)).collect();
                self.all(kids)
            }
            Condition::Any(parts) => {
                let kids = parts.iter().map(|part| self.condition(part, at)).collect();
                self.any(kids)
            }
            Condition::Not(part) => {
                let kid = self.condition(part, at);
                self.node(Node::Not(kid))
            }
            Condition::AtLeast(least, of) => {
                let kids: Vec<NodeId> = of.iter().filter_map(|one| at.get(*one).copied()).collect();
                match *least {
                    1 => self.any(kids),
                    least if least == kids.len() && least > 0 => self.all(kids),
                    least => {
                        let (from, to) = self.keep(&kids);
                        self.node(Node::AtLeast(number(least), from, to))
                    }
                }
            }
            Condition::Is(one) => match at.get(*one) {
                Some(node) => *node,
                None => self.any(Vec::new()),
            },
        }
    }

    fn expr(&mut self, of: &Expr<NameId>, class: Option<Class>) -> NodeId {
        match of {
            Expr::All(parts) => {
                let kids = parts.iter().map(|part| self.expr(part, class)).collect();
                self.all(kids)
            }
            Expr::Any(parts) => {
                let kids = parts.iter().map(|part| self.expr(part, class)).collect();
                self.any(kids)
            }
            Expr::Item(item) => self.item(item, class),
        }
    }

    fn item(&mut self, item: &Item<NameId>, class: Option<Class>) -> NodeId {
        let field = match item.field {
            Some(name) => self.field(name, class),
            None => self.everything(),
        };
        let mut wants = item.wants.iter().map(|want| pieces(&want.test));
        match item.link {
            Link::Any => {
                let pieces = wants.flatten().collect();
                self.one_of(field, pieces, class)
            }
            Link::All => {
                let kids = wants.by_ref().map(|pieces| self.one_of(field, pieces, class)).collect();
                self.all(kids)
            }
        }
    }

    /// One of these: what lanes tell becomes a single atom.
    fn one_of(&mut self, field: u32, pieces: Vec<Piece>, class: Option<Class>) -> NodeId {
        let (mut looks, mut kids) = (Vec::new(), Vec::new());
        for piece in pieces {
            match piece {
                Piece::Eager(look) => looks.push(look),
                Piece::Gated(test, looks) => kids.push(self.asked(field, test, looks, class)),
                Piece::Lazy(test) => kids.push(self.asked(field, test, Vec::new(), class)),
            }
        }
        if !looks.is_empty() {
            looks.sort_unstable();
            looks.dedup();
            kids.push(self.group(field, looks));
        }
        kids.sort_unstable();
        kids.dedup();
        let kids = kids.into_iter().map(|atom| self.node(Node::Atom(atom))).collect();
        self.any(kids)
    }

    fn group(&mut self, field: u32, looks: Vec<Look>) -> u32 {
        let looks: Vec<u32> = looks.into_iter().map(|look| self.look(field, look)).collect();
        if let Some(atom) = self.groups.get(&(field, looks.clone())) {
            return *atom;
        }
        let (from, to) = self.seek(&looks);
        let atom = self.atom(Atom::Looks(from, to));
        self.groups.insert((field, looks), atom);
        atom
    }

    /// The number of a look.
    fn look(&mut self, field: u32, look: Look) -> u32 {
        let new = number(self.looks.len());
        let at = *self.by_look.entry((field, look.clone())).or_insert(new);
        match self.looks.get_mut(index(at)) {
            Some(known) => known.times += 1,
            None => self.looks.push(Asked { field, look, times: 1 }),
        }
        at
    }

    fn seek(&mut self, looks: &[u32]) -> (u32, u32) {
        let from = number(self.program.looks.len());
        self.program.looks.extend_from_slice(looks);
        (from, number(self.program.looks.len()))
    }

    /// A test that is asked by itself, at most once per event; where there are looks, only if one
    /// of them hits.
    fn asked(&mut self, field: u32, test: Test<NameId>, gate: Vec<Look>, class: Option<Class>) -> u32 {
        let test = test.rename(&mut |name| self.field(name, class));
        let key = match &test {
            // The text of a regex does not tell its flags.
            Test::Regex(regex) => format!("{field} {:p}", Arc::as_ptr(regex)),
            test => format!("{field} {test:?}"),
        };
        if let Some(atom) = self.asked.get(&key) {
            return *atom;
        }
        let atom = if gate.is_empty() {
            self.atom(Atom::Lazy(field, Box::new(test)))
        } else {
            let looks: Vec<u32> = gate.into_iter().map(|look| self.look(field, look)).collect();
            let gate = self.seek(&looks);
            self.atom(Atom::Gated(field, Box::new(test), gate))
        };
        self.asked.insert(key, atom);
        atom
    }

    fn atom(&mut self, atom: Atom) -> u32 {
        self.program.atoms.push(atom);
        number(self.program.atoms.len() - 1)
    }

    fn node(&mut self, node: Node) -> NodeId {
        self.program.nodes.push(node);
        number(self.program.nodes.len() - 1)
    }

    fn keep(&mut self, kids: &[NodeId]) -> (u32, u32) {
        let from = number(self.program.kids.len());
        self.program.kids.extend_from_slice(kids);
        (from, number(self.program.kids.len()))
    }

    fn all(&mut self, kids: Vec<NodeId>) -> NodeId {
        if let [only] = kids.as_slice() {
            return *only;
        }
        let (from, to) = self.keep(&kids);
        self.node(Node::All(from, to))
    }

    fn any(&mut self, kids: Vec<NodeId>) -> NodeId {
        if let [only] = kids.as_slice() {
            return *only;
        }
        let (from, to) = self.keep(&kids);
        self.node(Node::Any(from, to))
    }

    fn field(&mut self, name: NameId, class: Option<Class>) -> u32 {
        let core = self.core;
        let text = core.names.text(name);
        let Some(class) = class else {
            return self.named(text, true);
        };
        match core.names.field(class, name) {
            Some(field) => {
                let at = usize::from(field.0);
                if let Some(known) = self.fields.by_field.get(at).copied().flatten() {
                    return known;
                }
                let new = self.lane();
                if self.fields.by_field.len() <= at {
                    self.fields.by_field.resize(at + 1, None);
                }
                if let Some(place) = self.fields.by_field.get_mut(at) {
                    *place = Some(new);
                }
                new
            }
            None if class == Class::Auditd => self.named(text, false),
            None => match self.missing {
                Some(field) => field,
                None => {
                    let field = self.lane();
                    self.missing = Some(field);
                    field
                }
            },
        }
    }

    fn named(&mut self, name: &str, foreign: bool) -> u32 {
        if let Some(field) = self.fields.by_name.get(name) {
            return *field;
        }
        let field = self.lane();
        self.fields.by_name.insert(name.into(), field);
        if foreign && name.contains('.') {
            self.fields.dotted.push((name.into(), field));
        }
        if let Some((_, theirs)) = SECURITY_4688.iter().find(|(ours, _)| foreign && *ours == name) {
            self.fields.renamed.push((theirs, field));
        }
        field
    }

    fn everything(&mut self) -> u32 {
        match self.fields.everything {
            Some(field) => field,
            None => {
                let field = self.lane();
                self.fields.everything = Some(field);
                field
            }
        }
    }

    fn lane(&mut self) -> u32 {
        self.count += 1;
        self.count - 1
    }
}

fn pieces(test: &Test<NameId>) -> Vec<Piece> {
    match test {
        Test::Text(pattern) => vec![piece(pattern)],
        Test::OneOf(patterns) => patterns.iter().map(piece).collect(),
        Test::Number(number) => vec![Piece::Eager(Look::Number(bits(*number)))],
        Test::Regex(regex) => vec![match need::literals(regex.as_str()) {
            Some(texts) => Piece::Gated(test.clone(), texts.into_iter().map(Look::Inside).collect()),
            None => Piece::Lazy(test.clone()),
        }],
        other => vec![Piece::Lazy(other.clone())],
    }
}

fn piece(pattern: &Pattern) -> Piece {
    let look = match pattern.edge() {
        Edge::Exact(text) => Look::Exact(text),
        Edge::Begin(text) => Look::Begin(text),
        Edge::End(text) => Look::End(text),
        Edge::Inside(text) => Look::Inside(text),
        Edge::Unknown => return Piece::Lazy(Test::Text(pattern.clone())),
    };
    if pattern.is_plain() {
        Piece::Eager(look)
    } else {
        Piece::Gated(Test::Text(pattern.clone()), vec![look])
    }
}
