//! Numbers made by the rules are found wherever they stand; others are left alone.

use super::*;
use proptest::prelude::*;
use watchpost_model::{Kind as EventKind, Timestamp, field as f};

fn masker(deed: Deed) -> Masker {
    let settings = Settings { citizen_id: deed, credit_code: deed, bank_card: deed, mobile: deed };
    Masker::new(settings, b"a key of thirty-two bytes or more")
}

/// A citizen number with the right check character.
fn citizen() -> impl Strategy<Value = String> {
    let province = prop::sample::select(vec![11, 31, 44, 50, 65, 82]);
    (province, 0..10_000, 1900..2030, 1..13, 1..29, 0..1_000).prop_map(|(p, r, y, m, d, s)| {
        let head = format!("{p:02}{r:04}{y:04}{m:02}{d:02}{s:03}");
        let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        let sum: usize =
            head.bytes().zip(weights).map(|(digit, weight)| usize::from(digit - b'0') * weight).sum();
        let check = "10X98765432".chars().nth(sum % 11).unwrap();
        format!("{head}{check}")
    })
}

/// A card of an issuer that is in use, with Luhn's digit.
fn card() -> impl Strategy<Value = String> {
    "(62[0-9]{13,16}|4[0-9]{14}|5[1-5][0-9]{13})".prop_map(|head| {
        let doubled = |(at, digit): (usize, u8)| {
            let value = u32::from(digit - b'0') * if at % 2 == 0 { 2 } else { 1 };
            value / 10 + value % 10
        };
        let sum: u32 = head.bytes().rev().enumerate().map(doubled).sum();
        format!("{head}{}", (10 - sum % 10) % 10)
    })
}

fn credit() -> impl Strategy<Value = String> {
    let alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    "9[123][1-3]1[0-9]{4}[0-9A-HJ-NP-RTUWXY]{9}".prop_map(move |head| {
        let weights = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
        let value = |c: char| alphabet.find(c).unwrap();
        let sum: usize = head.chars().zip(weights).map(|(c, weight)| value(c) * weight).sum();
        format!("{head}{}", alphabet.chars().nth((31 - sum % 31) % 31).unwrap())
    })
}

fn mobile() -> impl Strategy<Value = String> {
    "1[3-9][0-9]{9}"
}

/// What stands around numbers in logs, URLs, JSON and prose.
fn around() -> impl Strategy<Value = (String, String)> {
    let before = prop::sample::select(vec!["", "id=", "?q=%3D", "\"", "身份证", "/", " ", "tel:", "(", "a_"]);
    let after = prop::sample::select(vec!["", "&x=1", "\"}", "号", "/", " ", ".", ",", ")", "\n", "%20"]);
    (before, after).prop_map(|(before, after)| (before.to_owned(), after.to_owned()))
}

proptest! {
    #[test]
    fn every_valid_number_is_hidden(
        number in prop_oneof![citizen(), card(), credit(), mobile()], (before, after) in around()
    ) {
        for deed in [Deed::Mask, Deed::Token] {
            let hidden = masker(deed).text(&format!("{before}{number}{after}"));
            prop_assert!(!hidden.contains(&number), "{}", hidden);
            prop_assert!(hidden.starts_with(&before) && hidden.ends_with(&after), "{}", hidden);
        }
        let text = format!("{before}{number}{after}");
        prop_assert_eq!(masker(Deed::Off).text(&text), text);
    }

    #[test]
    fn a_citizen_number_with_a_wrong_check_is_none(number in citizen(), wrong in 1_usize..11) {
        let checks = "10X98765432";
        let right = checks.find(number.chars().last().unwrap()).unwrap();
        let other = checks.chars().nth((right + wrong) % 11).unwrap();
        let text = format!("{}{other}", number.get(..17).unwrap());
        prop_assert!(find::all(&text).iter().all(|found| found.kind != Kind::CitizenId));
    }

    #[test]
    fn a_card_with_a_wrong_check_is_none(number in card(), wrong in 1_u8..10) {
        let (head, last) = number.split_at(number.len() - 1);
        let text = format!("{head}{}", (last.parse::<u8>().unwrap() + wrong) % 10);
        prop_assert!(find::all(&text).iter().all(|found| found.kind != Kind::BankCard));
    }

    #[test]
    fn a_number_within_a_longer_one_is_none(number in prop_oneof![card(), mobile()], more in "[0-9]{9,12}") {
        for text in [format!("7{number}{more}"), format!("{number}{more}")] {
            prop_assert!(find::all(&text).iter().all(|found| found.end - found.start == text.len()));
        }
    }

    #[test]
    fn any_text_is_taken_and_hiding_twice_changes_nothing(text in "\\PC{0,80}") {
        let once = masker(Deed::Mask).text(&text);
        prop_assert_eq!(masker(Deed::Mask).text(&once), once);
    }
}

#[test]
fn other_long_numbers_are_left_alone() {
    for text in [
        "1700000000123456789",
        "1700000000.13800138000",
        "0190f2a4-0000-7000-8000-138001380001",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "20261123120000 4096 bytes 12345678901",
        "192.168.138.001 port 13800",
        "a0=7ffed2893080 saddr=02000050A9FEA9FE0000000000000000",
    ] {
        assert_eq!(masker(Deed::Mask).text(text), text);
    }
}

#[test]
fn groups_and_country_codes_are_known() {
    let masker = masker(Deed::Mask);
    assert_eq!(masker.text("call +8613800138000"), "call +86138****8000");
    assert_eq!(masker.text("call 138-0013-8000 now"), "call 138-****-8000 now");
    assert_eq!(masker.text("card 4111 1111 1111 1111,"), "card 4111 11** **** 1111,");
}

#[test]
fn a_token_is_the_same_for_the_same_number_and_key_only() {
    let one = masker(Deed::Token).text("card 4111 1111 1111 1111");
    assert_eq!(one, masker(Deed::Token).text("card 4111111111111111"));
    let settings = Settings { bank_card: Deed::Token, ..Settings::default() };
    let other = Masker::new(settings, b"another key of thirty-two bytes!").text("card 4111111111111111");
    assert!(one.starts_with("card bank_card:") && one != other, "{one} {other}");
}

#[test]
fn every_text_of_an_event_is_looked_at() {
    let mut event = Event::new(EventKind::Http, Timestamp::EPOCH);
    event.record.set(f::URL_ORIGINAL, "/u?id=11010519491231002X");
    event.record.set(f::PROCESS_ARGS, vec!["call".to_owned(), "13800138000".to_owned()]);
    event.record.set(f::SOURCE_PORT, 80_u16);
    masker(Deed::Mask).apply(&mut event);
    let json = event.to_json().to_string();
    assert!(!json.contains("11010519491231002X") && !json.contains("13800138000"), "{json}");
    assert!(json.contains("110105********002X") && json.contains("138****8000"), "{json}");
}

#[test]
fn the_key_is_made_once_and_is_its_owners() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.key");
    let settings = Settings { mobile: Deed::Token, ..Settings::default() };
    let first = Masker::open(settings, &path).unwrap().text("13800138000");
    assert_eq!(first, Masker::open(settings, &path).unwrap().text("13800138000"));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(&path, "short").unwrap();
    assert!(Masker::open(settings, &path).is_err());
}
