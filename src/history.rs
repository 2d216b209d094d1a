//! The last hour in figures, in bounded memory: of the process, and of each stream.
//!
//! A sample comes in once a second. The last two minutes are kept by the second, the hour by ten
//! seconds:
//!
//! ```text
//! push(at_s, figures) ─► recent: 120 rows of 1 s
//!                    └─► ten seconds become one ─► coarse: 360 rows of 10 s
//! rows(): what of coarse is older than recent, then recent
//! ```
//!
//! A second without a sample has no row: readers see the gap by the times of its neighbours. A
//! figure that is not known is NaN, and `null` in JSON.
//!
//! Pure: the time comes in, as seconds since the server started.

use bytes::Bytes;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Seconds that are kept one by one.
const RECENT_S: u32 = 120;

/// Seconds that become one row of the hour.
const STEP_S: u32 = 10;

/// Seconds that are kept at all.
pub const SPAN_S: u32 = 3600;

/// Streams with a history. One takes 18 KB at most: 5 MB for all.
///
/// The default number of streams: with more, those that were on air longest ago lose theirs first,
/// and the rest have none.
pub const STREAMS_MAX: usize = 256;

/// How the samples of ten seconds become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fold {
    Mean,
    /// A short peak must not be lost.
    Max,
}

/// One figure of a sample.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    name: &'static str,
    fold: Fold,
}

const fn mean(name: &'static str) -> Figure {
    Figure {
        name,
        fold: Fold::Mean,
    }
}

const fn max(name: &'static str) -> Figure {
    Figure {
        name,
        fold: Fold::Max,
    }
}

/// Figures of a stream, in the order of its samples. `skips` are those of one second.
pub const STREAM: [Figure; 6] = [
    mean("viewers"),
    mean("received_bps"),
    mean("sent_bps"),
    max("delay_ms"),
    mean("skips"),
    mean("ring_ms"),
];

/// Figures of the process, in the order of its samples. `turn_ms` is the longest turn of the event
/// loop.
pub const PROCESS: [Figure; 7] = [
    mean("viewers"),
    mean("connections"),
    mean("received_bps"),
    mean("sent_bps"),
    mean("cpu_percent"),
    max("memory_bytes"),
    max("turn_ms"),
];

/// Figures of one moment, or of ten seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<const N: usize> {
    /// Seconds since the server started.
    pub at_s: u32,
    pub figures: [f32; N],
}

/// The last hour of one thing.
#[derive(Debug)]
pub struct Series<const N: usize> {
    kinds: &'static [Figure; N],
    /// Oldest first, as is `coarse`.
    recent: VecDeque<Row<N>>,
    coarse: VecDeque<Row<N>>,
    /// The ten seconds that are not over yet, as their sum or their maximum.
    open: Option<(Row<N>, u16)>,
    /// What [`Series::event`] made of this.
    event: Option<Bytes>,
}

impl<const N: usize> Series<N> {
    pub fn new(kinds: &'static [Figure; N]) -> Series<N> {
        Series {
            kinds,
            recent: VecDeque::new(),
            coarse: VecDeque::new(),
            open: None,
            event: None,
        }
    }

    /// Takes the sample of a second. A second that has one already keeps it.
    pub fn push(&mut self, at_s: u32, figures: [f32; N]) {
        if self.last().is_some_and(|last| last.at_s >= at_s) {
            return;
        }
        self.event = None;
        self.recent.push_back(Row { at_s, figures });
        drop_before(&mut self.recent, (at_s + 1).saturating_sub(RECENT_S));
        self.fold(at_s - at_s % STEP_S, figures);
        drop_before(&mut self.coarse, (at_s + 1).saturating_sub(SPAN_S));
    }

    /// The newest sample.
    pub fn last(&self) -> Option<&Row<N>> {
        self.recent.back()
    }

    /// All rows that there are, oldest first.
    pub fn rows(&self) -> impl Iterator<Item = Row<N>> {
        let recent_from = self.recent.front().map_or(0, |row| row.at_s);
        let coarse = self.coarse.iter();
        let older = coarse.take_while(move |row| row.at_s + STEP_S <= recent_from);
        older.chain(&self.recent).copied()
    }

