//! One file with many rules and a signature: `*.wpack`.
//!
//! Layout: the line [`MAGIC`], the line `signature: ` with the signature over that first line and
//! all that follows the empty third line: zstd of a JSON object (`docs/formats/wpack.md`).
//! Promises: nothing is unpacked before the signature of a trusted key holds; sizes, counts and
//! names are bounded; nothing is ever written to disk, names are only shown.

use std::io::Read as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use watchpost_model::Timestamp;

use super::key::Signature;
use super::{Error, PublicKey, SecretKey, Source};
use crate::parse::FILE_BYTES;

/// The first line.
const MAGIC: &str = "watchpost rules pack 1\n";

const LABEL: &str = "signature: ";

/// Bytes of the line with the signature.
const MOST_LINE: usize = 200;

/// Bytes of a pack file. All of the public Sigma rules take about 1.2 MB.
pub const PACK_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of what is in it.
const MOST_CONTENT: usize = 128 * 1024 * 1024;

/// Files in it.
const MOST_FILES: usize = 20_000;

/// Bytes of a file's name in it.
const MOST_NAME: usize = 240;

/// zstd's level: packs are made seldom and read often.
const LEVEL: i32 = 12;

/// Largest look-back that unpacking allocates for: 2^27 bytes.
const MOST_WINDOW: u32 = 27;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    name: String,
    made: Timestamp,
    files: Vec<File>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    path: String,
    sha256: String,
    text: String,
}

/// A pack whose signature holds.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What its maker calls it.
    pub name: String,
    /// When it was made, by its maker's clock.
    pub made: Timestamp,
    /// Number of the key that signed it.
    pub signer: String,
    /// The rule files, named as in the pack.
    pub files: Vec<Source>,
}

/// Packs and signs rule files, whose names are relative to the pack.
///
/// # Errors
/// A name can not stand in a pack, or it is too large.
pub fn seal(name: &str, made: Timestamp, files: &[Source], key: &SecretKey) -> Result<Vec<u8>, Error> {
    let packed = |source: &Source| {
        check_name(&source.name)?;
        let sha256 = digest(&source.text);
        Ok(File { path: source.name.clone(), sha256, text: source.text.clone() })
    };
    let mut files = files.iter().map(packed).collect::<Result<Vec<_>, Error>>()?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let name = name.get(..name.floor_char_boundary(MOST_NAME)).unwrap_or_default().to_owned();
    let content = Content { name, made, files };
    check(&content)?;
    let failed = |reason: String| Error::Damaged { reason };
    let json = serde_json::to_vec(&content).map_err(|error| failed(error.to_string()))?;
    let payload = zstd::bulk::compress(&json, LEVEL).map_err(|error| failed(error.to_string()))?;
    let signature = key.sign(&message(&payload));
    let out = [format!("{MAGIC}{LABEL}{signature}\n\n").as_bytes(), &payload].concat();
    if out.len() > PACK_BYTES || json.len() > MOST_CONTENT {
        return Err(Error::TooLarge { what: "pack", most: PACK_BYTES });
    }
    Ok(out)
}

/// Opens a pack that one of these keys signed.
///
/// # Errors
/// It is no pack, nobody trusted signed it, or it breaks a bound.
pub fn open(bytes: &[u8], trusted: &[PublicKey]) -> Result<Opened, Error> {
    if bytes.len() > PACK_BYTES {
        return Err(Error::TooLarge { what: "pack", most: PACK_BYTES });
    }
    let (signature, payload) = parts(bytes)?;
    let signer = signature.made_by(&message(payload), trusted)?.number();
    let content = unpack(payload)?;
    check(&content)?;
    let files = content.files.into_iter().map(|file| Source { name: file.path, text: file.text }).collect();
    Ok(Opened { name: content.name, made: content.made, signer, files })
}

