//! HTTP/1: request lines, the headers that say who asked for what, and the answer's status.
//!
//! Bodies are skipped, not read. Behind a body of unknown length the next head is looked for at
//! the begin of a segment, which is where it stands in practice.

use std::collections::VecDeque;

use watchpost_model::Timestamp;
use watchpost_model::event::Http;

use super::Found;
use super::found::HttpExtra;
use super::stream::{Pushed, Stream};
use crate::parse::mask;

/// Bytes of a head that are looked at. Servers refuse longer ones.
const MOST_HEAD: usize = 8 * 1_024;

/// Characters kept of one header value or target.
const MOST_TEXT: usize = 2_048;

/// Requests waiting for their answers. Pipelining is rare; a flood of it is told unanswered.
const MOST_WAITING: usize = 16;

const METHODS: [&str; 16] = [
    "GET",
    "POST",
    "HEAD",
    "PUT",
    "DELETE",
    "OPTIONS",
    "PATCH",
    "CONNECT",
    "TRACE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "MOVE",
    "COPY",
    "SEARCH",
    "REPORT",
];

/// Whether bytes begin with a request.
pub(super) fn is_request(data: &[u8]) -> bool {
    METHODS
        .iter()
        .any(|method| data.strip_prefix(method.as_bytes()).is_some_and(|rest| rest.first() == Some(&b' ')))
}

/// Whether bytes begin with an answer.
pub(super) fn is_answer(data: &[u8]) -> bool {
    data.starts_with(b"HTTP/1.")
}

/// What a direction is in the middle of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Head,
    Body(u64),
    /// A body without known end: a head is looked for where a segment begins.
    Unknown,
}

/// A connection that speaks HTTP.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    asking: Within,
    answering: Within,
    waiting: VecDeque<(Http, HttpExtra)>,
    tunnel: bool,
}

impl Exchange {
    /// Reads what a stream has.
    pub(super) fn read(
        &mut self,
        request: bool,
        stream: &mut Stream,
        pushed: Pushed,
        time: Timestamp,
        found: &mut Vec<Found>,
    ) {
        if pushed == Pushed::Jumped {
            *self.within(request) = Within::Unknown;
        }
        while self.step(request, stream, time, found) {}
        // Bytes without room can only be told apart within a body of known length.
        if stream.take_overflow() > 0 {
            *self.within(request) = Within::Unknown;
            stream.consume(usize::MAX);
        }
    }

    /// Reads on by one head or body; false where there is nothing more to read.
    fn step(&mut self, request: bool, stream: &mut Stream, time: Timestamp, found: &mut Vec<Found>) -> bool {
        match *self.within(request) {
            Within::Head => self.head(request, stream, time, found),
            Within::Body(left) => {
                let rest = skip_body(stream, left);
                *self.within(request) = rest;
                rest == Within::Head
            }
            Within::Unknown if is_request(stream.data()) || is_answer(stream.data()) => {
                *self.within(request) = Within::Head;
                true
            }
            Within::Unknown => {
                stream.consume(usize::MAX);
                false
            }
        }
    }

    const fn within(&mut self, request: bool) -> &mut Within {
        if request { &mut self.asking } else { &mut self.answering }
    }

    /// Reads one head; false where there is none yet.
    fn head(&mut self, request: bool, stream: &mut Stream, time: Timestamp, found: &mut Vec<Found>) -> bool {
        let data = stream.data();
        let blank = data.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if blank > 0 {
            stream.consume(blank);
            return true;
        }
        if data.is_empty() {
            return false;
        }
        let Some(end) = end_of_head(data).or((data.len() >= MOST_HEAD).then_some(MOST_HEAD)) else {
            return false;
        };
        let text = String::from_utf8_lossy(data.get(..end).unwrap_or_default()).into_owned();
        stream.consume(end);
        let next = if request { self.request(&text, time, found) } else { self.answer(&text, found) };
        *self.within(request) = next;
        true
    }

