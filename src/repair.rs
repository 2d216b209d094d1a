//! Writes a seekable copy of a recording: one of a browser, which has no Duration and no Cues, one that
//! was cut off, or one that was saved from a live stream.
//!
//! ```text
//! IN ─► Segmenter ─► blocks ─► ClusterWriter ─► FileWriter ─► OUT.part, renamed to OUT
//!                      └── another recording in the same file ─► OUT-2, OUT-3, …
//! ```
//!
//! Frames pass unchanged, each in a block of its own, and Clusters become those of GOPs. Times stay, as
//! whole milliseconds; a recording that begins later than 10 s, as a saved stream does, begins at 0.
//! Memory does not grow with the file.

use crate::webm::file::{FileWriter, Finished, Storage};
use crate::webm::{
    Block, ClusterWriter, Event, INIT_BYTES_DEFAULT, Limits, Placement, Recording, Segmenter,
    TIMESTAMP_MS_MAX, TrackKind, WebmError,
};
use bytes::{Bytes, BytesMut};
use serde::Serialize;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::mem;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Bytes read at once, and written at once.
const PIECE_BYTES: usize = 1 << 20;

/// Milliseconds of a recording without a picture in one Cluster: places to seek to.
const AUDIO_GOP_MS: i64 = 1000;

/// A recording that begins later than this was saved from the middle of a stream. Recorders begin at 0,
/// or a few milliseconds later.
const START_MS_MAX: i64 = 10_000;

/// Bytes of one block. A file is read from a disk, and may hold larger ones than a live stream.
const BLOCK_BYTES_MAX: usize = 64 << 20;

/// Recordings in one file, each of which becomes a file.
const RECORDINGS_MAX: usize = 999;

/// What is read of a file.
pub const LIMITS: Limits = Limits {
    init_bytes: INIT_BYTES_DEFAULT,
    block_bytes: BLOCK_BYTES_MAX,
};

/// What was written.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub recordings: Vec<Repaired>,
    /// What the input holds that is no whole element at its end; from where it is left out.
    pub cut_at: Option<u64>,
    /// Where the input is broken. What follows is left out.
    #[serde(skip)]
    pub error: Option<WebmError>,
}

/// One output.
#[derive(Debug, Serialize)]
pub struct Repaired {
    pub file: String,
    pub blocks: u64,
    pub duration_ms: u64,
    pub bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    #[error("{} exists already: give another name, or --force to replace it", .0.display())]
    Exists(PathBuf),
    #[error("{} is the input: give another name", .0.display())]
    Input(PathBuf),
    #[error("{}: {source}", path.display())]
    Output { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Read(io::Error),
    #[error(transparent)]
    Webm(#[from] WebmError),
    #[error("holds no media")]
    Empty,
    #[error("holds more than {RECORDINGS_MAX} recordings: cut it first")]
    TooMany,
}

impl RepairError {
    /// Whether the command line asks for what cannot be.
    pub fn is_usage(&self) -> bool {
        matches!(self, RepairError::Exists(_) | RepairError::Input(_))
    }
}

/// Where recordings go.
pub trait Sink {
    type File: Storage;

    /// The output with this number, from 1.
    fn open(&mut self, number: usize) -> Result<Self::File, RepairError>;

    /// It is whole. Returns its name.
    fn close(&mut self, number: usize) -> Result<String, RepairError>;

    /// What happened to it.
    fn error(&self, number: usize, source: io::Error) -> RepairError;
}

/// Reads `input` to its end, and writes each recording in it to a file of `sink`.
pub fn repair<S: Sink>(mut input: impl Read, sink: &mut S) -> Result<Report, RepairError> {
    let mut segmenter = Segmenter::new(LIMITS);
    let mut copy = Copy {
        sink,
        recording: None,
        output: None,
        report: Report::default(),
    };
    while let Some(piece) = read_piece(&mut input)? {
        segmenter.push(piece);
        loop {
            match segmenter.poll() {
                Ok(Some(event)) => copy.take(event)?,
                Ok(None) => break,
                Err(error) => {
                    copy.report.error = Some(error);
                    return copy.finish();
                }
            }
        }
    }
    if !segmenter.is_between_blocks() {
        copy.report.cut_at = Some(segmenter.received() - segmenter.unfinished_bytes());
    }
    copy.finish()
}

/// `None` at the end.
fn read_piece(input: &mut impl Read) -> Result<Option<Bytes>, RepairError> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut length = 0;
    while length < piece.len() {
        match input.read(&mut piece[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(RepairError::Read(error)),
        }
    }
    piece.truncate(length);
    Ok((length > 0).then(|| piece.into()))
}

struct Copy<'a, S: Sink> {
    sink: &'a mut S,
    /// That the input is in.
    recording: Option<Recording>,
    /// `None` before its first block.
    output: Option<Output<S::File>>,
    report: Report,
}

struct Output<F> {
    number: usize,
    writer: FileWriter<F>,
    clusters: ClusterWriter,
    /// Blocks on their way to the writer.
    chunk: BytesMut,
    base_ms: i64,
    /// When the last Cluster began.
    gop_ms: i64,
    blocks: u64,
}

impl<S: Sink> Copy<'_, S> {
    fn take(&mut self, event: Event) -> Result<(), RepairError> {
        match event {
            Event::Recording(recording) => {
                self.close()?;
                self.recording = Some(recording);
            }
            Event::Block(block) => self.take_block(block)?,
            Event::Cluster(_) | Event::Stray { .. } => {}
        }
        Ok(())
    }