fn parts(bytes: &[u8]) -> Result<(Signature, &[u8]), Error> {
    let rest = bytes.strip_prefix(MAGIC.as_bytes()).ok_or(Error::NotAPack)?;
    let rest = rest.strip_prefix(LABEL.as_bytes()).ok_or(Error::NotAPack)?;
    let end = rest.iter().take(MOST_LINE).position(|byte| *byte == b'\n').ok_or(Error::NotAPack)?;
    let (line, rest) = rest.split_at_checked(end).ok_or(Error::NotAPack)?;
    let signature = std::str::from_utf8(line).ok().and_then(Signature::parse).ok_or(Error::NotAPack)?;
    Ok((signature, rest.strip_prefix(b"\n\n").ok_or(Error::NotAPack)?))
}

/// What is signed: no signature made for another purpose can be taken for a pack's.
fn message(payload: &[u8]) -> Vec<u8> {
    [MAGIC.as_bytes(), payload].concat()
}

fn unpack(payload: &[u8]) -> Result<Content, Error> {
    let failed = |reason: String| Error::Damaged { reason };
    let mut decoder = zstd::stream::read::Decoder::new(payload).map_err(|error| failed(error.to_string()))?;
    decoder.window_log_max(MOST_WINDOW).map_err(|error| failed(error.to_string()))?;
    let most = u64::try_from(MOST_CONTENT).unwrap_or(u64::MAX).saturating_add(1);
    let mut json = Vec::new();
    decoder.take(most).read_to_end(&mut json).map_err(|error| failed(error.to_string()))?;
    if json.len() > MOST_CONTENT {
        return Err(Error::TooLarge { what: "content", most: MOST_CONTENT });
    }
    serde_json::from_slice(&json).map_err(|error| failed(error.to_string()))
}

/// The bounds of what is in a pack.
fn check(content: &Content) -> Result<(), Error> {
    check_shown(&content.name)?;
    if content.files.len() > MOST_FILES {
        return Err(Error::TooLarge { what: "number of files", most: MOST_FILES });
    }
    let mut before: Option<&str> = None;
    for file in &content.files {
        check_name(&file.path)?;
        if before.is_some_and(|before| before >= file.path.as_str()) {
            return Err(Error::Name { name: file.path.clone(), reason: "it stands twice or out of order" });
        }
        if file.text.len() > FILE_BYTES {
            return Err(Error::TooLarge { what: "file", most: FILE_BYTES });
        }
        if digest(&file.text) != file.sha256 {
            return Err(Error::Damaged { reason: format!("{} is not what its hash says", file.path) });
        }
        before = Some(&file.path);
    }
    Ok(())
}

/// What the maker calls the pack is only ever shown, so it must be short and must not move a cursor.
fn check_shown(name: &str) -> Result<(), Error> {
    let bad = |reason| Err(Error::Called { name: name.chars().take(MOST_NAME).collect(), reason });
    if name.len() > MOST_NAME {
        return bad("it is too long");
    }
    if name.chars().any(char::is_control) { bad("it has a control character") } else { Ok(()) }
}

