//! Which pair is which field, by source. Rows are tried in order; the first that has a value wins.

use watchpost_model::{FieldId, Kind, field as f};

use super::{Dialect, Pairs, first};

/// The dialect of JSON pairs, told by names that only it has.
pub(super) fn dialect(pairs: &Pairs) -> &'static Dialect {
    if first(pairs, "event_type").is_some() && first(pairs, "timestamp").is_some() {
        &EVE
    } else if first(pairs, "id.orig_h").is_some() {
        &ZEEK
    } else if first(pairs, "Type") == Some("VMConnection") {
        &CONNECTION
    } else if first(pairs, "request.remote_ip").is_some() && first(pairs, "request.uri").is_some() {
        &CADDY
    } else {
        &OTHER
    }
}

/// Suricata's EVE.
static EVE: Dialect = Dialect {
    provider: "suricata",
    time: &["timestamp"],
    kinds: &[
        ("event_type", "alert", Kind::Log, "ids_alert"),
        ("event_type", "dns", Kind::Dns, "dns_query"),
        ("event_type", "tls", Kind::Tls, "tls_handshake"),
        ("event_type", "http", Kind::Http, "http_request"),
        ("event_type", "ssh", Kind::Ssh, "ssh_handshake"),
    ],
    fields: EVE_FIELDS,
};

const EVE_FIELDS: &[(&str, FieldId)] = &[
    ("src_ip", f::SOURCE_IP),
    ("src_port", f::SOURCE_PORT),
    ("dest_ip", f::DESTINATION_IP),
    ("dest_port", f::DESTINATION_PORT),
    ("proto", f::NETWORK_TRANSPORT),
    ("app_proto", f::NETWORK_PROTOCOL),
    ("community_id", f::NETWORK_COMMUNITY_ID),
    ("in_iface", f::CAPTURE_INTERFACE),
    ("flow_id", f::FLOW_ID),
    ("alert.signature", f::MESSAGE),
    ("alert.signature_id", f::EVENT_CODE),
    ("alert.category", f::EVENT_REASON),
    ("alert.action", f::EVENT_TYPE),
    ("alert.severity", f::LOG_LEVEL),
    ("flow.pkts_toserver", f::SOURCE_PACKETS),
    ("flow.bytes_toserver", f::SOURCE_BYTES),
    ("flow.pkts_toclient", f::DESTINATION_PACKETS),
    ("flow.bytes_toclient", f::DESTINATION_BYTES),
    ("dns.rrname", f::DNS_QUESTION_NAME),
    ("dns.rrtype", f::DNS_QUESTION_TYPE),
    ("dns.rcode", f::DNS_RESPONSE_CODE),
    ("dns.id", f::DNS_ID),
    ("dns.queries.rrname", f::DNS_QUESTION_NAME),
    ("dns.queries.rrtype", f::DNS_QUESTION_TYPE),
    ("tls.sni", f::TLS_SERVER_NAME),
    ("tls.version", f::TLS_VERSION),
    ("tls.subject", f::TLS_SERVER_SUBJECT),
    ("tls.issuerdn", f::TLS_SERVER_ISSUER),
    ("tls.ja3.hash", f::TLS_JA3),
    ("tls.ja4", f::TLS_JA4),
    ("http.http_method", f::HTTP_METHOD),
    ("http.hostname", f::URL_DOMAIN),
    ("http.url", f::URL_ORIGINAL),
    ("http.status", f::HTTP_STATUS),
    ("http.http_user_agent", f::USER_AGENT),
    ("http.http_refer", f::HTTP_REFERRER),
    ("ssh.client.software_version", f::SSH_CLIENT),
    ("ssh.server.software_version", f::SSH_SERVER),
];

/// Zeek, as JSON or in columns.
pub(super) static ZEEK: Dialect = Dialect {
    provider: "zeek",
    time: &["ts"],
    kinds: &[
        ("conn_state", "", Kind::Flow, "flow"),
        ("note", "", Kind::Log, "ids_alert"),
        ("query", "", Kind::Dns, "dns_query"),
        ("method", "", Kind::Http, "http_request"),
        ("cipher", "", Kind::Tls, "tls_handshake"),
        ("server_name", "", Kind::Tls, "tls_handshake"),
        ("cipher_alg", "", Kind::Ssh, "ssh_handshake"),
    ],
    fields: ZEEK_FIELDS,
};

