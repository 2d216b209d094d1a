//! Draws servers, peers and what befalls them from the numbers of a seed.

use super::disk::Mood;
use super::guards::{Credential, GUARDS, Guard, Pass, Right};
use super::link::LinkSpec;
use super::peers::client::ClientSpec;
use super::peers::download::DownloadSpec;
use super::peers::old::{ListenerSpec, PageSpec};
use super::peers::publisher::{How as PublishBy, Leave, PublisherSpec};
use super::peers::segments::SegmentsSpec;
use super::peers::stranger::{GREEDY, KINDS, StrangerSpec};
use super::peers::viewer::{Habit, How as WatchBy, ViewerSpec};
use super::scenario::{Action, BUSY, OTHERS, Server, What};
use super::world::{HookMood, Naming};
use std::time::Duration;
use videostream::compat::Port;

pub fn server(chance: &mut fastrand::Rng) -> Server {
    let ms = Duration::from_millis;
    let hooks = [
        HookMood::Quick,
        HookMood::Slow(ms(4000)),
        HookMood::Slow(ms(7000)),
        HookMood::Moody,
    ];
    Server {
        lag: [ms(600), ms(1000), ms(3000)][chance.usize(..3)],
        ring_bytes: [256 << 10, 1 << 20, 16 << 20][chance.usize(..3)],
        max_delay: [ms(0), ms(0), ms(100)][chance.usize(..3)],
        publish_bits_per_s: [None, None, Some(2_000_000)][chance.usize(..3)],
        per_address: [None, Some(4)][chance.usize(..2)],
        hook: match chance.u8(..3) {
            0 => Some(hooks[chance.usize(..hooks.len())]),
            _ => None,
        },
        guard: if chance.bool() {
            GUARDS[chance.usize(..GUARDS.len())]
        } else {
            Guard::Open
        },
        proxy: [None, None, Some(Naming::Field), Some(Naming::Header)][chance.usize(..4)],
        memory_bytes: [None, None, Some(768 << 10), Some(3 << 20)][chance.usize(..4)],
        max_connections: [None, None, None, Some(15)][chance.usize(..4)],
        max_streams: [None, None, Some(2)][chance.usize(..3)],
        disk: None,
        compat_bytes: None,
    }
}

/// A publisher that leaves, and comes back before its recording ends, or a little later.
pub fn returning(chance: &mut fastrand::Rng, server: &Server) -> Vec<Action> {
    let ms = Duration::from_millis;
    let pass = server.guard.good_pass(Right::Publish, "again");
    let spec = PublisherSpec {
        credential: Credential::by(pass, chance),
        leave: [Leave::Closing, Leave::Resetting][chance.usize(..2)],
        gop_frames: 40,
        ..PublisherSpec::honest("again", ms(chance.u64(2_000..6_000)))
    };
    let mut at = ms(chance.u64(..20_000));
    let mut actions = Vec::new();
    for _ in 0..3 {
        let what = What::Publish(spec, LinkSpec::good());
        actions.push(Action { at, what });
        at += spec.lasts + ms(chance.u64(300..6_000));
    }
    actions
}

pub fn segments(chance: &mut fastrand::Rng, server: &Server) -> Action {
    let ms = Duration::from_millis;
    let stream = ["honest", "honest", OTHERS[0], OTHERS[1]][chance.usize(..4)];
    let spec = SegmentsSpec {
        stream,
        lasts: ms(chance.u64(5_000..60_000)),
        pause: (chance.u8(..4) == 0).then(|| ms(chance.u64(100..40_000))),
        is_old: chance.u8(..4) == 0,
        credential: any_credential(chance, server, Right::Watch, stream),
    };
    let link = if chance.bool() {
        LinkSpec::good()
    } else {
        link(chance)
    };
    Action {
        at: ms(chance.u64(..BUSY.as_millis() as u64 / 2)),
        what: What::Segments(spec, link),
    }
}

