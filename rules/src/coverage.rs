//! Which ATT&CK techniques the rules speak of, and which of those rules can see here.
//!
//! Works with ids and the tactics' names alone: what a technique is called, and to which tactics it
//! belongs, is ATT&CK's to say. A technique stands under every tactic that a rule names beside it.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::compile::RuleSet;

/// The tactics of ATT&CK for enterprises, in the order of an attack.
pub const TACTICS: [&str; 14] = [
    "reconnaissance",
    "resource_development",
    "initial_access",
    "execution",
    "persistence",
    "privilege_escalation",
    "defense_evasion",
    "credential_access",
    "discovery",
    "lateral_movement",
    "collection",
    "command_and_control",
    "exfiltration",
    "impact",
];

/// The whole table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Rules loaded.
    pub rules: usize,
    /// Those that no event of ours can make fire.
    pub blind: usize,
    /// Rules that name neither tactic nor technique.
    pub untagged: usize,
    /// Techniques that at least one rule which is not blind speaks of.
    pub techniques: usize,
    /// The cells, by tactic in the order of an attack, then by technique.
    pub cells: Vec<Cell>,
    /// The same by technique alone, for the matrix.
    #[serde(skip)]
    by_technique: BTreeMap<String, Cell>,
}

/// One technique within one tactic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// The tactic's tag: `credential_access`; empty where the rules name none.
    pub tactic: String,
    /// The technique's id: `T1110.001`; empty where the rules name none.
    pub technique: String,
    /// Rules.
    pub rules: usize,
    /// Those of them that count others' findings.
    pub correlations: usize,
    /// Those of them that are blind.
    pub blind: usize,
    /// Their ids.
    pub ids: Vec<String>,
}

/// Rules named in one comment of the matrix.
const MOST_NAMED: usize = 20;

impl Coverage {
    /// Counts the rules of a set.
    #[must_use]
    pub fn of(set: &RuleSet) -> Self {
        let blind: HashSet<String> = set.blind().into_iter().map(|blind| blind.rule).collect();
        let mut cells: BTreeMap<(usize, String, String), Cell> = BTreeMap::new();
        let mut out = Self { rules: set.rules().len(), blind: blind.len(), ..Self::default() };
        for rule in set.rules() {
            let (tactics, techniques) = (&rule.meta.tactics, &rule.meta.techniques);
            out.untagged += usize::from(tactics.is_empty() && techniques.is_empty());
            let count = |cell: &mut Cell| {
                cell.rules += 1;
                cell.correlations += usize::from(rule.is_correlation);
                cell.blind += usize::from(blind.contains(&rule.meta.id));
                cell.ids.push(rule.meta.id.clone());
            };
            for technique in techniques {
                let cell = out.by_technique.entry(technique.clone()).or_default();
                cell.technique.clone_from(technique);
                count(cell);
            }
            for (tactic, technique) in pairs(tactics, techniques) {
                let cell = cells.entry((place(&tactic), tactic.clone(), technique.clone())).or_default();
                (cell.tactic, cell.technique) = (tactic, technique);
                count(cell);
            }
        }
        out.techniques = out.by_technique.values().filter(|cell| cell.rules > cell.blind).count();
        out.cells = cells.into_values().collect();
        out
    }

    /// A layer for the ATT&CK Navigator, format 4.5: the score of a technique is the number of rules
    /// that can see; grey are those with blind rules alone.
    #[must_use]
    pub fn layer(&self, name: &str, set: &RuleSet) -> Json {
        let seeing = |cell: &Cell| cell.rules - cell.blind;
        let most = self.by_technique.values().map(seeing).max().unwrap_or(0).max(1);
        let techniques: Vec<Json> = self.by_technique.values().map(|cell| technique(cell, set)).collect();
        json!({
            "name": name,
            "versions": { "attack": "18", "navigator": "5.2.0", "layer": "4.5" },
            "domain": "enterprise-attack",
            "description": format!(
                "{} rules, {} of them blind here; rule set {}. ATT&CK is a trademark of The MITRE Corporation.",
                self.rules, self.blind, set.hash()
            ),
            "sorting": 3,
            "layout": { "layout": "side", "showName": true, "showID": true, "expandedSubtechniques": "annotated" },
            "hideDisabled": false,
            "techniques": techniques,
            "gradient": { "colors": ["#d9ead3", "#38761d"], "minValue": 0, "maxValue": most },
            "legendItems": [
                { "label": "rules that can see (score)", "color": "#38761d" },
                { "label": "blind rules only", "color": BLIND },
            ],
            "selectTechniquesAcrossTactics": true,
            "selectSubtechniquesWithParent": false,
            "metadata": [{ "name": "rule set", "value": set.hash() }],
        })
    }
}