    /// The newest sample with the names of its figures.
    pub fn named(&self) -> Option<Named<N>> {
        Some(Named(self.kinds, self.last()?.figures))
    }

    /// All rows, as `event: history`: made once a second at most, and shared.
    pub fn event(&mut self, stream: Option<&str>) -> Bytes {
        if let Some(event) = &self.event {
            return event.clone();
        }
        let names = self.kinds.iter().map(|kind| kind.name).collect();
        let history = HistoryJson {
            stream,
            figures: names,
            rows: Rows(self),
        };
        let event = event("history", &history);
        self.event = Some(event.clone());
        event
    }

    /// Bytes of memory that it holds.
    #[cfg(any(test, feature = "testing"))]
    fn held_bytes(&self) -> usize {
        let rows = self.recent.capacity() + self.coarse.capacity();
        rows * size_of::<Row<N>>() + self.event.as_ref().map_or(0, Bytes::len)
    }

    /// Whether [`Series::event`] has nothing to do.
    pub fn is_rendered(&self) -> bool {
        self.event.is_some()
    }

    fn fold(&mut self, begins_s: u32, figures: [f32; N]) {
        match &mut self.open {
            Some((open, count)) if open.at_s == begins_s => {
                for ((sum, figure), kind) in open.figures.iter_mut().zip(figures).zip(self.kinds) {
                    *sum = match kind.fold {
                        Fold::Mean => *sum + figure,
                        Fold::Max => sum.max(figure),
                    };
                }
                *count += 1;
            }
            open => {
                let row = Row {
                    at_s: begins_s,
                    figures,
                };
                if let Some((mut ended, count)) = open.replace((row, 1)) {
                    for (sum, kind) in ended.figures.iter_mut().zip(self.kinds) {
                        if kind.fold == Fold::Mean {
                            *sum /= f32::from(count);
                        }
                    }
                    self.coarse.push_back(ended);
                }
            }
        }
    }
}

fn drop_before<const N: usize>(rows: &mut VecDeque<Row<N>>, first_s: u32) {
    while rows.front().is_some_and(|row| row.at_s < first_s) {
        rows.pop_front();
    }
}

/// Figures as an object.
#[derive(Debug, Clone, Copy)]
pub struct Named<const N: usize>(&'static [Figure; N], [f32; N]);

impl<const N: usize> Serialize for Named<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(N))?;
        for (kind, figure) in self.0.iter().zip(self.1) {
            map.serialize_entry(kind.name, &rounded(figure))?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct HistoryJson<'a, const N: usize> {
    /// `null` for the process.
    stream: Option<&'a str>,
    /// What stands in a row behind its time.
    figures: Vec<&'static str>,
    rows: Rows<'a, N>,
}

struct Rows<'a, const N: usize>(&'a Series<N>);

impl<const N: usize> Serialize for Rows<'_, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.rows().map(RowJson))
    }
}

struct RowJson<const N: usize>(Row<N>);

impl<const N: usize> Serialize for RowJson<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_seq(Some(1 + N))?;
        row.serialize_element(&self.0.at_s)?;
        for figure in self.0.figures {
            row.serialize_element(&rounded(figure))?;
        }
        row.end()
    }
}

/// One server-sent event. JSON has no line feed, so its data are one line.
pub fn event(name: &str, data: &impl Serialize) -> Bytes {
    let mut event = format!("event: {name}\ndata: ").into_bytes();
    serde_json::to_writer(&mut event, data).expect("figures have string keys alone");
    event.extend_from_slice(b"\n\n");
    event.into()
}

/// To a hundredth: more digits only cost bytes. Not known is `None`.
fn rounded(figure: f32) -> Option<f64> {
    let whole = (f64::from(figure) * 100.0).round() / 100.0;
    whole.is_finite().then_some(whole)
}

/// What a stream has counted since it began.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    pub received_bytes: u64,
    pub sent_bytes: u64,
    pub skips: u64,
}

