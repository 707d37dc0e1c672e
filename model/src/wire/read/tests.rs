//! The reader against the generated decoder, which is the judge: on whole batches, on cut and
//! twisted ones, and on messages that no agent of ours would write.

#![expect(clippy::indexing_slicing, reason = "a test may stop where it fails")]

use proptest::prelude::*;
use prost::Message as _;

use super::super::proto::BatchMessage;
use super::*;

/// What the plain way makes of the bytes.
fn judged(plain: &[u8]) -> Option<Batch> {
    let message = BatchMessage::decode(plain).ok()?;
    (message.version == VERSION).then(|| Batch::from(message))
}

fn agree(plain: &[u8]) {
    let read = batch(plain).ok();
    assert_eq!(read.as_ref(), judged(plain).as_ref(), "{plain:02x?}");
    let (mut visited, mut spare) = (Vec::new(), Spare::default());
    // Memory is used again; what one event had must not show in the next.
    let unknown = each(plain, &mut spare, |index, event, _| {
        assert_eq!(index as usize, visited.len());
        visited.push(event.clone());
    });
    if let Some(batch) = &read {
        assert_eq!((&visited, unknown.ok()), (&batch.events, Some(batch.unknown_kinds)));
    }
    let told = survey(plain).ok();
    let known = read.map(|batch| Summary {
        epoch: batch.epoch,
        sequence: batch.sequence,
        first_event: batch.first_event,
        events: batch.events.len() as u64,
        unknown_kinds: batch.unknown_kinds,
    });
    assert_eq!(told, known, "both readers accept the same");
}

fn value() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        ".{0,12}".prop_map(Value::Text),
        any::<u64>().prop_map(Value::Uint),
        any::<i64>().prop_map(Value::Int),
        (-1e9..1e9).prop_map(Value::Float),
        any::<bool>().prop_map(Value::Bool),
        any::<std::net::IpAddr>().prop_map(Value::Ip),
        any::<i64>().prop_map(|nanos| Value::Time(Timestamp::from_nanos(nanos))),
    ];
    let list = proptest::collection::vec(plain.clone(), 0..4).prop_map(Value::List);
    prop_oneof![4 => plain, 1 => list]
}

fn some_batch() -> impl Strategy<Value = Batch> {
    let field = (1_u16..300, value()).prop_map(|(id, value)| (FieldId(id), value));
    let event = (1_u32..14, any::<i64>(), proptest::collection::vec(field, 0..8));
    let event = event.prop_map(|(kind, nanos, fields)| Event {
        kind: Kind::from_number(kind).unwrap(),
        time: Timestamp::from_nanos(nanos),
        record: fields.into_iter().collect(),
    });
    (any::<[u64; 3]>(), ".{0,9}", proptest::collection::vec(event, 0..6), any::<u64>()).prop_map(
        |([epoch, sequence, first_event], host, events, passed)| {
            let mut batch = Batch { epoch, sequence, first_event, host, events, ..Batch::default() };
            batch.ledger.set(Stage::Queue, passed, 3);
            batch
        },
    )
}

proptest! {
    #[test]
    fn a_batch_is_read_as_the_judge_reads_it(sent in some_batch()) {
        let plain = BatchMessage::from(&sent).encode_to_vec();
        agree(&plain);
        prop_assert_eq!(batch(&plain).unwrap(), sent);
    }

    #[test]
    fn a_cut_or_twisted_batch_is_refused_or_read_as_the_judge_does(
        sent in some_batch(),
        places in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..3),
        cut in any::<proptest::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut plain = BatchMessage::from(&sent).encode_to_vec();
        for (place, byte) in places {
            let at = place.index(plain.len());
            plain[at] = byte;
        }
        if is_cut {
            plain.truncate(cut.index(plain.len()));
        }
        // Inside a list that stands in a list we look less closely than the judge: there the
        // judge may refuse what is read here.
        if let Some(judged) = judged(&plain) {
            prop_assert_eq!(batch(&plain).ok(), Some(judged));
        }
        let (read, told) = (batch(&plain), survey(&plain));
        prop_assert_eq!(read.map(|batch| batch.events.len() as u64).ok(), told.map(|told| told.events).ok());
    }

    #[test]
    fn no_bytes_make_the_readers_disagree(plain in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Some(judged) = judged(&plain) {
            prop_assert_eq!(batch(&plain).ok(), Some(judged));
        }
        prop_assert_eq!(batch(&plain).is_ok(), survey(&plain).is_ok());
    }
}

/// `tag` with a length and these bytes.
fn part(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![tag << 3 | 2];
    prost::encode_length_delimiter(bytes.len(), &mut out).unwrap();
    out.extend_from_slice(bytes);
    out
}

