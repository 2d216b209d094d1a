//! The promise: what the README tells people to type works as it stands there.
//!
//! Each block of commands, configuration or JSON is run, with ports and numbers changed as
//! [`CHANGED`] says, or looked at as far as this machine lets one ([`BLOCKS`]). A block that is not
//! in that list fails the test, and so does an option in the text that no program has.

use crate::common::certificate::Certificate;
use crate::common::hook::{Hook, Says};
use crate::common::http::Http;
use crate::common::media::{Sample, path};
use crate::common::server::{Server, program};
use crate::common::viewer::Viewer;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use videostream::cli;
use videostream::protocol::access::Secret;
use videostream::protocol::token::{Act, TokenKey};

const README: &str = include_str!("../../../README.md");

/// What is changed before a block is run, and to what. `SERVER` is the address of a server that the
/// test has started.
const CHANGED: [(&str, &str); 12] = [
    // What the command builds and starts is built already.
    ("cargo run --release", "videostream --listen 127.0.0.1:0"),
    ("listen = [\"0.0.0.0:8080\"]", "listen = [\"127.0.0.1:0\"]"),
    ("--listen 127.0.0.1:8080", "--listen 127.0.0.1:0"),
    ("--listen 0.0.0.0:443", "--listen 127.0.0.1:0"),
    ("--listen 0.0.0.0:8443", "--listen 127.0.0.1:0"),
    ("--http-redirect 0.0.0.0:80", "--http-redirect 127.0.0.1:0"),
    (
        "videostream &",
        "videostream --listen 127.0.0.1:0 > listening &",
    ),
    ("127.0.0.1:8080", "SERVER"),
    // There may be others.
    ("$(pidof videostream)", "$SERVER_PID"),
    ("--duration 30s", "--duration 2s"),
    ("--viewers 1000 --stall 500", "--viewers 20 --stall 10"),
    (
        "--viewers 1000 --publish",
        "--viewers 20 --duration 2s --publish",
    ),
];

type Check = fn(&Ground, &str);

/// How each block begins, and what is done with it.
const BLOCKS: [(&str, Check); 17] = [
    ("cargo run --release\n", serves_on_loopback),
    ("tests/run\n", tells_its_stages),
    ("ffmpeg -re -i film.mp4", is_published_by_ffmpeg),
    ("videostream push film.webm", is_published_in_a_loop),
    ("listen = [\"0.0.0.0:8080\"]", is_the_configuration_it_says),
    ("export VIDEOSTREAM_TOKEN_SECRET", prints_a_link_that_opens),
    ("{\"action\":\"watch\"", is_what_a_hook_is_asked),
    (
        "videostream --listen 127.0.0.1:8080 --publish-key",
        needs_its_key_behind_a_proxy,
    ),
    (
        "videostream --listen 0.0.0.0:443",
        serves_a_renewed_certificate,
    ),
    (
        "videostream --listen 0.0.0.0:8443",
        serves_a_certificate_of_its_own,
    ),
    (
        "videostream load http://127.0.0.1:8080/live/test --viewers 1000 --publish-rate",
        loads_a_server,
    ),
    (
        "videostream load http://127.0.0.1:8080/live/test --viewers 1000 --stall",
        loads_a_server_or_tells_what_is_wrong,
    ),
    // Ten minutes: the stage `test` leaves it out as well.
    (
        "cargo test --release --test soak",
        names_a_test_that_is_there,
    ),
    // Needs systemd. That the signal hands over is tested in `succession`.
    ("systemctl kill", names_a_unit_that_is_there),
    // Changes what is checked out.
    ("git switch --detach OLD", names_benches_that_are_there),
    // Another crate, which downloads and builds other servers: the stage `compare` runs it.
    (
        "cargo run --release --locked --manifest-path benches/compare/Cargo.toml -- --svg",
        names_a_program_that_is_there,
    ),
    // Needs root, and memory limits of its own.
    ("sudo -E env", names_a_program_that_is_there),
];

