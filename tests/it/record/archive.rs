//! The promise: recordings are listed, sent in parts, and deleted, over HTTP.

use super::*;
use crate::common::http::{Http, Response};
use crate::common::media;
use crate::common::websocket::Publisher;
use rustix::process::Signal;

/// A folder with a finished recording of each name, and its bytes.
fn recorded(names: &[&str]) -> (TempDir, Vec<(String, Vec<u8>)>) {
    let dir = tempfile::tempdir().unwrap();
    let server = server_on(dir.path(), &[]);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    for name in names {
        let target = format!("/live/{name}.webm");
        let answer = Http::open(&server).upload("PUT", &target, &[], &sample.bytes);
        assert_eq!(answer.status, 200);
    }
    assert!(server.end(Signal::TERM).status.success());
    let files = names.iter().map(|name| {
        let path = recording(dir.path(), name);
        let file = path.file_name().unwrap().to_str().unwrap();
        (
            format!("/recordings/{name}/{file}"),
            std::fs::read(&path).unwrap(),
        )
    });
    let files = files.collect();
    (dir, files)
}

fn get(server: &Server, target: &str, fields: &[&str]) -> Response {
    Http::open(server).request("GET", target, fields)
}

fn list(server: &Server, query: &str) -> Value {
    let answer = get(server, &format!("/api/recordings{query}"), &[]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn recordings_are_listed_newest_first() {
    let (dir, files) = recorded(&["a", "b"]);
    let server = server_on(dir.path(), &[]);
    let sample = Sample::read("chromium-restart-1");
    let mut publisher = Publisher::open(&server, "now");
    publisher.open_stream(&sample);
    server.report_when("now", |report| report["recording"] == true);
    let listing = list(&server, "");
    assert_eq!(listing["locked"], false);
    let all = listing["recordings"].as_array().unwrap();
    let streams: Vec<&str> = all
        .iter()
        .map(|one| one["stream"].as_str().unwrap())
        .collect();
    assert_eq!(streams, ["now", "b", "a"]);
    let (now, last) = (&all[0], &all[2]);
    assert_eq!(
        (&now["live"], &now["duration_ms"]),
        (&true.into(), &Value::Null)
    );
    assert_eq!(last["live"], false);
    assert_eq!(last["bytes"], files[0].1.len());
    assert_eq!(last["mime"], "video/webm;codecs=\"vp8,opus\"");
    assert_eq!(last["url"], files[0].0);
    assert_eq!(last["poster"], format!("{}/poster", files[0].0));
    assert!(last["duration_ms"].as_u64().unwrap() > 1000);
    let keys: Vec<&String> = last.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 9, "{keys:?}");

    let of = |query: &str| list(&server, query)["recordings"].as_array().unwrap().len();
    assert_eq!((of("?stream=a"), of("?stream=none")), (1, 0));
    assert_eq!((of("?limit=2"), of("?limit=0")), (2, 0));
    let before = last["started_at"].as_str().unwrap();
    assert!(before.len() == "2026-11-22T19:32:05.250Z".len(), "{before}");
    assert_eq!(of(&format!("?before={before}")), 0);
    let before = all[1]["started_at"].as_str().unwrap();
    assert_eq!(of(&format!("?before={before}")), 1);
    for query in ["?limit=x", "?before=yesterday", "?stream=a/b"] {
        let answer = get(&server, &format!("/api/recordings{query}"), &[]);
        assert_eq!(answer.status, 400, "{query}");
    }
    let below = server_on(dir.path(), &["--base-path", "/video"]);
    let one = &list(&below, "?stream=a")["recordings"][0];
    assert_eq!(one["url"], format!("/video{}", files[0].0));
    assert_eq!(one["poster"], format!("/video{}/poster", files[0].0));
    for page in ["/recordings", "/recordings/a"] {
        let answer = get(&server, page, &[]);
        assert!(answer.text().contains("Recordings"), "{page}");
    }
}

/// The first frame of a file, as ffmpeg decodes it: a line of its checksum.
fn first_picture(file: &Path) -> String {
    let arguments = ["-v", "error", "-frames:v", "1", "-pix_fmt", "yuv420p"];
    let mut ffmpeg = crate::common::ffmpeg::tool("ffmpeg");
    ffmpeg.arg("-i").arg(file).args(arguments);
    ffmpeg.args(["-f", "framehash", "-"]);
    let found = crate::common::ffmpeg::run(ffmpeg);
    let line = found.lines().find(|line| line.starts_with("0,"));
    line.unwrap().rsplit(',').next().unwrap().to_owned()
}

#[test]
fn recording_has_its_first_picture_or_its_name_as_a_poster() {
    let (dir, server) = recording_server(&["--publish-key", "k", "--watch-key", "w"]);
    let key = ["Authorization: Bearer k"];
    for (name, sample) in [
        ("vp8", "chromium-vp8-opus-100ms"),
        ("firefox", "firefox-vp8-opus-100ms"),
        ("vp9", "chromium-vp9-opus-100ms"),
        ("h264", "h264-opus-doctype-webm"),
        ("sound", "chromium-opus-only-100ms"),
    ] {
        let bytes = std::fs::read(media::path(sample)).unwrap();
        let mut http = Http::open(&server);
        let target = format!("/live/{name}.webm");
        http.ask("PUT", &target, &[key[0], "Transfer-Encoding: chunked"]);
        http.send_chunk(&bytes);
        let path = recording(dir.path(), name);
        let file = path.file_name().unwrap().to_str().unwrap();
        let target = format!("/recordings/{name}/{file}/poster");
        assert_eq!(get(&server, &target, &[]).status, 401);
        let poster = || get(&server, &target, &["Authorization: Bearer w"]);
        if !sample.contains("vp8") {
            let svg = poster();
            assert_eq!(svg.field("Content-Type"), Some("image/svg+xml"), "{name}");
            assert!(svg.text().contains(&format!(">{name}<")));
            continue;
        }
        // While it grows, and once it is finished.
        let growing = eventually("a picture", || {
            let answer = poster();
            (answer.field("Content-Type") == Some("image/webp")).then_some(answer)
        });
        http.send("0\r\n\r\n");
        assert_eq!(http.answer("PUT").status, 200);
        let picture = dir.path().join(format!("{name}.webp"));
        std::fs::write(&picture, &growing.body).unwrap();
        assert_eq!(first_picture(&picture), first_picture(&path), "{name}");
        // It stays the same, and is not for caches that many share.
        let caching = growing.field("Cache-Control");
        assert_eq!(caching, Some("private, max-age=3600"));
        let none_match = format!("If-None-Match: {}", growing.field("ETag").unwrap());
        let fields = ["Authorization: Bearer w", &*none_match];
        assert_eq!(get(&server, &target, &fields).status, 304);
    }
}

#[test]
fn file_is_sent_whole_or_in_parts() {
    let (dir, files) = recorded(&["a"]);
    let (target, bytes) = &files[0];
    let server = server_on(dir.path(), &[]);
    let mut http = Http::open(&server);
    let whole = http.get(target);
    assert_eq!((whole.status, &whole.body), (200, bytes));
    assert_eq!(whole.field("Content-Type"), Some("video/webm"));
    assert_eq!(whole.field("Accept-Ranges"), Some("bytes"));
    let etag = whole.field("ETag").unwrap().to_owned();
    // On the same connection.
    for (range, first, last) in [
        ("bytes=0-99", 0, 99),
        ("bytes=100-", 100, bytes.len() - 1),
        ("bytes=-7", bytes.len() - 7, bytes.len() - 1),
    ] {
        let part = http.request("GET", target, &[&format!("Range: {range}")]);
        assert_eq!(part.status, 206);
        assert_eq!(part.body, bytes[first..=last], "{range}");
        let expected = format!("bytes {first}-{last}/{}", bytes.len());
        assert_eq!(part.field("Content-Range"), Some(&*expected));
    }
    let behind = format!("Range: bytes={}-", bytes.len());
    let refused = http.request("GET", target, &[&behind]);
    let expected = format!("bytes */{}", bytes.len());
    assert_eq!(
        (refused.status, refused.field("Content-Range")),
        (416, Some(&*expected))
    );
    let unchanged = http.request("GET", target, &[&format!("If-None-Match: {etag}")]);
    assert_eq!(unchanged.status, 304);
    for (version, status) in [(&*etag, 206), ("\"other\"", 200)] {
        let fields = ["Range: bytes=0-9", &format!("If-Range: {version}")];
        assert_eq!(http.request("GET", target, &fields).status, status);
    }
    let head = http.request("HEAD", target, &[]);
    let length = bytes.len().to_string();
    assert_eq!(
        (head.status, head.field("Content-Length")),
        (200, Some(&*length))
    );
    let saved = http.get(&format!("{target}?download"));
    let name = target.trim_start_matches("/recordings/").replace('/', "-");
    let expected = format!("attachment; filename=\"{name}\"");
    assert_eq!(saved.field("Content-Disposition"), Some(&*expected));
}

#[test]
fn file_is_deleted_with_the_key_but_not_while_it_is_written() {
    let (dir, files) = recorded(&["a"]);
    let server = server_on(dir.path(), &["--publish-key", "k", "--watch-key", "w"]);
    let target = &files[0].0;
    let ask = |method: &str, target: &str, key: &str| {
        let bearer = format!("Authorization: Bearer {key}");
        Http::open(&server)
            .request(method, target, &[&bearer])
            .status
    };
    assert_eq!(get(&server, target, &[]).status, 401);
    assert_eq!(ask("GET", target, "w"), 200);
    assert_eq!(list(&server, "")["recordings"], serde_json::json!([]));
    assert_eq!(list(&server, "")["locked"], true);
    assert_eq!(ask("DELETE", target, "w"), 401);
    let sample = Sample::read("chromium-restart-1");
    let mut http = Http::open(&server);
    http.ask(
        "PUT",
        "/live/now.webm",
        &["Authorization: Bearer k", "Transfer-Encoding: chunked"],
    );
    http.send_chunk(&sample.bytes);
    let growing = recording(dir.path(), "now");
    let growing = growing.file_name().unwrap().to_str().unwrap();
    assert_eq!(
        ask("DELETE", &format!("/recordings/now/{growing}"), "k"),
        409
    );
    assert_eq!(ask("DELETE", target, "k"), 204);
    assert_eq!(ask("DELETE", target, "k"), 404);
    assert_eq!(ask("GET", target, "w"), 404);
    assert!(!dir.path().join("a").exists());
}

#[test]
fn names_in_an_address_reach_no_file_outside_of_the_folder() {
    let (dir, _) = recorded(&["a"]);
    let outside = dir.path().join("2026-11-22T19-32-05Z.webm");
    std::fs::write(&outside, b"secret").unwrap();
    std::fs::write(dir.path().join("a/notes.txt"), b"secret").unwrap();
    let link = dir.path().join("a/2026-11-22T19-32-06Z.webm");
    std::os::unix::fs::symlink(&outside, link).unwrap();
    let server = server_on(dir.path(), &[]);
    for target in [
        "/recordings/a/notes.txt",
        "/recordings/a/2026-11-22T19-32-06Z.webm",
        "/recordings/a/..%2f2026-11-22T19-32-05Z.webm",
        "/recordings/../2026-11-22T19-32-05Z.webm",
        "/recordings/..%2f/2026-11-22T19-32-05Z.webm",
        "/recordings/%2e%2e/2026-11-22T19-32-05Z.webm",
        "/recordings/./2026-11-22T19-32-05Z.webm",
        "/recordings//2026-11-22T19-32-05Z.webm",
        "/recordings/a/",
        "/recordings/a/b/c",
    ] {
        for method in ["GET", "DELETE"] {
            let answer = Http::open(&server).request(method, target, &[]);
            let is_refused = [400, 404, 308].contains(&answer.status);
            assert!(is_refused, "{method} {target}: {}", answer.status);
            assert!(!answer.text().contains("secret"));
        }
    }
    let linked = "/recordings/a/2026-11-22T19-32-06Z.webm/poster";
    for target in [
        linked,
        "/recordings/a/notes.txt/poster",
        "/recordings/a/poster",
    ] {
        assert_eq!(get(&server, target, &[]).status, 404, "{target}");
    }
    assert!(outside.exists());
    // Without --record there are none.
    let plain = Server::start();
    assert_eq!(list(&plain, "")["recordings"], serde_json::json!([]));
    let target = "/recordings/a/2026-11-22T19-32-05Z.webm";
    assert_eq!(get(&plain, target, &[]).status, 404);
}

#[test]
fn readers_that_do_not_read_cost_a_piece_of_memory_each() {
    const BYTES: u64 = 48 << 20;
    const READERS: u64 = 16;

    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("a")).unwrap();
    let name = "2026-11-22T19-32-05Z.webm";
    let file = std::fs::File::create(dir.path().join("a").join(name)).unwrap();
    file.set_len(BYTES).unwrap();
    let server = server_on(dir.path(), &[]);
    let target = format!("/recordings/a/{name}");
    let before = server.metric("videostream_held_bytes");
    let mut readers: Vec<Http> = (0..READERS)
        .map(|_| {
            let mut http = Http::open(&server);
            http.ask("GET", &target, &[]);
            assert_eq!(http.head().status, 200);
            http
        })
        .collect();
    // All sockets are full.
    let mut sent = 0;
    eventually("full sockets", || {
        let now = server.metric("videostream_sent_bytes_total");
        std::thread::sleep(std::time::Duration::from_millis(300));
        (std::mem::replace(&mut sent, now) == now && now > 0).then_some(())
    });
    assert!(sent < READERS * BYTES / 2, "{sent}");
    let held = server
        .metric("videostream_held_bytes")
        .saturating_sub(before);
    assert!(held <= READERS * (320 << 10), "{held} bytes");
    // A reader that reads gets all of it.
    let reader = &mut readers[0];
    let mut rest = 0;
    while rest < BYTES {
        rest += reader.some().len() as u64;
    }
    assert_eq!(rest, BYTES);
    server.assert_healthy();
}
