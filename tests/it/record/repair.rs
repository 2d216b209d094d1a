//! The promise: `videostream repair` makes any recording seekable, with the same frames.

use super::*;
use crate::common::media::path;
use crate::common::server::program;
use std::process::Output;

fn repair(arguments: &[&Path]) -> Output {
    program().arg("repair").args(arguments).output().unwrap()
}

fn error(output: &Output, code: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

#[test]
fn recording_of_each_browser_becomes_seekable() {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "chromium-vp8-opus-100ms",
        "chromium-canvas-vp8-opus-100ms",
        "chromium-vp9-opus-100ms",
        "chromium-opus-only-100ms",
        "firefox-vp8-opus-100ms",
        "ffmpeg-live",
        "ffmpeg-finished",
    ] {
        let out = dir.path().join(name).with_extension("webm");
        let output = repair(&[path(name).as_ref(), &out]);
        assert_eq!(error(&output, 0), "");
        assert_finished(&out);
        let original = Sample::read(name);
        assert_frames(
            &read(&out).frames,
            &original.frames(0..original.blocks.len()),
        );
        let times = original.blocks.iter().map(|block| block.timestamp_ms);
        assert_eq!(read(&out).times, times.collect::<Vec<_>>(), "{name}");
        let said = String::from_utf8(output.stdout).unwrap();
        let blocks = format!(" {} blocks, ", original.blocks.len());
        assert!(said.contains(&blocks), "{said}");
        assert!(!dir.path().join(format!("{name}.webm.part")).exists());
    }
}

#[test]
fn recordings_in_one_file_become_several_and_none_is_replaced_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let both = dir.path().join("both.webm");
    let samples = ["chromium-restart-1", "chromium-restart-2"].map(Sample::read);
    let mut bytes = [&samples[0].bytes[..], &samples[1].bytes].concat();
    // And the second is cut off.
    bytes.truncate(bytes.len() - 1);
    std::fs::write(&both, &bytes).unwrap();
    let (out, second) = (dir.path().join("out.webm"), dir.path().join("out-2.webm"));
    let output = repair(&[&both, &out]);
    assert_eq!(error(&output, 0), "");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("\nleft out: an element that is cut off"),
        "{said}"
    );
    for (path, sample, missing) in [(&out, &samples[0], 0), (&second, &samples[1], 1)] {
        assert_finished(path);
        let frames = sample.frames(0..sample.blocks.len() - missing);
        assert_frames(&read(path).frames, &frames);
    }
    let refused = error(&repair(&[&both, &out]), 2);
    let expected = format!(
        "error: {} exists already: give another name, or --force to replace it\n",
        out.display()
    );
    assert_eq!(refused, expected);
    let forced = repair(&[&both, &out, "--force".as_ref()]);
    assert_eq!(error(&forced, 0), "");
    let onto_itself = error(&repair(&[&both, &both, "--force".as_ref()]), 2);
    assert!(onto_itself.contains("is the input"), "{onto_itself}");
    assert_eq!(std::fs::read(&both).unwrap(), bytes);
}

#[test]
fn file_that_is_no_recording_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (file, out) = (dir.path().join("x"), dir.path().join("out.webm"));
    std::fs::write(&file, b"GIF89a").unwrap();
    let told = error(&repair(&[&file, &out]), 1);
    let expected = format!(
        "error: {}: not WebM: expected EBML header at byte 0\n",
        file.display()
    );
    assert_eq!(told, expected);
    assert!(!out.exists());
    let told = error(&repair(&["/none".as_ref(), &out]), 1);
    assert!(told.starts_with("error: /none: "), "{told}");
}
