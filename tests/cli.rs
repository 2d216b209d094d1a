//! The promise: every start-up failure is one line that names the option and the value, and the
//! exit code tells bad usage (2) from bad luck (1).

use std::path::PathBuf;
use std::process::{Command, Output};

/// Runs the program with no `VIDEOSTREAM_*` variable but the given ones.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_videostream"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("VIDEOSTREAM_") {
            command.env_remove(name);
        }
    }
    command
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// The one line on standard error of a run that must end with `code`.
fn refusal(code: i32, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(arguments, variables);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    let line = text.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "{arguments:?}: {text}");
    line.strip_prefix("error: ").unwrap().to_owned()
}

struct File {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl File {
    fn new(text: &str) -> File {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("videostream.toml");
        std::fs::write(&path, text).unwrap();
        File {
            _folder: folder,
            path,
        }
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    fn refusal(&self) -> String {
        let line = refusal(2, &["--config", self.path()], &[]);
        line.strip_prefix(self.path()).unwrap().to_owned()
    }
}

#[test]
fn help_and_version_go_to_standard_output_and_succeed() {
    for arguments in [
        &["--help"][..],
        &["-h"],
        &["help"],
        &["serve", "--help"],
        &["push", "-h"],
    ] {
        let output = run(arguments, &[]);
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{arguments:?}"
        );
        assert!(
            String::from_utf8(output.stdout)
                .unwrap()
                .contains("Usage: videostream")
        );
    }
    let version = run(&["--version"], &[]).stdout;
    assert_eq!(
        version,
        format!("videostream {}\n", env!("CARGO_PKG_VERSION")).as_bytes()
    );
}

#[test]
fn help_shows_no_secret_from_the_environment() {
    let variables = [
        ("VIDEOSTREAM_PUBLISH_KEY", "hush"),
        ("VIDEOSTREAM_WATCH_KEY", "hush"),
    ];
    let help = String::from_utf8(run(&["--help"], &variables).stdout).unwrap();
    assert!(help.contains("VIDEOSTREAM_PUBLISH_KEY") && !help.contains("hush"));
}

#[test]
fn a_bad_flag_is_one_line_with_exit_code_2() {
    for command in [&[][..], &["serve"]] {
        let refused = |arguments: &[&str]| refusal(2, &[command, arguments].concat(), &[]);
        assert_eq!(
            refused(&["--listen", "nowhere"]),
            "invalid value 'nowhere' for '--listen <ADDR:PORT>': expected an address and a port, \
             such as 127.0.0.1:8080 or [::1]:8080"
        );
        assert_eq!(
            refused(&["--ring-bytes", "1MiB"]),
            "--ring-bytes 1.0 MiB: must be at least twice --block-bytes (4.0 MiB)"
        );
        assert_eq!(
            refused(&["--max-streams=0"]),
            "--max-streams 0: must be at least 1"
        );
        assert!(refused(&["--nonsense"]).starts_with("unexpected argument '--nonsense' found"));
    }
    assert_eq!(
        refusal(2, &["nonsense"], &[]),
        "unrecognized subcommand 'nonsense'"
    );
}

#[test]
fn a_bad_variable_is_named() {
    let line = refusal(2, &[], &[("VIDEOSTREAM_PING_TIMEOUT", "soon")]);
    assert!(
        line.starts_with("invalid value 'soon' for '--ping-timeout <DURATION>'"),
        "{line}"
    );
    assert!(
        line.ends_with("(from the variable VIDEOSTREAM_PING_TIMEOUT)"),
        "{line}"
    );
}

#[test]
fn the_flag_wins_over_the_variable_and_the_variable_over_the_file() {
    // Each source asks for a ring that is too small, so that the refusal names the one in force.
    let file = File::new("ring_bytes = '1MiB'\n");
    let variable = [("VIDEOSTREAM_RING_BYTES", "2MiB")];
    let config = ["--config", file.path()];
    let flag = ["--config", file.path(), "--ring-bytes", "3MiB"];
    assert!(refusal(2, &config, &[]).starts_with("--ring-bytes 1.0 MiB: "));
    assert!(refusal(2, &config, &variable).starts_with("--ring-bytes 2.0 MiB: "));
    assert!(refusal(2, &flag, &variable).starts_with("--ring-bytes 3.0 MiB: "));
    let config = [("VIDEOSTREAM_CONFIG", file.path())];
    assert!(refusal(2, &[], &config).starts_with("--ring-bytes 1.0 MiB: "));
}

#[test]
fn what_is_wrong_in_the_file_is_told_with_its_line() {
    let refused = |text| File::new(text).refusal();
    assert_eq!(
        refused("log = 'text'\n\nringbytes = 5\n"),
        ":3: ringbytes: unknown key"
    );
    assert_eq!(
        refused("max_streams = 'many'\n"),
        ":1: max_streams: invalid type: string \"many\", expected usize"
    );
    assert_eq!(
        refused("[streams.door]\npublish_key = 'k'\nrecord = true\n"),
        ":3: streams.door.record: this version cannot record yet: remove the line"
    );
    assert!(
        refused("[streams.'.door']\n").starts_with(":1: streams: \".door\": a stream's name is ")
    );
    assert!(refused("listen = [").starts_with(":1: "));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let line = refusal(2, &["--config", "/nowhere/videostream.toml"], &[]);
    assert!(
        line.starts_with("--config /nowhere/videostream.toml: "),
        "{line}"
    );
}

#[test]
fn a_refused_key_is_not_shown() {
    let line = refusal(2, &["--publish-key", "hush hush"], &[]);
    assert!(
        line.starts_with("--publish-key: a key is ") && !line.contains("hush"),
        "{line}"
    );
}

/// A recording that lies in the repository.
fn sample(name: &str) -> String {
    format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn inspect_succeeds_on_a_whole_file_and_fails_on_a_cut_one() {
    let whole = sample("chromium-vp8-opus-100ms.webm");
    let output = run(&["inspect", &whole], &[]);
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("clusters, 4 join points\n")
    );

    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.webm");
    std::fs::write(&cut, &std::fs::read(&whole).unwrap()[..5000]).unwrap();
    let output = run(&["inspect", "--json", cut.to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["errors"][0]["offset"], 5000);
}

#[test]
fn inspect_reads_standard_input() {
    let output = Command::new(env!("CARGO_BIN_EXE_videostream"))
        .args(["inspect", "-", "--json"])
        .stdin(std::fs::File::open(sample("ffmpeg-live.webm")).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["file"], "-");
}

#[test]
fn a_file_that_is_not_there_fails_at_run_time() {
    let line = refusal(1, &["inspect", "/nowhere/a.webm"], &[]);
    assert!(line.starts_with("/nowhere/a.webm: "), "{line}");
}