pub fn download(chance: &mut fastrand::Rng, server: &Server) -> Action {
    let ms = Duration::from_millis;
    let spec = DownloadSpec {
        seed: chance.u64(..),
        requests: chance.usize(1..6),
        pause: (chance.u8(..3) == 0).then(|| ms(chance.u64(100..40_000))),
        lasts: ms(chance.u64(1_000..60_000)),
        credential: any_credential(chance, server, Right::Watch, "honest"),
    };
    let link = if chance.bool() {
        LinkSpec::good()
    } else {
        link(chance)
    };
    Action {
        at: ms(chance.u64(..BUSY.as_millis() as u64)),
        what: What::Download(spec, link),
    }
}

/// A page, listeners that come before, meanwhile and after it, and an ordinary viewer.
pub fn old_peers(chance: &mut fastrand::Rng, server: &Server) -> Vec<Action> {
    let ms = Duration::from_millis;
    let right = |right, chance: &mut fastrand::Rng| {
        Credential::by(server.guard.good_pass(right, "compat"), chance)
    };
    let page = PageSpec {
        seed: chance.u64(..),
        is_film: chance.u8(..3) > 0,
        lasts: ms(chance.u64(5_000..30_000)),
        blob_messages: chance.usize(3..80),
        credential: right(Right::Publish, chance),
    };
    let begins = ms(chance.u64(..10_000));
    let mut actions = vec![Action {
        at: begins,
        what: What::Page(page),
    }];
    for _ in 0..chance.usize(2..9) {
        let link = link(chance);
        let pause = (chance.u8(..4) == 0).then(|| ms(chance.u64(500..20_000)));
        let spec = ListenerSpec {
            port: [Port::BlobsOut, Port::ChunksOut][chance.usize(..2)],
            lasts: ms(chance.u64(1_000..30_000)),
            pause,
            is_quick: link == LinkSpec::good() && pause.is_none(),
            is_own: false,
            credential: right(Right::Watch, chance),
        };
        actions.push(Action {
            at: ms(chance.u64(..40_000)),
            what: What::Listen(spec, link),
        });
    }
    let viewer = ViewerSpec {
        habit: Habit::Patient,
        lag: Duration::ZERO,
        credential: right(Right::Watch, chance),
        ..ViewerSpec::honest("compat", WatchBy::V1, ms(20_000))
    };
    actions.push(Action {
        at: begins + ms(500),
        what: What::Watch(viewer, LinkSpec::good()),
    });
    actions
}

pub fn disk(chance: &mut fastrand::Rng) -> Option<Mood> {
    match chance.u8(..7) {
        0 => Some(Mood::Slow(chance.u64(2_000..60_000))),
        1 => Some(Mood::Stalling(Duration::from_millis(
            chance.u64(500..20_000),
        ))),
        2 => Some(Mood::Full(chance.u64(34_000..500_000))),
        3 => Some(Mood::Breaking(chance.u64(1..200))),
        4 | 5 => Some(Mood::Quick),
        _ => None,
    }
}

pub fn what(chance: &mut fastrand::Rng, server: &Server) -> What {
    let seed = chance.u64(..);
    match chance.u8(..20) {
        0..3 => What::Publish(publisher(chance, server), link(chance)),
        3..11 => What::Watch(behind(viewer(chance, server), server, seed), link(chance)),
        11..14 => {
            let link = link(chance);
            let is_good = link == LinkSpec::good() && server.hook.is_none();
            let spec = ClientSpec {
                requests: chance.usize(1..20),
                pause: Duration::from_millis(chance.u64(..3000)),
                seed,
                patience: is_good.then_some(Duration::from_secs(1)),
                credential: any_credential(chance, server, Right::Watch, "honest"),
            };
            What::Ask(spec, link)
        }
        14..19 => {
            let is_greedy = server.memory_bytes.is_some() && chance.u8(..4) > 0;
            let kinds = if is_greedy { &GREEDY[..] } else { &KINDS };
            What::Annoy(StrangerSpec {
                kind: kinds[chance.usize(..kinds.len())],
                seed,
            })
        }
        _ if chance.bool() => What::StandStill(Duration::from_millis(chance.u64(1100..40_000))),
        // Tokens must expire when the simulation says.
        _ if matches!(server.guard, Guard::Tokens | Guard::KeysAndTokens) => {
            What::StandStill(Duration::from_millis(chance.u64(1100..5000)))
        }
        _ => What::SetWall([0, 1, 4_000_000_000, u64::MAX / 2][chance.usize(..4)]),
    }
}

