//! What the binary serves, made of `web/` when it is built.
//!
//! ```text
//! home/home.html ───────────────► home/home.html, with these names in it
//! home/home.js + its imports ───► assets/home-0d1e2f3a4b.js
//! style.css ────────────────────► assets/home-5c6d7e8f90.css, without other pages' rules
//! favicon.svg ──────────────────► assets/favicon-1a2b3c4d5e.svg
//! every file as it is ──────────► assets/PATH, for people with a debugger
//! which modules a script has ───► assets/scripts.json, for them too
//! ```
//!
//! A name has a hash of its content, so that a browser asks for it once. Nothing here depends on the
//! time, the machine or the order of a folder's files.

mod bundle;
mod document;
mod fault;
mod module;
mod names;
mod sheet;
mod short_names;
mod tokens;
mod writer;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::{fs, io};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use brotli::BrotliCompress;
use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use bundle::{Bundler, Naming};
use document::References;
pub use fault::Fault;

/// Below one packet, compression saves no round trip.
const GZIP_BYTES_MIN: usize = 1024;

/// Scripts with an address of their own, which does not change: the name, the module that it begins
/// with, and what leads from there to `assets/`.
const ELSEWHERE: [(&str, &str, &str); 1] = [("player.js", "client/player.js", "./assets/")];

/// One file that the binary has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// A page's path in `web/`, or what stands behind `assets/`.
    pub name: String,
    pub content: Vec<u8>,
    /// Whether its name changes with its content.
    pub is_immutable: bool,
}

/// All files that the binary serves, made of those of `web/`.
pub fn served(sources: &BTreeMap<String, Vec<u8>>) -> Result<Vec<Served>, Fault> {
    let mut served: Vec<Served> = Vec::new();
    let mut texts: BTreeMap<&str, &str> = BTreeMap::new();
    for (path, content) in sources {
        if is_text(path) {
            let text =
                std::str::from_utf8(content).map_err(|_| Fault::new(path, 1, "not UTF-8"))?;
            texts.insert(path, text);
        }
        if !path.ends_with(".html") {
            served.push(Served {
                name: path.clone(),
                content: content.clone(),
                is_immutable: false,
            });
        }
    }
    let names = Names { sources };
    let scripts = texts.iter().filter(|(path, _)| path.ends_with(".js"));
    let bundler = Bundler::new(scripts.map(|(path, text)| (*path, *text)), &names)?;
    let mut site = Site {
        texts: &texts,
        names: &names,
        bundler,
        page: String::new(),
        made: BTreeMap::new(),
    };
    for (path, text) in texts.iter().filter(|(path, _)| path.ends_with(".html")) {
        site.page = path.to_string();
        let html = document::write(path, text, &mut site)?;
        served.push(Served {
            name: path.to_string(),
            content: html.into_bytes(),
            is_immutable: false,
        });
    }
    let mut elsewhere = BTreeMap::new();
    for (name, entry, assets) in ELSEWHERE {
        let script = site.bundler.entry_elsewhere((name, entry), assets)?;
        served.push(Served {
            name: script.name.clone(),
            content: script.text.into_bytes(),
            is_immutable: false,
        });
        elsewhere.insert(script.name, script.modules);
    }
    let (made, mut modules) = site.finish();
    modules.append(&mut elsewhere);
    served.extend(made);
    served.push(Served {
        name: "scripts.json".into(),
        content: list(&modules).into_bytes(),
        is_immutable: false,
    });
    served.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(served)
}

/// In JSON: names and paths have nothing that is written otherwise there.
fn list(modules: &BTreeMap<String, Vec<String>>) -> String {
    let line = |(name, paths): (&String, &Vec<String>)| format!("{name:?}:{paths:?}");
    let lines: Vec<_> = modules.iter().map(line).collect();
    format!("{{{}}}\n", lines.join(",\n"))
}

fn is_text(path: &str) -> bool {
    [".js", ".css", ".html"]
        .iter()
        .any(|end| path.ends_with(end))
}

/// `home/home.js` and its content: `home-0d1e2f3a4b.js`.
fn hashed_name(path: &str, content: &[u8]) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let hash = Sha256::digest(content);
    let hash: String = hash[..5].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{stem}-{hash}.{extension}")
}

struct Names<'a> {
    sources: &'a BTreeMap<String, Vec<u8>>,
}

impl Naming for Names<'_> {
    fn name(&self, path: &str, content: &[u8]) -> String {
        hashed_name(path, content)
    }

    fn file(&self, path: &str) -> Option<String> {
        let content = self.content(path).filter(|_| !is_text(path))?;
        Some(hashed_name(path, &content))
    }
}

