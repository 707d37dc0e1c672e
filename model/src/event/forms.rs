//! Typed forms that producers fill in; each turns into an [`Event`].
//!
//! A form's fields are the ones every producer of that kind must think about; what only some
//! sources know is added to the event's record afterwards.

use std::net::IpAddr;
use std::time::Duration;

use super::{Event, Kind, Record};
use crate::field as f;
use crate::time::Timestamp;
use crate::value::Value;

/// The two ends of something on the network.
fn ends(record: &mut Record, source: Option<(IpAddr, u16)>, destination: Option<(IpAddr, u16)>) {
    if let Some((ip, port)) = source {
        record.set(f::SOURCE_IP, ip);
        record.set(f::SOURCE_PORT, port);
    }
    if let Some((ip, port)) = destination {
        record.set(f::DESTINATION_IP, ip);
        record.set(f::DESTINATION_PORT, port);
        record.set(f::NETWORK_TYPE, if ip.is_ipv4() { "ipv4" } else { "ipv6" });
    }
}

fn some_text(record: &mut Record, field: crate::FieldId, text: &str) {
    if !text.is_empty() {
        record.set(field, text);
    }
}

/// What one side of a flow sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Packets.
    pub packets: u64,
    /// IP bytes, headers included.
    pub bytes: u64,
    /// Bytes above the transport header.
    pub payload: u64,
}

/// A network flow.
#[derive(Clone, Debug)]
pub struct Flow<'a> {
    /// First packet.
    pub start: Timestamp,
    /// Last packet.
    pub end: Timestamp,
    /// The side that opened it. Port 0 where the transport has none; ICMP: the type.
    pub source: (IpAddr, u16),
    /// The side that was addressed. ICMP: the code as port.
    pub destination: (IpAddr, u16),
    /// `tcp`, `udp`, `icmp`, `ipv6-icmp` or the protocol's number.
    pub transport: &'a str,
    /// IANA protocol number.
    pub protocol_number: u8,
    /// What the source sent.
    pub sent: Side,
    /// What the destination sent.
    pub received: Side,
    /// Community ID version 1; empty where not computed.
    pub community_id: &'a str,
    /// Connection state in Zeek's words.
    pub state: &'a str,
    /// Why the record was written: `end`, `idle`, `active`, `pressure`, `shutdown`.
    pub reason: &'a str,
}

impl From<Flow<'_>> for Event {
    fn from(flow: Flow<'_>) -> Self {
        let mut event = Self::new(Kind::Flow, flow.end);
        let r = &mut event.record;
        r.set(f::EVENT_ACTION, "flow");
        r.set(f::EVENT_TYPE, "connection");
        r.set(f::EVENT_START, flow.start);
        r.set(f::EVENT_END, flow.end);
        r.set(f::EVENT_DURATION, flow.end.since(flow.start));
        ends(r, Some(flow.source), Some(flow.destination));
        r.set(f::SOURCE_PACKETS, flow.sent.packets);
        r.set(f::SOURCE_BYTES, flow.sent.bytes);
        r.set(f::SOURCE_PAYLOAD, flow.sent.payload);
        r.set(f::DESTINATION_PACKETS, flow.received.packets);
        r.set(f::DESTINATION_BYTES, flow.received.bytes);
        r.set(f::DESTINATION_PAYLOAD, flow.received.payload);
        r.set(f::NETWORK_TRANSPORT, flow.transport);
        r.set(f::NETWORK_IANA_NUMBER, flow.protocol_number.to_string());
        r.set(f::NETWORK_BYTES, flow.sent.bytes.saturating_add(flow.received.bytes));
        r.set(f::NETWORK_PACKETS, flow.sent.packets.saturating_add(flow.received.packets));
        some_text(r, f::NETWORK_COMMUNITY_ID, flow.community_id);
        some_text(r, f::FLOW_STATE, flow.state);
        some_text(r, f::FLOW_REASON, flow.reason);
        event
    }
}