    fn take_block(&mut self, block: Block) -> Result<(), RepairError> {
        let Some(recording) = &self.recording else {
            return Ok(());
        };
        let output = match &mut self.output {
            Some(output) => output,
            None => {
                let number = self.report.recordings.len() + 1;
                if number > RECORDINGS_MAX {
                    return Err(RepairError::TooMany);
                }
                let file = self.sink.open(number)?;
                let is_late = !(0..=START_MS_MAX).contains(&block.timestamp_ms);
                let writer = FileWriter::create(file, recording, 0, None);
                self.output.insert(Output {
                    number,
                    writer: writer.map_err(|error| self.sink.error(number, error))?,
                    clusters: ClusterWriter::new(),
                    chunk: BytesMut::with_capacity(PIECE_BYTES),
                    base_ms: if is_late { block.timestamp_ms } else { 0 },
                    gop_ms: i64::MIN,
                    blocks: 0,
                })
            }
        };
        let result = output.add(block, recording);
        let number = output.number;
        result.map_err(|error| self.sink.error(number, error))
    }

    /// Finishes the output that is open.
    fn close(&mut self) -> Result<(), RepairError> {
        let Some(output) = self.output.take() else {
            return Ok(());
        };
        let (number, blocks) = (output.number, output.blocks);
        let finished = output.finish();
        let Finished { duration_ms, bytes } =
            finished.map_err(|error| self.sink.error(number, error))?;
        self.report.recordings.push(Repaired {
            file: self.sink.close(number)?,
            blocks,
            duration_ms,
            bytes,
        });
        Ok(())
    }

    fn finish(mut self) -> Result<Report, RepairError> {
        self.close()?;
        match (self.report.recordings.is_empty(), self.report.error.take()) {
            (false, error) => Ok(Report {
                error,
                ..self.report
            }),
            (true, Some(error)) => Err(error.into()),
            (true, None) => Err(RepairError::Empty),
        }
    }
}

impl<F: Storage> Output<F> {
    fn add(&mut self, block: Block, recording: &Recording) -> io::Result<()> {
        let timestamp_ms = (block.timestamp_ms - self.base_ms).clamp(0, TIMESTAMP_MS_MAX);
        let is_video = recording.tracks[block.track].kind == TrackKind::Video;
        let opens_gop = match recording.video() {
            Some(video) => block.track == video && block.keyframe,
            None => timestamp_ms >= self.gop_ms.saturating_add(AUDIO_GOP_MS),
        };
        if opens_gop {
            self.gop_ms = timestamp_ms;
        }
        // Players trust the flag of the container; sound has none that means anything.
        let element = if is_video {
            block.element.for_viewers(Some(block.keyframe))
        } else {
            block.element
        };
        let placement = Placement {
            track_number: block.track as u8 + 1,
            timestamp_ms: timestamp_ms as u64,
            opens_cluster: opens_gop,
        };
        self.clusters.write(&mut self.chunk, &element, placement);
        self.blocks += 1;
        if self.chunk.len() >= PIECE_BYTES {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let chunk = mem::take(&mut self.chunk);
        self.writer.push(&chunk.freeze())?;
        self.chunk = BytesMut::with_capacity(PIECE_BYTES);
        self.writer.flush()
    }

    fn finish(mut self) -> io::Result<Finished> {
        self.flush()?;
        self.writer.finish()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Repaired {
            file,
            blocks,
            duration_ms,
            bytes,
        } in &self.recordings
        {
            writeln!(
                f,
                "{file}: {duration_ms} ms, {blocks} blocks, {bytes} bytes"
            )?;
        }
        if let Some(at) = self.cut_at {
            writeln!(
                f,
                "left out: an element that is cut off, from byte {at} to the end"
            )?;
        }
        Ok(())
    }
}

/// Outputs on disk. Each is written beside its place, and replaces what is there once it is whole.
pub struct Outputs {
    path: PathBuf,
    force: bool,
}

impl Outputs {
    pub fn new(path: &Path, force: bool, input: Option<&File>) -> Result<Outputs, RepairError> {
        let outputs = Outputs {
            path: path.to_owned(),
            force,
        };
        outputs.check(1)?;
        let same = |input: &File| -> io::Result<bool> {
            let (input, output) = (input.metadata()?, fs::metadata(path)?);
            Ok((input.dev(), input.ino()) == (output.dev(), output.ino()))
        };
        // An output that is not there is not the input.
        if input.is_some_and(|input| same(input).unwrap_or(false)) {
            return Err(RepairError::Input(path.to_owned()));
        }
        Ok(outputs)
    }

