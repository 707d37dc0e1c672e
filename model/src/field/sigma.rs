//! Sigma's names: which logsources an event kind answers to, and what a field is called there.
//!
//! A rule names a logsource (`category`, `product`, `service`); an event of ours answers to a
//! *set* of logsources. Within a logsource, Sigma's field name leads to ours. ECS names are
//! understood in every logsource. Sources: the Sigma taxonomy appendix (version 2.1) and the
//! fields used by SigmaHQ's rules for each logsource.

use super::{self as field, FieldId};
use crate::event::Kind;

/// What a rule's `logsource` block may name. An absent part is a wildcard in a rule, and
/// "does not have one" in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Logsource<'a> {
    /// For example `network_connection`.
    pub category: Option<&'a str>,
    /// For example `linux`.
    pub product: Option<&'a str>,
    /// For example `sshd`.
    pub service: Option<&'a str>,
}

impl Logsource<'_> {
    /// Whether a rule with this logsource wants events of the class `event`: each part the
    /// rule names must be the event's.
    #[must_use]
    pub fn wants(&self, event: &Logsource<'_>) -> bool {
        fn part(rule: Option<&str>, event: Option<&str>) -> bool {
            rule.is_none_or(|want| event.is_some_and(|have| want.eq_ignore_ascii_case(have)))
        }
        part(self.category, event.category)
            && part(self.product, event.product)
            && part(self.service, event.service)
    }
}

/// A class of events as Sigma sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// `category: network_connection`, `product: linux`.
    NetworkConnection,
    /// `category: firewall`.
    Firewall,
    /// `product: zeek`, `service: conn`.
    ZeekConn,
    /// `category: dns`.
    Dns,
    /// `category: dns_query`, `product: linux`.
    DnsQuery,
    /// `product: zeek`, `service: dns`.
    ZeekDns,
    /// `category: proxy`.
    Proxy,
    /// `category: webserver`.
    Webserver,
    /// `product: zeek`, `service: http`.
    ZeekHttp,
    /// `product: zeek`, `service: ssl`.
    ZeekSsl,
    /// `product: zeek`, `service: ssh`.
    ZeekSsh,
    /// `category: process_creation`, `product: linux`.
    ProcessCreation,
    /// `category: file_event`, `product: linux`.
    FileEvent,
    /// `product: linux`, `service: auditd`.
    Auditd,
    /// `product: linux` with the program as `service`: `sshd`, `sudo`, `cron`, `auth`, `syslog`…
    LinuxLog,
    /// `product: watchpost`: our own state and loss records.
    Own,
}

/// One alias: in `class`, Sigma's `name` means `field`.
#[derive(Clone, Copy, Debug)]
pub struct Alias {
    /// Where the name is used.
    pub class: Class,
    /// Sigma's name.
    pub name: &'static str,
    /// Our field.
    pub field: FieldId,
}

/// The classes that an event of `kind` answers to. The service of a `LinuxLog` event is its
/// provider; see [`services`].
#[must_use]
pub fn classes(kind: Kind) -> &'static [Class] {
    match kind {
        Kind::Flow => &[Class::NetworkConnection, Class::Firewall, Class::ZeekConn],
        Kind::Dns => &[Class::Dns, Class::DnsQuery, Class::ZeekDns],
        Kind::Http => &[Class::Proxy, Class::Webserver, Class::ZeekHttp],
        Kind::Tls => &[Class::ZeekSsl],
        Kind::Ssh => &[Class::ZeekSsh],
        Kind::Process => &[Class::ProcessCreation],
        Kind::File => &[Class::FileEvent],
        Kind::Audit => &[Class::Auditd],
        Kind::Auth | Kind::Log => &[Class::LinuxLog],
        Kind::Web => &[Class::Webserver],
        Kind::HostState | Kind::Loss => &[Class::Own],
    }
}