/// A DNS message.
#[derive(Clone, Debug, Default)]
pub struct Dns {
    /// When the message was seen.
    pub time: Timestamp,
    /// Client address and port.
    pub source: Option<(IpAddr, u16)>,
    /// Server address and port.
    pub destination: Option<(IpAddr, u16)>,
    /// `udp` or `tcp`.
    pub transport: &'static str,
    /// Message id.
    pub id: u16,
    /// Whether it is an answer.
    pub answer: bool,
    /// Question name, lower case, no last dot.
    pub question: String,
    /// Question type, `A`, `TXT`…
    pub question_type: String,
    /// Response code by name; empty in a question.
    pub response_code: String,
    /// Answers: type, data, lifetime in seconds.
    pub answers: Vec<(String, String, u32)>,
    /// Addresses in the answers.
    pub resolved: Vec<IpAddr>,
}

impl From<Dns> for Event {
    fn from(dns: Dns) -> Self {
        let mut event = Self::new(Kind::Dns, dns.time);
        let r = &mut event.record;
        r.set(f::EVENT_ACTION, if dns.answer { "dns_answer" } else { "dns_query" });
        r.set(f::NETWORK_PROTOCOL, "dns");
        ends(r, dns.source, dns.destination);
        some_text(r, f::NETWORK_TRANSPORT, dns.transport);
        r.set(f::DNS_ID, dns.id.to_string());
        r.set(f::DNS_TYPE, if dns.answer { "answer" } else { "query" });
        some_text(r, f::DNS_QUESTION_NAME, &dns.question);
        some_text(r, f::DNS_QUESTION_TYPE, &dns.question_type);
        some_text(r, f::DNS_RESPONSE_CODE, &dns.response_code);
        if !dns.answers.is_empty() {
            let (mut types, mut data, mut ttls) = (Vec::new(), Vec::new(), Vec::new());
            for (kind, text, ttl) in dns.answers {
                types.push(Value::Text(kind));
                data.push(Value::Text(text));
                ttls.push(Value::from(ttl));
            }
            r.set(f::DNS_ANSWERS_TYPE, types);
            r.set(f::DNS_ANSWERS_DATA, data);
            r.set(f::DNS_ANSWERS_TTL, ttls);
        }
        if !dns.resolved.is_empty() {
            r.set(f::DNS_RESOLVED_IP, dns.resolved.into_iter().map(Value::Ip).collect::<Vec<_>>());
        }
        event
    }
}

/// A TLS handshake, as far as it was seen.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// When the ClientHello was complete.
    pub time: Timestamp,
    /// Client address and port.
    pub source: Option<(IpAddr, u16)>,
    /// Server address and port.
    pub destination: Option<(IpAddr, u16)>,
    /// Server name indication, lower case; empty where there was none.
    pub server_name: String,
    /// `1.0` to `1.3`; empty where unknown.
    pub version: String,
    /// ALPN protocols offered.
    pub alpn: Vec<String>,
}

impl From<Tls> for Event {
    fn from(tls: Tls) -> Self {
        let mut event = Self::new(Kind::Tls, tls.time);
        let r = &mut event.record;
        r.set(f::EVENT_ACTION, "tls_handshake");
        r.set(f::NETWORK_PROTOCOL, "tls");
        r.set(f::NETWORK_TRANSPORT, "tcp");
        ends(r, tls.source, tls.destination);
        some_text(r, f::TLS_SERVER_NAME, &tls.server_name);
        some_text(r, f::DESTINATION_DOMAIN, &tls.server_name);
        some_text(r, f::TLS_VERSION, &tls.version);
        if !tls.alpn.is_empty() {
            r.set(f::TLS_ALPN, tls.alpn);
        }
        event
    }
}

/// An HTTP request, with its answer where it was seen.
#[derive(Clone, Debug, Default)]
pub struct Http {
    /// When the request began.
    pub time: Timestamp,
    /// Client address and port.
    pub source: Option<(IpAddr, u16)>,
    /// Server address and port.
    pub destination: Option<(IpAddr, u16)>,
    /// Method as sent.
    pub method: String,
    /// Host asked for; empty where none.
    pub host: String,
    /// Request target as sent, secrets masked.
    pub target: String,
    /// User-Agent; empty where none.
    pub user_agent: String,
    /// Status of the answer, if seen.
    pub status: Option<u16>,
}