/// Colour of a technique that only blind rules speak of.
const BLIND: &str = "#bbbbbb";

fn technique(cell: &Cell, set: &RuleSet) -> Json {
    let titles: Vec<&str> = set
        .rules()
        .iter()
        .filter(|rule| cell.ids.contains(&rule.meta.id))
        .take(MOST_NAMED)
        .map(|rule| rule.meta.name.as_str())
        .collect();
    let more = if cell.rules > MOST_NAMED { "; …" } else { "" };
    let mut out = json!({
        "techniqueID": cell.technique,
        "score": cell.rules - cell.blind,
        "enabled": true,
        "comment": format!("{}{more}", titles.join("; ")),
        "metadata": [
            { "name": "rules", "value": cell.rules.to_string() },
            { "name": "blind", "value": cell.blind.to_string() },
        ],
        "showSubtechniques": true,
    });
    // A colour hides the score, so it stands only where there is none to show.
    if let (true, Some(fields)) = (cell.rules == cell.blind, out.as_object_mut()) {
        fields.insert("color".into(), BLIND.into());
    }
    out
}

/// Every tactic with every technique; an empty word stands for none.
fn pairs(tactics: &[String], techniques: &[String]) -> Vec<(String, String)> {
    let none = [String::new()];
    let or_none = |list: &[String]| if list.is_empty() { none.to_vec() } else { list.to_vec() };
    if tactics.is_empty() && techniques.is_empty() {
        return Vec::new();
    }
    let techniques = or_none(techniques);
    or_none(tactics)
        .iter()
        .flat_map(|tactic| techniques.iter().map(|technique| (tactic.clone(), technique.clone())))
        .collect()
}

fn place(tactic: &str) -> usize {
    TACTICS.iter().position(|known| *known == tactic).unwrap_or(TACTICS.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::Source;

    fn set() -> RuleSet {
        let rule = |name: &str, product: &str, tags: &str| {
            format!(
                "title: {name}\nid: {name}\nlogsource: {{category: process_creation, product: {product}}}\ndetection: {{s: {{Image: '{name}'}}, condition: s}}\ntags: [{tags}]\n"
            )
        };
        let text = [
            rule("seen", "linux", "attack.execution, attack.t1059.004"),
            rule(
                "blind",
                "windows",
                "attack.execution, attack.defense-evasion, attack.t1059.004, attack.t1218",
            ),
            rule("bare", "linux", "gbt20986.02005"),
        ];
        RuleSet::load(&[Source { name: "c.yml".into(), text: text.join("---\n") }])
    }

    #[test]
    fn techniques_are_counted_by_tactic_and_blind_rules_apart() {
        let coverage = Coverage::of(&set());
        let cells: Vec<_> = coverage
            .cells
            .iter()
            .map(|cell| (cell.tactic.as_str(), cell.technique.as_str(), cell.rules, cell.blind))
            .collect();
        assert_eq!(
            cells,
            [
                ("execution", "T1059.004", 2, 1),
                ("execution", "T1218", 1, 1),
                ("defense_evasion", "T1059.004", 1, 1),
                ("defense_evasion", "T1218", 1, 1),
            ]
        );
        assert_eq!((coverage.rules, coverage.blind, coverage.untagged, coverage.techniques), (3, 1, 1, 1));
    }

    #[test]
    fn the_layer_has_what_the_format_asks_for() {
        let set = set();
        let layer = Coverage::of(&set).layer("ours", &set);
        assert_eq!(layer["versions"]["layer"], "4.5");
        assert_eq!(layer["domain"], "enterprise-attack");
        assert!(layer["gradient"]["maxValue"].as_u64() > layer["gradient"]["minValue"].as_u64());
        let techniques = layer["techniques"].as_array().unwrap();
        assert_eq!(techniques.len(), 2);
        assert_eq!(
            (&techniques[0]["techniqueID"], &techniques[0]["score"]),
            (&json!("T1059.004"), &json!(1))
        );
        assert!(techniques[0].get("color").is_none(), "a colour would hide the score");
        assert_eq!((&techniques[1]["score"], &techniques[1]["color"]), (&json!(0), &json!(BLIND)));
    }
}
