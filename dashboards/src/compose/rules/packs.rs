//! `rules pack`: keys, signing, checking.

use std::io::Write;
use std::path::{Path, PathBuf};

use watchpost_rules::pack::{self, SecretKey};
use watchpost_rules::{RuleSet, Source};

use super::{Error, Pack, TEXT_BYTES, bytes, load, read};
use crate::compose::detect;
use crate::words::Lang;
use crate::words::rules::{Words, words};
use crate::{clean, clock, private};

pub(super) fn run(command: &Pack, lang: Lang, out: &mut dyn Write) -> Result<bool, Error> {
    let words = words(lang);
    match command {
        Pack::Key { key } => make_key(key, words, out),
        Pack::Sign { key, dir, out: file } => sign(key, dir, file, words, out),
        Pack::Verify { key, pack } => verify(key, pack, words, out),
    }
}

fn used(path: &Path) -> impl Fn(pack::Error) -> Error {
    let path = path.display().to_string();
    move |source| Error::Pack { path: path.clone(), source }
}

fn make_key(path: &Path, words: &Words, out: &mut dyn Write) -> Result<bool, Error> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::Make { path, source }
    };
    let beside = PathBuf::from(format!("{}.pub", path.display()));
    // The public key may be the only copy of one that is trusted somewhere.
    if let Some(there) = [path, &beside].into_iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(failed(there)(std::io::ErrorKind::AlreadyExists.into()));
    }
    let pem = SecretKey::generate().map_err(used(path))?;
    let public = SecretKey::parse(&pem).map_err(used(path))?.public();
    private::write(path, &pem).map_err(failed(path))?;
    let text = format!("untrusted comment: rules key {}\n{public}\n", public.number());
    std::fs::write(&beside, text).map_err(failed(&beside))?;
    let names = [path, &beside].map(|path| path.display().to_string());
    let [secret, open] = names;
    writeln!(out, "{}", (words.key_made)(&secret, &open, &public.to_string()))?;
    Ok(true)
}

fn sign(key: &Path, dir: &Path, file: &Path, words: &Words, out: &mut dyn Write) -> Result<bool, Error> {
    if !dir.is_dir() {
        return Err(Error::NotFound { path: dir.to_path_buf() });
    }
    let secret = SecretKey::parse(&read(key, TEXT_BYTES)?).map_err(used(key))?;
    let (found, unread) = pack::read_paths(&[dir.to_path_buf()]);
    let sources: Vec<Source> = found.into_iter().map(|source| within(dir, source)).collect();
    let set = RuleSet::load(&sources);
    // Placeholders are for the site that uses the pack to fill, so they do not stop the maker.
    let is_placeholder = |reason: &str| reason.contains("needs values for the placeholder");
    let wrong: Vec<String> = unread
        .iter()
        .chain(set.rejected())
        .filter(|one| !is_placeholder(&one.reason))
        .map(detect::said)
        .collect();
    if !wrong.is_empty() {
        return Err(Error::Rejected { said: wrong.join("\n") });
    }
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let sealed = pack::seal(&name, clock::now(), &sources, &secret).map_err(used(dir))?;
    replace(file, &sealed).map_err(|source| Error::Make { path: file.to_path_buf(), source })?;
    let shown = file.display().to_string();
    writeln!(out, "{}", (words.signed)(&shown, sources.len(), &secret.public().number(), set.hash()))?;
    Ok(true)
}

/// Writes a file beside its place and moves it there: a collector that reads meanwhile sees the old
/// pack or the new one. What is no regular file, such as a pipe, is written to.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if path.metadata().is_ok_and(|there| !there.is_file()) {
        return std::fs::write(path, bytes);
    }
    // A link stays one.
    let place = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let mut name = place.file_name().ok_or(std::io::ErrorKind::IsADirectory)?.to_os_string();
    name.push(".part");
    let draft = place.with_file_name(name);
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::File::create_new(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&draft, &place)
}

/// A file under its name relative to the folder.
fn within(dir: &Path, source: Source) -> Source {
    let name = Path::new(&source.name).strip_prefix(dir).map(|name| name.display().to_string());
    Source { name: name.unwrap_or(source.name), text: source.text }
}

fn verify(keys: &[String], file: &Path, words: &Words, out: &mut dyn Write) -> Result<bool, Error> {
    let trusted = load::keys(keys)?;
    let bytes = bytes(file, pack::PACK_BYTES)?;
    let opened = match pack::open(&bytes, &trusted) {
        Ok(opened) => opened,
        Err(error) => {
            say(out, &format!("{}: {error}", file.display()))?;
            return Ok(false);
        }
    };
    let set = RuleSet::load(&opened.files);
    let made = opened.made.to_string();
    say(out, &(words.verified)(&opened.name, &made, &opened.signer, set.rules().len(), set.hash()))?;
    for rejected in set.rejected() {
        say(out, &detect::said(rejected))?;
    }
    Ok(set.rejected().is_empty())
}

