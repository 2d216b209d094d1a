use super::*;
use proptest::prelude::*;

const LAG: Duration = Duration::from_secs(1);

/// A publisher's node, and one that follows it.
struct Bench {
    following: Following,
    start: Instant,
    ms: u64,
    ticket: u64,
    epoch: u64,
    origin: u64,
}

impl Bench {
    fn new() -> Bench {
        let start = Instant::now();
        Bench {
            following: Following::above(0, LAG, start),
            start,
            ms: 0,
            ticket: 0,
            epoch: 5,
            origin: 1,
        }
    }

    fn now(&self) -> Now {
        Now {
            instant: self.start + Duration::from_millis(self.ms),
            unix_ms: self.ms,
        }
    }

    fn marks(&self, sequence: u64) -> Marks {
        // A GOP is ten chunks.
        let kind = if sequence.is_multiple_of(10) {
            Kind::JoinPoint
        } else {
            Kind::Continuation
        };
        Marks {
            kind,
            sequence,
            generation: 1,
            came_ms: self.ms,
            epoch: self.epoch,
            origin: self.origin,
            part: (0, 1),
            count: 0,
        }
    }

    fn live(&mut self, sequence: u64) {
        let (marks, now) = (self.marks(sequence), self.now());
        self.following.live(marks, text(sequence), now);
    }

    fn ask(&mut self) -> bool {
        self.ticket += 1;
        let now = self.now().instant;
        self.following.poll_ask(self.ticket, now)
    }

    /// The answer to the last request: the head, and these chunks.
    fn answer(&mut self, sequences: std::ops::Range<u64>) {
        let head = Marks {
            kind: Kind::Snapshot,
            count: sequences.end - sequences.start,
            ..self.marks(sequences.start)
        };
        let now = self.now().instant;
        self.following
            .answer(self.ticket, Some(head), "init".into(), now);
        for sequence in sequences {
            let marks = self.marks(sequence);
            self.following
                .answer(self.ticket, Some(marks), text(sequence), now);
        }
    }

    fn steps(&mut self) -> String {
        let steps = self.following.take_steps().into_iter();
        let texts = steps.map(|step| match step {
            Step::Begin(epoch) => format!("begin {epoch}"),
            Step::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Step::Gap => "gap".to_owned(),
            Step::End(reason) => reason.name().to_owned(),
        });
        texts.collect::<Vec<_>>().join(" ")
    }
}

fn text(sequence: u64) -> Bytes {
    sequence.to_string().into()
}

#[test]
fn live_chunks_that_come_before_and_in_the_snapshot_are_joined_by_sequence() {
    let mut bench = Bench::new();
    assert!(bench.ask());
    for sequence in 12..15 {
        bench.live(sequence);
    }
    bench.answer(10..14);
    assert_eq!(bench.steps(), "begin 5 init 10 11 12 13 14");
    bench.live(14);
    bench.live(15);
    assert_eq!(bench.steps(), "15");
    assert!(!bench.ask() && bench.following.wake_at().is_none());
}

#[test]
fn missing_chunk_costs_the_rest_of_its_gop() {
    let mut bench = Bench::new();
    bench.ask();
    bench.answer(10..12);
    for sequence in [13, 14, 12, 19, 20, 21] {
        bench.live(sequence);
    }
    assert_eq!(bench.steps(), "begin 5 init 10 11 gap 20 21");
    assert_eq!(bench.following.take_losses().gaps, 1);
    assert_eq!(bench.following.wake_at(), None);
}

#[test]
fn gap_in_a_long_gop_is_healed_by_a_request() {
    let mut bench = Bench::new();
    bench.ask();
    bench.answer(10..12);
    bench.live(13);
    assert!(!bench.ask());
    bench.ms = 1000;
    bench.live(14);
    assert!(bench.ask());
    bench.live(15);
    // Its ring has all that was missing: nothing is skipped.
    bench.answer(10..15);
    assert_eq!(bench.steps(), "begin 5 init 10 11 12 13 14 15");
}