/// Splits a request target into path and query and sets the `url.*` fields.
fn set_url(record: &mut Record, host: &str, target: &str) {
    some_text(record, f::URL_DOMAIN, host);
    some_text(record, f::URL_ORIGINAL, target);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    some_text(record, f::URL_PATH, path);
    some_text(record, f::URL_QUERY, query);
}

impl From<Http> for Event {
    fn from(http: Http) -> Self {
        let mut event = Self::new(Kind::Http, http.time);
        let r = &mut event.record;
        r.set(f::EVENT_ACTION, "http_request");
        r.set(f::NETWORK_PROTOCOL, "http");
        r.set(f::NETWORK_TRANSPORT, "tcp");
        ends(r, http.source, http.destination);
        some_text(r, f::HTTP_METHOD, &http.method);
        set_url(r, &http.host, &http.target);
        some_text(r, f::USER_AGENT, &http.user_agent);
        r.set_some(f::HTTP_STATUS, http.status);
        event
    }
}

/// An SSH handshake.
#[derive(Clone, Debug, Default)]
pub struct Ssh {
    /// When the client's banner was seen.
    pub time: Timestamp,
    /// Client address and port.
    pub source: Option<(IpAddr, u16)>,
    /// Server address and port.
    pub destination: Option<(IpAddr, u16)>,
    /// Client's banner.
    pub client: String,
    /// Server's banner.
    pub server: String,
}

impl From<Ssh> for Event {
    fn from(ssh: Ssh) -> Self {
        let mut event = Self::new(Kind::Ssh, ssh.time);
        let r = &mut event.record;
        r.set(f::EVENT_ACTION, "ssh_handshake");
        r.set(f::NETWORK_PROTOCOL, "ssh");
        r.set(f::NETWORK_TRANSPORT, "tcp");
        ends(r, ssh.source, ssh.destination);
        some_text(r, f::SSH_CLIENT, &ssh.client);
        some_text(r, f::SSH_SERVER, &ssh.server);
        event
    }
}

/// A process that began (`exit_code` absent) or ended.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// When it began or ended.
    pub time: Timestamp,
    /// Process id.
    pub pid: u32,
    /// Parent's process id; 0 where unknown.
    pub parent_pid: u32,
    /// Path of the program; empty where it could not be read.
    pub executable: String,
    /// Command line, arguments separated by spaces, secrets masked.
    pub command_line: String,
    /// Working directory; empty where it could not be read.
    pub working_directory: String,
    /// Path of the parent's program.
    pub parent_executable: String,
    /// Command line of the parent.
    pub parent_command_line: String,
    /// User name, or the number where it has none.
    pub user: String,
    /// Exit code, when it ended.
    pub exit_code: Option<i32>,
}

impl From<Process> for Event {
    fn from(process: Process) -> Self {
        let mut event = Self::new(Kind::Process, process.time);
        let r = &mut event.record;
        let ended = process.exit_code.is_some();
        r.set(f::EVENT_ACTION, if ended { "exit" } else { "exec" });
        r.set(f::EVENT_TYPE, if ended { "end" } else { "start" });
        r.set(f::PROCESS_PID, process.pid);
        if process.parent_pid != 0 {
            r.set(f::PROCESS_PARENT_PID, process.parent_pid);
        }
        some_text(r, f::PROCESS_EXECUTABLE, &process.executable);
        let name = process.executable.rsplit('/').next().unwrap_or_default();
        some_text(r, f::PROCESS_NAME, name);
        some_text(r, f::PROCESS_COMMAND_LINE, &process.command_line);
        some_text(r, f::PROCESS_WORKING_DIRECTORY, &process.working_directory);
        some_text(r, f::PROCESS_PARENT_EXECUTABLE, &process.parent_executable);
        some_text(r, f::PROCESS_PARENT_COMMAND_LINE, &process.parent_command_line);
        some_text(r, f::USER_NAME, &process.user);
        r.set_some(f::PROCESS_EXIT_CODE, process.exit_code);
        event
    }
}

/// A change of a file.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// When it was noticed.
    pub time: Timestamp,
    /// `creation`, `change` or `deletion`.
    pub change: &'static str,
    /// Path.
    pub path: String,
    /// SHA-256 of the content, hex; empty where not read.
    pub sha256: String,
    /// Bytes.
    pub size: Option<u64>,
}