/// The fixed logsource of a class; for [`Class::LinuxLog`] only the product is fixed.
#[must_use]
pub fn logsource(class: Class) -> Logsource<'static> {
    let (category, product, service) = match class {
        Class::NetworkConnection => (Some("network_connection"), Some("linux"), None),
        Class::Firewall => (Some("firewall"), None, None),
        Class::ZeekConn => (None, Some("zeek"), Some("conn")),
        Class::Dns => (Some("dns"), None, None),
        Class::DnsQuery => (Some("dns_query"), Some("linux"), None),
        Class::ZeekDns => (None, Some("zeek"), Some("dns")),
        Class::Proxy => (Some("proxy"), None, None),
        Class::Webserver => (Some("webserver"), None, None),
        Class::ZeekHttp => (None, Some("zeek"), Some("http")),
        Class::ZeekSsl => (None, Some("zeek"), Some("ssl")),
        Class::ZeekSsh => (None, Some("zeek"), Some("ssh")),
        Class::ProcessCreation => (Some("process_creation"), Some("linux"), None),
        Class::FileEvent => (Some("file_event"), Some("linux"), None),
        Class::Auditd => (None, Some("linux"), Some("auditd")),
        Class::LinuxLog => (None, Some("linux"), None),
        Class::Own => (None, Some("watchpost"), None),
    };
    Logsource { category, product, service }
}

/// The `service` names that a log line written by `provider` answers to, besides the
/// provider's own name.
#[must_use]
pub fn services(provider: &str) -> &'static [&'static str] {
    match provider {
        "sshd" | "sshd-session" => &["sshd", "auth"],
        "sudo" => &["sudo", "auth"],
        "su" | "login" | "pam" | "useradd" | "usermod" | "userdel" | "groupadd" | "groupmod" | "groupdel"
        | "gpasswd" | "passwd" | "chpasswd" | "adduser" | "addgroup" => &["auth"],
        "cron" | "crond" | "CRON" | "crontab" => &["cron", "syslog"],
        "clamd" | "freshclam" => &["clamav", "syslog"],
        "vsftpd" => &["vsftpd", "syslog"],
        _ => &["syslog"],
    }
}

/// The field that a rule's `name` means in `class`: Sigma's alias first, then the ECS name.
#[must_use]
pub fn resolve(class: Class, name: &str) -> Option<FieldId> {
    ALIASES
        .iter()
        .find(|alias| alias.class == class && alias.name == name)
        .map(|alias| alias.field)
        .or_else(|| FieldId::named(name))
}

macro_rules! aliases {
    ($($class:ident { $($name:literal => $field:ident),* $(,)? })*) => {
        &[$($(Alias { class: Class::$class, name: $name, field: field::$field },)*)*]
    };
}