impl Names<'_> {
    /// A file as it goes out: the pictures that a manifest names get their names.
    fn content(&self, path: &str) -> Option<Cow<'_, [u8]>> {
        let content = self.sources.get(path)?;
        if !path.ends_with(".webmanifest") {
            return Some(content.into());
        }
        let mut text = String::from_utf8_lossy(content).into_owned();
        for (file, picture) in self.sources.iter().filter(|(file, _)| is_picture(file)) {
            let name = hashed_name(file, picture);
            text = text.replace(&format!("\"./{file}\""), &format!("\"./{name}\""));
        }
        Some(text.into_bytes().into())
    }
}

fn is_picture(path: &str) -> bool {
    path.ends_with(".png") || path.ends_with(".svg")
}

/// What the pages refer to.
struct Site<'a> {
    texts: &'a BTreeMap<&'a str, &'a str>,
    names: &'a Names<'a>,
    bundler: Bundler<'a>,
    /// The page that is being written.
    page: String,
    made: BTreeMap<String, Vec<u8>>,
}

impl Site<'_> {
    fn finish(self) -> (Vec<Served>, BTreeMap<String, Vec<String>>) {
        let files = self.names.sources.keys().filter(|path| !is_text(path));
        let files = files.filter_map(|path| {
            let content = self.names.content(path)?;
            Some((hashed_name(path, &content), content.into_owned()))
        });
        let mut all: BTreeMap<_, _> = files.chain(self.made).collect();
        let mut modules = BTreeMap::new();
        for script in self.bundler.finish() {
            all.insert(script.name.clone(), script.text.into_bytes());
            modules.insert(script.name, script.modules);
        }
        let made = all.into_iter().map(|(name, content)| Served {
            name,
            content,
            is_immutable: true,
        });
        (made.collect(), modules)
    }

    fn missing(&self, path: &str) -> Fault {
        Fault::new(&self.page, 1, format!("there is no web/{path}"))
    }
}

impl References for Site<'_> {
    fn sheet(&mut self, paths: &[String]) -> Result<String, Fault> {
        let pages = self.texts.keys().filter(|path| path.ends_with(".html"));
        let folders: BTreeSet<&str> = pages
            .filter_map(|path| Some(path.split_once('/')?.0))
            .collect();
        let folders: Vec<&str> = folders.into_iter().collect();
        let folder = self.page.split('/').next().unwrap_or_default();
        let mut sheet = String::new();
        for path in paths {
            let source = self
                .texts
                .get(path.as_str())
                .ok_or_else(|| self.missing(path))?;
            // Before a section goes, so that a fault has the line of the source.
            sheet::strip(path, source)?;
            let wanted = sheet::for_folder(path, source, folder, &folders)?;
            sheet.push_str(&sheet::strip(path, &wanted)?);
        }
        let name = hashed_name(&self.page.replace(".html", ".css"), sheet.as_bytes());
        self.made.insert(name.clone(), sheet.into_bytes());
        Ok(name)
    }

    fn script(&mut self, path: &str) -> Result<String, Fault> {
        self.bundler.entry(path)
    }

    fn inline(&mut self, path: &str) -> Result<String, Fault> {
        self.bundler.inline(path)
    }

    fn file(&mut self, path: &str) -> Result<String, Fault> {
        self.names.file(path).ok_or_else(|| self.missing(path))
    }

    fn icon(&mut self, path: &str) -> Result<String, Fault> {
        let content = self.names.content(path).ok_or_else(|| self.missing(path))?;
        Ok(data_url(&String::from_utf8_lossy(&content)))
    }
}

/// A picture of shapes as an address: no request of its own.
fn data_url(svg: &str) -> String {
    let lines: String = svg.lines().map(str::trim).collect();
    let mut url = String::from("data:image/svg+xml,");
    for c in lines.chars() {
        match c {
            '"' => url.push('\''),
            ' ' | '#' | '%' | '<' | '>' | '&' | '\'' => {
                write!(url, "%{:02X}", u32::from(c)).expect("text takes all")
            }
            _ => url.push(c),
        }
    }
    url
}

/// What a policy must say so that a browser runs the scripts which pages have in themselves (CSP 3, "hash-source").
fn hashes_of_inline_scripts(served: &[Served]) -> String {
    let mut hashes = BTreeSet::new();
    for page in served.iter().filter(|it| it.name.ends_with(".html")) {
        let html = String::from_utf8_lossy(&page.content);
        let scripts = html.split("<script>").skip(1);
        for script in scripts.filter_map(|behind| behind.split("</script>").next()) {
            let hash = STANDARD.encode(Sha256::digest(script));
            hashes.insert(format!("'sha256-{hash}'"));
        }
    }
    hashes.into_iter().collect::<Vec<_>>().join(" ")
}

