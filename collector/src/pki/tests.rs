//! Authority, register and tokens without a network.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use watchpost_model::Timestamp;
use watchpost_model::query::Role;

use super::*;
use crate::state::Memory;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn record(name: &str) -> Record {
    Record {
        name: name.into(),
        role: Role::Viewer,
        agent: None,
        host: String::new(),
        issued: NOW,
        revoked: None,
    }
}

#[test]
fn the_authority_is_made_once_and_kept_to_its_owner() {
    let directory = tempfile::tempdir().unwrap();
    let made = Authority::open(directory.path(), NOW).unwrap();
    let mode = std::fs::metadata(directory.path().join("ca.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(Authority::open(directory.path(), NOW).unwrap().sha256(), made.sha256());
    std::fs::remove_file(directory.path().join("ca.key")).unwrap();
    assert!(matches!(Authority::open(directory.path(), NOW), Err(Error::Half { .. })));
}

#[test]
fn only_the_key_of_a_request_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::open(directory.path(), NOW).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
    let csr = params.serialize_request(&key).unwrap().pem().unwrap();
    let issued = authority.issue(&csr, "agent", NOW).unwrap();
    use rustls_pki_types::pem::PemObject as _;
    let der = rustls_pki_types::CertificateDer::from_pem_slice(issued.pem.as_bytes()).unwrap();
    assert_eq!(sha256(&der), issued.fingerprint);
    assert!(!der.windows(4).any(|window| window == b"evil"));
    assert!(matches!(authority.issue("junk", "agent", NOW), Err(Error::Request(_))));
    let again = authority.issue(&csr, "agent", NOW).unwrap();
    assert_ne!(again.fingerprint, issued.fingerprint, "serial numbers are random");
}

#[test]
fn a_name_that_no_certificate_can_carry_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::open(directory.path(), NOW).unwrap();
    let refused = authority.server(&["h\u{f6}st".into()], NOW).unwrap_err();
    assert!(matches!(refused, Error::Name { .. }), "{refused}");
    assert_eq!(authority.server(&["192.0.2.1".into()], NOW).unwrap().cert.len(), 2);
}

#[test]
fn a_revoked_certificate_counts_no_more_even_after_a_restart() {
    let state = Arc::new(Memory::default());
    let register = Register::open(state.clone()).unwrap();
    register.add([1; 32], record("ann")).unwrap();
    assert!(matches!(register.add([2; 32], record("ann")), Err(Error::Taken { .. })));
    assert_eq!(register.identity(&[1; 32]).unwrap().role, Role::Viewer);
    register.revoke("ann", NOW).unwrap();
    assert_eq!(register.identity(&[1; 32]), None);
    assert!(matches!(register.revoke("ann", NOW), Err(Error::Nobody { .. })));
    register.add([2; 32], record("ann")).unwrap();
    let register = Register::open(state).unwrap();
    assert_eq!(register.identity(&[1; 32]), None);
    assert!(register.identity(&[2; 32]).is_some());
    assert_eq!(register.list().len(), 2);
}

#[test]
fn a_token_works_as_often_as_it_says_and_no_later() {
    let state = Arc::new(Memory::default());
    let tokens = Tokens::new(state.clone());
    let token = tokens.make(&[7; 32], Duration::from_secs(60), 2, NOW).unwrap();
    assert_eq!(pinned(&token).unwrap(), "07".repeat(32));
    tokens.redeem(&token, NOW).unwrap();
    tokens.redeem(&token, NOW.plus(Duration::from_secs(59))).unwrap();
    assert!(matches!(tokens.redeem(&token, NOW), Err(Error::TokenUnknown)));
    let late = tokens.make(&[7; 32], Duration::from_secs(60), 1, NOW).unwrap();
    let after = NOW.plus(Duration::from_secs(61));
    assert!(matches!(tokens.redeem(&late, after), Err(Error::TokenExpired(_))));
    for junk in ["", "wp1.", "wp1.e30", "wp1.\u{1f600}", &"x".repeat(9_999)] {
        assert!(matches!(tokens.redeem(junk, NOW), Err(Error::TokenUnknown)), "{junk}");
    }
}

#[test]
fn the_state_never_holds_a_token_secret() {
    use crate::state::State as _;
    let state = Arc::new(Memory::default());
    let token = Tokens::new(state.clone()).make(&[7; 32], Duration::from_secs(60), 1, NOW).unwrap();
    let mut export = Vec::new();
    crate::state::export(state.as_ref(), &mut export).unwrap();
    assert!(!state.range(crate::state::Table::Tokens, &[], None, false, 9).unwrap().is_empty());
    assert!(!String::from_utf8(export).unwrap().contains(token.trim_start_matches("wp1.")));
}
