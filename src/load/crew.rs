//! The viewers of one process or thread, on one reactor.
//!
//! A turn reads what came, lets new viewers come and others go, and reports now and then. Orders
//! come over a channel that is looked at once a turn, which lasts 20 ms at most.

use std::io;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use super::answer::NONCE;
use super::findings::{Counts, Findings, News, Order, Stalled, Tick, Times, Totals, keep};
use super::options::Protocol;
use super::plan::{Part, Plan, Role};
use super::stamp;
use super::strain::Gauge;
use super::viewer::{Life, Outcome, READ_BYTES, Shared, Viewer};
use super::wire::WireTls;
use crate::secret::Secret;
use crate::websocket::{SUBPROTOCOL, client_request};

/// Longest sleep: orders, new viewers and slow readers get attention this often.
const TURN: Duration = Duration::from_millis(20);

/// Viewers between their SYN and the answer to their request: more than come during one sweep of a
/// busy server, or they would queue here, where that wait is not measured.
const CONNECTING_MAX: usize = 1024;

/// Time in which a connection, and the answer to an upgrade, must come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A viewer that waited less than this when all ended was not failed by the server. After as long, an
/// HTTP viewer without an answer makes room for others to connect.
const PATIENCE: Duration = Duration::from_secs(1);

const TICK_INTERVAL: Duration = Duration::from_millis(500);

/// How often a slow viewer reads.
const SLOW_INTERVAL: Duration = Duration::from_millis(50);

/// The crowd sends its unsolicited pongs in so many parts, one each second: within the 20 s after
/// which a server sends pings. Each pong costs the server a read.
const PRESENCE_PARTS: u64 = 16;

pub(super) struct PartViewers<'a> {
    plan: &'a Plan,
    tls: Option<WireTls>,
    poll: Poll,
    viewers: Vec<Viewer>,
    /// Per server and stream: the request of the judged viewers, and of the others.
    requests: Vec<Vec<[Vec<u8>; 2]>>,
    started: Instant,
    /// Index of the next viewer to come.
    next: usize,
    /// Viewers that connect or ask.
    connecting: usize,
    churn: Churn,
    slow_read: Instant,
    second: u64,
    ticked: Instant,
    /// Bytes of viewers that left within the measured time.
    bytes_of_gone: u64,
    /// Sum of all viewers' bytes at the last report.
    bytes_reported: u64,
    is_measuring: bool,
    /// Since the start, or of the measured time.
    gauge: Option<Gauge>,
    counts: Counts,
    joins: Times,
    /// From the start to the first media of the last of the first viewers.
    came: Duration,
    measured_delays: Times,
    findings: Findings,
}

/// Viewers that leave and come.
struct Churn {
    per_s: f64,
    /// The viewers that left.
    done: u64,
    /// Where to look for the next.
    at: usize,
}