/// Every alias.
pub const ALIASES: &[Alias] = aliases! {
    NetworkConnection {
        "Image" => PROCESS_EXECUTABLE, "User" => USER_NAME, "ProcessId" => PROCESS_PID,
        "CommandLine" => PROCESS_COMMAND_LINE, "ParentImage" => PROCESS_PARENT_EXECUTABLE,
        "Protocol" => NETWORK_TRANSPORT, "Direction" => NETWORK_DIRECTION,
        "SourceIp" => SOURCE_IP, "SourcePort" => SOURCE_PORT, "SourceHostname" => SOURCE_DOMAIN,
        "DestinationIp" => DESTINATION_IP, "DestinationPort" => DESTINATION_PORT,
        "DestinationHostname" => DESTINATION_DOMAIN,
    }
    Firewall {
        "src_ip" => SOURCE_IP, "src_port" => SOURCE_PORT, "dst_ip" => DESTINATION_IP,
        "dst_port" => DESTINATION_PORT, "username" => USER_NAME, "protocol" => NETWORK_TRANSPORT,
    }
    ZeekConn {
        "id.orig_h" => SOURCE_IP, "id.orig_p" => SOURCE_PORT, "id.resp_h" => DESTINATION_IP,
        "id.resp_p" => DESTINATION_PORT, "proto" => NETWORK_TRANSPORT, "service" => NETWORK_PROTOCOL,
        "conn_state" => FLOW_STATE, "orig_pkts" => SOURCE_PACKETS, "resp_pkts" => DESTINATION_PACKETS,
        "orig_ip_bytes" => SOURCE_BYTES, "resp_ip_bytes" => DESTINATION_BYTES,
        "orig_bytes" => SOURCE_PAYLOAD, "resp_bytes" => DESTINATION_PAYLOAD, "community_id" => NETWORK_COMMUNITY_ID,
    }
    Dns {
        "query" => DNS_QUESTION_NAME, "record_type" => DNS_QUESTION_TYPE, "answer" => DNS_ANSWERS_DATA,
        "src_ip" => SOURCE_IP, "dst_ip" => DESTINATION_IP, "QueryName" => DNS_QUESTION_NAME,
    }
    DnsQuery {
        "QueryName" => DNS_QUESTION_NAME, "QueryResults" => DNS_ANSWERS_DATA, "QueryStatus" => DNS_RESPONSE_CODE,
        "Image" => PROCESS_EXECUTABLE, "User" => USER_NAME, "ProcessId" => PROCESS_PID,
    }
    ZeekDns {
        "query" => DNS_QUESTION_NAME, "qtype_name" => DNS_QUESTION_TYPE, "qclass_name" => DNS_QUESTION_CLASS,
        "rcode_name" => DNS_RESPONSE_CODE, "answers" => DNS_ANSWERS_DATA, "proto" => NETWORK_TRANSPORT,
        "id.orig_h" => SOURCE_IP, "id.orig_p" => SOURCE_PORT, "id.resp_h" => DESTINATION_IP, "id.resp_p" => DESTINATION_PORT,
    }
    Proxy {
        "c-uri" => URL_ORIGINAL, "cs-uri" => URL_ORIGINAL, "cs-uri-query" => URL_QUERY, "c-uri-query" => URL_QUERY,
        "cs-uri-stem" => URL_PATH, "cs-host" => URL_DOMAIN, "r-dns" => URL_DOMAIN, "cs-method" => HTTP_METHOD,
        "c-useragent" => USER_AGENT, "cs-user-agent" => USER_AGENT, "cs-referer" => HTTP_REFERRER,
        "sc-status" => HTTP_STATUS, "c-ip" => SOURCE_IP, "src_ip" => SOURCE_IP, "dst_ip" => DESTINATION_IP,
        "dst_port" => DESTINATION_PORT, "cs-bytes" => SOURCE_BYTES, "sc-bytes" => DESTINATION_BYTES,
        "cs-version" => HTTP_VERSION,
    }
    Webserver {
        "c-uri" => URL_ORIGINAL, "cs-uri" => URL_ORIGINAL, "cs-uri-query" => URL_ORIGINAL, "c-uri-query" => URL_ORIGINAL,
        "cs-uri-stem" => URL_PATH, "cs-host" => URL_DOMAIN, "cs-method" => HTTP_METHOD,
        "c-useragent" => USER_AGENT, "cs-user-agent" => USER_AGENT, "cs-referer" => HTTP_REFERRER,
        "sc-status" => HTTP_STATUS, "c-ip" => SOURCE_IP, "src_ip" => SOURCE_IP, "cs-username" => USER_NAME,
        "sc-bytes" => HTTP_RESPONSE_BYTES, "cs-version" => HTTP_VERSION,
    }
    ZeekHttp {
        "method" => HTTP_METHOD, "host" => URL_DOMAIN, "uri" => URL_ORIGINAL, "user_agent" => USER_AGENT,
        "referrer" => HTTP_REFERRER, "status_code" => HTTP_STATUS, "request_body_len" => HTTP_REQUEST_BYTES,
        "response_body_len" => HTTP_RESPONSE_BYTES, "resp_mime_types" => HTTP_MIME,
        "c-uri" => URL_ORIGINAL, "c-useragent" => USER_AGENT,
        "id.orig_h" => SOURCE_IP, "id.orig_p" => SOURCE_PORT, "id.resp_h" => DESTINATION_IP, "id.resp_p" => DESTINATION_PORT,
    }
    ZeekSsl {
        "server_name" => TLS_SERVER_NAME, "version" => TLS_VERSION, "cipher" => TLS_CIPHER, "ja3" => TLS_JA3,
        "ja4" => TLS_JA4, "subject" => TLS_SERVER_SUBJECT, "issuer" => TLS_SERVER_ISSUER,
        "established" => TLS_ESTABLISHED, "next_protocol" => TLS_NEXT_PROTOCOL,
        "id.orig_h" => SOURCE_IP, "id.orig_p" => SOURCE_PORT, "id.resp_h" => DESTINATION_IP, "id.resp_p" => DESTINATION_PORT,
    }
    ZeekSsh {
        "client" => SSH_CLIENT, "server" => SSH_SERVER, "hassh" => SSH_HASSH,
        "id.orig_h" => SOURCE_IP, "id.orig_p" => SOURCE_PORT, "id.resp_h" => DESTINATION_IP, "id.resp_p" => DESTINATION_PORT,
    }
    ProcessCreation {
        "Image" => PROCESS_EXECUTABLE, "CommandLine" => PROCESS_COMMAND_LINE, "ProcessId" => PROCESS_PID,
        "CurrentDirectory" => PROCESS_WORKING_DIRECTORY, "User" => USER_NAME, "sha256" => PROCESS_HASH,
        "ParentProcessId" => PROCESS_PARENT_PID, "ParentImage" => PROCESS_PARENT_EXECUTABLE,
        "ParentCommandLine" => PROCESS_PARENT_COMMAND_LINE,
    }
    FileEvent {
        "TargetFilename" => FILE_PATH, "Image" => PROCESS_EXECUTABLE, "User" => USER_NAME, "ProcessId" => PROCESS_PID,
    }
    Auditd {
        "type" => AUDIT_TYPE, "exe" => PROCESS_EXECUTABLE, "comm" => PROCESS_NAME, "key" => AUDIT_KEY,
        "name" => FILE_PATH, "pid" => PROCESS_PID, "ppid" => PROCESS_PARENT_PID, "auid" => USER_ID,
    }
    LinuxLog {
        "USER" => USER_TARGET, "TTY" => PROCESS_TTY, "PWD" => PROCESS_WORKING_DIRECTORY, "COMMAND" => PROCESS_COMMAND_LINE,
        "CommandLine" => PROCESS_COMMAND_LINE, "SourceIP" => SOURCE_IP, "User" => USER_NAME,
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_part_left_out_is_a_wildcard() {
        let rule = Logsource { category: Some("network_connection"), ..Logsource::default() };
        assert!(rule.wants(&logsource(Class::NetworkConnection)));
        assert!(!rule.wants(&logsource(Class::Dns)));
        let windows = Logsource { product: Some("windows"), ..rule };
        assert!(!windows.wants(&logsource(Class::NetworkConnection)));
    }

    #[test]
    fn the_same_sigma_name_means_one_field_within_a_class() {
        for (index, one) in ALIASES.iter().enumerate() {
            for other in ALIASES.iter().skip(index + 1) {
                assert!(one.class != other.class || one.name != other.name, "{one:?} stands twice");
            }
        }
    }

    #[test]
    fn ecs_names_are_understood_in_every_class() {
        assert_eq!(resolve(Class::ZeekConn, "source.ip"), Some(field::SOURCE_IP));
        assert_eq!(resolve(Class::ZeekConn, "id.orig_h"), Some(field::SOURCE_IP));
        assert_eq!(resolve(Class::ZeekConn, "nonsense"), None);
    }
}