impl Totals {
    /// What came since `before`. A stream that began anew counts from zero.
    pub fn since(self, before: Totals) -> Totals {
        let since = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
        Totals {
            received_bytes: since(self.received_bytes, before.received_bytes),
            sent_bytes: since(self.sent_bytes, before.sent_bytes),
            skips: since(self.skips, before.skips),
        }
    }
}

#[derive(Debug)]
struct Track {
    totals: Totals,
    series: Series<{ STREAM.len() }>,
}

/// The last hour of the process and of the streams.
#[derive(Debug)]
pub struct History {
    process: Series<{ PROCESS.len() }>,
    /// By name: a stream that comes back within the hour goes on.
    streams: BTreeMap<Arc<str>, Track>,
}

impl Default for History {
    fn default() -> History {
        History {
            process: Series::new(&PROCESS),
            streams: BTreeMap::new(),
        }
    }
}

impl History {
    pub fn process(&mut self) -> &mut Series<{ PROCESS.len() }> {
        &mut self.process
    }

    pub fn stream(&mut self, name: &str) -> Option<&mut Series<{ STREAM.len() }>> {
        self.streams.get_mut(name).map(|track| &mut track.series)
    }

    /// Notes what a stream has counted by now. Returns what came since the last time.
    pub fn count(&mut self, name: &Arc<str>, totals: Totals) -> Totals {
        match self.streams.get_mut(name) {
            Some(track) => totals.since(std::mem::replace(&mut track.totals, totals)),
            None => totals,
        }
    }

    /// Takes the sample of a second of a stream that has counted so much.
    pub fn push_stream(
        &mut self,
        name: &Arc<str>,
        at_s: u32,
        totals: Totals,
        figures: [f32; STREAM.len()],
    ) {
        if !self.streams.contains_key(name) && !self.make_room(at_s) {
            return;
        }
        let track = self.streams.entry(name.clone()).or_insert_with(|| Track {
            totals,
            series: Series::new(&STREAM),
        });
        track.series.push(at_s, figures);
    }

    /// Bytes of memory that it holds, the names left out.
    #[cfg(any(test, feature = "testing"))]
    pub fn held_bytes(&self) -> usize {
        let tracks = self.streams.values();
        let tracks = tracks.map(|track| size_of::<Track>() + track.series.held_bytes());
        self.process.held_bytes() + tracks.sum::<usize>()
    }

    /// Forgets streams that have not been on air for an hour.
    pub fn forget(&mut self, now_s: u32) {
        self.streams
            .retain(|_, track| track.last_s() + SPAN_S > now_s);
    }

    /// Makes room for one more stream. Returns whether there is some: all of the others may be on air.
    fn make_room(&mut self, now_s: u32) -> bool {
        if self.streams.len() < STREAMS_MAX {
            return true;
        }
        let oldest = self.streams.iter().min_by_key(|(_, track)| track.last_s());
        let off_air = oldest.filter(|(_, track)| track.last_s() + 1 < now_s);
        let Some(name) = off_air.map(|(name, _)| name.clone()) else {
            return false;
        };
        self.streams.remove(&name);
        true
    }
}