/// Long options in the text that are of other programs, and of which.
const FOREIGN: [(&str, &str); 9] = [
    ("--profile", "mpv"),
    ("--bench", "cargo"),
    ("--save-baseline", "criterion"),
    ("--baseline", "criterion"),
    ("--servers", "benches/compare"),
    ("--save", "benches/compare"),
    ("--hold", "benches/compare"),
    ("--variant", "benches/compare"),
    ("--rates", "benches/compare"),
];

/// A folder to run in, with the program on the path.
struct Ground {
    folder: TempDir,
    used: RefCell<BTreeSet<&'static str>>,
}

impl Ground {
    fn new() -> Ground {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_videostream"), bin.join("videostream")).unwrap();
        fs::copy(path("chromium-restart-1"), folder.path().join("film.webm")).unwrap();
        Ground {
            folder,
            used: RefCell::default(),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The text, changed as far as it may be.
    fn changed(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in CHANGED {
            if text.contains(from) {
                self.used.borrow_mut().insert(from);
                text = text.replace(from, to);
            }
        }
        text
    }

    fn shell(&self, text: &str) -> Command {
        let mut command = Command::new("sh");
        let path = std::env::var("PATH").unwrap();
        let bin = self.path().join("bin").display().to_string();
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("VIDEOSTREAM_") {
                command.env_remove(name);
            }
        }
        command
            .args(["-eu", "-c", text])
            .current_dir(self.path())
            .env("PATH", format!("{bin}:{path}"))
            .stdin(Stdio::null());
        command
    }

    /// Starts the block's command, which serves.
    fn serve(&self, text: &str) -> Server {
        Server::run(self.shell(&format!("exec {}", self.changed(text).trim_end())))
    }

    /// Runs the block to its end, beside this server.
    fn run(&self, server: &Server, text: &str) -> Output {
        let text = self.changed(text);
        let text = text.replace("SERVER/", &format!("{}/", server.address));
        self.shell(&text)
            .env("SERVER_PID", server.pid().to_string())
            .output()
            .unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

/// The blocks behind three backquotes and `sh`, `toml` or `json`.
fn blocks() -> Vec<&'static str> {
    let mut blocks = Vec::new();
    let parts: Vec<&str> = README.split("```").collect();
    for part in parts.iter().skip(1).step_by(2) {
        let (language, text) = part.split_once('\n').unwrap();
        assert!(
            ["sh", "toml", "json", "text"].contains(&language),
            "a block of {language:?}, which is not known here"
        );
        if language != "text" {
            blocks.push(text);
        }
    }
    blocks
}

#[test]
fn every_block_works_as_it_stands_there() {
    let ground = Ground::new();
    let mut seen = BTreeSet::new();
    for block in blocks() {
        let known = BLOCKS.iter().find(|(start, _)| block.starts_with(start));
        let Some((start, check)) = known else {
            panic!("what is to be done with this block of the README?\n{block}");
        };
        assert!(seen.insert(*start), "twice in the README: {start}");
        eprintln!("{start}");
        check(&ground, block);
    }
    for (start, _) in BLOCKS {
        assert!(seen.contains(start), "no more in the README: {start}");
    }
    for (from, _) in CHANGED {
        assert!(ground.used.borrow().contains(from), "no more used: {from}");
    }
}

fn serves_on_loopback(ground: &Ground, text: &str) {
    let server = ground.serve(text);
    server.assert_healthy();
    // What the text below the block says.
    assert!(README.contains("It prints `listening on http://127.0.0.1:8080`"));
}

fn tells_its_stages(_: &Ground, text: &str) {
    let run = concat!(env!("CARGO_MANIFEST_DIR"), "/", "tests/run");
    assert!(run.ends_with(text.trim_end()));
    let output = Command::new(run).arg("--help").output().unwrap();
    assert!(said(&output).contains("Every test there is"));
    let output = Command::new(run).arg("nonsense").output().unwrap();
    assert!(said(&output).contains("no stage nonsense; there are: "));
}

fn is_published_by_ffmpeg(ground: &Ground, text: &str) {
    let made = ground
        .shell(
            "ffmpeg -v error -f lavfi -i testsrc=size=160x120:rate=25 -f lavfi -i sine -t 2 \
             -c:v mpeg4 -c:a aac film.mp4",
        )
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", said(&made));
    let server = Server::start();
    let mut viewer = Viewer::v1(&server, "film");
    let output = ground.run(&server, text);
    assert!(output.status.success(), "{}", said(&output));
    // A second of it at least, in pictures and sound.
    viewer.watch(25);
    // What the text below the block says of Icecast.
    assert!(README.contains("`icecast://source:KEY@HOST:PORT/live/NAME.webm`"));
}

fn is_published_in_a_loop(ground: &Ground, text: &str) {
    let server = Server::start();
    let mut viewer = Viewer::v1(&server, "film");
    let text = ground.changed(text);
    let text = text.replace("SERVER", &server.address.to_string());
    let child = ground
        .shell(&format!("exec {text}"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // More than the file has once.
    viewer.watch(Sample::read("chromium-restart-1").all_frames().len() + 1);
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

fn is_the_configuration_it_says(ground: &Ground, text: &str) {
    fs::write(ground.path().join("readme.toml"), ground.changed(text)).unwrap();
    let server = ground.serve("videostream --config readme.toml");
    let file: HashMap<String, toml::Value> = toml::from_str(text).unwrap();
    let key = |value: &toml::Value| value.as_str().unwrap().to_owned();
    let all = key(&file["publish_key"]);
    let garden = &file["streams"]["garden"];
    let (publish, watch) = (key(&garden["publish_key"]), key(&garden["watch_key"]));
    let ask = |method: &str, stream: &str, key: &str| {
        let bearer = format!("Authorization: Bearer {key}");
        let target = format!("/api/streams/{stream}");
        Http::open(&server)
            .request(method, &target, &[&bearer])
            .status
    };
    // 404: nobody is on air.
    for (method, stream, key, status) in [
        ("DELETE", "other", &all, 404),
        ("DELETE", "other", &publish, 401),
        ("DELETE", "garden", &publish, 404),
        ("DELETE", "garden", &all, 401),
        ("DELETE", "garden", &watch, 401),
        ("GET", "garden", &watch, 404),
        ("GET", "garden", &publish, 404),
        ("GET", "garden", &all, 401),
    ] {
        assert_eq!(ask(method, stream, key), status, "{method} {stream} {key}");
    }
}

fn prints_a_link_that_opens(ground: &Ground, text: &str) {
    let text = ground.changed(text).replace("SERVER", "127.0.0.1:8080");
    // Tell the secret, wait until the server is there, and end it.
    let text = format!(
        "{text}\necho $VIDEOSTREAM_TOKEN_SECRET\nuntil grep -q listening listening; do sleep 0.1; \
         done\nkill $!\nwait $!\n"
    );
    let output = ground.shell(&text).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    let [link, secret] = printed.lines().collect::<Vec<_>>()[..] else {
        panic!("{printed}");
    };
    let (address, token) = link.split_once("?token=").unwrap();
    assert!(README.contains(&format!("prints `{address}?token=…`")));
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let key = TokenKey::new(&Secret::new(secret)).unwrap();
    let grant = key.check(token, now).unwrap();
    assert_eq!((grant.stream.as_str(), grant.act), ("garden", Act::Watch));
    assert_eq!(key.check(token, now + 3601), None);
}

fn is_what_a_hook_is_asked(_: &Ground, text: &str) {
    let expected: Value = serde_json::from_str(text).unwrap();
    let hook = Hook::start(|_| Says::Status(200));
    let url = hook.url();
    let server = Server::with(&["--auth-url", &url, "--trusted-proxy", "127.0.0.1"]);
    let mut http = Http::open(&server);
    let for_whom = format!("X-Forwarded-For: {}", expected["address"].as_str().unwrap());
    let stream = expected["stream"].as_str().unwrap();
    let target = format!("/api/streams/{stream}?token=%E2%80%A6");
    assert_eq!(http.request("GET", &target, &[&for_whom]).status, 404);
    assert_eq!(hook.asked().question, expected);
}

fn needs_its_key_behind_a_proxy(ground: &Ground, text: &str) {
    let server = ground.serve(text);
    for (query, status) in [("", 401), ("?key=KEY", 404)] {
        let target = format!("/api/streams/demo{query}");
        assert_eq!(
            Http::open(&server).request("DELETE", &target, &[]).status,
            status
        );
    }
}

fn serves_a_renewed_certificate(ground: &Ground, text: &str) {
    let mut certificate = Certificate::new();
    let copy = |certificate: &Certificate| {
        fs::copy(certificate.cert(), ground.path().join("fullchain.pem")).unwrap();
        fs::copy(certificate.key(), ground.path().join("privkey.pem")).unwrap();
    };
    copy(&certificate);
    let (serve, renew) = text.split_once('\n').unwrap();
    let mut server = ground.serve(serve);
    server.tls = Some(certificate.trusted());
    server.assert_healthy();
    certificate.renew();
    copy(&certificate);
    let output = ground.run(&server, renew);
    assert!(output.status.success(), "{}", said(&output));
    server.wait_for_log("certificate", 1);
    server.tls = Some(certificate.trusted());
    server.assert_healthy();
}

fn serves_a_certificate_of_its_own(ground: &Ground, text: &str) {
    let mut server = ground.serve(text);
    let fingerprint = loop {
        let line = server.line();
        if let Some(fingerprint) = line.strip_prefix("the certificate's SHA-256 is ") {
            break fingerprint.to_owned();
        }
    };
    assert_eq!(fingerprint.split(':').count(), 32);
}

fn loads_a_server(ground: &Ground, text: &str) {
    let server = Server::start();
    let output = ground.run(&server, text);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("connected"), "{}", said(&output));
}

/// On a machine with other work a condition may hold.
fn loads_a_server_or_tells_what_is_wrong(ground: &Ground, text: &str) {
    let server = Server::start();
    let output = ground.run(&server, text);
    let errors = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = errors
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(
        errors.is_empty(),
        output.status.success(),
        "{}",
        said(&output)
    );
    for error in errors {
        assert!(error.starts_with("error: --fail-if "), "{error}");
    }
    assert!(said(&output).contains("stall"), "{}", said(&output));
}

fn repository(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn names_a_test_that_is_there(_: &Ground, text: &str) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [.., "--test", name, "--", "--ignored", "--nocapture"] = words[..] else {
        panic!("{text}");
    };
    let test = repository(&format!("tests/{name}.rs"));
    assert!(test.contains("#[ignore") && test.contains("SOAK_SECONDS"));
}

fn names_a_unit_that_is_there(_: &Ground, text: &str) {
    let command = text.split('#').next().unwrap().trim_end();
    assert!(command.ends_with(" --signal=SIGUSR2 videostream"), "{text}");
    assert!(repository("contrib/videostream.service").contains("--signal=SIGUSR2 videostream"));
}

fn names_benches_that_are_there(_: &Ground, text: &str) {
    for line in text.lines() {
        let (_, rest) = line.split_once("--bench ").unwrap();
        let name = rest.split(' ').next().unwrap();
        let bench = repository(&format!("benches/{name}/main.rs"));
        // It measures with criterion, which knows the options behind the dashes.
        assert!(bench.contains("criterion_group!"), "{name}");
        assert!(rest.contains("baseline before"), "{line}");
    }
}

fn names_a_program_that_is_there(_: &Ground, text: &str) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let after = |option: &str| {
        let at = words.iter().position(|word| *word == option)?;
        words.get(at + 1).copied()
    };
    let manifest = after("--manifest-path").unwrap();
    let name = after("--bin").unwrap_or("compare");
    let folder = Path::new(manifest).parent().unwrap().display().to_string();
    let source = repository(&format!("{folder}/src/bin/{name}.rs"));
    for option in words.iter().skip_while(|word| **word != "--").skip(1) {
        if let Some(option) = option.strip_prefix("--") {
            let field = format!("    {}: ", option.replace('-', "_"));
            assert!(source.contains(&field), "{name} has no --{option}");
        }
    }
    repository(manifest);
}

/// Words as a shell has them, as far as the README needs that.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for character in text.chars() {
        match character {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            character => words.last_mut().unwrap().push(character),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn parses(arguments: &[&str], more: &[String]) -> Result<(), clap::Error> {
    let more = more.iter().map(OsString::from);
    let all = arguments.iter().map(OsString::from).chain(more);
    cli::parse(all).map(drop)
}

/// Every option and command in the text, outside of the blocks.
#[test]
fn every_option_in_the_text_is_one() {
    let prose: String = README.split("```").step_by(2).collect();
    let spans = prose.split('`').skip(1).step_by(2);
    let commands: [&[&str]; 4] = [
        &["videostream"],
        &["videostream", "load", "h/live/a", "--viewers", "9"],
        &["videostream", "push", "a.webm", "ws://h/publish/a"],
        &["videostream", "token", "a"],
    ];
    let help: String = commands
        .iter()
        .map(|command| {
            let mut program = program();
            let name = command.get(1);
            let output = program.args(name).arg("--help").output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        })
        .collect();
    let mut count = 0;
    for span in spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")) {
        if let Some(arguments) = span.strip_prefix("videostream ") {
            let arguments = words(&arguments.replace("ws|http", "ws"));
            if let Err(error) = parses(&["videostream"], &arguments) {
                use clap::error::ErrorKind::{
                    DisplayHelp, InvalidValue, MissingRequiredArgument, ValueValidation,
                };
                // `load` alone, say, or RATE for a rate.
                let is_fine = matches!(
                    error.kind(),
                    DisplayHelp | MissingRequiredArgument | InvalidValue | ValueValidation
                );
                assert!(is_fine, "`{span}`: {error}");
            }
            count += 1;
        } else if span.starts_with("--") && span != "--" {
            let given = words(&span);
            let name = given[0].split('=').next().unwrap();
            let is_of_a_name = |letter: char| letter.is_ascii_lowercase() || letter == '-';
            let is_known = help
                .split(name)
                .skip(1)
                .any(|rest| !rest.starts_with(is_of_a_name));
            let is_foreign = |word: &str| FOREIGN.iter().any(|(foreign, _)| *foreign == word);
            let has_foreign = given.iter().any(|word| is_foreign(word));
            assert!(is_known || is_foreign(name) || name == "--help", "`{span}`");
            // With a value that is one.
            let is_placeholder = |word: &String| {
                word.chars()
                    .all(|letter| letter.is_ascii_uppercase() || ":|".contains(letter))
            };
            if !has_foreign && given.len() > 1 && !given[1..].iter().any(is_placeholder) {
                let given = words(&span.replace("ws|http", "ws"));
                let errors: Vec<String> = commands
                    .iter()
                    .filter_map(|command| parses(command, &given).err())
                    .map(|error| error.to_string())
                    .collect();
                assert!(errors.len() < commands.len(), "`{span}`: {errors:?}");
            }
            count += 1;
        }
    }
    assert!(count > 60, "{count}");
}

/// Links lead to what is there: headings of its own, and files.
#[test]
fn every_link_leads_somewhere() {
    let headings: BTreeSet<String> = README
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect();
    for link in README.split("](").skip(1) {
        let target = link.split(')').next().unwrap();
        match target.strip_prefix('#') {
            Some(heading) => assert!(headings.contains(heading), "#{heading}"),
            None if target.starts_with("http") => {}
            None => {
                let file = target.split('#').next().unwrap();
                let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
                assert!(file.exists(), "{target}");
            }
        }
    }
}