    fn request(&mut self, head: &str, time: Timestamp, found: &mut Vec<Found>) -> Within {
        let mut words = head.lines().next().unwrap_or_default().split(' ');
        let method = words.next().unwrap_or_default();
        if !is_token(method) {
            return Within::Unknown;
        }
        let target = words.next().unwrap_or_default();
        let http = Http {
            time,
            method: cut(method),
            host: host_of(header(head, "host").unwrap_or_default()),
            target: masked(target),
            user_agent: cut(header(head, "user-agent").unwrap_or_default()),
            ..Http::default()
        };
        let extra = HttpExtra {
            version: words
                .next()
                .and_then(|word| word.trim().strip_prefix("HTTP/"))
                .map(cut)
                .unwrap_or_default(),
            referrer: masked(header(head, "referer").unwrap_or_default()),
            request_bytes: length_of(head),
            ..HttpExtra::default()
        };
        self.waiting.push_back((http, extra));
        if self.waiting.len() > MOST_WAITING {
            found.extend(self.waiting.pop_front().map(told));
        }
        body_of(head, Within::Head)
    }

    fn answer(&mut self, head: &str, found: &mut Vec<Found>) -> Within {
        let status = head.split_whitespace().nth(1).and_then(|word| word.parse::<u16>().ok());
        if !is_answer(head.as_bytes()) {
            return Within::Unknown;
        }
        if status.is_some_and(|status| (100..200).contains(&status) && status != 101) {
            return Within::Head;
        }
        let method = self.waiting.front().map(|waiting| waiting.0.method.clone()).unwrap_or_default();
        if let Some((mut http, mut extra)) = self.waiting.pop_front() {
            http.status = status;
            extra.response_bytes = length_of(head);
            extra.mime = mime_of(header(head, "content-type").unwrap_or_default());
            found.push(told((http, extra)));
        }
        let accepted = status.is_some_and(|status| (200..300).contains(&status));
        self.tunnel = status == Some(101) || (method == "CONNECT" && accepted);
        if method == "HEAD" || matches!(status, Some(204 | 304)) {
            return Within::Head;
        }
        body_of(head, Within::Unknown)
    }

    /// Whether another protocol follows.
    pub(super) const fn is_tunnel(&self) -> bool {
        self.tunnel
    }

    /// Requests that nobody answered so far.
    pub(super) fn flush(&mut self, found: &mut Vec<Found>) {
        found.extend(self.waiting.drain(..).map(told));
    }
}

/// Reads a body over, and what found no room of it; tells where that leaves the reader.
fn skip_body(stream: &mut Stream, left: u64) -> Within {
    let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let held = wide(stream.data().len());
    if left <= held {
        stream.consume(usize::try_from(left).unwrap_or(usize::MAX));
        return Within::Head;
    }
    stream.consume(usize::MAX);
    let over = wide(stream.take_overflow());
    match left.saturating_sub(held).checked_sub(over) {
        Some(0) => Within::Head,
        Some(left) => Within::Body(left),
        None => Within::Unknown,
    }
}

/// What follows a head.
fn body_of(head: &str, otherwise: Within) -> Within {
    if header(head, "transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked")) {
        return Within::Unknown;
    }
    match header(head, "content-length").map(|value| value.trim().parse::<u64>()) {
        Some(Ok(length)) => Within::Body(length),
        Some(Err(_)) => Within::Unknown,
        None => otherwise,
    }
}

/// Where the empty line ends.
fn end_of_head(data: &[u8]) -> Option<usize> {
    let crlf = data.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at.saturating_add(4));
    let lf = data.windows(2).position(|window| window == b"\n\n").map(|at| at.saturating_add(2));
    match (crlf, lf) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
    .filter(|end| *end <= MOST_HEAD)
}

/// The first header of this name, in lower case.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn told((http, extra): (Http, HttpExtra)) -> Found {
    Found::Http(http, extra)
}

/// What people put into addresses though they should not is taken out before it leaves the host.
fn masked(text: &str) -> String {
    mask(&cut(text)).into_owned()
}

/// The length of a body that its head tells.
fn length_of(head: &str) -> Option<u64> {
    header(head, "content-length")?.parse().ok()
}

/// A content type without its parameters.
fn mime_of(value: &str) -> String {
    cut(value.split(';').next().unwrap_or_default().trim()).to_ascii_lowercase()
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 32
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.!".contains(&byte))
}

/// The host without its port.
fn host_of(value: &str) -> String {
    let value = cut(value).to_ascii_lowercase();
    match value.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(':') => {
            host.to_owned()
        }
        _ => value,
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MOST_TEXT).collect()
}
