//! Files that are cut, wrong or junk, read offline.

use std::fs;
use std::path::Path;

use crate::{say, scenario, text};

#[test]
fn a_cut_capture_gives_what_it_holds_and_is_called_damaged() {
    let cut = scenario("port_sweep_cut/sweep.pcap");
    let whole = say("watchpost-agent", &["flows", "--read", text(&scenario("port_sweep/sweep.pcap"))]);
    whole.expect(0, &[]);
    let said = say("watchpost-agent", &["flows", "--read", text(&cut)]);
    said.expect(3, &["damaged", text(&cut)]);
    // The last packet is cut; all others are there.
    assert!(said.rows().len() + 1 >= whole.rows().len() && !said.rows().is_empty());
    let said = say("watchpost", &["detect", "--read", text(&cut)]);
    said.expect(3, &["damaged", text(&cut)]);
    assert!(said.rows().iter().any(|row| row["rule"]["name"] == "Port scan of one host"), "{}", said.out);
}

#[test]
fn a_file_that_is_no_capture_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let magic = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0];
    let files: [(&str, &[u8]); 4] =
        [("text", b"hello, world\n"), ("empty", b""), ("zeros", &[0; 4096]), ("magic-alone", &magic)];
    for (name, bytes) in files {
        fs::write(home.path().join(name), bytes).unwrap();
    }
    fs::create_dir(home.path().join("folder")).unwrap();
    for name in ["text", "empty", "zeros", "magic-alone", "folder", "missing"] {
        let path = home.path().join(name);
        for said in [
            say("watchpost-agent", &["flows", "--read", text(&path)]),
            say("watchpost", &["detect", "--input", "pcap", "--read", text(&path)]),
        ] {
            said.expect(3, &[text(&path)]);
            assert_eq!(said.out, "", "nothing can be read from {name}");
        }
    }
}

#[test]
fn junk_in_a_log_file_is_marked_raw_and_good_lines_beside_it_are_parsed() {
    let home = tempfile::tempdir().unwrap();
    let (junk, good) =
        (fs::read(scenario("hostile_log/junk.log")).unwrap(), scenario("ssh_guessed/auth.log"));
    let mixed = home.path().join("mixed.log");
    fs::write(&mixed, [&junk[..], b"\n", &fs::read(&good).unwrap(), &junk].concat()).unwrap();
    let parsed = |path: &Path| {
        let said = say("watchpost-agent", &["logs", "--source", "auth", "--read", text(path)]);
        said.expect(0, &[]);
        let rows = said.rows();
        let count = rows.len();
        (count, rows.into_iter().filter(|row| row["watchpost"]["parse"] != "raw").count())
    };
    let ((junk_rows, junk_parsed), (good_rows, good_parsed)) =
        (parsed(&scenario("hostile_log/junk.log")), parsed(&good));
    assert!(good_parsed > 0);
    assert_eq!(parsed(&mixed), (2 * junk_rows + good_rows, 2 * junk_parsed + good_parsed));
    let gone = home.path().join("gone");
    say("watchpost-agent", &["logs", "--source", "auth", "--read", text(&gone)]).expect(3, &[text(&gone)]);
    say("watchpost-agent", &["logs", "--source", "nonsense", "--read", text(&good)])
        .expect(2, &["nonsense", "nginx"]);
}

#[test]
fn lines_that_are_no_events_are_counted_and_the_others_searched() {
    let home = tempfile::tempdir().unwrap();
    let events = home.path().join("events.ndjson");
    let good = say(
        "watchpost-agent",
        &["logs", "--source", "auth", "--read", text(&scenario("ssh_guessed/auth.log"))],
    );
    let junk: [&[u8]; 4] = [b"not json\n", b"{\"cut\": \n", b"\xff\xfe\x00\n", &[b'['; 100_000]];
    fs::write(&events, [&junk[..3].concat(), good.out.as_bytes(), junk[3], b"\n"].concat()).unwrap();
    let said = say("watchpost", &["detect", "--read", text(&events)]);
    said.expect(1, &["4 unreadable"]);
    let guessed = "SSH login succeeded after brute force from the same source";
    assert!(said.rows().iter().any(|row| row["rule"]["name"] == guessed), "{}", said.out);
}
