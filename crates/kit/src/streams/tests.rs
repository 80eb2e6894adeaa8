#![allow(clippy::unwrap_used)]

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::limits::{Caller, Share, Shares};
use crate::principal::Principal;
use crate::store::bus::Reading;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::task::noop_waker;

use super::stream::{StreamReader, StreamWriter};
use super::{EventId, Resumed, StreamLimits, Streams};

const LIMITS: StreamLimits = StreamLimits {
    per_session: 3,
    per_caller: 3,
    in_all: 8,
    events: 4,
    bytes: 100,
    keep: Duration::from_secs(60),
};

/// One session, with places of its own.
struct Session {
    streams: Streams,
    places: Share,
}

impl Session {
    fn new() -> Self {
        Self::among(&Shares::new(8, 8), 1)
    }

    fn among(places: &Shares, caller: u64) -> Self {
        let caller = Caller::new(Principal::ANONYMOUS, None, caller);
        Self {
            streams: Streams::default(),
            places: places.of(&caller),
        }
    }

    fn open(&self) -> Option<(StreamWriter, StreamReader)> {
        self.streams.open(&LIMITS, &self.places, None)
    }

    fn resume(&self, id: EventId) -> Option<StreamReader> {
        match self.streams.resume(id, LIMITS.keep)? {
            Resumed::Response(reader) => Some(reader),
            Resumed::Unsolicited(_) => panic!("no response"),
        }
    }
}

fn say(writer: &StreamWriter, message: &str) -> bool {
    let said = writer.say(Bytes::copy_from_slice(message.as_bytes()));
    said.now_or_never().is_some()
}

fn answer(writer: StreamWriter, message: &'static str) {
    writer.answer(Bytes::from_static(message.as_bytes()));
}

/// The next event, if there is one; `Some(None)` at the end.
fn next(reader: &mut StreamReader) -> Option<Option<(EventId, String)>> {
    match reader.poll_next(&Context::from_waker(&noop_waker())) {
        Poll::Pending => None,
        Poll::Ready(event) => {
            Some(event.map(|(id, message)| (id, String::from_utf8(message.to_vec()).unwrap())))
        }
    }
}

/// All that can be read now, and whether that is the end.
fn all(reader: &mut StreamReader) -> (Vec<String>, bool) {
    let mut messages = Vec::new();
    loop {
        match next(reader) {
            None => return (messages, false),
            Some(None) => return (messages, true),
            Some(Some((_, message))) => messages.push(message),
        }
    }
}

#[test]
fn an_id_has_one_spelling() {
    let id = EventId {
        stream: 0xabc,
        number: 17,
    };
    let text = id.to_string();
    assert_eq!(text, "00000000000000000000000000000abc-17");
    assert_eq!(EventId::parse(&text), Some(id));
    for other in [
        "",
        "-",
        "17",
        "abc-17",
        "00000000000000000000000000000abc",
        "00000000000000000000000000000abc-",
        "00000000000000000000000000000abc-+17",
        "00000000000000000000000000000abc-017",
        "00000000000000000000000000000abc--17",
        "00000000000000000000000000000ABC-17",
        "00000000000000000000000000000abc-99999999999999999999",
    ] {
        assert_eq!(EventId::parse(other), None, "{other}");
    }
}

#[test]
fn reading_goes_on_after_the_event_that_is_named() {
    let session = Session::new();
    let (writer, mut reader) = session.open().unwrap();
    let beginning = reader.stream();
    for message in ["a", "b"] {
        assert!(say(&writer, message));
    }
    let (id, message) = next(&mut reader).unwrap().unwrap();
    assert_eq!(message, "a");
    drop(reader);
    answer(writer, "answer");
    // As often as need be: the client may lose the next connection as well.
    for _ in 0..2 {
        let mut resumed = session.resume(id).unwrap();
        assert_eq!(all(&mut resumed), (vec!["b".into(), "answer".into()], true));
    }
    let mut resumed = session.resume(beginning).unwrap();
    assert_eq!(all(&mut resumed).0, ["a", "b", "answer"]);
    let last = EventId { number: 3, ..id };
    assert_eq!(all(&mut session.resume(last).unwrap()), (vec![], true));
    for unwritten in [4, u64::MAX] {
        let id = EventId {
            number: unwritten,
            ..id
        };
        assert!(session.resume(id).is_none(), "{unwritten}");
    }
}