/// Writes what `web` serves below `out`, and `out/served.rs`, an array of `Embedded` with all of it. Returns
/// the hashes of the pages' own scripts.
pub fn build(web: &Path, out: &Path) -> io::Result<String> {
    let mut sources = BTreeMap::new();
    read_files(web, "", &mut sources)?;
    let served = served(&sources).map_err(io::Error::other)?;
    let folder = out.join("served");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut array = String::from("[\n");
    for (number, it) in served.iter().enumerate() {
        let Served {
            name,
            content,
            is_immutable,
        } = it;
        let (stored, is_gzip) = match gzip(name, content)? {
            Some(gzip) => (gzip, true),
            None => (content.clone(), false),
        };
        // What people with a debugger ask for is worth no second copy.
        let is_for_many =
            *is_immutable || ELSEWHERE.iter().any(|(elsewhere, ..)| elsewhere == name);
        let brotli = if is_for_many && is_gzip {
            fs::write(folder.join(format!("{number}.br")), brotli(content)?)?;
            format!("Some(include_bytes!(concat!(env!(\"OUT_DIR\"), \"/served/{number}.br\")))")
        } else {
            "None".to_owned()
        };
        // By number: a path in `web/` is no path below `out`.
        fs::write(folder.join(number.to_string()), stored)?;
        let hash = Sha256::digest(content);
        writeln!(
            array,
            "Embedded {{ name: {name:?}, hash: {:?}, is_immutable: {is_immutable}, is_gzip: {is_gzip}, \
             bytes: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/served/{number}\")), brotli: {brotli} }},",
            &hash[..16]
        )
        .map_err(io::Error::other)?;
    }
    array.push(']');
    fs::write(out.join("served.rs"), array)?;
    Ok(hashes_of_inline_scripts(&served))
}

