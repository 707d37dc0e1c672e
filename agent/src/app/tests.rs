//! Conversations cut in every way that a network cuts them.
#![expect(clippy::indexing_slicing, reason = "a test may stop where it fails")]

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use watchpost_model::{Event, Timestamp, field};

use super::stream::{Pushed, Stream};
use super::*;
use crate::decode::{Flags, Packet, Transport};

fn segment(flags: u8, sequence: u32, payload: &[u8]) -> Packet<'_> {
    let any = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Packet {
        source: any,
        destination: any,
        protocol: 6,
        bytes: 0,
        payload_bytes: 0,
        vlan: None,
        macs: None,
        transport: Transport::Tcp { source: 1, destination: 2, flags: Flags(flags), sequence },
        fragment: None,
        payload,
    }
}

/// Feeds a conversation, each entry a segment from the originator or not, and flushes.
fn talk(segments: &[(bool, &[u8])]) -> Vec<Event> {
    let mut inspector = Inspector::suiting(6, 8_080, 40_000).unwrap();
    let mut found = Vec::new();
    let mut next = [1_000_u32, 9_000];
    for originator in [true, false] {
        inspector.feed(
            originator,
            &segment(0x02, next[usize::from(!originator)], &[]),
            Timestamp::EPOCH,
            &mut found,
        );
        next[usize::from(!originator)] += 1;
    }
    for (originator, payload) in segments {
        let slot = &mut next[usize::from(!originator)];
        inspector.feed(*originator, &segment(0x18, *slot, payload), Timestamp::EPOCH, &mut found);
        *slot += u32::try_from(payload.len()).unwrap();
    }
    inspector.flush(&mut found);
    let end = (IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
    found.into_iter().map(|found| found.into_event(end, end)).collect()
}

/// A ClientHello for `name` with ALPN `h2` that offers TLS 1.3, as one record.
fn client_hello(name: &str) -> Vec<u8> {
    let length = |count: usize| u16::try_from(count).unwrap().to_be_bytes();
    let extension = |kind: u16, body: &[u8]| [&kind.to_be_bytes()[..], &length(body.len()), body].concat();
    let entry = [&[0][..], &length(name.len()), name.as_bytes()].concat();
    let sni = extension(0, &[&length(entry.len())[..], &entry].concat());
    let alpn = extension(16, &[0, 3, 2, b'h', b'2']);
    let versions = extension(43, &[4, 3, 4, 3, 3]);
    let extensions = [sni, alpn, versions].concat();
    let body =
        [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0x13, 0x01], &[1, 0], &length(extensions.len()), &extensions]
            .concat();
    let message = [&[1, 0][..], &length(body.len()), &body].concat();
    [&[0x16, 3, 1][..], &length(message.len()), &message].concat()
}

#[test]
fn a_client_hello_cut_anywhere_gives_its_name() {
    let hello = client_hello("Mail.Example.org");
    for cut in 1..hello.len() {
        let (head, tail) = hello.split_at(cut);
        let events = talk(&[(true, head), (true, tail)]);
        // A first segment of one or two bytes does not tell TLS from anything else for sure.
        assert_eq!(events.len(), 1, "cut at {cut}");
        let event = &events[0];
        assert_eq!(event.text(field::TLS_SERVER_NAME), Some("mail.example.org"), "cut at {cut}");
        assert_eq!(event.text(field::TLS_VERSION), Some("1.3"), "cut at {cut}");
    }
}

/// Handshake messages as records of at most `size` bytes.
fn records(messages: &[(u8, Vec<u8>)], size: usize) -> Vec<u8> {
    let mut joined = Vec::new();
    for (kind, body) in messages {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        joined.extend_from_slice(&[&[*kind][..], &length[1..], body].concat());
    }
    let record = |part: &[u8]| {
        let length = u16::try_from(part.len()).unwrap().to_be_bytes();
        [&[0x16, 3, 3][..], &length, part].concat()
    };
    joined.chunks(size).flat_map(record).collect()
}

