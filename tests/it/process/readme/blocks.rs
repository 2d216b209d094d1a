//! Blocks of commands, configuration and JSON.

use super::{Page, is_written, repository, root};
use crate::common::certificate::Certificate;
use crate::common::hook::{Asked, Hook, Says};
use crate::common::http::Http;
use crate::common::media::{Sample, path};
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::Publisher;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use videostream::access::token::{Act, TokenKey};
use videostream::secret::Secret;

/// What is changed before a block is run, and to what. `SERVER` is the address of a server that the
/// test has started.
const CHANGED: [(&str, &str); 19] = [
    // Before the next: it ends like it.
    (
        "--compat-node-videostream\n",
        "--listen 127.0.0.1:0 --compat-node-videostream=0\n",
    ),
    // What the command builds and starts is built already.
    ("cargo run --release", "videostream --listen 127.0.0.1:0"),
    ("videostream\n", "videostream --listen 127.0.0.1:0\n"),
    // Only root may do this, and it changes the machine.
    ("sudo apt-get install caddy", "caddy version"),
    ("sudo cp contrib/", "cp $REPOSITORY/contrib/"),
    ("sudo sed ", "sed "),
    ("/etc/caddy/Caddyfile", "Caddyfile"),
    (
        "sudo systemctl reload caddy",
        "caddy adapt --config Caddyfile",
    ),
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
const BLOCKS: [(&str, Check); 26] = [
    // Takes minutes to build.
    ("cargo install ", can_be_built_from_here),
    ("videostream\n", serves_on_loopback),
    (
        "videostream --compat-node-videostream\n",
        speaks_the_old_protocol,
    ),
    ("cargo run --release\n", serves_on_loopback),
    ("sudo apt-get install caddy", makes_caddy_ready),
    ("tests/run\n", tells_its_stages),
    ("ffmpeg -re -i film.mp4", is_published_by_ffmpeg),
    ("videostream push film.webm", is_published_in_a_loop),
    ("videostream repair film.webm", makes_a_copy),
    ("listen = [\"0.0.0.0:8080\"]", is_the_configuration_it_says),
    ("export VIDEOSTREAM_TOKEN_SECRET", prints_a_link_that_opens),
    ("{\"action\":\"watch\"", is_what_a_hook_is_asked),
    ("{\"id\":", is_what_a_receiver_gets),
    ("openssl dgst -sha256 -hmac", prints_the_signature),
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
    // Needs browsers, and takes minutes.
    ("node tests/browser/", names_a_script_that_is_there),
    ("videostream --allow-origin", serves_on_loopback),
    // Needs root, and memory limits of its own.
    ("sudo -E env", names_a_program_that_is_there),
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

#[test]
fn every_block_works_as_it_stands_there() {
    let ground = Ground::new();
    let mut seen = BTreeSet::new();
    for page in Page::all() {
        let path = page.path.display();
        for block in page.blocks() {
            let known = BLOCKS.iter().find(|(start, _)| block.starts_with(start));
            let Some((start, check)) = known else {
                panic!("{path}: no check in BLOCKS for this block:\n{block}");
            };
            assert!(seen.insert(*start), "{path}: twice in the pages: {start}");
            eprintln!("{path}: {start}");
            check(&ground, block);
        }
    }
    for (start, _) in BLOCKS {
        assert!(seen.contains(start), "in no page: {start}");
    }
    for (from, _) in CHANGED {
        assert!(ground.used.borrow().contains(from), "unused: {from}");
    }
}

fn speaks_the_old_protocol(ground: &Ground, text: &str) {
    let mut server = ground.serve(text);
    for name in ["blobs in", "chunks in", "blobs out", "chunks out"] {
        let start = format!("old protocol, {name}: ws://127.0.0.1:");
        while !server.line().starts_with(&start) {}
    }
}

fn serves_on_loopback(ground: &Ground, text: &str) {
    let server = ground.serve(text);
    server.assert_healthy();
    // What the text below the block says.
    assert!(is_written("It prints `listening on http://127.0.0.1:8080`"));
}

fn can_be_built_from_here(_: &Ground, text: &str) {
    assert_eq!(text, "cargo install --locked --path .\n");
    // `--locked` fails where Cargo.lock does not fit Cargo.toml. What other systems need may not be here.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version=1"])
        .args(["--filter-platform", "host-tuple"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours = packages
        .iter()
        .find(|package| package["name"] == "videostream")
        .unwrap();
    let targets = ours["targets"].as_array().unwrap();
    assert!(
        targets
            .iter()
            .any(|target| target["kind"][0] == "bin" && target["name"] == "videostream")
    );
    let version = ours["rust_version"].as_str().unwrap();
    assert!(is_written(&format!("stable Rust ({version} or newer)")));
}

fn makes_caddy_ready(ground: &Ground, text: &str) {
    let (caddy, serve) = text.trim_end().rsplit_once('\n').unwrap();
    let output = ground
        .shell(&ground.changed(caddy))
        .env("REPOSITORY", root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let file = fs::read_to_string(ground.path().join("Caddyfile")).unwrap();
    assert!(file.contains("YOUR.NAME {") && !file.contains("live.example.org {"));
    needs_its_key_behind_a_proxy(ground, serve);
}

fn tells_its_stages(_: &Ground, text: &str) {
    let run = concat!(env!("CARGO_MANIFEST_DIR"), "/", "tests/run");
    assert!(run.ends_with(text.trim_end()));
    let output = Command::new(run).arg("--help").output().unwrap();
    assert!(said(&output).contains("Every test there is"));
    let output = Command::new(run).arg("nonsense").output().unwrap();
    let said = said(&output);
    let (_, stages) = said.split_once("no stage nonsense; there are: ").unwrap();
    for stage in stages.split_whitespace() {
        assert!(is_written(&format!("| `{stage}` | ")), "{stage}");
    }
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
    // What the text beside the block says of Icecast.
    assert!(is_written(
        "`icecast://source:KEY@HOST:PORT/live/NAME.webm`"
    ));
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

fn makes_a_copy(ground: &Ground, text: &str) {
    let output = ground.shell(text).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(ground.path().join("seekable.webm").exists());
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
    // 404: no publisher is on air.
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
    assert!(is_written(&format!("prints `{address}?token=…`")));
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

/// A server that tells its events, and its first event.
fn event_of(stream: &str, secret: &str) -> Asked {
    let hook = Hook::start(|_| Says::Status(200));
    let url = hook.url();
    let server = Server::with(&["--event-url", &url, "--event-secret", secret]);
    let _publisher = Publisher::on_air(&server, stream);
    hook.asked()
}

fn is_what_a_receiver_gets(_: &Ground, text: &str) {
    let expected: Value = serde_json::from_str(text).unwrap();
    let got = event_of(expected["stream"].as_str().unwrap(), "secret").question;
    for key in ["event", "stream"] {
        assert_eq!(got[key], expected[key]);
    }
    for key in ["id", "time"] {
        let [got, expected] = [&got, &expected].map(|event| event[key].as_str().unwrap());
        assert_eq!(got.len(), expected.len(), "{key}: {got}");
    }
    assert_eq!(got.as_object().unwrap().len(), 4);
}

fn prints_the_signature(ground: &Ground, text: &str) {
    let secret = "correct horse";
    let event = event_of("demo", secret);
    fs::write(ground.path().join("event.json"), &event.body).unwrap();
    let mut command = ground.shell(text);
    let output = command.env("VIDEOSTREAM_EVENT_SECRET", secret).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let hex = String::from_utf8(output.stdout).unwrap();
    let field = format!("x-videostream-signature: sha256={hex}").to_lowercase();
    let head = event.head.to_lowercase();
    assert!(head.contains(field.trim_end()), "{field}: {head}");
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

fn names_a_script_that_is_there(_: &Ground, text: &str) {
    for line in text.lines() {
        let mut words = line.split_whitespace().skip(1);
        let source = repository(words.next().unwrap());
        for option in words.filter_map(|word| word.trim_start_matches('[').strip_prefix("--")) {
            let option = option.trim_end_matches(']');
            assert!(source.contains(option), "{line}: no --{option}");
        }
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

/// The commands for each size start as they stand there, but for addresses. Those that name a NATS
/// server find none, and serve alone.
#[test]
fn every_set_up_for_a_size_starts() {
    let ground = Ground::new();
    fs::write(ground.path().join("nats-token"), "a long secret\n").unwrap();
    let page = repository("docs/scaling.md");
    let lines = page.lines().filter(|line| line.starts_with("videostream "));
    let mut count = 0;
    for line in lines {
        let command = line.replace("0.0.0.0:8080", "127.0.0.1:0");
        let command = command.replace("127.0.0.1:4222", "127.0.0.1:1");
        let command = command.replace("NATS:4222", "127.0.0.1:1");
        Server::run(ground.shell(&format!("exec {command}")));
        count += 1;
    }
    assert!(count >= 5, "{count}");
}