#[test]
fn chunk_that_is_too_old_is_never_shown() {
    let mut bench = Bench::new();
    bench.ask();
    bench.answer(10..12);
    bench.live(12);
    // What waited for five seconds comes at once, and then what is new.
    let waited: Vec<Marks> = (13..32).map(|sequence| bench.marks(sequence)).collect();
    bench.ms = 5000;
    let now = bench.now();
    for marks in waited {
        bench.following.live(marks, text(marks.sequence), now);
    }
    for sequence in 38..42 {
        bench.live(sequence);
    }
    assert_eq!(bench.steps(), "begin 5 init 10 11 12 gap 40 41");
    assert_eq!(bench.following.take_losses().stale, 19);
}

#[test]
fn higher_epoch_is_asked_for_and_the_lower_one_is_over() {
    let mut bench = Bench::new();
    bench.ask();
    bench.answer(10..12);
    (bench.epoch, bench.origin) = (8, 2);
    bench.live(3);
    assert!(bench.ask());
    (bench.epoch, bench.origin) = (5, 1);
    bench.live(12);
    bench.answer(10..13);
    (bench.epoch, bench.origin) = (8, 2);
    assert_eq!(bench.following.take_losses().fenced, 2);
    bench.ms = 300;
    assert!(bench.ask());
    bench.answer(0..3);
    assert_eq!(bench.steps(), "begin 5 init 10 11 begin 8 init 0 1 2 3");
}

#[test]
fn media_of_a_lease_below_the_one_of_a_former_publisher_here_are_never_shown() {
    let mut bench = Bench::new();
    bench.following = Following::above(6, LAG, bench.start);
    assert!(bench.ask());
    bench.live(0);
    bench.answer(0..3);
    assert_eq!(bench.following.take_steps(), []);
    assert_eq!(bench.following.take_losses().fenced, 2);
    bench.epoch = 7;
    bench.ms += 1000;
    assert!(bench.ask());
    bench.answer(0..3);
    assert_eq!(bench.following.take_steps()[0], Step::Begin(7));
}

#[test]
fn newer_lease_of_the_same_ring_goes_on_where_it_was() {
    let mut bench = Bench::new();
    bench.ask();
    bench.answer(10..13);
    bench.epoch = 8;
    for sequence in 10..15 {
        bench.live(sequence);
    }
    assert_eq!(bench.steps(), "begin 5 init 10 11 12 13 14");
    // Its publisher was closed here for silence: what was shown does not come again.
    bench.following.feed_gone(bench.now().instant);
    bench.ms = 300;
    assert!(bench.ask());
    bench.answer(10..16);
    assert_eq!(bench.steps(), "begin 8 init 15");
}

#[test]
fn request_without_an_answer_is_made_again_and_one_without_a_publisher_waits_for_news() {
    let mut bench = Bench::new();
    assert!(bench.ask() && !bench.ask());
    bench.ms = 1000;
    assert!(!bench.ask());
    bench.ms = 1250;
    assert!(bench.ask());
    let now = bench.now().instant;
    bench
        .following
        .answer(bench.ticket, None, Bytes::new(), now);
    bench.ms = 4000;
    assert!(!bench.ask());
    bench.following.heard(7, bench.now().instant);
    assert!(bench.ask());
}

#[test]
fn end_comes_behind_the_last_chunk() {
    let mut bench = Bench::new();
    bench.ask();
    bench.live(12);
    let end = Marks {
        kind: Kind::End,
        ..bench.marks(13)
    };
    let reason = serde_json::to_vec(&OfflineReason::Ended).unwrap();
    let now = bench.now();
    bench.following.live(end, reason.into(), now);
    assert_eq!(bench.steps(), "");
    bench.answer(10..12);
    assert_eq!(bench.steps(), "begin 5 init 10 11 12 ended");
    assert!(!bench.ask());
}