const ZEEK_FIELDS: &[(&str, FieldId)] = &[
    ("id.orig_h", f::SOURCE_IP),
    ("id.orig_p", f::SOURCE_PORT),
    ("id.resp_h", f::DESTINATION_IP),
    ("id.resp_p", f::DESTINATION_PORT),
    ("proto", f::NETWORK_TRANSPORT),
    ("service", f::NETWORK_PROTOCOL),
    ("uid", f::FLOW_ID),
    ("community_id", f::NETWORK_COMMUNITY_ID),
    ("conn_state", f::FLOW_STATE),
    ("orig_pkts", f::SOURCE_PACKETS),
    ("orig_ip_bytes", f::SOURCE_BYTES),
    ("orig_bytes", f::SOURCE_PAYLOAD),
    ("resp_pkts", f::DESTINATION_PACKETS),
    ("resp_ip_bytes", f::DESTINATION_BYTES),
    ("resp_bytes", f::DESTINATION_PAYLOAD),
    ("msg", f::MESSAGE),
    ("note", f::EVENT_CODE),
    ("query", f::DNS_QUESTION_NAME),
    ("qtype_name", f::DNS_QUESTION_TYPE),
    ("rcode_name", f::DNS_RESPONSE_CODE),
    ("trans_id", f::DNS_ID),
    ("answers", f::DNS_ANSWERS_DATA),
    ("method", f::HTTP_METHOD),
    ("host", f::URL_DOMAIN),
    ("uri", f::URL_ORIGINAL),
    ("status_code", f::HTTP_STATUS),
    ("user_agent", f::USER_AGENT),
    ("referrer", f::HTTP_REFERRER),
    ("server_name", f::TLS_SERVER_NAME),
    ("cipher", f::TLS_CIPHER),
    ("subject", f::TLS_SERVER_SUBJECT),
    ("issuer", f::TLS_SERVER_ISSUER),
    ("ja3", f::TLS_JA3),
    ("ja4", f::TLS_JA4),
    ("established", f::TLS_ESTABLISHED),
    ("client", f::SSH_CLIENT),
    ("server", f::SSH_SERVER),
];

/// Connections with the program that holds them, as a cloud's agent sums them up.
static CONNECTION: Dialect = Dialect {
    provider: "vmconnection",
    time: &["TimeGenerated"],
    kinds: &[("DestinationIp", "", Kind::Flow, "flow")],
    fields: &[
        ("SourceIp", f::SOURCE_IP),
        ("DestinationIp", f::DESTINATION_IP),
        ("DestinationPort", f::DESTINATION_PORT),
        ("Protocol", f::NETWORK_TRANSPORT),
        ("Direction", f::NETWORK_DIRECTION),
        ("ProcessName", f::PROCESS_NAME),
        ("BytesSent", f::SOURCE_BYTES),
        ("BytesReceived", f::DESTINATION_BYTES),
        ("Computer", f::LOG_SYSLOG_HOST),
    ],
};

/// Access log of Caddy.
static CADDY: Dialect = Dialect {
    provider: "caddy",
    time: &["ts"],
    kinds: &[("request.uri", "", Kind::Web, "http_request")],
    fields: &[
        // The client behind a proxy that the server trusts; else the peer.
        ("request.client_ip", f::SOURCE_IP),
        ("request.remote_ip", f::SOURCE_IP),
        ("request.method", f::HTTP_METHOD),
        ("request.host", f::URL_DOMAIN),
        ("request.uri", f::URL_ORIGINAL),
        ("request.headers.User-Agent", f::USER_AGENT),
        ("request.headers.Referer", f::HTTP_REFERRER),
        ("status", f::HTTP_STATUS),
        ("size", f::HTTP_RESPONSE_BYTES),
        ("bytes_read", f::HTTP_REQUEST_BYTES),
        ("user_id", f::USER_NAME),
        ("msg", f::MESSAGE),
    ],
};

/// ArcSight's common event format.
pub(super) static CEF: Dialect = Dialect {
    provider: "cef",
    time: &[],
    kinds: &[("name", "", Kind::Log, "device_event")],
    fields: &[
        ("src", f::SOURCE_IP),
        ("spt", f::SOURCE_PORT),
        ("dst", f::DESTINATION_IP),
        ("dpt", f::DESTINATION_PORT),
        ("proto", f::NETWORK_TRANSPORT),
        ("app", f::NETWORK_PROTOCOL),
        ("suser", f::USER_NAME),
        ("duser", f::USER_TARGET),
        ("act", f::EVENT_TYPE),
        ("outcome", f::EVENT_OUTCOME),
        ("reason", f::EVENT_REASON),
        ("request", f::URL_ORIGINAL),
        ("requestMethod", f::HTTP_METHOD),
        ("fname", f::FILE_PATH),
        ("msg", f::MESSAGE),
        ("name", f::MESSAGE),
        ("class", f::EVENT_CODE),
        ("product", f::SERVICE_NAME),
    ],
};

/// JSON of anyone: the names that many agree on.
static OTHER: Dialect = Dialect {
    provider: "json",
    time: &["@timestamp", "timestamp", "time", "ts", "datetime"],
    kinds: &[],
    fields: &[
        ("message", f::MESSAGE),
        ("msg", f::MESSAGE),
        ("log", f::MESSAGE),
        ("level", f::LOG_LEVEL),
        ("severity", f::LOG_LEVEL),
        ("log.level", f::LOG_LEVEL),
        ("user", f::USER_NAME),
        ("username", f::USER_NAME),
        ("user.name", f::USER_NAME),
        ("remote_addr", f::SOURCE_IP),
        ("remote_ip", f::SOURCE_IP),
        ("client_ip", f::SOURCE_IP),
        ("source.ip", f::SOURCE_IP),
        ("src_ip", f::SOURCE_IP),
        ("source.port", f::SOURCE_PORT),
        ("src_port", f::SOURCE_PORT),
        ("destination.ip", f::DESTINATION_IP),
        ("destination.port", f::DESTINATION_PORT),
        ("event.action", f::EVENT_REASON),
        ("event.outcome", f::EVENT_OUTCOME),
        ("service", f::SERVICE_NAME),
        ("service.name", f::SERVICE_NAME),
        ("method", f::HTTP_METHOD),
        ("status", f::HTTP_STATUS),
        ("user_agent", f::USER_AGENT),
    ],
};
