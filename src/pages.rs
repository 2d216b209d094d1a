//! The pages of `web/`, inside the binary: a path goes in, a type and bytes come out.
//!
//! `home/home.html` and the other `.html` files have addresses of their own. All else is at
//! `/assets/NAME`: what the pages refer to, under names that change with the content, and each file of
//! `web/` as it is, for people with a debugger. The build makes and compresses all of it
//! (`build/web`): start-up does no work here, and only a client that takes no gzip costs the unpacking.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::{LazyLock, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use flate2::read::GzDecoder;
use flate2::{Compress, Compression, FlushCompress};
use sha1::{Digest, Sha1};

use crate::http::Codings;

/// Nothing from anywhere else, no inline style, and no inline script but those of the build.
///
/// `'self'` covers WebSockets to the same host and port (CSP 3, "match a source expression": `ws`
/// for `http`), and `script-src` the workers. `data:` in `img-src` is the icon, `blob:` in `media-src` a MediaSource.
macro_rules! policy {
    ($ancestors:literal) => {
        concat!(
            "default-src 'none'; script-src 'self' ",
            env!("VIDEOSTREAM_INLINE_SCRIPTS"),
            "; style-src 'self'; img-src 'self' data:; ",
            "media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; ",
            "frame-ancestors ",
            $ancestors
        )
    };
}

/// `Content-Security-Policy` of every page.
pub const CONTENT_SECURITY_POLICY: &str = policy!("'self'");

/// The same for the bare player (`/live/NAME?embed`), which any site may put into a frame.
pub const CONTENT_SECURITY_POLICY_EMBED: &str = policy!("*");

/// One file that the build made.
struct Embedded {
    name: &'static str,
    /// Of its content, 128 bits of SHA-256.
    hash: [u8; 16],
    is_immutable: bool,
    is_gzip: bool,
    bytes: &'static [u8],
    /// Smaller than `gzip`, of what browsers ask for most.
    brotli: Option<&'static [u8]>,
}

static EMBEDDED: &[Embedded] = &include!(concat!(env!("OUT_DIR"), "/served.rs"));

/// One file that clients get.
#[derive(Debug)]
pub struct Page {
    pub content_type: &'static str,
    /// Whether its name changes with its content, so that a browser needs to ask for it once only.
    pub is_immutable: bool,
    /// Whether it runs on its own: a document, a worker's script, a picture of shapes. Other scripts run under
    /// the policy of their page.
    pub needs_policy: bool,
    /// Unpacked when a client first wants it.
    plain: OnceLock<Encoded>,
    gzip: Option<Encoded>,
    brotli: Option<Encoded>,
    /// What is around its title and its words for browsers without scripts, compressed.
    around: OnceLock<Option<[Vec<u8>; 3]>>,
}

/// The bytes of a page as they go out, and their strong validator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// With its quotes. The two encodings of a page have different ones (RFC 9110, 8.8.3.3).
    pub etag: String,
    pub bytes: Bytes,
}

/// The page `home/home.html`, or what is at `/assets/NAME`, such as `player/lane.js`.
pub fn page(name: &str) -> Option<&'static Page> {
    static PAGES: LazyLock<BTreeMap<&'static str, Page>> = LazyLock::new(|| {
        let pages = EMBEDDED.iter().map(|it| (it.name, Page::embedded(it)));
        pages.collect()
    });
    PAGES.get(name)
}

/// The file at `/assets/NAME`: any but the `.html` ones, which have addresses of their own.
pub fn asset(name: &str) -> Option<&'static Page> {
    page(name).filter(|page| !page.is_document())
}

/// Unpacks all there is, for tests that count memory: what clients without gzip would have unpacked
/// stays, whatever else has gone.
#[cfg(feature = "testing")]
pub fn unpack_all() {
    for file in EMBEDDED {
        if let Some(page) = page(file.name) {
            page.plain();
        }
    }
}

impl Page {
    fn embedded(file: &Embedded) -> Page {
        let hash = URL_SAFE_NO_PAD.encode(file.hash);
        let bytes = Bytes::from_static(file.bytes);
        let stored = |end: &str| Encoded {
            etag: format!("\"{hash}{end}\""),
            bytes: bytes.clone(),
        };
        let (plain, gzip) = if file.is_gzip {
            (OnceLock::new(), Some(stored("-gz")))
        } else {
            (OnceLock::from(stored("")), None)
        };
        let brotli = file.brotli.map(|bytes| Encoded {
            etag: format!("\"{hash}-br\""),
            bytes: Bytes::from_static(bytes),
        });
        let needs_policy = [".html", ".svg"].iter().any(|end| file.name.ends_with(end))
            || file.name.contains("-worker");
        Page {
            content_type: content_type(file.name),
            is_immutable: file.is_immutable,
            needs_policy,
            plain,
            gzip,
            brotli,
            around: OnceLock::new(),
        }
    }

