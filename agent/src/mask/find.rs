//! Where in a text such numbers stand: alone, in groups, behind a country code.
//!
//! A number ends where its digits end: a run of digits that is longer is another number. Letters
//! around it make it a name, except before a citizen number, whose check is strong enough. One pass,
//! and most texts leave at the first look: they have too few digits.

use super::number::{self, Kind};

/// A number in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Fewest digits of any number: a credit code has at least those of its region.
const FEWEST: usize = 6;
/// How a bank card and a mobile number are written in groups.
const CARD_GROUPS: [&[usize]; 2] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4]];
const MOBILE_GROUPS: [&[usize]; 1] = [&[3, 4, 4]];
/// What may stand before a mobile number and belongs to it.
const COUNTRY: [&[u8]; 3] = [b"0086", b"86", b""];

/// All numbers in a text, from left to right, none within another.
pub(super) fn all(text: &str) -> Vec<Found> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    if bytes.iter().filter(|byte| byte.is_ascii_digit()).take(FEWEST).count() < FEWEST {
        return found;
    }
    let mut at = 0;
    while at < bytes.len() {
        match number_at(bytes, at) {
            Some((kind, start, end)) => {
                found.push(Found { kind, start, end });
                at = end;
            }
            None => at += 1,
        }
    }
    found
}

fn number_at(bytes: &[u8], at: usize) -> Option<(Kind, usize, usize)> {
    let first = bytes.get(at).filter(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())?;
    let free = is_free_before(bytes, at);
    if !free && before(bytes, at).is_some_and(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if first.is_ascii_digit() && fits(bytes, at, 18, number::is_citizen_id) {
        return Some((Kind::CitizenId, at, at + 18));
    }
    if !free {
        return None;
    }
    // Behind a percent sign, letters are more likely those of an escape.
    if before(bytes, at) != Some(b'%') && fits(bytes, at, 18, number::is_credit_code) {
        return Some((Kind::CreditCode, at, at + 18));
    }
    // A fraction is a measure, not a number of someone.
    if !first.is_ascii_digit() || is_fraction_before(bytes, at) {
        return None;
    }
    card_at(bytes, at).or_else(|| mobile_at(bytes, at))
}

fn card_at(bytes: &[u8], at: usize) -> Option<(Kind, usize, usize)> {
    let end = at + run(bytes, at);
    if is_free_after(bytes, end) && bytes.get(at..end).is_some_and(number::is_bank_card) {
        return Some((Kind::BankCard, at, end));
    }
    grouped(bytes, at, &CARD_GROUPS, number::is_bank_card).map(|end| (Kind::BankCard, at, end))
}

fn mobile_at(bytes: &[u8], at: usize) -> Option<(Kind, usize, usize)> {
    COUNTRY.iter().find_map(|code| {
        let start = at + code.len();
        let behind = bytes.get(at..)?.starts_with(code);
        let end = start + run(bytes, start);
        if behind && is_free_after(bytes, end) && bytes.get(start..end).is_some_and(number::is_mobile) {
            return Some((Kind::Mobile, start, end));
        }
        let end = behind.then(|| grouped(bytes, start, &MOBILE_GROUPS, number::is_mobile))??;
        Some((Kind::Mobile, start, end))
    })
}

fn fits(bytes: &[u8], at: usize, length: usize, is: fn(&[u8]) -> bool) -> bool {
    bytes.get(at..at + length).is_some_and(is)
        && !bytes.get(at + length).is_some_and(u8::is_ascii_alphanumeric)
}

/// The end of digits in groups with the same single mark between them.
fn grouped(bytes: &[u8], at: usize, forms: &[&[usize]], is: fn(&[u8]) -> bool) -> Option<usize> {
    forms.iter().find_map(|groups| {
        let (mut digits, mut end, mut mark) = (Vec::with_capacity(19), at, None);
        for (nth, length) in groups.iter().enumerate() {
            if nth > 0 {
                let next = bytes.get(end).filter(|byte| matches!(byte, b' ' | b'-'))?;
                if *mark.get_or_insert(*next) != *next {
                    return None;
                }
                end += 1;
            }
            let group = bytes.get(end..end + length).filter(|group| group.iter().all(u8::is_ascii_digit))?;
            digits.extend_from_slice(group);
            end += length;
        }
        (is_free_after(bytes, end) && is(&digits)).then_some(end)
    })
}

/// Digits from here on.
fn run(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn before(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at.checked_sub(1)?).copied()
}

/// Whether no letter or digit stands before; a percent escape, as in a URL, is neither.
fn is_free_before(bytes: &[u8], at: usize) -> bool {
    let escaped = at
        .checked_sub(3)
        .and_then(|from| bytes.get(from..at))
        .is_some_and(|three| matches!(three, [b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()));
    escaped || !before(bytes, at).is_some_and(|byte| byte.is_ascii_alphanumeric())
}

fn is_fraction_before(bytes: &[u8], at: usize) -> bool {
    let two = at.checked_sub(2).and_then(|from| bytes.get(from..at));
    matches!(two, Some([b'0'..=b'9', b'.']))
}

/// Whether no letter or digit follows, and no fraction.
fn is_free_after(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at) {
        Some(b'.') => !bytes.get(at + 1).is_some_and(u8::is_ascii_digit),
        Some(byte) => !byte.is_ascii_alphanumeric(),
        None => true,
    }
}
