//! The pages of `web/`, inside the binary: a path goes in, a type and bytes come out.
//!
//! `home/home.html` and the other `.html` files have addresses of their own. All other files are at
//! `/assets/PATH`. Bytes are those of the executable itself, never copied. The compressed form of a
//! page is made on the first request for it and then kept: start-up does no work here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{LazyLock, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use flate2::write::GzEncoder;
use flate2::{Compress, Compression, FlushCompress};
use rust_embed::RustEmbed;
use sha1::{Digest, Sha1};

/// Nothing from anywhere else, no inline script or style.
///
/// `'self'` covers WebSockets to the same host and port (CSP 3, "match a source expression": `ws`
/// for `http`), and `script-src` the workers. `blob:` in `media-src` is a MediaSource.
macro_rules! policy {
    ($ancestors:literal) => {
        concat!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; ",
            "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; ",
            "frame-ancestors ",
            $ancestors
        )
    };
}

/// `Content-Security-Policy` of every page.
pub const CONTENT_SECURITY_POLICY: &str = policy!("'self'");

/// The same for the bare player (`/live/NAME?embed`), which any site may put into a frame.
pub const CONTENT_SECURITY_POLICY_EMBED: &str = policy!("*");

/// Below one packet, compression saves no round trip.
const GZIP_LEAST_BYTES: usize = 1024;

#[derive(RustEmbed)]
#[folder = "web/"]
#[exclude = "*.test.js"]
#[exclude = "*.md"]
#[exclude = ".*"]
struct Web;

/// One file of `web/`.
#[derive(Debug)]
pub struct Page {
    pub content_type: &'static str,
    pub plain: Encoded,
    /// Whether compression may pay: the type is text and there is enough of it.
    is_compressible: bool,
    gzip: OnceLock<Option<Encoded>>,
    /// What is in front of the title and behind it, compressed.
    around_title: OnceLock<Option<[Vec<u8>; 2]>>,
}

impl Page {
    /// Whether it is what a person opens, rather than a part of that.
    pub fn is_document(&self) -> bool {
        self.content_type.starts_with("text/html")
    }
}

/// The bytes of a page as they go out, and their strong validator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// With its quotes. The two encodings of a page have different ones (RFC 9110, 8.8.3.3).
    pub etag: String,
    pub bytes: Bytes,
}

/// The file `name` of `web/`, such as `home/home.html` or `player/lane.js`.
pub fn page(name: &str) -> Option<&'static Page> {
    static PAGES: LazyLock<BTreeMap<Cow<'static, str>, Page>> = LazyLock::new(|| {
        Web::iter()
            .filter_map(|name| Some((name.clone(), Page::embedded(&name)?)))
            .collect()
    });
    PAGES.get(name)
}

/// The page at `/assets/PATH`: any file but the `.html` ones, which have addresses of their own.
pub fn asset(path: &str) -> Option<&'static Page> {
    page(path).filter(|_| !path.ends_with(".html"))
}

impl Page {
    fn embedded(name: &str) -> Option<Page> {
        let file = Web::get(name)?;
        let content_type = content_type(name);
        let bytes = match file.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        // Hashed when it was embedded. 128 of its bits are plenty.
        let hash = URL_SAFE_NO_PAD.encode(&file.metadata.sha256_hash()[..16]);
        Some(Page {
            content_type,
            is_compressible: is_text(content_type) && bytes.len() >= GZIP_LEAST_BYTES,
            plain: Encoded {
                etag: format!("\"{hash}\""),
                bytes,
            },
            gzip: OnceLock::new(),
            around_title: OnceLock::new(),
        })
    }