/// A batch of layout 1 with one event that has these fields.
fn one_event(fields: &[Vec<u8>]) -> Vec<u8> {
    let event = [vec![0x08, 1], fields.iter().flat_map(|field| part(3, field)).collect()].concat();
    [vec![0x08, 1], part(7, &event)].concat()
}

#[test]
fn what_no_agent_of_ours_writes_is_read_as_the_judge_reads_it() {
    let text = |text: &str| part(2, text.as_bytes());
    let items =
        |texts: &[&str]| part(9, &texts.iter().flat_map(|one| part(1, &text(one))).collect::<Vec<_>>());
    let id = vec![0x08, 51];
    for fields in [
        // Out of order, twice, without number, without value, with a number that is too large.
        vec![[vec![0x08, 60], text("b")].concat(), [id.clone(), text("a")].concat()],
        vec![[id.clone(), text("a")].concat(), [id.clone(), text("b")].concat()],
        vec![text("a"), id.clone(), vec![], [vec![0x08, 0xff, 0xff, 0xff, 0x7f], text("a")].concat()],
        // Several values: the last one counts; lists grow; an address of three bytes is none.
        vec![[id.clone(), text("a"), vec![0x18, 7]].concat()],
        vec![[id.clone(), items(&["a"]), items(&["b", "c"])].concat()],
        vec![[id.clone(), text("a"), part(7, &[1, 2, 3])].concat()],
        vec![[id.clone(), part(7, &[1, 2, 3, 4]), items(&[])].concat()],
        // A list within a list, and what is unknown: a number, eight bytes, four bytes, a group.
        vec![[id.clone(), part(9, &part(1, &items(&["a"])))].concat()],
        vec![[id.clone(), text("a"), vec![0x50, 1], part(11, b"x"), vec![0x65, 1, 2, 3, 4]].concat()],
        vec![[id.clone(), text("a"), vec![0x61, 1, 2, 3, 4, 5, 6, 7, 8]].concat()],
        vec![[id.clone(), text("a"), vec![0x6b, 0x08, 1, 0x73, 0x74, 0x6c]].concat()],
        vec![[id.clone(), text("a"), vec![0x6b, 0x08, 1, 0x74]].concat()],
        // Wrong wire types, a key of nothing, broken text, a number without end.
        vec![[id.clone(), vec![0x10, 1]].concat()],
        vec![[id.clone(), vec![0x00, 1]].concat()],
        vec![[id.clone(), part(2, &[0xff])].concat()],
        vec![[id.clone(), vec![0x18], vec![0xff; 11]].concat()],
        vec![[id.clone(), vec![0x18], vec![0xff; 9], vec![0x02]].concat()],
        vec![[id, vec![0x18], vec![0xff; 9], vec![0x01]].concat()],
    ] {
        agree(&one_event(&fields));
    }
}

#[test]
fn deep_groups_are_refused_by_both() {
    let group = |depth: usize| [vec![0x53; depth], vec![0x54; depth]].concat();
    agree(&[vec![0x08, 1], group(50)].concat());
    let deep = [vec![0x08, 1], group(5_000)].concat();
    assert!(judged(&deep).is_none() && batch(&deep).is_err() && survey(&deep).is_err());
}

#[test]
fn too_many_events_fields_and_items_are_refused_before_they_take_memory() {
    let field = |number: usize| {
        let mut field = vec![0x08];
        prost::encode_length_delimiter(number, &mut field).unwrap();
        [field, vec![0x18, 1]].concat()
    };
    let fields = |count: usize| one_event(&(1..=count).map(field).collect::<Vec<_>>());
    assert_eq!(batch(&fields(limits::EVENT_FIELDS)).unwrap().events[0].record.len(), limits::EVENT_FIELDS);
    let refused = |plain: &[u8]| {
        let said = |error: PackError| match error {
            PackError::Proto(why) => Some(why),
            _ => None,
        };
        (batch(plain).map_err(said).err(), survey(plain).map_err(said).err())
    };
    let many = Some(Some(Malformed::Fields));
    assert_eq!(refused(&fields(limits::EVENT_FIELDS + 1)), (many, many));
    let list = |count: usize| {
        let items: Vec<u8> = (0..count).flat_map(|_| part(1, &[0x18, 1])).collect();
        one_event(&[[vec![0x08, 51], part(9, &items)].concat()])
    };
    assert!(batch(&list(limits::LIST_ITEMS)).is_ok());
    let many = Some(Some(Malformed::Items));
    assert_eq!(refused(&list(limits::LIST_ITEMS + 1)), (many, many));
    let events = [vec![0x08, 1], part(7, &[0x08, 1]).repeat(limits::BATCH_EVENTS + 5)].concat();
    for refused in [batch(&events).err(), survey(&events).err()] {
        assert!(
            matches!(refused, Some(PackError::TooManyEvents { count, .. }) if count == limits::BATCH_EVENTS + 5)
        );
    }
}
