//! One line of each form, and that no line breaks them.

use super::*;
use crate::parse::{Format, Line, Reader};
use jiff::tz::TimeZone;
use proptest::prelude::*;

fn reference() -> Reference {
    Reference { now: Timestamp::parse("2026-11-23T12:00:00Z").unwrap(), zone: TimeZone::UTC }
}

fn read(lines: &[&str]) -> Vec<Event> {
    let mut reader = Reader::new(Format::Structured);
    lines.iter().flat_map(|text| reader.take(Line { text, cut: false }, &reference())).collect()
}

#[track_caller]
fn check(event: &Event, kind: Kind, expected: &[(FieldId, &str)]) {
    assert_eq!(event.kind, kind);
    for (field, value) in expected {
        let found = event.record.get(*field).map(ToString::to_string);
        assert_eq!(found.as_deref(), Some(*value), "{}", field.name());
    }
}

#[test]
fn an_alert_of_suricata_names_its_signature_and_both_ends() {
    let line = r#"{"timestamp":"2026-11-22T10:00:00.5+0000","event_type":"alert","src_ip":"192.0.2.1","src_port":5000,"dest_ip":"192.0.2.9","dest_port":80,"proto":"TCP","alert":{"signature":"Path traversal","signature_id":7,"category":"Web"},"http":{"url":"/x?token=abc","status":404}}"#;
    let events = read(&[line]);
    let event = events.first().unwrap();
    check(
        event,
        Kind::Log,
        &[
            (f::EVENT_ACTION, "ids_alert"),
            (f::MESSAGE, "Path traversal"),
            (f::EVENT_CODE, "7"),
            (f::SOURCE_IP, "192.0.2.1"),
            (f::DESTINATION_PORT, "80"),
            (f::NETWORK_TRANSPORT, "tcp"),
            (f::URL_ORIGINAL, "/x?token=***"),
            (f::HTTP_STATUS, "404"),
        ],
    );
    assert_eq!(event.time, Timestamp::parse("2026-11-22T10:00:00.5Z").unwrap());
}

#[test]
fn zeek_is_read_as_json_and_in_columns_alike() {
    let json = r#"{"ts":1700000000.25,"uid":"C1","id.orig_h":"192.0.2.1","id.orig_p":5000,"id.resp_h":"192.0.2.9","id.resp_p":443,"proto":"tcp","duration":1.5,"conn_state":"SF","orig_pkts":3,"resp_pkts":2}"#;
    let head = "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\tconn_state\torig_pkts\tresp_pkts\tservice";
    let columns = "1700000000.25\tC1\t192.0.2.1\t5000\t192.0.2.9\t443\ttcp\t1.5\tSF\t3\t2\t-";
    let events = read(&[json, "#separator \\x09", head, columns]);
    assert_eq!(events.len(), 2, "the head is no event");
    for event in &events {
        check(
            event,
            Kind::Flow,
            &[
                (f::SOURCE_IP, "192.0.2.1"),
                (f::DESTINATION_PORT, "443"),
                (f::FLOW_STATE, "SF"),
                (f::SOURCE_PACKETS, "3"),
                (f::EVENT_DURATION, "1500000000"),
            ],
        );
        assert_eq!(event.time.as_millis(), 1_700_000_001_750);
        assert_eq!(event.text(f::NETWORK_PROTOCOL), None);
    }
}

#[test]
fn cef_and_leef_are_read_with_blanks_and_escapes() {
    let events = read(&[
        r"Nov 22 10:00:00 fw CEF:0|Maker|Wall\|2|1.0|201|Threat blocked|7|src=192.0.2.1 spt=5000 dst=192.0.2.9 msg=a \= b and c act=blocked",
        "LEEF:1.0|Maker|Wall|1.0|201|src=192.0.2.1\tdst=192.0.2.9\tusrName=bob",
    ]);
    check(
        events.first().unwrap(),
        Kind::Log,
        &[
            (f::SOURCE_IP, "192.0.2.1"),
            (f::MESSAGE, "a = b and c"),
            (f::SERVICE_NAME, "Wall|2"),
            (f::EVENT_TYPE, "blocked"),
        ],
    );
    check(events.get(1).unwrap(), Kind::Log, &[(f::USER_NAME, "bob"), (f::DESTINATION_IP, "192.0.2.9")]);
}

#[test]
fn json_of_anyone_keeps_its_message_and_prose_stays_raw() {
    let events = read(&[
        r#"{"time":"2026-11-22T10:00:00Z","level":"warn","msg":"no","client_ip":"192.0.2.1"}"#,
        "prose",
        "{broken",
    ]);
    check(
        events.first().unwrap(),
        Kind::Log,
        &[(f::MESSAGE, "no"), (f::LOG_LEVEL, "warn"), (f::SOURCE_IP, "192.0.2.1")],
    );
    assert!(events.iter().skip(1).all(|event| event.text(f::PARSE) == Some("raw")));
    assert_eq!(events.len(), 3);
}

#[test]
fn a_request_of_any_json_log_has_path_query_and_outcome() {
    let events = read(&[
        r#"{"level":"error","ts":1711741827.5,"msg":"handled request","request":{"remote_ip":"10.0.0.1","client_ip":"192.0.2.1","method":"GET","host":"a.example","uri":"/x?y=1","headers":{"User-Agent":["curl/8"]}},"size":0,"status":401}"#,
        r#"{"timestamp":"2026-11-22T10:00:00Z","event_type":"http","src_ip":"192.0.2.1","http":{"http_method":"GET","url":"/x?y=1","status":200}}"#,
    ]);
    let target =
        [(f::SOURCE_IP, "192.0.2.1"), (f::URL_PATH, "/x"), (f::URL_QUERY, "y=1"), (f::HTTP_METHOD, "GET")];
    let (caddy, suricata) = (events.first().unwrap(), events.get(1).unwrap());
    check(caddy, Kind::Web, &target);
    check(
        caddy,
        Kind::Web,
        &[(f::EVENT_OUTCOME, "failure"), (f::USER_AGENT, "curl/8"), (f::URL_DOMAIN, "a.example")],
    );
    check(suricata, Kind::Http, &target);
    check(suricata, Kind::Http, &[(f::EVENT_OUTCOME, "success")]);
}

proptest! {
    #[test]
    fn every_line_is_one_event_or_a_head(text in "(CEF:|LEEF:|\\{\"a|#fields\t)?[\\PC\t|=\\\\]{0,120}") {
        let events = read(&["#fields\tts\ta", &text]);
        prop_assert!(events.len() == 1 || text.starts_with('#'));
    }
}