    /// The page with `head` in place of its `<title>`; `None` if it has none.
    ///
    /// Its compressed form is joined from parts that are compressed once and one that is not, so that a
    /// page which differs for each client costs no more than copying it.
    pub fn with_title(&self, head: &str) -> Option<Page> {
        let html = &self.plain.bytes;
        let [before, after] = around_title(html)?;
        let plain = [before, head.as_bytes(), after].concat();
        let mut hash = Sha1::new();
        hash.update(&self.plain.etag);
        hash.update(head);
        let hash = URL_SAFE_NO_PAD.encode(hash.finalize());
        let deflated = self.around_title.get_or_init(|| {
            Some([
                deflate(before, FlushCompress::Sync)?,
                deflate(after, FlushCompress::Finish)?,
            ])
        });
        let gzip = deflated
            .as_ref()
            .and_then(|[before, after]| join_gzip([before, head.as_bytes(), after], &plain));
        Some(Page {
            content_type: self.content_type,
            is_compressible: self.is_compressible,
            plain: Encoded {
                etag: format!("\"{hash}\""),
                bytes: plain.into(),
            },
            gzip: OnceLock::from(gzip.map(|bytes| Encoded {
                etag: format!("\"{hash}-gz\""),
                bytes: bytes.into(),
            })),
            around_title: OnceLock::new(),
        })
    }

    /// The page for `Content-Encoding: gzip`; `None` where that would save nothing worthwhile.
    ///
    /// A page that says `Some` has to be sent with `Vary: Accept-Encoding` in either encoding.
    pub fn gzip(&self) -> Option<&Encoded> {
        let compress = || {
            let bytes = gzip(&self.plain.bytes)?;
            let etag = format!("{}-gz\"", self.plain.etag.trim_end_matches('"'));
            // A tenth less is not worth unpacking.
            (bytes.len() < self.plain.bytes.len() / 10 * 9).then_some(Encoded { etag, bytes })
        };
        let compress = || {
            if self.is_compressible {
                compress()
            } else {
                None
            }
        };
        self.gzip.get_or_init(compress).as_ref()
    }
}

/// What is in front of a page's title, and what is behind it.
fn around_title(html: &[u8]) -> Option<[&[u8]; 2]> {
    const BEGIN: &[u8] = b"<title>";
    const END: &[u8] = b"</title>";
    let find = |wanted: &[u8]| html.windows(wanted.len()).position(|part| part == wanted);
    let (begin, end) = (find(BEGIN)?, find(END)? + END.len());
    Some([&html[..begin], html.get(end..)?])
}

/// A part of a DEFLATE stream that refers to no other part. After a sync flush it ends at a whole byte.
fn deflate(plain: &[u8], flush: FlushCompress) -> Option<Vec<u8>> {
    let mut compress = Compress::new(Compression::best(), false);
    // What does not fit is taken for a failure: text gets smaller.
    let mut bytes = Vec::with_capacity(plain.len() + 64);
    compress.compress_vec(plain, &mut bytes, flush).ok()?;
    (compress.total_in() == plain.len() as u64).then_some(bytes)
}

/// One gzip member (RFC 1952, 2.3) of two parts by [`deflate`] and, between them, one that is stored
/// (RFC 1951, 3.2.4). `plain` is all three, uncompressed.
fn join_gzip([before, stored, after]: [&[u8]; 3], plain: &[u8]) -> Option<Vec<u8>> {
    const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff];
    const NOT_LAST_STORED: u8 = 0;
    let length = u16::try_from(stored.len()).ok()?;
    let mut crc = flate2::Crc::new();
    crc.update(plain);
    let mut bytes = Vec::with_capacity(before.len() + stored.len() + after.len() + 23);
    bytes.extend_from_slice(&HEAD);
    bytes.extend_from_slice(before);
    bytes.push(NOT_LAST_STORED);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&(!length).to_le_bytes());
    bytes.extend_from_slice(stored);
    bytes.extend_from_slice(after);
    bytes.extend_from_slice(&crc.sum().to_le_bytes());
    bytes.extend_from_slice(&crc.amount().to_le_bytes());
    Some(bytes)
}

