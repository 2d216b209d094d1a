//! What clients of `/api/events` get, and what they cost.

use super::*;
use crate::hub::tests::{Peer, World};
use crate::hub::{HookAnswer, HookSettings};
use crate::session::Verdict;
use serde_json::Value;

const FOLLOW: &str = "GET /api/events HTTP/1.1\r\nHost: localhost\r\n";
const RECORDING: &[u8] = include_bytes!("../../../tests/data/chromium-vp8-opus-100ms.webm");

fn follow(world: &mut World) -> Peer {
    world.connect(&format!("{FOLLOW}\r\n"))
}

fn publish(world: &mut World, name: &str) -> Peer {
    let publisher = world.connect(&format!(
        "PUT /publish/{name} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"
    ));
    world.settle();
    world.send(&publisher, RECORDING);
    world.settle();
    publisher
}

/// The names of the events that came, and their data.
fn events(peer: &Peer) -> Vec<(String, Value)> {
    let received = peer.received();
    let (_, body) = received.split_once("\r\n\r\n").expect("a whole head");
    let whole = body.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
    let event = |event: &str| {
        let (name, data) = event.split_once("\ndata: ")?;
        let name = name.strip_prefix("event: ")?.to_owned();
        Some((name, serde_json::from_str(data).ok()?))
    };
    let events = whole.split("\n\n").filter(|event| !event.is_empty());
    events
        .map(|text| event(text).unwrap_or_else(|| panic!("{text}")))
        .collect()
}

fn count(events: &[(String, Value)], wanted: &str) -> usize {
    events.iter().filter(|(name, _)| name == wanted).count()
}

#[test]
fn the_hour_comes_first_and_then_the_state_once_a_second() {
    let mut world = World::new();
    let _publisher = publish(&mut world, "demo");
    world.wait(Duration::from_secs(5));
    let peer = follow(&mut world);
    world.settle();
    let first = events(&peer);
    let names: Vec<&str> = first.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["history", "history", "state"]);
    assert_eq!(first[0].1["stream"], Value::Null);
    assert_eq!(first[1].1["stream"], "demo");
    let rows = |history: &Value| history["rows"].as_array().map_or(0, Vec::len);
    assert_eq!((rows(&first[0].1), rows(&first[1].1)), (5, 5));
    world.wait(Duration::from_secs(10));
    let all = events(&peer);
    assert_eq!((count(&all, "history"), count(&all, "state")), (2, 11));
    let last = &all[all.len() - 1].1;
    assert_eq!(last["streams"][0]["name"], "demo");
    assert_eq!(last["locked"], false);
    assert_eq!(last["process"]["connections"], 2.0);
    assert_eq!(last["samples"]["demo"]["viewers"], 0.0);
    // No viewer, no delay.
    assert_eq!(last["samples"]["demo"]["delay_ms"], Value::Null);
}

#[test]
fn bit_rate_in_and_skips_are_those_of_a_second() {
    let mut world = World::new();
    let peer = follow(&mut world);
    world.wait(Duration::from_millis(1500));
    let _publisher = publish(&mut world, "demo");
    world.wait(Duration::from_millis(800));
    let all = events(&peer);
    let sample = &all[all.len() - 1].1["samples"]["demo"];
    let expected = RECORDING.len() as f64 * 8.0;
    let received = sample["received_bps"].as_f64().unwrap_or(0.0);
    // Ticks are a quarter of a second apart.
    assert!((0.7..1.3).contains(&(received / expected)), "{sample}");
    assert_eq!(count(&all, "history"), 2, "{all:?}");
}

#[test]
fn client_that_reads_nothing_holds_one_event_and_is_closed() {
    let mut world = World::new();
    let _publisher = publish(&mut world, "demo");
    let peer = follow(&mut world);
    world.settle();
    peer.pipe.borrow_mut().room = Some(0);
    world.wait(Duration::from_secs(20));
    let waiting = world.hub.sessions[peer.id].outbox();
    assert_eq!(waiting.len(), 1);
    assert!(waiting.byte_len() < 4096, "{}", waiting.byte_len());
    world.wait(Duration::from_secs(20));
    assert!(peer.is_dropped());
    assert!(world.hub.followers.ids.is_empty());
}

#[test]
fn slow_client_misses_states_and_gets_whole_events() {
    let mut world = World::new();
    let peer = follow(&mut world);
    world.settle();
    for _ in 0..8 {
        peer.pipe.borrow_mut().room = Some(100);
        world.hub.ready(peer.id, false, true);
        world.wait(Duration::from_secs(3));
    }
    // 800 bytes in 24 s.
    let states = count(&events(&peer), "state");
    assert!((2..10).contains(&states), "{states}");
    peer.pipe.borrow_mut().room = None;
    world.hub.ready(peer.id, false, true);
    world.wait(Duration::from_secs(3));
    assert!(count(&events(&peer), "state") >= states + 3);
}

#[test]
fn client_sees_what_its_keys_show() {
    let options = crate::config::Options {
        watch_key: Some("look".into()),
        ..Default::default()
    };
    let mut world = World::with(options, None);
    let _publisher = publish(&mut world, "demo");
    world.wait(Duration::from_secs(2));
    let stranger = follow(&mut world);
    let friend = world.connect(&format!("{FOLLOW}Authorization: Bearer look\r\n\r\n"));
    world.wait(Duration::from_secs(2));
    for (peer, is_friend) in [(stranger, false), (friend, true)] {
        let all = events(&peer);
        assert_eq!(count(&all, "history"), 1 + usize::from(is_friend));
        let state = &all[all.len() - 1].1;
        assert_eq!(state["locked"], !is_friend);
        let streams = state["streams"].as_array().map_or(9, Vec::len);
        assert_eq!(streams, usize::from(is_friend));
        assert_eq!(state["samples"]["demo"].is_object(), is_friend);
        assert_eq!(peer.received().contains("demo"), is_friend);
    }
}

#[test]
fn client_that_the_hook_refuses_sees_the_process_alone() {
    let mut world = World::with_hook(Some(HookSettings {
        timeout: Duration::from_secs(2),
        cache: Duration::ZERO,
    }));
    let peer = follow(&mut world);
    world.settle();
    let question = world.hub.poll_question().expect("it asks");
    world.hub.hook_answered(&HookAnswer {
        id: question.id,
        verdict: Some(Verdict::Forbidden),
        trouble: None,
    });
    world.settle();
    let all = events(&peer);
    assert_eq!((count(&all, "history"), count(&all, "state")), (1, 1));
    assert_eq!(all[1].1["locked"], true);
}

#[test]
fn followers_are_limited() {
    let mut world = World::new();
    world.hub.settings.max_connections = 1000;
    let peers: Vec<Peer> = (0..FOLLOWERS_MAX).map(|_| follow(&mut world)).collect();
    world.wait(Duration::from_secs(2));
    let all = peers.iter().map(|peer| count(&events(peer), "state"));
    assert!(all.into_iter().all(|states| states >= 2));
    let one_more = follow(&mut world);
    world.settle();
    assert!(one_more.received().starts_with("HTTP/1.1 503 "));
    // One view, one event in memory.
    assert_eq!(world.hub.followers.states.len(), 1);
    world.hub.abandon(peers[0].id);
    let next = follow(&mut world);
    world.settle();
    assert!(next.received().starts_with("HTTP/1.1 200 "));
}

#[test]
fn followers_go_when_another_process_takes_over() {
    let mut world = World::new();
    let peer = follow(&mut world);
    world.settle();
    world.hub.drain();
    world.wait(Duration::from_secs(3));
    assert!(peer.is_dropped());
}