    /// `OUT.webm`, `OUT-2.webm`, ….
    fn place(&self, number: usize) -> PathBuf {
        if number == 1 {
            return self.path.clone();
        }
        let mut name = self.path.file_stem().unwrap_or_default().to_owned();
        name.push(format!("-{number}"));
        if let Some(extension) = self.path.extension() {
            name.push(".");
            name.push(extension);
        }
        self.path.with_file_name(name)
    }

    fn part(&self, number: usize) -> PathBuf {
        let mut name = OsString::from(self.place(number));
        name.push(".part");
        name.into()
    }

    fn check(&self, number: usize) -> Result<(), RepairError> {
        let place = self.place(number);
        if !self.force && place.exists() {
            Err(RepairError::Exists(place))
        } else {
            Ok(())
        }
    }
}

impl Sink for Outputs {
    type File = File;

    fn open(&mut self, number: usize) -> Result<File, RepairError> {
        self.check(number)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let opened = options.open(self.part(number));
        opened.map_err(|error| self.error(number, error))
    }

    fn close(&mut self, number: usize) -> Result<String, RepairError> {
        let place = self.place(number);
        let renamed = fs::rename(self.part(number), &place);
        renamed.map_err(|error| self.error(number, error))?;
        Ok(place.display().to_string())
    }