    /// Whether it is what a person opens, rather than a part of that.
    pub fn is_document(&self) -> bool {
        self.content_type.starts_with("text/html")
    }

    /// The page as it is.
    pub fn plain(&self) -> &Encoded {
        self.plain.get_or_init(|| {
            let gzip = self.gzip.as_ref().expect("a page is there in one encoding");
            let mut bytes = Vec::new();
            GzDecoder::new(&gzip.bytes[..])
                .read_to_end(&mut bytes)
                .expect("the build compressed it");
            Encoded {
                etag: gzip.etag.replace("-gz\"", "\""),
                bytes: bytes.into(),
            }
        })
    }

    /// The page in the smallest coding that a client takes, with the coding's name; `None` where it takes
    /// none, or that would save nothing worthwhile.
    pub fn compressed(&self, codings: Codings) -> Option<(&'static str, &Encoded)> {
        let brotli = self.brotli.as_ref().filter(|_| codings.brotli);
        let gzip = || self.gzip.as_ref().filter(|_| codings.gzip);
        let gzip = || gzip().map(|encoded| ("gzip", encoded));
        brotli.map(|encoded| ("br", encoded)).or_else(gzip)
    }

    /// Whether some clients get it compressed: all have to be told (`Vary: Accept-Encoding`).
    pub fn is_compressible(&self) -> bool {
        self.gzip.is_some() || self.brotli.is_some()
    }

    /// The page with `head` in place of its `<title>` and `body` in place of its `<noscript>`; `None` if it
    /// lacks one of them.
    ///
    /// Its compressed form is joined from parts that are compressed once and these two, about 2 KB: a page
    /// that differs for each client costs little more than copying it.
    pub fn filled(&self, head: &str, body: &str) -> Option<Page> {
        let parts = around(&self.plain().bytes)?;
        let [before, between, after] = parts;
        let plain = [before, head.as_bytes(), between, body.as_bytes(), after].concat();
        let mut hash = Sha1::new();
        hash.update(&self.plain().etag);
        hash.update(head);
        hash.update([0]);
        hash.update(body);
        let hash = URL_SAFE_NO_PAD.encode(hash.finalize());
        let deflated = self.around.get_or_init(|| {
            Some([
                deflate(before, FlushCompress::Sync)?,
                deflate(between, FlushCompress::Sync)?,
                deflate(after, FlushCompress::Finish)?,
            ])
        });
        let gzip = deflated.as_ref().and_then(|parts| {
            let filled = [head, body].map(|text| deflate(text.as_bytes(), FlushCompress::Sync));
            let [Some(head), Some(body)] = filled else {
                return None;
            };
            Some(join_gzip(
                [&parts[0], &head, &parts[1], &body, &parts[2]],
                &plain,
            ))
        });
        Some(Page {
            content_type: self.content_type,
            is_immutable: false,
            needs_policy: self.needs_policy,
            plain: OnceLock::from(Encoded {
                etag: format!("\"{hash}\""),
                bytes: plain.into(),
            }),
            gzip: gzip.map(|bytes| Encoded {
                etag: format!("\"{hash}-gz\""),
                bytes: bytes.into(),
            }),
            brotli: None,
            around: OnceLock::new(),
        })
    }
}

/// What is in front of a page's title, between that and its `<noscript>`, and behind.
fn around(html: &[u8]) -> Option<[&[u8]; 3]> {
    let find = |wanted: &str| {
        let mut places = html.windows(wanted.len());
        places.position(|part| part == wanted.as_bytes())
    };
    let after = |wanted: &str| Some(find(wanted)? + wanted.len());
    Some([
        &html[..find("<title>")?],
        html.get(after("</title>")?..find("<noscript>")?)?,
        html.get(after("</noscript>")?..)?,
    ])
}

/// A part of a DEFLATE stream that refers to no other part. After a sync flush it ends at a whole byte.
fn deflate(plain: &[u8], flush: FlushCompress) -> Option<Vec<u8>> {
    let mut compress = Compress::new(Compression::best(), false);
    // What does not fit is taken for a failure: text gets smaller.
    let mut bytes = Vec::with_capacity(plain.len() + 64);
    compress.compress_vec(plain, &mut bytes, flush).ok()?;
    (compress.total_in() == plain.len() as u64).then_some(bytes)
}

/// One gzip member (RFC 1952, 2.3) of parts by [`deflate`]. `plain` is all of them, uncompressed.
fn join_gzip(deflated: [&[u8]; 5], plain: &[u8]) -> Vec<u8> {
    const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff];
    let mut crc = flate2::Crc::new();
    crc.update(plain);
    let (sum, amount) = (crc.sum().to_le_bytes(), crc.amount().to_le_bytes());
    let [a, b, c, d, e] = deflated;
    [&HEAD[..], a, b, c, d, e, &sum, &amount].concat()
}