#[test]
fn whoever_comes_later_takes_over() {
    let session = Session::new();
    let (writer, mut former) = session.open().unwrap();
    let mut later = session.resume(former.stream()).unwrap();
    assert!(say(&writer, "a"));
    assert_eq!(all(&mut former), (vec![], true));
    // Nor does its end change anything.
    drop(former);
    assert_eq!(all(&mut later), (vec!["a".into()], false));
    assert!((0..10).any(|_| !say(&writer, "b")), "the later one is slow");
}

/// What replicas tell each other has no order between two of them.
#[test]
fn whoever_has_read_a_whole_response_elsewhere_takes_it_from_nobody_when_that_is_heard_late() {
    let session = Session::new();
    let (writer, first) = session.open().unwrap();
    let id = first.stream();
    drop(first);
    let tells = |replica, reader, how| {
        let who = (replica, reader);
        session.streams.reads_elsewhere(id.stream, who, 1, how)
    };
    assert!(say(&writer, "a"));
    let mut here = session.resume(id).unwrap();
    // While it goes on it is for whoever comes last.
    assert!(tells(2, 1, Reading::Begins));
    assert_eq!(all(&mut here), (vec![], true));
    answer(writer, "b");
    assert!(tells(2, 1, Reading::Ends));
    let mut here = session.resume(id).unwrap();
    for how in [Reading::Begins, Reading::GoesOn, Reading::Ends] {
        assert!(tells(3, 1, how), "nobody is sent away");
    }
    assert_eq!(all(&mut here), (vec!["a".into(), "b".into()], true));
}

#[test]
fn the_writer_waits_for_a_slow_reader_but_for_nobody_else() {
    let session = Session::new();
    let (writer, mut reader) = session.open().unwrap();
    let beginning = reader.stream();
    for message in ["0", "1", "2", "3"] {
        assert!(say(&writer, message));
    }
    assert!(!say(&writer, "4"));
    assert_eq!(next(&mut reader).unwrap().unwrap().1, "0");
    assert!(say(&writer, "5"));
    assert!(!say(&writer, "6"));
    drop(reader);
    for message in ["7", "8", "9"] {
        assert!(say(&writer, message));
    }
    answer(writer, "answer");
    let kept = all(&mut session.resume(beginning).unwrap());
    let expected = ["7", "8", "9", "answer"].map(str::to_owned).to_vec();
    assert_eq!(kept, (expected, true));
}

#[tokio::test]
async fn a_writer_that_waits_is_woken() {
    let session = Session::new();
    for leave in [false, true] {
        let (writer, mut reader) = session.open().unwrap();
        let writing = tokio::spawn(async move {
            for _ in 0..5 {
                writer.say(Bytes::from_static(b"x")).await;
            }
        });
        tokio::task::yield_now().await;
        match leave {
            true => drop(reader),
            false => assert!(next(&mut reader).is_some()),
        }
        writing.await.unwrap();
    }
}

#[test]
fn bytes_are_bounded_as_well_but_an_answer_is_kept_at_any_size() {
    let session = Session::new();
    let (writer, reader) = session.open().unwrap();
    let beginning = reader.stream();
    drop(reader);
    for length in [60, 30, 10] {
        assert!(say(&writer, &"x".repeat(length)));
    }
    assert!(say(&writer, "y"));
    assert!(say(&writer, &"z".repeat(500)));
    assert!(say(&writer, "last"));
    writer.answer(Bytes::from(vec![b'a'; 1000]));
    let (kept, ended) = all(&mut session.resume(beginning).unwrap());
    assert!(ended);
    assert_eq!(kept.iter().map(String::len).collect::<Vec<_>>(), [4, 1000]);
}

#[test]
fn there_are_only_so_many_and_the_one_that_ended_first_makes_room() {
    let session = Session::new();
    let mut open: Vec<_> = (0..3).map(|_| session.open().unwrap()).collect();
    assert!(session.open().is_none());
    let ids: Vec<EventId> = open.iter().map(|(_, reader)| reader.stream()).collect();
    for i in [1, 1] {
        answer(open.remove(i).0, "answer");
    }
    let (_writer, _reader) = session.open().unwrap();
    assert!(session.resume(ids[1]).is_none());
    assert!(session.resume(ids[2]).is_some());
    assert!(session.resume(ids[0]).is_some());
}