fn gzip(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(Bytes::from)
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

fn is_text(content_type: &str) -> bool {
    content_type.starts_with("text/")
        || [
            "application/json",
            "application/manifest+json",
            "image/svg+xml",
        ]
        .contains(&content_type)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::path::{Path, PathBuf};

    use super::*;

    fn page_of(name: &str, bytes: Vec<u8>) -> Page {
        let content_type = content_type(name);
        Page {
            content_type,
            is_compressible: is_text(content_type) && bytes.len() >= GZIP_LEAST_BYTES,
            plain: Encoded {
                etag: "\"abc\"".into(),
                bytes: bytes.into(),
            },
            gzip: OnceLock::new(),
            around_title: OnceLock::new(),
        }
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
            if name.ends_with(".test.js") || name.ends_with(".md") || name.contains("/.") {
                assert!(page(&name).is_none(), "{name} is not for visitors");
                continue;
            }
            let page = page(&name).unwrap_or_else(|| panic!("{name} is not embedded"));
            assert_eq!(page.plain.bytes, std::fs::read(&file).unwrap(), "{name}");
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
        let mut pages: Vec<_> = Web::iter().filter(|name| name.ends_with(".html")).collect();
        pages.sort();
        assert_eq!(
            pages,
            [
                "dashboard/dashboard.html",
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
        for (name, html) in Web::iter().filter_map(|name| Some((name.clone(), page(&name)?))) {
            if !name.ends_with(".html") {
                continue;
            }
            let html = String::from_utf8(html.plain.bytes.to_vec()).unwrap();
            for inline in [
                "<script>",
                "<style",
                " style=",
                " onclick=",
                " onload=",
                "javascript:",
            ] {
                assert!(!html.contains(inline), "{name}: {inline}");
            }
        }
    }

    /// A page may be below a path prefix that only its reader knows.
    #[test]
    fn pages_refer_to_nothing_by_its_path_from_the_root() {
        for (name, html) in Web::iter().filter_map(|name| Some((name.clone(), page(&name)?))) {
            if !name.ends_with(".html") {
                continue;
            }
            let html = String::from_utf8(html.plain.bytes.to_vec()).unwrap();
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
        let text = b"export const stage = document.querySelector('main');\n".repeat(50);
        let page = page_of("a.js", text.clone());
        let gzip = page.gzip().unwrap();
        assert_eq!(gzip.etag, "\"abc-gz\"");
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&gzip.bytes[..])
            .read_to_end(&mut back)
            .unwrap();
        assert_eq!(back, text);
        assert_eq!(
            page.gzip().unwrap().bytes.as_ptr(),
            gzip.bytes.as_ptr(),
            "made once"
        );
    }

    #[test]
    fn page_with_another_title_is_the_same_in_both_encodings() {
        let page = page("watch/watch.html").unwrap();
        let html = String::from_utf8(page.plain.bytes.to_vec()).unwrap();
        let mut etags = vec![page.plain.etag.clone()];
        for head in ["<title>a</title>", "<title>b</title><meta name=\"c\">", ""] {
            let expected = html.replace("<title>Live · videostream</title>", head);
            assert_ne!(expected, html);
            let other = page.with_title(head).unwrap();
            assert_eq!(other.plain.bytes, expected);
            let gzip = other.gzip().unwrap();
            let mut back = String::new();
            let mut decoder = flate2::read::GzDecoder::new(&gzip.bytes[..]);
            decoder.read_to_string(&mut back).unwrap();
            assert_eq!(back, expected);
            assert!(gzip.bytes.len() < page.gzip().unwrap().bytes.len() + head.len() + 100);
            assert_eq!(page.with_title(head).unwrap().plain.etag, other.plain.etag);
            etags.extend([other.plain.etag.clone(), gzip.etag.clone()]);
        }
        let count = etags.len();
        etags.sort();
        etags.dedup();
        assert_eq!(etags.len(), count);
        assert!(
            page_of("a.js", b"let a;".to_vec())
                .with_title("b")
                .is_none()
        );
        // Too long to be stored in one block: it goes out as it is.
        assert!(
            page.with_title(&"x".repeat(70_000))
                .unwrap()
                .gzip()
                .is_none()
        );
    }

    #[test]
    fn short_text_and_pictures_go_out_as_they_are() {
        assert_eq!(page_of("a.js", b"let a;".to_vec()).gzip(), None);
        assert_eq!(page_of("a.png", vec![0; 5000]).gzip(), None);
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
