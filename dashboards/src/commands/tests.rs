//! Commands over a made-up collector.

use std::time::Duration;

use watchpost_model::alert::{Outcome, Severity};
use watchpost_model::query::Live;

use super::{AlertArgs, Desk, Error, HuntArgs, Output, ReportArgs, alerts, headless, hosts, hunt, report};
use crate::exit::Exit;
use crate::report::Format;
use crate::samples::{self, Fake};
use crate::theme::Theme;
use crate::widgets::cells;
use crate::words::Lang;

fn on_desk(
    output: Output,
    fake: &Fake,
    work: impl FnOnce(&mut Desk<'_>) -> Result<Exit, Error>,
) -> (Result<Exit, Error>, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let theme = Theme { color: false, ascii: false };
    let exit =
        work(&mut Desk { source: fake, lang: Lang::ZhCn, theme, output, out: &mut out, err: &mut err });
    (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn json_is_one_object_per_line_and_whole() {
    let args = AlertArgs { severity: Some(Severity::High), ..AlertArgs::default() };
    let (exit, out, err) = on_desk(Output::Json, &Fake::default(), |desk| alerts(&args, desk));
    assert_eq!(exit.unwrap(), Exit::Fine);
    let rows: Vec<watchpost_model::alert::Alert> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0], samples::alerts()[4]);
    assert_eq!(err, "");
}

#[test]
fn a_table_aligns_and_carries_no_control_characters() {
    let (_, out, _) = on_desk(Output::Table, &Fake::default(), |desk| alerts(&AlertArgs::default(), desk));
    assert!(!out.contains(['\u{1b}', '\u{202e}']));
    let ids: Vec<usize> =
        out.lines().skip(1).map(|line| cells::width(&line[..line.rfind(' ').unwrap()])).collect();
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{out}");
    assert!(on_desk(Output::Table, &Fake::default(), hosts).1.contains("数据库服务器-02"));
}

#[test]
fn a_hunt_that_stopped_early_says_so_beside_its_answer() {
    let args = HuntArgs { query: "root".into(), ..HuntArgs::default() };
    let (exit, out, err) = on_desk(Output::Json, &Fake::default(), |desk| hunt(&args, desk));
    assert_eq!(exit.unwrap(), Exit::Fine);
    assert_eq!(out.lines().count(), 1);
    assert!(err.contains("stopped after 3 s"));
}

#[test]
fn a_report_is_written_whole_and_its_path_printed() {
    let dir = tempfile::tempdir().unwrap();
    let args = ReportArgs {
        incident: samples::incident_id(),
        out: Some(dir.path().join("new")),
        format: Format::Html,
    };
    let (_, out, _) = on_desk(Output::Table, &Fake::default(), |desk| report(&args, samples::now(), desk));
    let text = std::fs::read_to_string(out.trim()).unwrap();
    assert!(text.ends_with("</html>\n"));
    assert_eq!(std::fs::read_dir(dir.path().join("new")).unwrap().count(), 1);
}

#[test]
fn an_unknown_incident_is_wrong_use() {
    let nobody = watchpost_model::id::IncidentId::from_bytes([9; 16]);
    let args = ReportArgs { incident: nobody, out: None, format: Format::Markdown };
    let (exit, out, _) = on_desk(Output::Table, &Fake::default(), |desk| report(&args, samples::now(), desk));
    assert_eq!(exit.unwrap_err().exit(), Exit::Usage);
    assert_eq!(out, "");
}

#[test]
fn headless_prints_each_alert_once_and_again_when_it_gets_worse() {
    let known = samples::alerts()[1].clone();
    let mut repeated = known.clone();
    repeated.count += 1;
    let mut worse = known;
    worse.outcome = Outcome::Success;
    let said = [repeated, worse].map(|alert| Live::Alert(Box::new(alert))).to_vec();
    let fake = Fake::default();
    // Two streams with the same words: after the reconnect nothing is printed anew but what changed.
    fake.streams.lock().unwrap().extend([vec![], said]);
    let mut waits = 0;
    let wait = |_: Duration| {
        waits += 1;
        waits < 3
    };
    let (exit, out, err) = on_desk(Output::Table, &fake, |desk| headless(desk, wait, || true, samples::now));
    assert_eq!(exit.unwrap(), Exit::Fine);
    let brute: Vec<&str> = out.lines().filter(|line| line.contains("SSH")).collect();
    assert_eq!(brute.len(), 3, "{out}");
    assert!(brute[1].contains("成功"));
    assert_eq!(out.lines().count(), 6, "{out}");
    assert!(err.contains("fake:1"));
}