/// What a server of TLS 1.2 says: hello with ALPN `h2`, certificate, done.
fn server_flight(size: usize) -> Vec<u8> {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut wanted = rcgen::CertificateParams::new(Vec::new()).unwrap();
    wanted.distinguished_name = rcgen::DistinguishedName::new();
    wanted.distinguished_name.push(rcgen::DnType::CountryName, "NL");
    wanted.distinguished_name.push(rcgen::DnType::CommonName, "mail.test");
    let certificate = wanted.self_signed(&key).unwrap().der().to_vec();
    let length = |extra: usize| u32::try_from(certificate.len() + extra).unwrap().to_be_bytes();
    let list = [&length(3)[1..], &length(0)[1..], &certificate].concat();
    let alpn = [0, 9, 0, 16, 0, 5, 0, 3, 2, b'h', b'2'];
    let hello = [&[3, 3][..], &[9; 32], &[0], &[0xc0, 0x2f], &[0], &alpn].concat();
    records(&[(2, hello), (11, list), (14, Vec::new())], size)
}

#[test]
fn a_server_of_tls_1_2_is_known_by_its_certificate_however_it_is_cut() {
    for size in [7, 100, 16_000] {
        let flight = server_flight(size);
        let mut segments: Vec<(bool, &[u8])> = Vec::new();
        let hello = client_hello("mail.test");
        segments.push((true, &hello));
        segments.extend(flight.chunks(50).map(|part| (false, part)));
        let events = talk(&segments);
        assert_eq!(events.len(), 1, "records of {size}");
        let event = &events[0];
        assert_eq!(event.text(field::TLS_SERVER_SUBJECT), Some("CN=mail.test, C=NL"));
        assert_eq!(event.text(field::TLS_SERVER_ISSUER), Some("CN=mail.test, C=NL"));
        assert_eq!(event.text(field::TLS_CIPHER), Some("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"));
        assert_eq!(event.text(field::TLS_NEXT_PROTOCOL), Some("h2"));
        assert_eq!(event.text(field::TLS_VERSION), Some("1.2"));
        assert!(event.text(field::TLS_JA4).is_some_and(|ja4| ja4.starts_with("t13d0103h2_")));
    }
}

#[test]
fn a_hello_refused_with_an_alert_is_told_at_once() {
    let hello = client_hello("mail.test");
    let mut inspector = Inspector::suiting(6, 443, 40_000).unwrap();
    let mut found = Vec::new();
    inspector.feed(true, &segment(0x18, 1, &hello), Timestamp::EPOCH, &mut found);
    inspector.feed(false, &segment(0x18, 1, &[0x15, 3, 3, 0, 2, 2, 40]), Timestamp::EPOCH, &mut found);
    assert_eq!(found.len(), 1);
    assert!(inspector.is_done());
}

#[test]
fn a_hello_after_starttls_is_found() {
    let hello = client_hello("mx.example.org");
    let events = talk(&[
        (false, b"220 mx ready\r\n"),
        (true, b"EHLO me\r\n"),
        (false, b"250-STARTTLS\r\n"),
        (true, b"STARTTLS\r\n"),
        (false, b"220 go ahead\r\n"),
        (true, &hello),
    ]);
    assert_eq!(events.first().and_then(|event| event.text(field::TLS_SERVER_NAME)), Some("mx.example.org"));
}

