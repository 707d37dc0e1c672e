//! Which digits are a number of a person or an organisation: the rules of the standards.

/// A kind of number that is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Citizen identity number, GB 11643: region, birth date, sequence, check character.
    CitizenId,
    /// Unified social credit code, GB 32100: authority, type, region, organisation, check character.
    CreditCode,
    /// Bank card: a known issuer range and the Luhn check digit.
    BankCard,
    /// Mobile telephone number: eleven digits from 13 to 19. It has no check digit.
    Mobile,
}

/// First two digits of a region, GB/T 2260; 66 by custom of the corps.
const PROVINCES: [u8; 35] = [
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54,
    61, 62, 63, 64, 65, 66, 71, 81, 82,
];
/// Weights of a citizen number's digits, and the check character by remainder.
const ID_WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const ID_CHECKS: &[u8; 11] = b"10X98765432";
/// Characters of a credit code in the order of their values: no I, O, S, V, Z.
const CODE_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
const CODE_WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
/// Registering authorities in use.
const AUTHORITIES: &[u8] = b"123456789ANY";

impl Kind {
    /// The name in tokens and in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CitizenId => "citizen_id",
            Self::CreditCode => "credit_code",
            Self::BankCard => "bank_card",
            Self::Mobile => "mobile",
        }
    }

    /// The number with its middle hidden. Marks between groups stay.
    pub(super) fn masked(self, number: &str) -> String {
        let head = if self == Self::Mobile { 3 } else { 6 };
        let all = number.chars().filter(char::is_ascii_alphanumeric).count();
        let mut at = 0;
        let hide = |c: char| {
            if !c.is_ascii_alphanumeric() {
                return c;
            }
            at += 1;
            if at > head && at + 4 <= all { '*' } else { c }
        };
        number.chars().map(hide).collect()
    }
}

/// Whether 18 characters are a citizen number: province, date and check character hold.
pub(super) fn is_citizen_id(text: &[u8]) -> bool {
    let Some((last, digits)) = text.split_last() else { return false };
    if digits.len() != 17 || !digits.iter().all(u8::is_ascii_digit) || !has_province(digits) {
        return false;
    }
    let number = |from: usize, to: usize| -> i16 {
        digits
            .get(from..to)
            .unwrap_or_default()
            .iter()
            .fold(0, |sum, digit| sum * 10 + i16::from(digit - b'0'))
    };
    let month = i8::try_from(number(10, 12)).unwrap_or_default();
    let day = i8::try_from(number(12, 14)).unwrap_or_default();
    let year = number(6, 10);
    if !(1850..=2150).contains(&year) || jiff::civil::Date::new(year, month, day).is_err() {
        return false;
    }
    let sum: u32 =
        digits.iter().zip(ID_WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    ID_CHECKS.get((sum % 11) as usize) == Some(&last.to_ascii_uppercase())
}

/// Whether 18 characters are a credit code: authority, province and check character hold.
pub(super) fn is_credit_code(text: &[u8]) -> bool {
    let Some((last, head)) = text.split_last() else { return false };
    let region = head.get(2..8).unwrap_or_default();
    let shaped = head.len() == 17
        && head.first().is_some_and(|first| AUTHORITIES.contains(first))
        && region.iter().all(u8::is_ascii_digit)
        && (has_province(region) || region.starts_with(b"10"));
    let mut sum = 0;
    for (byte, weight) in head.iter().zip(CODE_WEIGHTS) {
        let Some(value) = CODE_ALPHABET.iter().position(|known| known == byte) else { return false };
        sum += value * weight;
    }
    shaped && CODE_ALPHABET.get((31 - sum % 31) % 31) == Some(last)
}

fn has_province(digits: &[u8]) -> bool {
    match digits {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9', ..] => {
            PROVINCES.contains(&((tens - b'0') * 10 + (ones - b'0')))
        }
        _ => false,
    }
}

/// Whether digits are a bank card: an issuer's range, its length, and Luhn's check digit.
pub(super) fn is_bank_card(digits: &[u8]) -> bool {
    let issued = match digits {
        [b'6', b'2', ..] => (16..=19).contains(&digits.len()),
        [b'4', ..] => digits.len() == 16,
        [b'5', b'1'..=b'5', ..] => digits.len() == 16,
        [b'3', b'4' | b'7', ..] => digits.len() == 15,
        _ => false,
    };
    issued && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let value = u32::from(digit.saturating_sub(b'0'));
            match at % 2 {
                0 => value,
                _ if value > 4 => value * 2 - 9,
                _ => value * 2,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether digits are a mobile number of the mainland.
pub(super) fn is_mobile(digits: &[u8]) -> bool {
    digits.len() == 11 && matches!(digits, [b'1', b'3'..=b'9', ..]) && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_own_examples_hold_and_their_neighbours_do_not() {
        assert!(is_citizen_id(b"11010519491231002X") && is_citizen_id(b"11010519491231002x"));
        assert!(!is_citizen_id(b"110105194912310021") && !is_citizen_id(b"00000019900101000X"));
        assert!(!is_citizen_id(b"110105194913310023"), "there is no 13th month");
        assert!(is_credit_code(b"91350100M000100Y43") && !is_credit_code(b"91350100M000100Y44"));
        assert!(is_bank_card(b"4111111111111111") && !is_bank_card(b"4111111111111112"));
        assert!(is_mobile(b"13800138000") && !is_mobile(b"12800138000") && !is_mobile(b"1380013800"));
    }

    #[test]
    fn the_middle_is_hidden_and_marks_stay() {
        assert_eq!(Kind::CitizenId.masked("11010519491231002X"), "110105********002X");
        assert_eq!(Kind::BankCard.masked("4111 1111 1111 1111"), "4111 11** **** 1111");
        assert_eq!(Kind::Mobile.masked("13800138000"), "138****8000");
    }
}
