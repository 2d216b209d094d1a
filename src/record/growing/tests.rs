use super::marks::{JOIN_MARKS_MAX, MARKS_LEAST, Placed, RECENT_MARKS_MAX};
use super::*;

/// Places of these chunks, each tenth a join point.
fn marks(sequences: std::ops::Range<u64>) -> impl Iterator<Item = Mark> {
    sequences.map(|sequence| Mark {
        sequence,
        offset: 100 + sequence * 10,
        timestamp_ms: sequence * 40,
        came_ms: sequence * 40,
        is_join_point: sequence % 10 == 0,
    })
}

struct Nothing;

impl ReadAt for Nothing {
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Ok(0)
    }
}

fn file() -> Arc<GrowingFile> {
    Arc::new(GrowingFile::new(Box::new(Nothing), 0, 1))
}

fn held(file: &GrowingFile) -> usize {
    let index = file.index();
    (index.recent.capacity() + index.joins.capacity()) * size_of::<Placed>()
}

#[test]
fn marks_of_all_files_stay_within_their_memory() {
    const WITHIN: usize = 96 << 10;
    let files = GrowingFiles::with_marks_within(WITHIN);
    let mut open: Vec<Arc<GrowingFile>> = Vec::new();
    for (name, from) in [("a", 0), ("b", 100_000), ("c", 200_000)] {
        open.push(file());
        files.add(&name.into(), open[open.len() - 1].clone());
        // Those that were there before give way with what they write next.
        for file in &open {
            files.wrote(file, marks(from..from + 100_000), 0);
        }
        let held: usize = open.iter().map(|file| held(file)).sum();
        assert!((WITHIN / 4..=WITHIN).contains(&held), "{name}: {held}");
    }
    let first = open[0].index();
    // The newest chunk is known, and join points reach back to the beginning.
    assert_eq!(first.from(299_999).map(|mark| mark.sequence), Some(299_999));
    assert_eq!(first.came_by(0).map(|mark| mark.sequence), Some(0));
    let middle = first.came_by(150_000 * 40).expect("a join point");
    assert!((140_000..=150_000).contains(&middle.sequence), "{middle:?}");
}

#[test]
fn marks_of_one_file_are_limited_without_a_limit_of_memory() {
    let (files, file) = (GrowingFiles::default(), file());
    files.wrote(&file, marks(0..1_000_000), 0);
    let index = file.index();
    assert_eq!(index.recent.len(), RECENT_MARKS_MAX);
    assert!((JOIN_MARKS_MAX / 2..=JOIN_MARKS_MAX).contains(&index.joins.len()));
    drop(index);
    assert!(held(&file) <= 2 << 20, "{}", held(&file));
}

#[test]
fn join_points_of_a_long_recording_are_known_evenly() {
    let (files, file) = (GrowingFiles::with_marks_within(96 << 10), file());
    files.wrote(&file, marks(0..1_000_000), 0);
    let index = file.index();
    let gaps = index.joins.windows(2).map(|pair| {
        let [one, next] = pair else { unreachable!() };
        next.mark.sequence - one.mark.sequence
    });
    let gaps: std::collections::BTreeSet<u64> = gaps.collect();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(gaps.first().is_some_and(|gap| *gap <= 4000), "{gaps:?}");
}

#[test]
fn many_gaps_are_limited_too_and_the_newest_stay() {
    let (files, file) = (GrowingFiles::with_marks_within(96 << 10), file());
    // Of each ten chunks a slow disk has lost nine.
    files.wrote(
        &file,
        marks(0..1_000_000).filter(|mark| mark.is_join_point),
        0,
    );
    let index = file.index();
    assert!(index.joins.len() <= 1024, "{}", index.joins.len());
    let newest = index.joins.last().expect("there are some");
    assert!(
        newest.is_behind_gap() && newest.mark.sequence > 980_000,
        "{newest:?}"
    );
}

#[test]
fn a_small_share_of_memory_still_knows_some_chunks() {
    let (files, file) = (GrowingFiles::with_marks_within(0), file());
    files.wrote(&file, marks(0..10_000), 0);
    assert_eq!(file.index().recent.len(), MARKS_LEAST);
    assert!(file.index().joins.len() <= MARKS_LEAST);
}