/// Names are relative, plain and end like rules: they are shown to people and could one day be
/// written by someone.
fn check_name(name: &str) -> Result<(), Error> {
    let bad = |reason| Err(Error::Name { name: name.chars().take(MOST_NAME).collect(), reason });
    if name.is_empty() || name.len() > MOST_NAME {
        return bad("it is empty or too long");
    }
    if name.contains('\\') || name.chars().any(char::is_control) {
        return bad("it has a backslash or a control character");
    }
    if name.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return bad("it is not a plain relative path");
    }
    if name.ends_with(".yml") || name.ends_with(".yaml") { Ok(()) } else { bad("it does not end in .yml") }
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SecretKey {
        SecretKey::parse(&SecretKey::generate().unwrap()).unwrap()
    }

    fn source(name: &str) -> Source {
        Source { name: name.into(), text: "title: x".into() }
    }

    fn sealed(key: &SecretKey) -> Vec<u8> {
        seal("ours", Timestamp::EPOCH, &[source("b.yml"), source("a/a.yaml")], key).unwrap()
    }

    /// A pack of any content, signed: what a trusted but careless maker could hand out.
    fn odd(key: &SecretKey, json: &[u8]) -> Vec<u8> {
        let payload = zstd::bulk::compress(json, 1).unwrap();
        let signature = key.sign(&message(&payload));
        [format!("{MAGIC}{LABEL}{signature}\n\n").as_bytes(), &payload].concat()
    }

    #[test]
    fn what_was_sealed_is_opened_with_the_key_that_sealed_it() {
        let key = key();
        let opened = open(&sealed(&key), &[self::key().public(), key.public()]).unwrap();
        let names: Vec<_> = opened.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!((opened.name.as_str(), names), ("ours", vec!["a/a.yaml", "b.yml"]));
        assert_eq!(opened.signer, key.public().number());
    }

    #[test]
    fn a_key_that_is_not_trusted_is_named() {
        let key = key();
        let error = open(&sealed(&key), &[self::key().public()]).unwrap_err();
        assert!(error.to_string().contains(&key.public().number()), "{error}");
        assert!(matches!(open(&sealed(&key), &[]), Err(Error::Untrusted { .. })));
    }

    #[test]
    fn every_changed_byte_breaks_the_pack() {
        let key = key();
        let (pack, keys) = (sealed(&key), [key.public()]);
        for at in 0..pack.len() {
            let mut changed = pack.clone();
            changed[at] ^= 0x20;
            assert!(open(&changed, &keys).is_err(), "byte {at}");
            assert!(open(&pack[..at], &keys).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        let key = key();
        for name in ["../a.yml", "/a.yml", "a//b.yml", "a\\b.yml", "a\u{1b}.yml", "a.sh", "", "./a.yml"] {
            let made = seal("x", Timestamp::EPOCH, &[source(name)], &key);
            assert!(matches!(made, Err(Error::Name { .. })), "{name:?}");
            let sha256 = digest("x");
            let file = serde_json::json!({"path": name, "sha256": sha256, "text": "x"});
            let json = serde_json::json!({"name": "x", "made": Timestamp::EPOCH, "files": [file]});
            let opened = open(&odd(&key, json.to_string().as_bytes()), &[key.public()]);
            assert!(matches!(opened, Err(Error::Name { .. })), "{name:?}");
        }
    }

    #[test]
    fn a_pack_that_calls_itself_by_an_escape_or_at_length_is_refused() {
        let key = key();
        let named = |name: &str| {
            let json = serde_json::json!({"name": name, "made": Timestamp::EPOCH, "files": []});
            open(&odd(&key, json.to_string().as_bytes()), &[key.public()])
        };
        for name in ["\u{1b}]0;owned\u{7}", "a\nb", "\u{9b}2J", &"x".repeat(MOST_NAME + 1)] {
            let error = named(name).unwrap_err();
            assert!(matches!(error, Error::Called { .. }), "{name:?}");
            assert!(!error.to_string().chars().any(char::is_control), "the refusal is no escape either");
        }
        assert_eq!(named("规则 7").unwrap().name, "规则 7");
        assert!(seal("a\u{1b}", Timestamp::EPOCH, &[], &key).is_err());
        let long = seal(&"规".repeat(MOST_NAME), Timestamp::EPOCH, &[], &key).unwrap();
        assert_eq!(open(&long, &[key.public()]).unwrap().name.len(), MOST_NAME);
    }

    #[test]
    fn a_bomb_and_a_lie_about_a_hash_are_refused() {
        let key = key();
        let bomb = odd(&key, &vec![b' '; MOST_CONTENT + 2]);
        assert!(bomb.len() < PACK_BYTES, "small on disk");
        assert!(matches!(open(&bomb, &[key.public()]), Err(Error::TooLarge { .. })));
        let json = br#"{"name":"x","made":"1970-01-01T00:00:00Z","files":[{"path":"a.yml","sha256":"00","text":"x"}]}"#;
        assert!(matches!(open(&odd(&key, json), &[key.public()]), Err(Error::Damaged { .. })));
        let twice = seal("x", Timestamp::EPOCH, &[source("a.yml"), source("a.yml")], &key);
        assert!(matches!(twice, Err(Error::Name { .. })));
    }
}