impl From<File> for Event {
    fn from(file: File) -> Self {
        let mut event = Self::new(Kind::File, file.time);
        let r = &mut event.record;
        some_text(r, f::EVENT_TYPE, file.change);
        r.set(f::EVENT_ACTION, format!("file_{}", file.change));
        some_text(r, f::FILE_PATH, &file.path);
        some_text(r, f::FILE_NAME, file.path.rsplit('/').next().unwrap_or_default());
        some_text(r, f::FILE_HASH, &file.sha256);
        r.set_some(f::FILE_SIZE, file.size);
        event
    }
}

/// What every line of a log brings.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// When it was written, or read where the line has no time.
    pub time: Timestamp,
    /// Program that wrote it: `sshd`, `cron`; empty where unknown.
    pub provider: String,
    /// The raw line, after masking.
    pub original: String,
    /// The message without header.
    pub message: String,
}

impl Log {
    fn fill(&self, record: &mut Record) {
        some_text(record, f::EVENT_PROVIDER, &self.provider);
        some_text(record, f::EVENT_ORIGINAL, &self.original);
        some_text(record, f::MESSAGE, &self.message);
    }
}

impl From<Log> for Event {
    /// A line that no parser knew: marked `watchpost.parse: raw`.
    fn from(log: Log) -> Self {
        let mut event = Self::new(Kind::Log, log.time);
        log.fill(&mut event.record);
        event.record.set(f::PARSE, "raw");
        event
    }
}

/// A log line that says who logged in, tried to, or changed rights.
#[derive(Clone, Debug, Default)]
pub struct Auth {
    /// The line.
    pub log: Log,
    /// What was done: `ssh_login`, `sudo`, `su`, `session_opened`, `user_added`…
    pub action: &'static str,
    /// `success`, `failure` or `unknown`.
    pub outcome: &'static str,
    /// Who acted or tried to; empty where the line does not say.
    pub user: String,
    /// Whose rights were taken, or who was changed; empty where none.
    pub target_user: String,
    /// Remote address, if the line has one.
    pub source_ip: Option<IpAddr>,
    /// Remote port, if the line has one.
    pub source_port: Option<u16>,
    /// `password`, `publickey`…; empty where none.
    pub method: String,
}

impl From<Auth> for Event {
    fn from(auth: Auth) -> Self {
        let mut event = Self::new(Kind::Auth, auth.log.time);
        let r = &mut event.record;
        auth.log.fill(r);
        some_text(r, f::EVENT_ACTION, auth.action);
        some_text(r, f::EVENT_OUTCOME, auth.outcome);
        some_text(r, f::USER_NAME, &auth.user);
        some_text(r, f::USER_TARGET, &auth.target_user);
        r.set_some(f::SOURCE_IP, auth.source_ip);
        r.set_some(f::SOURCE_PORT, auth.source_port);
        some_text(r, f::AUTH_METHOD, &auth.method);
        event
    }
}

/// A line of a web server's access log.
#[derive(Clone, Debug, Default)]
pub struct Web {
    /// The line.
    pub log: Log,
    /// Client address.
    pub source_ip: Option<IpAddr>,
    /// User from HTTP authentication; empty where none.
    pub user: String,
    /// Method.
    pub method: String,
    /// Host asked for; empty where the format does not have it.
    pub host: String,
    /// Request target, secrets masked.
    pub target: String,
    /// Status of the answer.
    pub status: Option<u16>,
    /// Bytes of the answer's body.
    pub bytes: Option<u64>,
    /// Referer; empty where none.
    pub referrer: String,
    /// User-Agent; empty where none.
    pub user_agent: String,
}

impl From<Web> for Event {
    fn from(web: Web) -> Self {
        let mut event = Self::new(Kind::Web, web.log.time);
        let r = &mut event.record;
        web.log.fill(r);
        r.set(f::EVENT_ACTION, "http_request");
        if let Some(status) = web.status {
            r.set(f::HTTP_STATUS, status);
            r.set(f::EVENT_OUTCOME, if status < 400 { "success" } else { "failure" });
        }
        r.set_some(f::SOURCE_IP, web.source_ip);
        some_text(r, f::USER_NAME, &web.user);
        some_text(r, f::HTTP_METHOD, &web.method);
        set_url(r, &web.host, &web.target);
        r.set_some(f::HTTP_RESPONSE_BYTES, web.bytes);
        some_text(r, f::HTTP_REFERRER, &web.referrer);
        some_text(r, f::USER_AGENT, &web.user_agent);
        event
    }
}