/// Feeds datagrams between two ports that stand for nothing, and flushes.
fn exchange(datagrams: &[(bool, Vec<u8>)]) -> Vec<Event> {
    let mut inspector = Inspector::suiting(17, 443, 40_000).unwrap();
    let mut found = Vec::new();
    for (originator, payload) in datagrams {
        let transport = Transport::Ports { source: 1, destination: 2 };
        let packet = Packet { protocol: 17, transport, ..segment(0, 0, payload) };
        inspector.feed(*originator, &packet, Timestamp::EPOCH, &mut found);
    }
    inspector.flush(&mut found);
    let end = (IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
    found.into_iter().map(|found| found.into_event(end, end)).collect()
}

#[test]
fn a_quic_hello_over_several_packets_in_any_order_is_read() {
    let record = client_hello("Quic.example.org");
    let hello = &record[5..];
    let frame = |from: usize, to: usize| {
        let (at, length) = (u16::try_from(from).unwrap(), u16::try_from(to - from).unwrap());
        [&[6][..], &(at | 0x4000).to_be_bytes(), &(length | 0x4000).to_be_bytes(), &hello[from..to]].concat()
    };
    let packet = |version, number, frames: &[u8]| {
        (true, super::quic::sealed(version, b"8 bytes!", number, &[frames, &[0; 900]].concat()))
    };
    for version in [1, 0x6b33_43cf, 0xff00_001d] {
        let tail = [frame(60, hello.len()), vec![1]].concat();
        let events = exchange(&[packet(version, 0, &tail), packet(version, 1, &frame(0, 60))]);
        assert_eq!(events.len(), 1, "version {version:x}");
        assert_eq!(events[0].text(field::TLS_SERVER_NAME), Some("quic.example.org"));
        assert_eq!(events[0].text(field::NETWORK_TRANSPORT), Some("udp"));
        assert!(events[0].text(field::TLS_JA4).is_some_and(|ja4| ja4.starts_with("q13d0103h2_")));
    }
}

#[test]
fn a_dtls_hello_in_fragments_is_read_behind_other_datagrams() {
    let record = client_hello("call.example.org");
    let mut body = record[9..].to_vec();
    // Its own version, and the cookie that DTLS has.
    body.splice(0..2, [0xfe, 0xfd]);
    body.splice(35..35, [2, 7, 7]);
    let three = |count: usize| u32::try_from(count).unwrap().to_be_bytes()[1..].to_vec();
    let datagram = |at: usize, part: &[u8]| {
        let head = [vec![1], three(body.len()), vec![0, 1], three(at), three(part.len())].concat();
        let length = u16::try_from(head.len() + part.len()).unwrap().to_be_bytes();
        let front = [0x16, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1];
        (true, [&front[..], &length, &head, part].concat())
    };
    let (head, tail) = body.split_at(50);
    let stun = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    let events = exchange(&[(true, stun.clone()), (false, stun), datagram(50, tail), datagram(0, head)]);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].text(field::TLS_SERVER_NAME), Some("call.example.org"));
    assert_eq!(events[0].text(field::NETWORK_PROTOCOL), Some("dtls"));
}

#[test]
fn requests_on_one_connection_meet_their_answers() {
    let events = talk(&[
        (true, b"GET /a?x=1 HTTP/1.1\r\nHost: Example.org:80\r\nUser-Agent: probe\r\n\r\n"),
        (false, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbo"),
        (false, b"dyHTTP/1.1 100 Continue\r\n\r\n"),
        (
            true,
            b"POST /b HTTP/1.1\r\nHost: example.org\r\nContent-Length: 3\r\n\r\na=1GET /c HTTP/1.1\r\n\r\n",
        ),
        (false, b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"),
        (false, b"HTTP/1.1 500 Oh\r\n\r\n"),
        (true, b"GET /d HTTP/1.1\r\n\r\n"),
    ]);
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            let status = event.record.get(field::HTTP_STATUS).and_then(watchpost_model::Value::as_uint);
            (event.text(field::URL_ORIGINAL).unwrap_or_default(), status)
        })
        .collect();
    assert_eq!(told, [("/a?x=1", Some(200)), ("/b", Some(404)), ("/c", Some(500)), ("/d", None)]);
    assert_eq!(events[0].text(field::URL_DOMAIN), Some("example.org"));
    assert_eq!(events[0].text(field::USER_AGENT), Some("probe"));
}

