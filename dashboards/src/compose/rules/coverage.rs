//! `rules coverage`: rules by ATT&CK tactic and technique.

use std::io::Write;
use std::path::Path;

use watchpost_rules::coverage::Coverage;

use super::Error;
use super::load::From;
use crate::commands::Output;
use crate::widgets::cells::{self, Align};
use crate::words::Lang;
use crate::words::rules::{Words, words};

/// Widths of the columns.
const WIDTHS: [usize; 5] = [26, 14, 8, 8, 8];

/// Prints the table and writes the layer, if one is wanted. Always a good answer.
pub(super) fn coverage(
    from: &From,
    navigator: Option<&Path>,
    output: Output,
    lang: Lang,
    out: &mut dyn Write,
) -> Result<bool, Error> {
    let loaded = from.load()?;
    let coverage = Coverage::of(&loaded.set);
    let words = words(lang);
    match output {
        Output::Json => {
            serde_json::to_writer_pretty(&mut *out, &coverage)?;
            writeln!(out)?;
        }
        Output::Table => out.write_all(table(&coverage, lang, words).as_bytes())?,
    }
    if let Some(path) = navigator {
        let text = serde_json::to_string_pretty(&coverage.layer("Watchpost", &loaded.set))?;
        let failed = |source| Error::Make { path: path.to_path_buf(), source };
        std::fs::write(path, text + "\n").map_err(failed)?;
        if output == Output::Table {
            writeln!(out, "{}", (words.layer)(&path.display().to_string()))?;
        }
    }
    Ok(true)
}

fn table(coverage: &Coverage, lang: Lang, words: &Words) -> String {
    let mut out = row(&words.columns.map(str::to_owned));
    let mut before = None;
    for cell in &coverage.cells {
        let tactic =
            if cell.tactic.is_empty() { words.none.to_owned() } else { (lang.words().tactic)(&cell.tactic) };
        let shown = if before == Some(&cell.tactic) { String::new() } else { tactic };
        let technique = if cell.technique.is_empty() { words.none } else { &cell.technique };
        let counts = [cell.rules, cell.correlations, cell.blind].map(|count| count.to_string());
        let [rules, correlations, blind] = counts;
        out.push_str(&row(&[shown, technique.to_owned(), rules, correlations, blind]));
        before = Some(&cell.tactic);
    }
    let Coverage { rules, blind, untagged, techniques, .. } = coverage;
    out.push_str(&(words.covered)(*rules, *blind, *untagged, *techniques));
    out.push('\n');
    out
}

fn row(values: &[String; 5]) -> String {
    let mut line = String::new();
    for (at, (value, width)) in values.iter().zip(WIDTHS).enumerate() {
        let align = if at < 2 { Align::Left } else { Align::Right };
        line.push_str(&cells::fit(value, width, align, "~"));
    }
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_columns_and_the_layer_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yml");
        let rule = "title: A\nid: a\nlogsource: {category: dns}\ndetection: {s: {query: x}, condition: s}\ntags: [attack.command-and-control, attack.t1071.004]\n";
        std::fs::write(&file, rule).unwrap();
        let layer = folder.path().join("layer.json");
        let from = From { paths: vec![file], ..From::default() };
        let mut out = Vec::new();
        coverage(&from, Some(&layer), Output::Table, Lang::ZhCn, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let line = text.lines().nth(1).unwrap();
        assert!(line.starts_with("命令与控制") && line.contains("T1071.004"), "{text}");
        assert!(text.lines().take(2).all(|line| cells::width(line) == 64), "{text}");
        let written: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&layer).unwrap()).unwrap();
        assert_eq!(written["techniques"][0]["techniqueID"], "T1071.004");
    }
}
