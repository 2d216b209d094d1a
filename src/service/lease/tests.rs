use super::*;

fn holder(instance: &str, since_ms: u64) -> Holder {
    Holder {
        node: instance.to_uppercase(),
        instance: instance.to_owned(),
        since_ms,
        age_ms: 0,
        epoch: Some(0),
        takes_over: false,
    }
}

/// The server's answer to a read.
fn found(holder: &Holder, revision: u64) -> Message {
    let mut message = Message::new("x", serde_json::to_vec(holder).unwrap());
    message.set("Nats-Sequence", revision);
    message
}

fn status(status: u16) -> Message {
    Message {
        status: Some(status),
        ..Message::new("x", &b""[..])
    }
}

fn written(revision: u64) -> Message {
    Message::new("x", format!(r#"{{"stream":"KV_v","seq":{revision}}}"#))
}

fn refused() -> Message {
    let text = r#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence"}}"#;
    Message::new("x", text)
}

const TAKE: fn(u64) -> Option<Request> = |expected| Some(Request::Write { expected });

#[test]
fn free_lease_is_taken_renewed_and_given_back() {
    let start = Instant::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    let mut lease = Lease::new(holder("a", 5), true, start);
    assert_eq!(
        (lease.poll(1, true, start), lease.epoch()),
        (Some(Request::Read), None)
    );
    assert_eq!(lease.answer(1, &status(404), 2, start), (TAKE(0), None));
    let taken = Some(Change::Taken(7));
    assert_eq!(lease.answer(2, &written(7), 3, start), (None, taken));
    assert_eq!(
        (lease.poll(3, true, after(1)), lease.wake_at()),
        (None, Some(after(2)))
    );
    assert_eq!(lease.poll(3, true, after(2)), TAKE(7));
    // An answer that is late or another's changes nothing.
    assert_eq!(lease.answer(2, &refused(), 4, after(2)), (None, None));
    assert_eq!(lease.answer(3, &written(9), 4, after(2)), (None, None));
    assert_eq!(lease.epoch(), Some(7));
    assert_eq!(lease.release(), Some(Request::Release { expected: 9 }));
}

#[test]
fn newcomer_takes_the_lease_of_another_node_and_of_two_the_later_write_wins() {
    let now = Instant::now();
    let mut first = Lease::new(holder("a", 9), true, now);
    let mut second = Lease::new(holder("b", 5), true, now);
    let other = holder("c", 100);
    for lease in [&mut first, &mut second] {
        assert_eq!(lease.poll(1, true, now), Some(Request::Read));
        assert_eq!(lease.answer(1, &found(&other, 3), 2, now), (TAKE(3), None));
    }
    assert_eq!(
        first.answer(2, &written(4), 3, now).1,
        Some(Change::Taken(4))
    );
    assert_eq!(second.answer(2, &refused(), 3, now), (None, None));
    assert_eq!(second.poll(3, true, now), Some(Request::Read));
    assert_eq!(
        second.answer(3, &found(first.holder(), 4), 4, now),
        (TAKE(4), None)
    );
    assert_eq!(
        second.answer(4, &written(5), 5, now).1,
        Some(Change::Taken(5))
    );
    assert!(first.heard(5, true, now) && first.epoch().is_none() && first.release().is_none());
    assert!(!second.heard(4, true, now));
}

#[test]
fn newcomer_whose_first_request_is_lost_goes_after_a_publisher_that_came_meanwhile() {
    let start = Instant::now();
    let again = start + ANSWER_TIMEOUT;
    let mut lease = Lease::new(holder("a", 30), true, start);
    assert_eq!(lease.poll(1, true, start), Some(Request::Read));
    assert_eq!(lease.poll(2, true, again), Some(Request::Read));
    let other = found(&holder("b", 50), 3);
    let lost = (None, Some(Change::Lost(3)));
    assert_eq!(lease.answer(2, &other, 3, again), lost);
}

/// The other one took the lease while the answer was on its way, or had it before: its age tells, where it is
/// enough for that, and else the clocks.
#[test]
fn newcomer_whose_answer_is_late_takes_the_stream_over_from_an_older_publisher_alone() {
    let start = Instant::now();
    let late = start + Duration::from_millis(1400);
    let lost = (None, Some(Change::Lost(3)));
    let others = [
        (1400, 50, (TAKE(3), None), true),
        (20, 50, lost, false),
        (20, 20, (TAKE(3), None), false),
    ];
    for (age_ms, since_ms, outcome, takes_over) in others {
        let mut lease = Lease::new(holder("a", 30), true, start);
        assert_eq!(lease.poll(1, true, start), Some(Request::Read));
        let other = Holder {
            age_ms,
            ..holder("b", since_ms)
        };
        assert_eq!(lease.answer(1, &found(&other, 3), 2, late), outcome);
        assert_eq!(lease.holder().takes_over, takes_over);
    }
}

#[test]
fn of_two_that_came_in_the_same_millisecond_one_alone_gets_the_lease() {
    let start = Instant::now();
    let outcomes = ["a", "c"].map(|instance| {
        let mut lease = Lease::new(holder(instance, 30), false, start);
        lease.connected(start);
        lease.poll(1, true, start);
        lease.answer(1, &found(&holder("b", 30), 3), 2, start).1
    });
    assert_eq!(outcomes, [Some(Change::Lost(3)), None]);
}

#[test]
fn lease_tells_the_age_of_its_publisher_each_time_it_is_written() {
    let start = Instant::now();
    let after = |ms| start + Duration::from_millis(ms);
    let mut lease = Lease::new(holder("a", 30), true, start);
    lease.poll(1, true, start);
    lease.answer(1, &status(404), 2, after(20));
    assert_eq!(lease.holder().age_ms, 20);
    lease.answer(2, &written(7), 3, after(40));
    assert_eq!(lease.poll(3, true, after(2040)), TAKE(7));
    assert_eq!(lease.holder().age_ms, 2040);
}

#[test]
fn publisher_that_loses_the_lease_learns_the_epoch_of_the_newer_one() {
    let now = Instant::now();
    let mut newer = Lease::new(holder("b", 50), true, now);
    newer.poll(1, true, now);
    newer.answer(1, &status(404), 2, now);
    let taken = newer.holder().clone();
    newer.answer(2, &written(7), 3, now);
    assert_eq!(newer.poll(3, true, now + RENEWAL), TAKE(7));
    let renewed = newer.holder().clone();
    // As versions wrote it that did not tell.
    let former = Holder {
        epoch: None,
        ..renewed.clone()
    };
    for (other, revision, epoch) in [(taken, 7, 7), (renewed, 9, 7), (former, 9, 0)] {
        let mut lease = Lease::new(holder("a", 30), false, now);
        lease.connected(now);
        lease.poll(1, true, now);
        let (_, change) = lease.answer(1, &found(&other, revision), 2, now);
        assert_eq!(change, Some(Change::Lost(epoch)));
    }
}

#[test]
fn publisher_of_before_goes_after_a_newer_one_and_takes_an_older_ones_lease() {
    let start = Instant::now();
    let later = start + NEWCOMER;
    for (since_ms, outcome) in [(50, (None, Some(Change::Lost(3)))), (20, (TAKE(3), None))] {
        let mut lease = Lease::new(holder("a", 30), false, start);
        assert_eq!((lease.poll(1, true, later), lease.wake_at()), (None, None));
        lease.connected(later);
        assert_eq!(lease.poll(1, true, later), Some(Request::Read));
        let other = found(&holder("b", since_ms), 3);
        assert_eq!(lease.answer(1, &other, 2, later), outcome);
    }
}

#[test]
fn lease_that_ran_out_is_taken_with_a_higher_epoch() {
    let now = Instant::now();
    let mut lease = Lease::new(holder("a", 30), true, now);
    lease.poll(1, true, now);
    lease.answer(1, &status(404), 2, now);
    lease.answer(2, &written(7), 3, now);
    lease.disconnected(now);
    // It goes on with its epoch while the bus is away.
    assert_eq!((lease.epoch(), lease.wake_at()), (Some(7), None));
    lease.connected(now);
    assert_eq!(lease.poll(3, true, now), TAKE(7));
    lease.answer(3, &refused(), 4, now);
    assert_eq!(lease.poll(4, true, now), Some(Request::Read));
    assert_eq!(lease.answer(4, &status(404), 5, now), (TAKE(0), None));
    assert_eq!(
        lease.answer(5, &written(8), 6, now).1,
        Some(Change::Taken(8))
    );
}

#[test]
fn missing_bucket_is_made_and_silence_is_asked_again() {
    let now = Instant::now();
    let mut lease = Lease::new(holder("a", 30), true, now);
    assert_eq!(lease.poll(1, false, now), Some(Request::CreateBucket));
    // JetStream is off.
    assert_eq!(lease.answer(1, &status(503), 2, now), (None, None));
    let again = now + RETRY;
    assert_eq!(
        (lease.poll(2, false, now), lease.poll(2, false, again)),
        (None, Some(Request::CreateBucket))
    );
    let made = Message::new("x", r#"{"config":{}}"#);
    assert_eq!(
        lease.answer(2, &made, 3, again),
        (None, Some(Change::HasBucket))
    );
    assert_eq!(lease.poll(3, true, again), Some(Request::Read));
    let late = again + ANSWER_TIMEOUT;
    assert!(!lease.is_unanswered(again) && lease.is_unanswered(late));
    assert_eq!(lease.poll(4, true, late), Some(Request::Read));
    assert_eq!(lease.answer(3, &status(404), 5, late), (None, None));
    let much_later = now + PATIENCE * 2;
    assert!(!lease.poll_missed(late) && lease.poll_missed(much_later));
    assert!(!lease.poll_missed(much_later));
}

#[test]
fn news_of_a_takeover_are_enough_and_those_of_another_lease_are_looked_into() {
    let now = Instant::now();
    for takes_over in [false, true] {
        let mut lease = Lease::new(holder("a", 30), true, now);
        lease.poll(1, true, now);
        lease.answer(1, &status(404), 2, now);
        lease.answer(2, &written(7), 3, now);
        assert_eq!(lease.heard(9, takes_over, now), takes_over);
        let renewal = lease.poll(3, true, now);
        assert_eq!(renewal, TAKE(7).filter(|_| !takes_over));
    }
}

#[test]
fn of_a_lease_that_was_lost_while_cut_off_the_newer_publisher_gets_it() {
    let now = Instant::now();
    let others = [
        // It was there before, and took the lease when it had run out.
        (20, false, (TAKE(9), None)),
        // It came later.
        (40, false, (None, Some(Change::Lost(9)))),
        // It has just come; its clock is behind.
        (20, true, (None, Some(Change::Lost(9)))),
    ];
    for (since_ms, takes_over, outcome) in others {
        let mut lease = Lease::new(holder("a", 30), true, now);
        lease.poll(1, true, now);
        lease.answer(1, &status(404), 2, now);
        assert!(lease.holder().takes_over);
        lease.answer(2, &written(7), 3, now);
        lease.disconnected(now);
        lease.connected(now);
        assert_eq!(lease.poll(3, true, now), TAKE(7));
        lease.answer(3, &refused(), 4, now);
        assert_eq!(lease.poll(4, true, now), Some(Request::Read));
        let other = Holder {
            takes_over,
            ..holder("b", since_ms)
        };
        assert_eq!(lease.answer(4, &found(&other, 9), 5, now), outcome);
        assert!(!lease.holder().takes_over || outcome.0.is_none());
    }
}