#[test]
fn new_tracks_after_a_gap_come_with_their_init_segment() {
    let mut bench = Bench::new();
    bench.ask();
    bench.answer(10..11);
    let newer = |bench: &Bench, sequence| Marks {
        generation: 2,
        ..bench.marks(sequence)
    };
    let now = bench.now();
    let marks = newer(&bench, 20);
    bench.following.live(marks, text(20), now);
    assert!(bench.ask());
    let head = Marks {
        kind: Kind::Snapshot,
        count: 1,
        ..newer(&bench, 20)
    };
    bench
        .following
        .answer(bench.ticket, Some(head), "init2".into(), now.instant);
    bench
        .following
        .answer(bench.ticket, Some(marks), text(20), now.instant);
    let init = Marks {
        kind: Kind::Init,
        generation: 3,
        ..bench.marks(21)
    };
    bench.following.live(init, "init3".into(), now);
    assert_eq!(bench.steps(), "begin 5 init 10 gap init2 20 init3");
}

/// What happens to a live message.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Comes,
    IsLost,
    ComesTwice,
    /// It comes this many messages later.
    ComesLate(usize),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => Just(Fate::Comes),
        1 => Just(Fate::IsLost),
        1 => Just(Fate::ComesTwice),
        1 => (1..5_usize).prop_map(Fate::ComesLate),
    ]
}

proptest! {
    /// Each chunk once at most, in order; what is missing is a whole end of a GOP, and a gap says so.
    #[test]
    fn what_the_hub_gets_is_a_legal_cut_of_the_stream(
        fates in prop::collection::vec(fate(), 1..120),
        joins in prop::collection::vec(any::<bool>(), 120),
    ) {
        let mut bench = Bench::new();
        let mut arriving: Vec<Vec<u64>> = vec![Vec::new(); fates.len() + 6];
        for (sequence, fate) in fates.iter().enumerate() {
            let number = sequence as u64;
            match *fate {
                Fate::IsLost => {}
                Fate::Comes => arriving[sequence].push(number),
                Fate::ComesTwice => arriving[sequence].extend([number, number]),
                Fate::ComesLate(by) => arriving[sequence + by].push(number),
            }
        }
        let is_calm = fates.iter().all(|fate| matches!(fate, Fate::Comes | Fate::ComesTwice));
        let mut told = Vec::new();
        let mut is_asked = false;
        for (turn, sequences) in arriving.into_iter().enumerate() {
            bench.ms += 100;
            is_asked |= bench.ask();
            for sequence in sequences {
                bench.live(sequence);
            }
            if is_asked && joins.get(turn).copied().unwrap_or(true) {
                let edge = (turn as u64 + 1).min(fates.len() as u64);
                bench.answer((edge - 1) / 10 * 10..edge);
                is_asked = false;
            }
            told.extend(bench.following.take_steps());
        }
        let (mut next, mut is_gap) = (None, false);
        for step in told {
            match step {
                Step::Begin(_) => prop_assert!(next.is_none()),
                Step::Gap => is_gap = true,
                Step::End(_) => prop_assert!(false),
                Step::Bytes(bytes) if bytes == "init" => {}
                Step::Bytes(bytes) => {
                    let number: u64 = std::str::from_utf8(&bytes).unwrap().parse().unwrap();
                    let follows = next == Some(number) && !is_gap;
                    let skips = number.is_multiple_of(10) && next.is_none_or(|next| is_gap && number >= next);
                    prop_assert!(follows || skips, "{number} after {next:?}");
                    prop_assert!(!is_gap || !is_calm);
                    is_gap = false;
                    next = Some(number + 1);
                }
            }
        }
        if is_calm && fates.len() > 20 && joins.iter().all(|joins| *joins) {
            prop_assert_eq!(next, Some(fates.len() as u64));
        }
    }
}
