//! Hostile batches, sent with a valid certificate.

use std::io::Write as _;

use watchpost_model::limits;
use watchpost_tests::site::Site;
use watchpost_tests::wire_client::{Answer, WireClient};

use crate::{append, batch, kept, line_arrives, only_log, peak};

/// Resident bytes that a collector may reach at its most under bombs and oversized batches.
const MOST_MEMORY: u64 = 300 << 20;

/// Zeros, compressed a piece at a time: the frame does not say how much it unpacks to.
fn bomb(bytes: usize) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    let piece = vec![0; 1 << 20];
    for _ in 0..bytes >> 20 {
        encoder.write_all(&piece).unwrap();
    }
    encoder.finish().unwrap()
}

#[test]
fn hostile_batches_are_refused_with_words_and_in_bounded_memory() {
    let mut site = Site::here();
    let log = site.path("app.log");
    append(&log, b"Nov 23 10:00:00 web01 app[7]: line-before\n");
    site.start_agent(&only_log(&log, "syslog"));
    line_arrives(&site, "line-before");
    let client = WireClient::of_agent(&site.path("agent"), &site.address());
    let post = |body: Vec<u8>| client.post("/v1/batches", body).unwrap();

    let streamed = bomb(512 << 20);
    let declared = zstd::bulk::compress(&vec![0; 256 << 20], 1).unwrap();
    assert!(streamed.len() < limits::BATCH_BYTES && declared.len() < limits::BATCH_BYTES);
    // Field 1 of the message is its version.
    let future = zstd::bulk::compress(&[0x08, 99], 1).unwrap();
    let whole = batch(1);
    let cases = [
        ("junk", b"junk".to_vec(), 400, "zstd"),
        ("nothing", Vec::new(), 400, ""),
        ("cut", whole[..whole.len() - 3].to_vec(), 400, "zstd"),
        ("other message", zstd::bulk::compress(&[0xff; 64], 1).unwrap(), 400, "protobuf"),
        ("too large", vec![0; limits::BATCH_BYTES + 1], 413, "smaller"),
        ("far too large", vec![0; 12 << 20], 413, "smaller"),
        ("bomb", streamed.clone(), 413, "unpacks"),
        ("bomb that says so", declared.clone(), 413, "unpacks"),
        ("future", future, 422, "99"),
    ];
    for (name, body, status, words) in cases {
        let Answer { status: found, problem } = post(body);
        assert_eq!(found, status, "{name}: {problem}");
        assert!(!problem.is_empty() && problem.contains(words), "{name}: {problem}");
    }
    std::thread::scope(|scope| {
        for body in [&streamed, &declared].into_iter().cycle().take(16) {
            scope.spawn(move || assert_eq!(post(body.clone()).status, 413));
        }
    });
    // More than is ever read: an answer or a broken connection, but never a receipt.
    if let Ok(answer) = client.post("/v1/batches", vec![0; 64 << 20]) {
        assert_eq!(answer.status, 413, "{}", answer.problem);
    }
    let peak = peak(&site.collector);
    println!("the collector's peak memory: {} MiB", peak >> 20);
    assert!(peak < MOST_MEMORY, "the collector held {} MiB", peak >> 20);

    assert_eq!(post(whole).status, 200, "a good batch after all that is taken");
    line_arrives(&site, "sent-by-hand-1");
    append(&log, b"Nov 23 10:00:00 web01 app[7]: line-after\n");
    line_arrives(&site, "line-after");
    assert!(site.collector.ended().is_none() && !site.collector.printed().contains("panicked"));
    assert_eq!(kept(&mut site), ["line-before", "line-after"]);
}