fn any_credential(
    chance: &mut fastrand::Rng,
    server: &Server,
    right: Right,
    stream: &'static str,
) -> Credential {
    let pass = server.guard.any_pass(right, stream, chance);
    Credential::by(pass, chance)
}

fn publisher(chance: &mut fastrand::Rng, server: &Server) -> PublisherSpec {
    let leaves = [
        Leave::Closing,
        Leave::Resetting,
        Leave::Vanishing,
        Leave::Silently,
        Leave::Raving,
    ];
    let mut stream = OTHERS[chance.usize(..OTHERS.len())];
    let mut credential = any_credential(chance, server, Right::Publish, stream);
    // A usurper has a pass that is good for nothing, or none.
    let passes = [Pass::Nothing, Pass::WrongKey, Pass::WatchKey];
    if server.guard != Guard::Open && chance.u8(..3) == 0 {
        stream = "honest";
        credential = Credential::by(passes[chance.usize(..passes.len())], chance);
    }
    PublisherSpec {
        stream,
        credential,
        is_kept: false,
        how: [PublishBy::WebSocket, PublishBy::Body][chance.usize(..2)],
        has_sound: chance.u8(..4) > 0,
        mute: chance.u8(..8) == 0,
        restart_frames: (chance.u8(..4) == 0).then(|| chance.u32(5..200)),
        frame_every: Duration::from_millis([40, 40, 20, 150][chance.usize(..4)]),
        frame_bytes: chance.usize(30..3000),
        gop_frames: chance.u32(5..100),
        lasts: Duration::from_millis(chance.u64(500..30_000)),
        leave: leaves[chance.usize(..leaves.len())],
    }
}

fn viewer(chance: &mut fastrand::Rng, server: &Server) -> ViewerSpec {
    let streams = ["honest", "honest", OTHERS[0], OTHERS[1], OTHERS[2]];
    let hows = [
        WatchBy::V1,
        WatchBy::V1,
        WatchBy::WebSocket,
        WatchBy::Chunked,
        WatchBy::UntilClose,
    ];
    let habits = [
        Habit::Patient,
        Habit::Patient,
        Habit::Pausing(Duration::from_millis(chance.u64(500..40_000))),
        Habit::Resetting,
        Habit::Vanishing,
        Habit::Talking,
    ];
    let stream = streams[chance.usize(..streams.len())];
    ViewerSpec {
        stream,
        credential: any_credential(chance, server, Right::Watch, stream),
        how: hows[chance.usize(..hows.len())],
        habit: habits[chance.usize(..habits.len())],
        lasts: Duration::from_millis(chance.u64(200..50_000)),
        lag: server.lag(),
        back: Duration::ZERO,
        keeps: None,
    }
}

/// Some viewers begin behind live.
fn behind(spec: ViewerSpec, server: &Server, seed: u64) -> ViewerSpec {
    let mut chance = fastrand::Rng::with_seed(seed);
    if chance.u8(..3) > 0 {
        return spec;
    }
    // A ring that is short of bytes, or of memory, may lose anything.
    let is_large = server.ring_bytes >= 16 << 20 && server.memory_bytes.is_none();
    ViewerSpec {
        back: Duration::from_millis(chance.u64(500..70_000)),
        keeps: Some(Duration::from_secs(if is_large { 25 } else { 0 })),
        ..spec
    }
}

fn link(chance: &mut fastrand::Rng) -> LinkSpec {
    match chance.u8(..4) {
        0 => LinkSpec::slow(chance.u64(2_000..40_000)),
        1 => LinkSpec {
            latency: Duration::from_millis(chance.u64(1..400)),
            rate: chance.u64(20_000..10_000_000),
            send_buffer: chance.usize(4 << 10..400 << 10),
            receive_buffer: chance.usize(2 << 10..200 << 10),
            is_choppy: true,
        },
        _ => LinkSpec::good(),
    }
}