#[test]
fn a_body_larger_than_the_stream_does_not_hide_the_next_answer() {
    let body = vec![b'x'; 60_000];
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 60100\r\n\r\n";
    let first = [&head[..], &body].concat();
    let last = [&[b'x'; 100][..], b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"].concat();
    let events = talk(&[
        (true, b"GET /big HTTP/1.1\r\n\r\n"),
        (false, &first),
        (true, b"GET /next HTTP/1.1\r\n\r\n"),
        (false, &last),
    ]);
    let status =
        |event: &Event| event.record.get(field::HTTP_STATUS).and_then(watchpost_model::Value::as_uint);
    assert_eq!(events.iter().map(status).collect::<Vec<_>>(), [Some(200), Some(403)]);
}

#[test]
fn a_tunnel_through_a_proxy_is_looked_into() {
    let hello = client_hello("inner.example.org");
    let events = talk(&[
        (true, b"CONNECT inner.example.org:443 HTTP/1.1\r\n\r\n"),
        (false, b"HTTP/1.1 200 Connection established\r\n\r\n"),
        (true, &hello),
    ]);
    assert_eq!(events.len(), 2);
    assert_eq!(events[1].text(field::TLS_SERVER_NAME), Some("inner.example.org"));
}

#[test]
fn what_a_request_says_is_kept_and_its_secrets_are_not() {
    let events = talk(&[
        (
            true,
            b"POST /login?user=eve&password=hunter2 HTTP/1.1\r\nReferer: http://a.test/?token=abc\r\nContent-Length: 0\r\n\r\n",
        ),
        (false, b"HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello"),
    ]);
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(event.text(field::URL_ORIGINAL), Some("/login?user=eve&password=***"));
    assert_eq!(event.text(field::URL_QUERY), Some("user=eve&password=***"));
    assert_eq!(event.text(field::HTTP_REFERRER), Some("http://a.test/?token=***"));
    assert_eq!(event.text(field::HTTP_MIME), Some("text/html"));
    assert_eq!(event.text(field::HTTP_VERSION), Some("1.1"));
    let number = |id| event.record.get(id).and_then(watchpost_model::Value::as_uint);
    assert_eq!((number(field::HTTP_REQUEST_BYTES), number(field::HTTP_RESPONSE_BYTES)), (Some(0), Some(5)));
}

/// A key exchange message with these lists.
fn kexinit(lists: &[&str]) -> Vec<u8> {
    let word = |count: usize| u32::try_from(count).unwrap().to_be_bytes();
    let lists: Vec<u8> =
        lists.iter().flat_map(|list| [&word(list.len())[..], list.as_bytes()].concat()).collect();
    let body = [&[4, 20][..], &[7; 16], &lists, &[0; 5]].concat();
    [&word(body.len())[..], &body].concat()
}

#[test]
fn a_client_of_ssh_is_known_by_what_it_offers() {
    let offer = kexinit(&["kex1,kex2", "host", "enc-c", "enc-s", "mac-c", "mac-s", "none", "zip", "", ""]);
    let (first, second) = offer.split_at(30);
    let events =
        talk(&[(false, b"SSH-2.0-server\r\n"), (true, b"SSH-2.0-client\r\n"), (true, first), (true, second)]);
    assert_eq!(events.len(), 1);
    // MD5 of "kex1,kex2;enc-c;mac-c;none".
    assert_eq!(events[0].text(field::SSH_HASSH), Some("a7ebfb90cf29a63a18d2e743a54cda2c"));
}

#[test]
fn ssh_banners_of_both_sides_make_one_record() {
    let events = talk(&[
        (false, b"SSH-2.0-OpenSSH_9.9\r\n"),
        (true, b"SSH-2.0-li"),
        (true, b"bssh2\r\n"),
        (false, b"\0\0\0\x05binary"),
    ]);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].text(field::SSH_CLIENT), Some("SSH-2.0-libssh2"));
    assert_eq!(events[0].text(field::SSH_SERVER), Some("SSH-2.0-OpenSSH_9.9"));
}