/// By extension: these are the kinds of file that `web/` has.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/vnd.microsoft.icon",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
#[path = "../build/web/mod.rs"]
mod made_by_the_build;

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use base64::engine::general_purpose::STANDARD;
    use sha2::Sha256;

    use super::*;

    /// The pages of `web/`, by their paths.
    fn documents() -> impl Iterator<Item = (&'static str, String)> {
        let documents = EMBEDDED.iter().filter(|it| it.name.ends_with(".html"));
        documents.map(|it| {
            let html = page(it.name).unwrap().plain().bytes.to_vec();
            (it.name, String::from_utf8(html).unwrap())
        })
    }

    fn files_under(folder: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                files_under(&path, found)
            } else {
                found.push(path)
            }
        }
    }

    #[test]
    fn every_file_of_web_is_embedded_with_its_type() {
        let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        let mut files = Vec::new();
        files_under(&web, &mut files);
        for file in files {
            let name = file
                .strip_prefix(&web)
                .unwrap()
                .to_str()
                .unwrap()
                .replace('\\', "/");
            let ends = [".test.js", ".md", ".d.ts", "package.json"];
            if ends.iter().any(|end| name.ends_with(end)) || name.contains("/.") {
                assert!(page(&name).is_none(), "{name} is not for visitors");
                continue;
            }
            let page = page(&name).unwrap_or_else(|| panic!("{name} is not embedded"));
            // Of a page, only what its visitors need is there.
            if !page.is_document() {
                assert_eq!(page.plain().bytes, std::fs::read(&file).unwrap(), "{name}");
                assert!(!page.is_immutable, "{name}");
            }
            assert_ne!(
                page.content_type, "application/octet-stream",
                "{name} needs a type"
            );
            assert_eq!(asset(&name).is_none(), name.ends_with(".html"), "{name}");
        }
    }

    /// A page that disappears fails here, and one that is new belongs here.
    #[test]
    fn these_are_the_pages_of_web() {
        let pages: Vec<_> = documents().map(|(name, _)| name).collect();
        assert_eq!(
            pages,
            [
                "dashboard/dashboard.html",
                "errors/error.html",
                "home/home.html",
                "publish/publish.html",
                "recordings/recordings.html",
                "recordings/stream.html",
                "watch/watch.html",
            ]
        );
    }

    #[test]
    fn pages_have_no_script_or_style_that_their_policy_forbids() {
        for (name, html) in documents() {
            for inline in ["<style", " style=", " onclick=", " onload=", "javascript:"] {
                assert!(!html.contains(inline), "{name}: {inline}");
            }
        }
    }

    /// A page may be below a path prefix that only its reader knows.
    #[test]
    fn pages_refer_to_nothing_by_its_path_from_the_root() {
        for (name, html) in documents() {
            for absolute in ["href=\"/", "src=\"/", "action=\"/", "content=\"/"] {
                assert!(!html.contains(absolute), "{name}: {absolute}");
            }
        }
    }

    #[test]
    fn names_outside_web_find_no_page() {
        for name in [
            "",
            "/",
            ".",
            "../Cargo.toml",
            "/etc/passwd",
            "home/home.html/",
            "\0",
        ] {
            assert!(page(name).is_none(), "{name:?}");
        }
    }

    #[test]
    fn long_text_is_compressed_under_an_etag_of_its_own() {
        let page = Page::embedded(EMBEDDED.iter().find(|it| it.name == "style.css").unwrap());
        let gzip = page.gzip.as_ref().unwrap();
        let etag = &page.plain().etag;
        assert_eq!(
            gzip.etag,
            format!("{}-gz\"", etag.strip_suffix('"').unwrap())
        );
        assert!(gzip.bytes.len() < page.plain().bytes.len() / 3);
        assert_eq!(
            page.plain().bytes.as_ptr(),
            page.plain().bytes.as_ptr(),
            "unpacked once"
        );
    }

    #[test]
    fn what_runs_on_its_own_has_a_policy() {
        let workers = EMBEDDED.iter().filter(|it| it.name.contains("worker"));
        for name in workers
            .map(|it| it.name)
            .chain(["watch/watch.html", "favicon.svg"])
        {
            assert!(page(name).unwrap().needs_policy, "{name}");
        }
        for name in ["watch/watch.js", "style.css"] {
            assert!(!page(name).unwrap().needs_policy, "{name}");
        }
    }

    #[test]
    fn clients_get_the_smallest_coding_that_they_take() {
        let (gzip, brotli) = (true, true);
        let name = EMBEDDED.iter().find(|it| it.brotli.is_some()).unwrap().name;
        let part = page(name).unwrap();
        let length = |codings| {
            part.compressed(codings)
                .map(|(name, it)| (name, it.bytes.len()))
        };
        let both = length(Codings { gzip, brotli }).unwrap();
        let older = length(Codings {
            gzip,
            brotli: false,
        })
        .unwrap();
        assert_eq!((both.0, older.0), ("br", "gzip"));
        assert!(
            both.1 < older.1 && older.1 < part.plain().bytes.len(),
            "{name}"
        );
        assert_eq!(length(Codings::default()), None);
        // What differs for each client is compressed as it goes.
        let document = page("watch/watch.html").unwrap();
        assert_eq!(
            document.compressed(Codings { gzip, brotli }).unwrap().0,
            "gzip"
        );
    }

    /// A visitor of a page loads each part of it once in its life: it has another name when it has changed.
    #[test]
    fn what_pages_refer_to_is_immutable_and_theirs_alone() {
        let mut named = std::collections::BTreeSet::new();
        for (name, html) in documents() {
            assert!(!page(name).unwrap().is_immutable, "{name}");
            for reference in html.split("assets/").skip(1) {
                let reference = reference.split('"').next().unwrap();
                let page = asset(reference).unwrap_or_else(|| panic!("{name}: {reference}"));
                assert!(page.is_immutable, "{name}: {reference}");
                named.insert(reference.to_owned());
            }
        }
        for kind in [".js", ".css", ".svg"] {
            assert!(named.iter().any(|name| name.ends_with(kind)), "{named:?}");
        }
    }

    #[test]
    fn page_with_another_title_is_the_same_in_both_encodings() {
        let page = page("watch/watch.html").unwrap();
        let html = String::from_utf8(page.plain().bytes.to_vec()).unwrap();
        let mut etags = vec![page.plain().etag.clone()];
        for (head, body) in [
            ("<title>a</title>", "<noscript>b</noscript>"),
            ("<title>b</title><meta name=\"c\">", ""),
            ("", "<title>b</title>"),
        ] {
            let expected = html.replace("<title>Live · videostream</title>", head);
            let expected = expected.replace("<noscript></noscript>", body);
            assert_ne!(expected, html);
            let other = page.filled(head, body).unwrap();
            assert_eq!(other.plain().bytes, expected);
            let gzip = other.gzip.as_ref().unwrap();
            let mut back = String::new();
            let mut decoder = GzDecoder::new(&gzip.bytes[..]);
            decoder.read_to_string(&mut back).unwrap();
            assert_eq!(back, expected);
            let added = head.len() + body.len();
            assert!(gzip.bytes.len() < page.gzip.as_ref().unwrap().bytes.len() + added + 150);
            assert_eq!(
                page.filled(head, body).unwrap().plain().etag,
                other.plain().etag
            );
            etags.extend([other.plain().etag.clone(), gzip.etag.clone()]);
        }
        let count = etags.len();
        etags.sort();
        etags.dedup();
        assert_eq!(etags.len(), count);
        assert!(super::page("style.css").unwrap().filled("b", "").is_none());
        let long = page.filled(&"x".repeat(70_000), "").unwrap();
        assert!(long.gzip.as_ref().unwrap().bytes.len() < 4000);
    }

    #[test]
    fn short_text_goes_out_as_it_is() {
        assert!(
            !page("publisher/ticker-worker.js")
                .unwrap()
                .is_compressible()
        );
    }

    #[test]
    fn browsers_may_run_the_script_that_a_page_has_in_itself_and_no_other() {
        let mut hashes = Vec::new();
        for file in EMBEDDED.iter().filter(|it| it.name.ends_with(".html")) {
            let plain = page(file.name).unwrap().plain();
            let html = std::str::from_utf8(&plain.bytes).unwrap();
            for script in html.split("<script>").skip(1) {
                let script = script.split("</script>").next().unwrap();
                let hash = STANDARD.encode(Sha256::digest(script));
                hashes.push(format!("'sha256-{hash}'"));
            }
        }
        let scripts = format!("script-src 'self' {}; ", hashes.join(" "));
        for policy in [CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_EMBED] {
            assert!(policy.contains(&scripts), "{policy} lacks {scripts}");
        }
    }

    #[test]
    fn policies_are_strict_and_differ_in_frame_ancestors() {
        for policy in [CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_EMBED] {
            assert!(policy.starts_with("default-src 'none'; "));
            assert!(!policy.contains("unsafe") && !policy.contains("http"));
        }
        assert!(CONTENT_SECURITY_POLICY.ends_with("frame-ancestors 'self'"));
        assert!(CONTENT_SECURITY_POLICY_EMBED.ends_with("frame-ancestors *"));
    }
}