#[test]
fn all_sessions_together_have_only_so_many() {
    let places = Shares::new(5, 2);
    let [one, another, third] = [1, 2, 3].map(|caller| Session::among(&places, caller));
    let held: Vec<_> = [&one, &one, &another, &another]
        .map(|session| session.open().unwrap())
        .into();
    assert!(one.open().is_none() && another.open().is_none());
    let (writer, reader) = third.open().unwrap();
    assert!(third.open().is_none());
    // Room is made among one's own only.
    answer(writer, "answer");
    drop(reader);
    assert!(one.open().is_none());
    let _again = third.open().unwrap();
    drop(held);
    one.streams.close();
    assert_eq!(places.taken(), 3);
}

#[test]
fn room_that_is_missing_elsewhere_costs_one_at_most() {
    let places = Shares::new(16, 3);
    let [one, same] = [1, 1].map(|caller| Session::among(&places, caller));
    let mut ended = Vec::new();
    for _ in 0..2 {
        let (writer, reader) = one.open().unwrap();
        answer(writer, "answer");
        // Whoever still reads it keeps its place.
        ended.push(reader);
    }
    let _elsewhere = same.open().unwrap();
    assert!(one.open().is_none());
    assert!(one.resume(ended[0].stream()).is_none());
    assert!(one.resume(ended[1].stream()).is_some());
}

#[test]
fn what_ended_is_kept_for_a_while() {
    let session = Session::new();
    let (writer, reader) = session.open().unwrap();
    let id = reader.stream();
    let (_other, still) = session.open().unwrap();
    let going_on = still.stream();
    drop((reader, still));
    assert!(session.streams.is_busy());
    answer(writer, "answer");
    let now = Instant::now();
    session.streams.sweep(LIMITS.keep, now + LIMITS.keep / 2);
    assert!(session.resume(id).is_some());
    session.streams.sweep(LIMITS.keep, now + 2 * LIMITS.keep);
    assert!(session.resume(id).is_none());
    assert!(session.resume(going_on).is_some());
}

#[test]
fn ids_of_other_sessions_open_nothing() {
    let (ours, theirs) = (Session::new(), Session::new());
    let (_writer, reader) = ours.open().unwrap();
    assert!(theirs.resume(reader.stream()).is_none());
    let unsolicited = ours.streams.unsolicited(3).unwrap();
    assert_eq!(ours.streams.unsolicited(3), Some(unsolicited));
    assert_ne!(theirs.streams.unsolicited(3), Some(unsolicited));
    assert!(theirs.streams.resume(unsolicited, LIMITS.keep).is_none());
    let resumed = ours.streams.resume(unsolicited, LIMITS.keep);
    assert!(matches!(resumed, Some(Resumed::Unsolicited(3))));
}

#[test]
fn a_release_ends_the_reader_after_what_was_said() {
    let session = Session::new();
    let (writer, mut reader) = session.open().unwrap();
    assert!(say(&writer, "before"));
    writer.release();
    assert!(say(&writer, "after"));
    let (id, message) = next(&mut reader).unwrap().unwrap();
    assert_eq!(message, "before");
    assert_eq!(all(&mut reader), (vec![], true));
    // Nobody reads now, so there is nobody to send away.
    writer.release();
    let mut resumed = session.resume(id).unwrap();
    assert_eq!(all(&mut resumed), (vec!["after".into()], false));
    writer.release();
    assert_eq!(all(&mut resumed), (vec![], true));
    answer(writer, "answer");
    let mut resumed = session.resume(id).unwrap();
    assert_eq!(all(&mut resumed).0, ["after", "answer"]);
}

#[test]
fn closing_ends_everything() {
    let session = Session::new();
    let (writer, mut reader) = session.open().unwrap();
    assert!((0..10).any(|_| !say(&writer, "x")));
    session.streams.close();
    assert_eq!(all(&mut reader), (vec![], true));
    assert!((0..10).all(|_| say(&writer, "x")), "nothing waits");
    assert!(session.resume(reader.stream()).is_none());
    assert!(session.open().is_none());
    assert!(!session.streams.is_busy());
}