/// Text of some length, compressed; `None` where that saves less than a tenth, which is not worth unpacking.
fn gzip(name: &str, content: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let is_text = is_text(name)
        || [".svg", ".json", ".webmanifest", ".txt"]
            .iter()
            .any(|end| name.ends_with(end));
    if !is_text || content.len() < GZIP_BYTES_MIN {
        return Ok(None);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    let gzip = encoder.finish()?;
    Ok(Some(gzip).filter(|gzip| gzip.len() < content.len() / 10 * 9))
}

/// At its smallest (RFC 7932): what changes with each build only may take its time.
fn brotli(content: &[u8]) -> io::Result<Vec<u8>> {
    let parameters = BrotliEncoderParams {
        size_hint: content.len(),
        ..BrotliEncoderParams::default()
    };
    let mut compressed = Vec::new();
    BrotliCompress(&mut &content[..], &mut compressed, &parameters)?;
    Ok(compressed)
}

/// What is for visitors: no tests, no notes, nothing hidden, nothing for npm.
fn read_files(folder: &Path, path: &str, found: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string();
        let name = name.map_err(|name| io::Error::other(format!("{name:?} is not UTF-8")))?;
        let path = format!("{path}{name}");
        let is_for_npm = name == "package.json" || name.ends_with(".d.ts");
        if name.starts_with('.')
            || name.ends_with(".test.js")
            || name.ends_with(".md")
            || is_for_npm
        {
            continue;
        }
        if entry.file_type()?.is_dir() {
            read_files(&entry.path(), &format!("{path}/"), found)?;
        } else {
            found.insert(path, fs::read(entry.path())?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web() -> BTreeMap<String, Vec<u8>> {
        let mut sources = BTreeMap::new();
        let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        read_files(&web, "", &mut sources).unwrap();
        sources
    }

    #[test]
    fn build_is_the_same_each_time_and_follows_the_content() {
        let mut sources = web();
        let one = served(&sources).unwrap();
        assert_eq!(one, served(&sources).unwrap());
        let name_of = |served: &[Served], stem: &str, end: &str| {
            let names = served
                .iter()
                .filter(|it| it.is_immutable)
                .map(|it| it.name.clone());
            let mut names = names.filter(|it| it.starts_with(stem) && it.ends_with(end));
            let name = names.next().unwrap_or_else(|| panic!("{stem} {end}"));
            assert_eq!(names.next(), None);
            name
        };
        let (script, other) = (
            name_of(&one, "watch-mse-", ".js"),
            name_of(&one, "home-", ".js"),
        );
        // A module deep below changes the scripts that have it, and no other.
        sources
            .get_mut("player/glue.js")
            .unwrap()
            .extend(b"glue();\n");
        let two = served(&sources).unwrap();
        assert_ne!(name_of(&two, "watch-mse-", ".js"), script);
        assert_eq!(name_of(&two, "home-", ".js"), other);
        // A comment changes none.
        sources
            .get_mut("home/home.js")
            .unwrap()
            .extend(b"// Why.\n");
        assert_eq!(name_of(&served(&sources).unwrap(), "home-", ".js"), other);
    }

    #[test]
    fn build_writes_each_file_so_that_it_unpacks_to_its_content() {
        let out = tempfile::tempdir().unwrap();
        let web_folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        // A former build leaves nothing behind.
        for _ in 0..2 {
            build(&web_folder, out.path()).unwrap();
        }
        let served = served(&web()).unwrap();
        let array = fs::read_to_string(out.path().join("served.rs")).unwrap();
        assert_eq!(
            fs::read_dir(out.path().join("served")).unwrap().count(),
            served.len() + array.matches("brotli: Some").count()
        );
        let mut compressed = 0;
        for (number, (it, line)) in served.iter().zip(array.lines().skip(1)).enumerate() {
            assert!(line.contains(&format!("name: {:?}", it.name)), "{line}");
            let stored = fs::read(out.path().join("served").join(number.to_string())).unwrap();
            if line.contains("is_gzip: true") {
                let mut content = Vec::new();
                let mut decoder = flate2::read::GzDecoder::new(&stored[..]);
                io::copy(&mut decoder, &mut content).unwrap();
                assert_eq!(content, it.content, "{}", it.name);
                compressed += 1;
                let is_for_many = it.is_immutable || it.name == "player.js";
                assert_eq!(line.contains("brotli: Some"), is_for_many, "{line}");
            } else {
                assert_eq!(stored, it.content, "{}", it.name);
            }
            if line.contains("brotli: Some") {
                let name = out.path().join("served").join(format!("{number}.br"));
                let mut content = Vec::new();
                brotli::BrotliDecompress(&mut &fs::read(name).unwrap()[..], &mut content).unwrap();
                assert_eq!(content, it.content, "{}", it.name);
            }
        }
        assert!(compressed > 20 && compressed < served.len());
    }

    #[test]
    fn pages_name_only_what_is_there() {
        let served = served(&web()).unwrap();
        let names: BTreeSet<&str> = served.iter().map(|it| it.name.as_str()).collect();
        for page in served.iter().filter(|it| it.name.ends_with(".html")) {
            let html = std::str::from_utf8(&page.content).unwrap();
            let references: Vec<&str> = html
                .split("assets/")
                .skip(1)
                .map(|it| it.split('"').next().unwrap())
                .collect();
            for reference in &references {
                assert!(names.contains(reference), "{}: {reference}", page.name);
            }
            let count = |end: &str| references.iter().filter(|it| it.ends_with(end)).count();
            let scripts = match page.name.as_str() {
                // Nothing of an error moves.
                "errors/error.html" => 0,
                // One for each player.
                "watch/watch.html" => 2,
                _ => 1,
            };
            let counts = (count(".css"), count(".js"));
            assert_eq!(counts, (1, scripts), "{}", page.name);
        }
    }

    #[test]
    fn icon_is_in_the_page_itself() {
        assert_eq!(
            data_url("<svg xmlns=\"a\">\n  <rect fill=\"#000\"/>\n</svg>\n"),
            "data:image/svg+xml,%3Csvg%20xmlns='a'%3E%3Crect%20fill='%23000'/%3E%3C/svg%3E"
        );
        for page in served(&web()).unwrap() {
            if page.name.ends_with(".html") {
                let html = String::from_utf8(page.content).unwrap();
                assert!(html.contains("<link rel=\"icon\" href=\"data:image/svg+xml,%3Csvg"));
            }
        }
    }

    #[test]
    fn manifest_names_its_pictures() {
        let served = served(&web()).unwrap();
        let manifest = served
            .iter()
            .find(|it| it.name.starts_with("manifest-"))
            .unwrap();
        let manifest = std::str::from_utf8(&manifest.content).unwrap();
        let pictures: Vec<&str> = manifest
            .split("\"./")
            .skip(1)
            .map(|it| it.split('"').next().unwrap())
            .collect();
        assert_eq!(pictures.len(), 3);
        for picture in pictures {
            let found = served.iter().find(|it| it.name == picture);
            assert!(found.is_some_and(|it| it.is_immutable), "{picture}");
        }
    }

    #[test]
    fn fault_names_file_and_line() {
        let mut sources = web();
        sources.insert("lib/element.js".into(), b"\nexport let a = 1;\n".to_vec());
        let fault = served(&sources).unwrap_err().to_string();
        assert!(fault.starts_with("web/lib/element.js:2: "), "{fault}");
        let page = sources.get_mut("watch/watch.html").unwrap();
        *page = String::from_utf8(page.clone())
            .unwrap()
            .replace("favicon", "flavicon")
            .into();
        sources.remove("lib/element.js");
        sources.insert(
            "lib/element.js".into(),
            web().remove("lib/element.js").unwrap(),
        );
        let fault = served(&sources).unwrap_err().to_string();
        assert!(fault.contains("there is no web/flavicon.svg"), "{fault}");
    }
}
