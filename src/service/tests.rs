//! Which streams a node takes in, and for how long.

use super::*;

fn service(now: Instant) -> Service {
    let settings = Settings {
        node: "n".into(),
        instance: "i".into(),
        prefix: "v".into(),
        domain: None,
        max_lag: Duration::from_secs(1),
    };
    let mut service = Service::new(settings, now);
    service.connected(1 << 20, now);
    service.take_actions();
    service
}

/// Whether the node has left since the last call.
fn has_left(service: &mut Service, now: Instant) -> bool {
    if service.wake_at().is_some_and(|at| at <= now) {
        service.tick(now);
    }
    let actions = service.take_actions();
    let is_out = actions.contains(&Action::Unsubscribe("v.demo.media".to_owned()));
    let orders: Vec<Order> = std::iter::from_fn(|| service.poll_order()).collect();
    let leave = Order::Leave {
        name: "demo".into(),
    };
    assert_eq!(orders.contains(&leave), is_out);
    is_out
}

#[test]
fn stream_is_left_ten_seconds_after_its_last_viewer() {
    let start = Instant::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    let (mut service, name) = (service(start), Arc::from("demo"));
    service.set_viewers(&name, 2, start);
    let media = Action::Subscribe("v.demo.media".to_owned());
    assert!(service.take_actions().contains(&media));
    service.set_viewers(&name, 0, after(20));
    assert!(!has_left(&mut service, after(29)));
    // One that comes meanwhile is served by what is there.
    service.set_viewers(&name, 1, after(29));
    assert!(!service.take_actions().contains(&media));
    assert!(!has_left(&mut service, after(60)));
    service.set_viewers(&name, 0, after(60));
    assert!(!has_left(&mut service, after(69)) && has_left(&mut service, after(70)));
    assert_eq!(service.figures().following, 0);
}

#[test]
fn stream_stays_for_readers_of_its_segments() {
    let start = Instant::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    let (mut service, name) = (service(start), Arc::from("demo"));
    for second in [0, 30] {
        service.note_reader(&name, after(second));
    }
    assert!(!has_left(&mut service, after(69)) && has_left(&mut service, after(70)));
    // A viewer keeps it longer.
    service.note_reader(&name, after(80));
    service.set_viewers(&name, 1, after(81));
    assert!(!has_left(&mut service, after(200)));
    service.set_viewers(&name, 0, after(200));
    assert!(!has_left(&mut service, after(209)) && has_left(&mut service, after(210)));
}

#[test]
fn picture_that_does_not_come_is_given_up() {
    let start = Instant::now();
    let mut service = service(start);
    let number = service.ask_picture("demo", errands::Which::Still, start);
    let number = number.expect("there is room");
    let actions = service.take_actions();
    let asked = actions.iter().any(|action| {
        matches!(action, Action::Publish { message, .. } if message.subject == "v.demo.picture")
    });
    assert!(asked);
    service.tick(start + Duration::from_secs(1));
    let picture = None;
    let came = Order::PictureCame { number, picture };
    assert!(std::iter::from_fn(|| service.poll_order()).any(|order| order == came));
}