    fn error(&self, number: usize, source: io::Error) -> RepairError {
        // Half of a file is of no use.
        let _ = fs::remove_file(self.part(number));
        RepairError::Output {
            path: self.place(number),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webm::file::memory::{Faults, MemoryFile};
    use crate::webm::file::{CutOff, cut_off};

    #[derive(Default)]
    struct Shelf {
        files: Vec<MemoryFile>,
        faults: Faults,
    }

    impl Sink for Shelf {
        type File = MemoryFile;

        fn open(&mut self, number: usize) -> Result<MemoryFile, RepairError> {
            assert_eq!(number, self.files.len() + 1);
            let file = MemoryFile::default();
            file.set_faults(self.faults);
            self.files.push(file.clone());
            Ok(file)
        }

        fn close(&mut self, number: usize) -> Result<String, RepairError> {
            Ok(format!("out-{number}"))
        }

        fn error(&self, number: usize, source: io::Error) -> RepairError {
            let path = format!("out-{number}").into();
            RepairError::Output { path, source }
        }
    }

    const NAMES: [&str; 12] = [
        "block-groups-without-reference",
        "chromium-canvas-vp8-opus-100ms",
        "chromium-opus-only-100ms",
        "chromium-restart-1",
        "chromium-vp8-only-100ms",
        "chromium-vp8-opus-100ms",
        "chromium-vp9-opus-100ms",
        "ffmpeg-finished",
        "ffmpeg-live",
        "firefox-vp8-opus-100ms",
        "h264-opus-doctype-webm",
        "audio-track-without-blocks",
    ];

    fn sample(name: &str) -> Vec<u8> {
        let path = format!("{}/tests/data/{name}.webm", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).unwrap()
    }

    /// Track, time and frame of each block, up to the end or an error.
    fn blocks(bytes: &[u8]) -> Vec<(usize, i64, Bytes)> {
        let mut segmenter = Segmenter::new(Limits::default());
        segmenter.push(Bytes::copy_from_slice(bytes));
        let mut blocks = Vec::new();
        while let Ok(Some(event)) = segmenter.poll() {
            if let Event::Block(block) = event {
                let frame = Bytes::copy_from_slice(block.element.frame());
                blocks.push((block.track, block.timestamp_ms, frame));
            }
        }
        blocks
    }

    fn repaired(bytes: &[u8]) -> (Report, Vec<Vec<u8>>) {
        let mut shelf = Shelf::default();
        let report = repair(bytes, &mut shelf).unwrap();
        for file in &shelf.files {
            assert!(matches!(cut_off(file.clone()).unwrap(), CutOff::Finished));
        }
        let files = shelf.files.iter().map(MemoryFile::bytes);
        (report, files.collect())
    }

    #[test]
    fn copy_has_the_frames_and_times_of_the_original() {
        for name in NAMES {
            let bytes = sample(name);
            let (report, files) = repaired(&bytes);
            assert_eq!(files.len(), 1, "{name}");
            let expected = blocks(&bytes);
            assert_eq!(blocks(&files[0]), expected, "{name}");
            assert_eq!(report.recordings[0].blocks, expected.len() as u64);
            assert_eq!((report.cut_at, &report.error), (None, &None), "{name}");
            // A copy of a copy is the same.
            assert_eq!(repaired(&files[0]).1, files, "{name}");
        }
    }

    #[test]
    fn file_cut_anywhere_keeps_its_whole_blocks() {
        let bytes = sample("chromium-vp8-opus-100ms");
        for end in (8000..bytes.len()).step_by(997) {
            let cut = &bytes[..end];
            let (report, files) = repaired(cut);
            assert_eq!(blocks(&files[0]), blocks(cut));
            if let Some(at) = report.cut_at {
                assert!((at as usize) < end);
                // Up to there it is whole.
                assert_eq!(repaired(&cut[..at as usize]).0.cut_at, None);
                assert_eq!(blocks(&cut[..at as usize]).len(), blocks(cut).len());
            }
        }
    }

    #[test]
    fn broken_file_keeps_what_is_before() {
        let mut bytes = sample("chromium-vp8-opus-100ms");
        let middle = bytes.len() / 2;
        let cluster = bytes[middle..]
            .windows(4)
            .position(|id| id == b"\x1f\x43\xb6\x75");
        bytes[middle + cluster.unwrap()] = 0;
        let (report, files) = repaired(&bytes);
        assert!(report.error.is_some());
        assert_eq!(blocks(&files[0]), blocks(&bytes));
    }

    #[test]
    fn each_recording_of_a_file_gets_a_file() {
        let [first, second] = ["chromium-restart-1", "chromium-restart-2"].map(sample);
        let (report, files) = repaired(&[first.clone(), second.clone()].concat());
        let names: Vec<&str> = report.recordings.iter().map(|one| &*one.file).collect();
        assert_eq!(names, ["out-1", "out-2"]);
        assert_eq!(blocks(&files[0]), blocks(&first));
        assert_eq!(blocks(&files[1]), blocks(&second));
    }

    #[test]
    fn file_without_media_is_refused() {
        let text = |bytes: &[u8]| {
            repair(bytes, &mut Shelf::default())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(text(b""), "holds no media");
        assert_eq!(text(b"GIF89a"), "not WebM: expected EBML header at byte 0");
        let init = &sample("chromium-vp8-opus-100ms")[..150];
        assert_eq!(text(init), "holds no media");
    }

    #[test]
    fn full_disk_is_an_error_that_names_the_output() {
        let mut shelf = Shelf {
            faults: Faults {
                room: Some(40_000),
                ..Faults::default()
            },
            ..Shelf::default()
        };
        let bytes = sample("chromium-vp8-opus-100ms");
        let error = repair(&bytes[..], &mut shelf).unwrap_err();
        assert!(error.to_string().starts_with("out-1: "), "{error}");
    }

    #[test]
    fn outputs_are_numbered_before_the_extension() {
        let outputs = |path: &str| Outputs::new(path.as_ref(), false, None).unwrap();
        let name = |path: &str, number| outputs(path).place(number).display().to_string();
        assert_eq!(name("/none/a.b.webm", 1), "/none/a.b.webm");
        assert_eq!(name("/none/a.b.webm", 2), "/none/a.b-2.webm");
        assert_eq!(name("/none/a", 3), "/none/a-3");
    }
}