impl<'a> PartViewers<'a> {
    pub fn new(plan: &'a Plan) -> io::Result<PartViewers<'a>> {
        let now = Instant::now();
        let assignments = plan.assignments();
        let key = plan.key.as_deref().map(Secret::new);
        let requests = plan.servers.iter().map(|server| {
            let host = &server.host;
            let of_stream = plan.targets.iter().map(|target| {
                [&[SUBPROTOCOL][..], &[]].map(|protocols| match plan.protocol {
                    Protocol::Ws => client_request(host, target, NONCE, protocols, key.as_ref()),
                    Protocol::Http | Protocol::Segments => http_request(host, target, key.as_ref()),
                })
            });
            of_stream.collect()
        });
        Ok(PartViewers {
            plan,
            tls: plan.tls.as_ref().map(WireTls::new).transpose()?,
            poll: Poll::new()?,
            requests: requests.collect(),
            started: now,
            next: 0,
            connecting: 0,
            churn: Churn {
                per_s: plan.churn_of(&assignments),
                done: 0,
                at: 0,
            },
            slow_read: now,
            second: 0,
            ticked: now,
            bytes_of_gone: 0,
            bytes_reported: 0,
            is_measuring: false,
            gauge: None,
            counts: Counts::default(),
            joins: Times::default(),
            came: Duration::ZERO,
            measured_delays: Times::default(),
            findings: Findings::default(),
            viewers: assignments
                .into_iter()
                .map(|assignment| Viewer::new(assignment, now))
                .collect(),
        })
    }

    /// Runs until the order to finish, or until the sender of orders is gone.
    pub fn run(mut self, orders: &Receiver<Order>, mut tell: impl FnMut(News)) -> io::Result<()> {
        self.gauge = Gauge::start();
        let mut events = Events::with_capacity(1024);
        let mut scratch = vec![0; READ_BYTES];
        loop {
            match self.poll.poll(&mut events, Some(TURN)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let now = Instant::now();
            for event in &events {
                self.turn(event.token().0, usize::MAX, now, &mut scratch);
            }
            self.welcome(now);
            self.look_after(now, &mut scratch);
            if now >= self.ticked + TICK_INTERVAL {
                self.ticked = now;
                tell(News::Tick(self.tick()));
            }
            match orders.try_recv() {
                Ok(Order::Measure) => {
                    tell(News::Tick(self.tick()));
                    self.measure();
                }
                Ok(Order::Finish) | Err(TryRecvError::Disconnected) => {
                    self.end_judgement();
                    tell(News::Tick(self.tick()));
                    tell(News::Totals(Box::new(self.totals())));
                    return Ok(());
                }
                Err(TryRecvError::Empty) => {}
            }
        }
    }

    /// One viewer's socket has news, or its time has come.
    fn turn(&mut self, index: usize, allowed: usize, now: Instant, scratch: &mut [u8]) {
        let viewer = &mut self.viewers[index];
        let allowed = match viewer.assignment.role {
            // It reads by the clock alone.
            Role::Slow if viewer.is_settled && allowed == usize::MAX => return,
            _ => allowed,
        };
        let was_settled = viewer.is_settled;
        let is_judged = viewer.assignment.role != Role::Crowd;
        let assignment = viewer.assignment;
        let requests = &self.requests[assignment.server][assignment.stream];
        let request = &requests[usize::from(!is_judged)];
        let mut shared = Shared {
            protocol: self.plan.protocol,
            run: self.plan.run,
            stall_for: self.plan.stall_for,
            now,
            findings: &mut self.findings,
            scratch,
        };
        let outcome = viewer.turn(request, allowed, &mut shared);
        if viewer.is_pending && !viewer.is_connecting() {
            viewer.is_pending = false;
            self.connecting -= 1;
        }
        match outcome {
            Outcome::Nothing => {}
            Outcome::Connected => self.counts.connected += 1,
            Outcome::Joined { just_connected } => {
                self.counts.connected += u64::from(just_connected);
                self.joins.record(viewer.began.elapsed().as_micros() as u64);
                if !self.is_measuring {
                    self.came = self.started.elapsed();
                }
            }
            Outcome::Failed => self.counts.failed += 1,
            Outcome::Dropped { just_connected } => {
                self.counts.connected += u64::from(just_connected);
                self.counts.dropped += 1;
                if !was_settled && viewer.is_settled {
                    self.joins.record(viewer.began.elapsed().as_micros() as u64);
                }
            }
        }
    }

    /// Starts the viewers whose time has come.
    fn welcome(&mut self, now: Instant) {
        while self.connecting < CONNECTING_MAX
            && let Some(viewer) = self.viewers.get(self.next)
            && self.started + viewer.assignment.comes_at <= now
        {
            let index = self.next;
            self.next += 1;
            self.connect(index, now);
        }
    }

    fn connect(&mut self, index: usize, now: Instant) {
        let registry = self.poll.registry();
        let viewer = &mut self.viewers[index];
        match viewer.connect(
            self.plan.servers[viewer.assignment.server].address,
            self.tls.as_ref(),
            (registry, Token(index)),
            now,
        ) {
            Ok(()) => self.connecting += 1,
            Err(error) => {
                self.counts.failed += 1;
                keep(&mut self.findings.reasons.failed, error.to_string());
            }
        }
    }

    /// What happens by the clock.
    fn look_after(&mut self, now: Instant, scratch: &mut [u8]) {
        if now >= self.slow_read + SLOW_INTERVAL {
            let seconds = (now - self.slow_read).as_secs_f64();
            let allowed = (self.plan.slow_bits_per_s as f64 / 8.0 * seconds) as usize;
            self.slow_read = now;
            for index in 0..self.viewers.len() {
                let viewer = &self.viewers[index];
                match (&viewer.life, viewer.assignment.role) {
                    (Life::Watching { .. }, Role::Slow) => self.turn(index, allowed, now, scratch),
                    (Life::Watching { screen, .. }, Role::Stalled) if screen.wakes(now) => {
                        self.turn(index, usize::MAX, now, scratch);
                    }
                    // A part has the crowd alone or none of it.
                    (_, Role::Crowd) => break,
                    _ => {}
                }
            }
        }
        self.churn(now);
        let second = (now - self.started).as_secs();
        if second > self.second {
            self.second = second;
            self.each_second(now);
        }
    }

    fn churn(&mut self, now: Instant) {
        // Only once all have come: the viewers that leave make room for new ones.
        if self.churn.per_s == 0.0 || self.next < self.viewers.len() {
            return;
        }
        let since = (now - self.started)
            .saturating_sub(self.plan.ramp)
            .as_secs_f64();
        let due = (since * self.churn.per_s) as u64;
        let mut looked_at = 0;
        while self.churn.done < due
            && self.connecting < CONNECTING_MAX
            && looked_at < self.viewers.len()
        {
            let index = self.churn.at % self.viewers.len();
            self.churn.at += 1;
            looked_at += 1;
            let viewer = &mut self.viewers[index];
            if !viewer.is_watching() || !viewer.is_settled || !viewer.assignment.role.is_healthy() {
                continue;
            }
            viewer.leave(self.plan.protocol);
            viewer.is_measured = false;
            self.bytes_of_gone += std::mem::take(&mut viewer.bytes);
            self.churn.done += 1;
            self.connect(index, now);
        }
    }

    fn each_second(&mut self, now: Instant) {
        let is_websocket = self.plan.protocol == Protocol::Ws;
        for viewer in &mut self.viewers {
            if is_websocket
                && viewer.assignment.index % PRESENCE_PARTS == self.second % PRESENCE_PARTS
            {
                viewer.show_presence();
            }
            viewer.ask_again();
            if !viewer.is_connecting() {
                continue;
            }
            let waited = now.saturating_duration_since(viewer.began);
            // An HTTP viewer gets its answer when a publisher comes, however late that is.
            let is_asking_http = !is_websocket && matches!(viewer.life, Life::Asking { .. });
            let is_over = waited > CONNECT_TIMEOUT && !is_asking_http;
            if is_over {
                viewer.life = Life::Away;
                self.counts.failed += 1;
                let reason = format!("no answer within {} s", CONNECT_TIMEOUT.as_secs());
                keep(&mut self.findings.reasons.failed, reason);
            }
            if viewer.is_pending && (is_over || (is_asking_http && waited > PATIENCE)) {
                viewer.is_pending = false;
                self.connecting -= 1;
            }
        }
    }

    /// The measured time begins: what came before only counts as joins and faults.
    fn measure(&mut self) {
        for viewer in &mut self.viewers {
            viewer.bytes = 0;
            viewer.is_measured = viewer.is_watching() && viewer.assignment.role.is_healthy();
        }
        self.bytes_of_gone = 0;
        self.bytes_reported = 0;
        self.measured_delays.clear();
        self.is_measuring = true;
        self.gauge = Gauge::start();
    }

    fn tick(&mut self) -> Tick {
        self.counts.skips = self.findings.skips;
        self.counts.invalid = self.findings.invalid;
        let delays = std::mem::take(&mut self.findings.delays);
        self.measured_delays.add(&delays);
        let bytes = self.bytes();
        let come = self.viewers[..self.next].iter();
        Tick {
            watching: come.clone().filter(|viewer| viewer.is_watching()).count() as u64,
            settled: come
                .filter(|viewer| viewer.is_settled || matches!(viewer.life, Life::Away))
                .count() as u64,
            bytes: bytes - std::mem::replace(&mut self.bytes_reported, bytes),
            delays,
            counts: self.counts,
        }
    }

    fn bytes(&self) -> u64 {
        self.bytes_of_gone + self.viewers.iter().map(|viewer| viewer.bytes).sum::<u64>()
    }

    fn end_judgement(&mut self) {
        let now_ns = stamp::now_ns();
        for judge in self.viewers.iter().filter_map(Viewer::judge) {
            judge.end(now_ns, &mut self.findings);
        }
    }

    fn stalled(&self) -> Stalled {
        let stalled = self.viewers.iter();
        let stalled = stalled.filter(|viewer| viewer.assignment.role == Role::Stalled);
        let woken = stalled
            .clone()
            .filter_map(|viewer| viewer.judge()?.is_back());
        Stalled {
            all: stalled.count() as u64,
            woken: woken.clone().count() as u64,
            back: woken.filter(|&is_back| is_back).count() as u64,
        }
    }

    fn totals(&mut self) -> Totals {
        let is_unanswered =
            |viewer: &&Viewer| viewer.is_connecting() && viewer.began.elapsed() > PATIENCE;
        let unanswered = self.viewers.iter().filter(is_unanswered).count();
        if unanswered > 0 {
            self.counts.failed += unanswered as u64;
            keep(
                &mut self.findings.reasons.failed,
                "no answer: is anyone publishing?".into(),
            );
        }
        let is_counted = |viewer: &&Viewer| {
            if self.is_measuring {
                viewer.is_measured
            } else {
                // Ended before all viewers had come.
                viewer.is_watching() && viewer.assignment.role.is_healthy()
            }
        };
        let reads_stamps = self.plan.part == Part::Watched;
        Totals {
            strain: self
                .gauge
                .as_ref()
                .and_then(|gauge| gauge.read(reads_stamps)),
            stalled: self.stalled(),
            bytes: self.bytes(),
            bytes_each: self
                .viewers
                .iter()
                .filter(is_counted)
                .map(|viewer| viewer.bytes)
                .collect(),
            counts: self.counts,
            joins: std::mem::take(&mut self.joins),
            came: self.came,
            delays: std::mem::take(&mut self.measured_delays),
            reasons: std::mem::take(&mut self.findings.reasons),
        }
    }
}

fn http_request(host: &str, target: &str, key: Option<&Secret>) -> Vec<u8> {
    let authorization = match key {
        Some(key) => format!("Authorization: {}\r\n", key.authorization()),
        None => String::new(),
    };
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: videostream\r\n{authorization}\r\n"
    )
    .into_bytes()
}