impl Track {
    fn last_s(&self) -> u32 {
        self.series.last().map_or(0, |row| row.at_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(viewers: f32, delay_ms: f32) -> [f32; 6] {
        [viewers, 0.0, 0.0, delay_ms, 0.0, 0.0]
    }

    fn series(seconds: std::ops::Range<u32>) -> Series<6> {
        let mut series = Series::new(&STREAM);
        for at_s in seconds {
            series.push(at_s, figures(at_s as f32, (at_s % 10) as f32));
        }
        series
    }

    #[test]
    fn two_minutes_are_kept_by_the_second_and_the_hour_by_ten() {
        let series = series(0..10_000);
        let rows: Vec<_> = series.rows().collect();
        let steps: Vec<u32> = rows
            .windows(2)
            .map(|two| two[1].at_s - two[0].at_s)
            .collect();
        let coarse = rows.len() - RECENT_S as usize;
        assert!(steps[..coarse].iter().all(|&step| step == STEP_S));
        assert!(steps[coarse..].iter().all(|&step| step == 1));
        assert_eq!(rows[coarse].at_s, 9_880);
        assert_eq!(rows[rows.len() - 1].at_s, 9_999);
        assert_eq!(rows[0].at_s, 10_000 - SPAN_S);
    }

    #[test]
    fn ten_seconds_become_their_mean_or_their_peak() {
        let series = series(0..1000);
        let first = series.rows().next();
        // 0 to 9: 4.5 viewers as a mean, 9 ms at most.
        let expected = Row {
            at_s: 0,
            figures: figures(4.5, 9.0),
        };
        assert_eq!(first, Some(expected));
    }

    #[test]
    fn memory_of_an_hour_is_bounded() {
        let series = series(0..100_000);
        let bytes = series.held_bytes();
        assert!(bytes <= 18_500, "{bytes}");
        let mut history = History::default();
        for at_s in 0..2000 {
            let name: Arc<str> = format!("s{at_s}").into();
            history.push_stream(&name, at_s, Totals::default(), figures(1.0, 1.0));
            assert!(history.streams.len() <= STREAMS_MAX);
        }
        assert!(history.stream("s1999").is_some() && history.stream("s0").is_none());
    }

    #[test]
    fn streams_on_air_keep_their_history_when_there_are_too_many() {
        let mut history = History::default();
        for index in 0..STREAMS_MAX + 10 {
            let name: Arc<str> = format!("s{index}").into();
            history.push_stream(&name, 7, Totals::default(), figures(1.0, 1.0));
        }
        assert!(history.stream("s0").is_some());
        assert!(history.stream(&format!("s{STREAMS_MAX}")).is_none());
    }

    #[test]
    fn stream_that_returns_within_the_hour_goes_on_and_later_begins_anew() {
        let mut history = History::default();
        let name: Arc<str> = "demo".into();
        let totals = Totals::default();
        history.push_stream(&name, 10, totals, figures(1.0, 1.0));
        history.forget(3000);
        history.push_stream(&name, 3000, totals, figures(2.0, 1.0));
        let times = |history: &mut History| -> Vec<u32> {
            let series = history.stream("demo").expect("pushed");
            series.rows().map(|row| row.at_s).collect()
        };
        assert_eq!(times(&mut history), [10, 3000]);
        history.forget(3000 + SPAN_S);
        assert!(history.stream("demo").is_none());
    }

    #[test]
    fn counts_go_on_from_zero_where_a_stream_began_anew() {
        let of = |bytes| Totals {
            received_bytes: bytes,
            ..Totals::default()
        };
        assert_eq!(of(70).since(of(50)).received_bytes, 20);
        assert_eq!(of(30).since(of(50)).received_bytes, 30);
    }

    #[test]
    fn second_without_a_sample_has_no_row() {
        let mut series = series(0..3);
        series.push(2, figures(99.0, 99.0));
        series.push(40, figures(5.0, 5.0));
        let times: Vec<u32> = series.rows().map(|row| row.at_s).collect();
        assert_eq!(times, [0, 1, 2, 40]);
    }

    #[test]
    fn event_names_its_figures_and_is_made_once() {
        let mut series = series(7..9);
        series.push(9, figures(1.234_5, f32::NAN));
        let event = series.event(Some("demo"));
        assert_eq!(
            event,
            "event: history\ndata: {\"stream\":\"demo\",\"figures\":[\"viewers\",\"received_bps\",\"sent_bps\",\"delay_ms\",\
             \"skips\",\"ring_ms\"],\"rows\":[[7,7.0,0.0,0.0,7.0,0.0,0.0],[8,8.0,0.0,0.0,8.0,0.0,0.0],\
             [9,1.23,0.0,0.0,null,0.0,0.0]]}\n\n"
        );
        assert_eq!(series.event(Some("demo")).as_ptr(), event.as_ptr());
        series.push(10, figures(1.0, 1.0));
        assert_ne!(series.event(Some("demo")), event);
    }

    #[test]
    fn newest_sample_is_an_object_for_people() {
        let series = series(3..5);
        let json = serde_json::to_value(series.named()).expect("an object");
        assert_eq!(
            (&json["viewers"], &json["delay_ms"]),
            (&4.0.into(), &4.0.into())
        );
    }
}