/// How the host and its agent are; sent as heartbeat.
#[derive(Clone, Debug, Default)]
pub struct HostState {
    /// When it was measured.
    pub time: Timestamp,
    /// Seconds since boot.
    pub uptime: Duration,
    /// Share of all cores busy since the last report, 0 to 1.
    pub cpu: f64,
    /// Bytes of memory.
    pub memory_total: u64,
    /// Bytes of memory still to be had.
    pub memory_available: u64,
    /// Load average over one minute.
    pub load: f64,
    /// Resident bytes of the agent.
    pub agent_memory: u64,
    /// Share of one core that the agent used since the last report.
    pub agent_cpu: f64,
    /// Capture rung in force: `ring`, `pnet`, `sockets`, `none`.
    pub rung: String,
    /// What the agent can not see, and why; one sentence each.
    pub blind: Vec<String>,
}

impl From<HostState> for Event {
    fn from(state: HostState) -> Self {
        let mut event = Self::new(Kind::HostState, state.time);
        let r = &mut event.record;
        r.set(f::EVENT_KIND, "metric");
        r.set(f::EVENT_ACTION, "heartbeat");
        r.set(f::HOST_UPTIME, state.uptime.as_secs());
        r.set(f::HOST_CPU_USAGE, state.cpu);
        r.set(f::HOST_MEMORY_TOTAL, state.memory_total);
        r.set(f::HOST_MEMORY_AVAILABLE, state.memory_available);
        r.set(f::HOST_LOAD_1, state.load);
        r.set(f::AGENT_MEMORY, state.agent_memory);
        r.set(f::AGENT_CPU, state.agent_cpu);
        some_text(r, f::AGENT_RUNG, &state.rung);
        if !state.blind.is_empty() {
            r.set(f::AGENT_BLIND, state.blind);
        }
        event
    }
}

/// Records were lost.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    /// When it was noticed.
    pub time: Timestamp,
    /// Where: a stage of the [`crate::ledger`].
    pub stage: &'static str,
    /// How many since the last such event.
    pub count: u64,
}

impl From<Loss> for Event {
    fn from(loss: Loss) -> Self {
        let mut event = Self::new(Kind::Loss, loss.time);
        event.record.set(f::EVENT_ACTION, "loss");
        event.record.set(f::LOSS_STAGE, loss.stage);
        event.record.set(f::LOSS_COUNT, loss.count);
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_raw_line_is_marked_raw_and_a_parsed_one_is_not() {
        let log = Log { original: "x".into(), message: "x".into(), ..Log::default() };
        assert_eq!(Event::from(log.clone()).text(f::PARSE), Some("raw"));
        assert_eq!(Event::from(Auth { log, ..Auth::default() }).text(f::PARSE), None);
    }

    #[test]
    fn a_flow_adds_both_sides_up() {
        let side = Side { packets: 2, bytes: 100, payload: 20 };
        let event = Event::from(Flow {
            start: Timestamp::EPOCH,
            end: Timestamp::from_millis(5),
            source: (Ipv4Addr::LOCALHOST.into(), 1),
            destination: (Ipv4Addr::LOCALHOST.into(), 2),
            transport: "tcp",
            protocol_number: 6,
            sent: side,
            received: side,
            community_id: "",
            state: "SF",
            reason: "end",
        });
        assert_eq!(event.record.get(f::NETWORK_BYTES), Some(&Value::Uint(200)));
        assert_eq!(event.record.get(f::EVENT_DURATION), Some(&Value::Uint(5_000_000)));
        assert_eq!(event.record.get(f::NETWORK_COMMUNITY_ID), None);
    }

    #[test]
    fn a_target_is_split_at_the_first_question_mark() {
        let event = Event::from(Http { target: "/a?b=c?d".into(), ..Http::default() });
        assert_eq!(event.text(f::URL_PATH), Some("/a"));
        assert_eq!(event.text(f::URL_QUERY), Some("b=c?d"));
    }
}