/// An answer for `a.test`: an alias, then the address 192.0.2.7.
fn dns_answer() -> Vec<u8> {
    let mut bytes = vec![0, 9, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0];
    bytes.extend_from_slice(b"\x01A\x04test\0\0\x01\0\x01");
    bytes.extend_from_slice(b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x04\x01b\xc0\x0e");
    bytes.extend_from_slice(&[0xc0, 36, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
    bytes
}

#[test]
fn a_dns_answer_names_later_flows() {
    let bytes = dns_answer();
    let found = dns::parse(&bytes, Timestamp::EPOCH, "udp").unwrap();
    let mut names = Names::default();
    names.learn(&found);
    assert_eq!(names.of(Ipv4Addr::new(192, 0, 2, 7).into()).as_deref(), Some("a.test"));
    let Found::Dns(dns, extra) = found else { panic!("not DNS") };
    assert_eq!((dns.question.as_str(), dns.question_type.as_str()), ("a.test", "A"));
    assert_eq!(dns.response_code, "NOERROR");
    assert_eq!(extra.opcode, "QUERY");
    assert_eq!(dns.answers[0], ("CNAME".into(), "b.test".into(), 60));
    assert_eq!(dns.answers[1], ("A".into(), "192.0.2.7".into(), 60));
}

#[test]
fn a_cut_dns_answer_gives_what_was_read() {
    let bytes = dns_answer();
    for kept in 24..bytes.len() {
        let Some(Found::Dns(dns, _)) = dns::parse(&bytes[..kept], Timestamp::EPOCH, "udp") else {
            panic!("nothing at {kept}")
        };
        assert_eq!(dns.question, "a.test");
    }
}

#[test]
fn a_gap_that_does_not_close_is_jumped() {
    let mut stream = Stream::default();
    stream.begin(0);
    assert_eq!(stream.push(1, b"abc"), Pushed::Appended);
    let jumped = (0..20_u32)
        .map(|index| stream.push(100 + index * 10, b"0123456789"))
        .find(|it| *it == Pushed::Jumped);
    assert!(jumped.is_some());
    assert_eq!(stream.data(), b"0123456789");
}

proptest! {
    /// Segments that overlap, repeat and overtake each other within the window give the bytes
    /// that were sent.
    #[test]
    fn a_stream_puts_segments_in_order(
        data in prop::collection::vec(any::<u8>(), 1..400),
        start in any::<u32>(),
        cuts in prop::collection::vec((0..400_usize, 1..80_usize), 0..6),
        step in 1..60_usize,
        late in any::<bool>(),
    ) {
        let mut stream = Stream::default();
        stream.begin(start);
        let sequence = |at: usize| start.wrapping_add(1).wrapping_add(u32::try_from(at).unwrap());
        for (at, length) in cuts {
            let at = at.min(data.len());
            stream.push(sequence(at), &data[at..(at + length).min(data.len())]);
        }
        let mut pieces: Vec<usize> = (0..data.len()).step_by(step).collect();
        if late && pieces.len() > 1 {
            pieces.swap(0, 1);
        }
        for at in pieces {
            stream.push(sequence(at), &data[at..(at + step).min(data.len())]);
        }
        prop_assert_eq!(stream.data(), &data[..]);
    }

    #[test]
    fn any_conversation_is_survived(segments in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..60), 0..6_usize), 0..30)) {
        let prefixes: [&[u8]; 6] = [b"", b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200", b"SSH-", &[0x16, 3, 1, 0, 40, 1, 0, 0, 36], &[0x16, 3, 3, 0, 9, 2, 0, 0, 5]];
        let owned: Vec<(bool, Vec<u8>)> = segments.into_iter().map(|(side, bytes, prefix)| (side, [prefixes[prefix], &bytes].concat())).collect();
        let borrowed: Vec<(bool, &[u8])> = owned.iter().map(|(side, bytes)| (*side, bytes.as_slice())).collect();
        talk(&borrowed);
    }

    #[test]
    fn any_datagrams_are_survived(datagrams in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..80), 0..4_usize), 0..30)) {
        let prefixes: [&[u8]; 4] = [b"", &[0xc3, 0, 0, 0, 1, 1, 7, 0, 0, 30], &[0x16, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 1, 0, 0, 28], &[0x16, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14, 2, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2]];
        let datagrams: Vec<_> = datagrams.into_iter().map(|(side, bytes, prefix)| (side, [prefixes[prefix], &bytes].concat())).collect();
        exchange(&datagrams);
    }

    #[test]
    fn any_bytes_as_dns_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = dns::parse(&bytes, Timestamp::EPOCH, "udp");
    }
}
