//! What the command line of `detect` takes.

use super::*;

#[test]
fn a_logsource_is_read_and_a_wrong_key_is_named() {
    assert_eq!(logsource("product=linux,service=auditd").unwrap().service.as_deref(), Some("auditd"));
    assert!(logsource("host=a").unwrap_err().contains("host=a"));
}