/// A line about a pack: what its maker wrote must not act on the terminal.
fn say(out: &mut dyn Write, text: &str) -> std::io::Result<()> {
    writeln!(out, "{}", clean::neutral_lines(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(command: &Pack) -> Result<(bool, String), Error> {
        let mut out = Vec::new();
        let good = run(command, Lang::En, &mut out)?;
        Ok((good, String::from_utf8(out).unwrap()))
    }

    #[test]
    fn what_a_maker_wrote_does_not_act_on_the_terminal() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        said(&Pack::Key { key: path("key") }).unwrap();
        let secret = SecretKey::parse(&std::fs::read_to_string(path("key")).unwrap()).unwrap();
        let text = "title: \"\\e[2J\"\nid: a\nlogsource: {category: dns}\ndetection: {s: {\"\\e]0;x\\a\": x}, condition: \"\\e[31m\"}\n";
        let rule = Source { name: "evil\u{202e}lmy.yml".into(), text: text.into() };
        let pack = pack::seal("our\u{202e}s", clock::now(), &[rule], &secret).unwrap();
        std::fs::write(path("a.wpack"), pack).unwrap();
        let key = vec![path("key.pub").display().to_string()];
        let (good, text) = said(&Pack::Verify { key, pack: path("a.wpack") }).unwrap();
        assert!(!good && text.contains("our<U+202E>s") && text.contains("evil<U+202E>lmy.yml"), "{text:?}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }

    #[test]
    fn a_device_without_an_end_is_no_pack() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        said(&Pack::Key { key: key.clone() }).unwrap();
        let public = vec![format!("{}.pub", key.display())];
        let endless = Pack::Verify { key: public.clone(), pack: "/dev/zero".into() };
        assert!(matches!(said(&endless), Err(Error::TooLarge { .. })));
        let endless = Pack::Verify { key: vec!["/dev/zero".into()], pack: key };
        assert!(matches!(said(&endless), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn a_public_key_that_is_there_is_kept_and_a_pack_is_replaced_whole() {
        use std::os::unix::fs::MetadataExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("q.pub"), "trusted elsewhere").unwrap();
        assert!(matches!(said(&Pack::Key { key: path("q") }), Err(Error::Make { .. })));
        assert!(!path("q").exists(), "no half of a pair is made");
        assert_eq!(std::fs::read_to_string(path("q.pub")).unwrap(), "trusted elsewhere");

        std::fs::write(path("pack"), "old").unwrap();
        std::os::unix::fs::symlink(path("pack"), path("link")).unwrap();
        std::fs::write(path("pack.part"), "left behind").unwrap();
        let before = std::fs::metadata(path("pack")).unwrap().ino();
        let reader = std::fs::File::open(path("pack")).unwrap();
        replace(&path("link"), b"new").unwrap();
        assert_eq!(std::io::read_to_string(reader).unwrap(), "old", "who reads sees one pack");
        assert_eq!(std::fs::read_to_string(path("pack")).unwrap(), "new");
        assert_ne!(std::fs::metadata(path("pack")).unwrap().ino(), before);
        assert!(path("link").is_symlink() && !path("pack.part").exists());
    }

    #[test]
    fn a_folder_is_signed_checked_and_a_change_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("rules/deep")).unwrap();
        let rule = "title: A\nid: a\nlogsource: {category: dns}\ndetection: {s: {query: x}, condition: s}\n";
        std::fs::write(path("rules/deep/a.yml"), rule).unwrap();
        said(&Pack::Key { key: path("key") }).unwrap();
        assert!(said(&Pack::Key { key: path("key") }).is_err(), "a key is never overwritten");
        let sign = Pack::Sign { key: path("key"), dir: path("rules"), out: path("ours.wpack") };
        let (_, first) = said(&sign).unwrap();
        assert!(first.contains("1 files signed by key"), "{first}");
        let public = path("key.pub").display().to_string();
        let verify = Pack::Verify { key: vec![public.clone()], pack: path("ours.wpack") };
        let (good, text) = said(&verify).unwrap();
        assert!(good && text.contains("1 rules"), "{text}");
        let (_, set) = first.rsplit_once(' ').unwrap();
        assert!(text.contains(set.trim()), "the same set by the same hash");

        let mut bytes = std::fs::read(path("ours.wpack")).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(path("ours.wpack"), bytes).unwrap();
        let (good, text) = said(&verify).unwrap();
        assert!(!good && text.contains("was changed"), "{text}");
        std::fs::write(path("rules/bad.yml"), "title: [").unwrap();
        assert!(matches!(said(&sign), Err(Error::Rejected { said }) if said.contains("bad.yml")));
    }
}
