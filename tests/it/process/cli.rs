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
fn bad_flag_is_one_line_with_exit_code_2() {
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
fn bad_variable_is_named() {
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
fn flag_wins_over_variable_and_variable_over_file() {
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
fn config_file_faults_are_refused_with_their_line() {
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
        refused("[streams.door]\npublish_key = 'k'\nrecord = 'yes'\n"),
        ":3: streams.door.record: invalid type: string \"yes\", expected a boolean"
    );
    assert!(
        refused("[streams.'.door']\n").starts_with(":1: streams: \".door\": a stream name has ")
    );
    assert!(refused("listen = [").starts_with(":1: "));
}

#[test]
fn file_that_cannot_be_read_is_named() {
    let line = refusal(2, &["--config", "/nowhere/videostream.toml"], &[]);
    assert!(
        line.starts_with("--config /nowhere/videostream.toml: "),
        "{line}"
    );
}

#[test]
fn number_that_is_negative_is_refused_by_the_name_of_its_option() {
    let load = ["load", "http://127.0.0.1:9/live/a"];
    for (arguments, expected) in [
        (
            &["--viewers", "-5"][..],
            "'-5' for '--viewers <N>': expected a whole number from 1 to 1000000",
        ),
        (
            &["--viewers", "5", "--stall", "-1"],
            "'-1' for '--stall <K>': expected a whole number",
        ),
        (
            &["--viewers", "5", "--duration", "-5s"],
            "'-5s' for '--duration <DURATION>': expected a duration such as 500ms, 10s or 1h30m, \
             or a number of seconds such as 10",
        ),
        (
            &["--viewers", "5", "--churn", "-.5"],
            "'-.5' for '--churn <RATE>': expected viewers a second, from 0 to 100000",
        ),
        (
            &["--viewers", "5", "--publish-rate", "-2M"],
            "'-2M' for '--publish-rate <RATE>': expected 10k to 10G bits a second",
        ),
        (
            &["--viewers", "5", "--pid", "-1"],
            "'-1' for '--pid <PID>': expected a whole number from 1 to 4294967295",
        ),
        (
            &["--viewers=-5"],
            "'-5' for '--viewers <N>': expected a whole number from 1 to 1000000",
        ),
    ] {
        let line = refusal(2, &[&load, arguments].concat(), &[]);
        assert_eq!(line, format!("invalid value {expected}"));
    }
    for option in [
        "--max-streams",
        "--max-connections",
        "--max-connections-per-address",
        "--ring-bytes",
        "--max-memory",
        "--max-publish-rate",
        "--ring-duration",
        "--max-delay",
        "--auth-cache",
        "--listen",
        "--trusted-proxy",
        "--log",
    ] {
        let line = refusal(2, &[option, "-5"], &[]);
        let expected = format!("invalid value '-5' for '{option} <");
        assert!(line.starts_with(&expected), "{line}");
    }
    let line = refusal(2, &["push", "a.webm", "ws://h/a", "--chunk-ms", "-5"], &[]);
    assert_eq!(
        line,
        "invalid value '-5' for '--chunk-ms <MS>': expected a whole number from 1 to 10000"
    );
    let line = refusal(2, &load, &[("VIDEOSTREAM_VIEWERS", "-5")]);
    assert_eq!(
        line,
        "invalid value '-5' for '--viewers <N>': expected a whole number from 1 to 1000000 (from the \
         variable VIDEOSTREAM_VIEWERS)"
    );
    // No value, but an argument of its own.
    let line = refusal(2, &["push", "--", "-5"], &[]);
    assert!(line.contains("required arguments"), "{line}");
}

#[test]
fn duration_without_a_unit_is_seconds_in_options_variables_and_file() {
    // 100,000 s are more than a day, which the refusal tells in the units of people.
    let told = |option: &str| format!("{option} 1day 3h 46m 40s: must be between 1ms and 1day");
    for option in [
        "--ring-duration",
        "--max-lag",
        "--head-timeout",
        "--publisher-timeout",
        "--viewer-timeout",
        "--ping-interval",
        "--ping-timeout",
        "--drain-timeout",
    ] {
        let expected = told(option);
        assert_eq!(refusal(2, &[option, "100000"], &[]), expected);
        let name = option.trim_start_matches('-').replace('-', "_");
        let variable = format!("VIDEOSTREAM_{}", name.to_uppercase());
        assert_eq!(refusal(2, &[], &[(&variable, "100000")]), expected);
        for value in ["100000", "100000.0", "'100000'", "'27h46m40s'"] {
            let file = File::new(&format!("{name} = {value}\n"));
            assert_eq!(refusal(2, &["--config", file.path()], &[]), expected);
        }
        let line = refusal(2, &[option, "soon"], &[]);
        let expected =
            format!("invalid value 'soon' for '{option} <DURATION>': expected a duration ");
        assert!(line.starts_with(&expected), "{line}");
        assert_eq!(
            File::new(&format!("\n{name} = 'soon'\n")).refusal(),
            format!(
                ":2: {name}: expected a duration such as 500ms, 10s or 1h30m, or a number of seconds \
                 such as 10"
            )
        );
    }
    assert_eq!(
        refusal(2, &["--max-delay", "100"], &[]),
        "--max-delay 1m 40s: must be at most 10s"
    );
    let hook = ["--auth-url", "http://h/", "--auth-cache", "100000"];
    assert_eq!(refusal(2, &hook, &[]), told("--auth-cache"));
    let load = ["load", "h/live/a", "--viewers", "1", "--ramp", "86400"];
    assert_eq!(
        refusal(2, &load, &[]),
        "invalid value '86400' for '--ramp <DURATION>': expected less than a day"
    );
    let secret = "0123456789abcdef0123456789abcdef";
    let token = ["token", "a", "--token-secret", secret, "--expires"];
    assert!(run(&[&token[..], &["90"]].concat(), &[]).status.success());
    assert_eq!(
        refusal(2, &[&token[..], &["0"]].concat(), &[]),
        "invalid value '0' for '--expires <DURATION>': must be between 1s and 10 years"
    );
}

#[test]
fn name_that_ends_like_a_file_is_refused_wherever_one_is_given() {
    let reason = "a stream's name must not end in .webm, .mkv, .jpg or .webp: those are the addresses \
                  of its files";
    for name in ["cam.jpg", "cam.webm.webm", "cam.mkv", "cam.webp"] {
        for url in [
            format!("ws://127.0.0.1:9/publish/{name}"),
            format!("http://127.0.0.1:9/live/{name}"),
        ] {
            let line = refusal(2, &["push", "a.webm", &url], &[]);
            assert_eq!(line, format!("invalid value '{url}' for '<URL>': {reason}"));
            let line = refusal(2, &["load", &url, "--viewers", "1"], &[]);
            assert_eq!(line, format!("invalid value '{url}' for '<URL>': {reason}"));
        }
        let line = refusal(2, &["token", name], &[]);
        assert_eq!(
            line,
            format!("invalid value '{name}' for '<STREAM>': {reason}")
        );
    }
    assert_eq!(
        File::new("log = 'text'\n[streams.'cam.jpg']\n").refusal(),
        format!(":2: streams: \"cam.jpg\": {reason}")
    );
}

#[test]
fn address_that_cannot_be_is_one_clear_line() {
    for url in [
        "http://h:99999999/",
        "http://h:65536",
        "http://h:0/",
        "https://u:hush@h:99999/a?key=hush",
        "http://[::zz]/",
    ] {
        let line = refusal(2, &["--auth-url", url], &[]);
        assert_eq!(
            line,
            "--auth-url: must be an http:// or https:// URL, such as http://127.0.0.1:3000/auth, \
             with a port from 1 to 65535 if it has one"
        );
        let file = File::new(&format!("auth_url = '{url}'\n"));
        assert!(refusal(2, &["--config", file.path()], &[]).starts_with("--auth-url: must be "));
    }
    for option in ["--listen", "--http-redirect"] {
        for address in [
            "127.0.0.1:99999",
            "127.0.0.1",
            "localhost:80",
            "[::1]:x",
            ":80",
        ] {
            let line = refusal(2, &[option, address], &[]);
            let expected =
                format!("invalid value '{address}' for '{option} <ADDR:PORT>': expected ");
            assert!(line.starts_with(&expected), "{line}");
        }
    }
    for (option, value) in [
        ("--allow-origin", "https://h:99999"),
        ("--allow-origin", "https://[::zz]"),
        ("--allow-host", "h:80"),
        ("--allow-host", "h h"),
    ] {
        let line = refusal(2, &[option, value], &[]);
        assert!(
            line.starts_with(&format!("{option}: {value:?} is not a ")),
            "{line}"
        );
    }
    for network in ["127.0.0.1/99", "10.0.0.0.0", "h"] {
        let line = refusal(2, &["--trusted-proxy", network], &[]);
        let expected = format!("invalid value '{network}' for '--trusted-proxy <ADDR[/PREFIX]>': ");
        assert!(line.starts_with(&expected), "{line}");
    }
    let port = "a port is a number from 1 to 65535";
    for url in [
        "ws://h:99999999/publish/a",
        "ws://h:0/publish/a",
        "ws://h:x/publish/a",
    ] {
        let line = refusal(2, &["push", "a.webm", url], &[]);
        assert_eq!(line, format!("invalid value '{url}' for '<URL>': {port}"));
        let line = refusal(2, &["load", url, "--viewers", "1"], &[]);
        assert_eq!(line, format!("invalid value '{url}' for '<URL>': {port}"));
        let load = ["load", "h/live/a", "--viewers", "1", "--publish-to", url];
        let line = refusal(2, &load, &[]);
        assert_eq!(
            line,
            format!("invalid value '{url}' for '--publish-to <URL>': {port}")
        );
    }
    let line = refusal(2, &["token", "a", "--url", "http://h:99999"], &[]);
    assert_eq!(
        line,
        format!("invalid value 'http://h:99999' for '--url <URL>': {port}")
    );
}

#[test]
fn refused_key_is_not_shown() {
    let line = refusal(2, &["--publish-key", "hush\thush"], &[]);
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
fn file_that_is_not_there_fails_at_run_time() {
    let line = refusal(1, &["inspect", "/nowhere/a.webm"], &[]);
    assert!(line.starts_with("/nowhere/a.webm: "), "{line}");
}
