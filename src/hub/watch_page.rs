//! The viewer page of one stream: its title, and what programs read that show a link with a picture.

use super::Hub;
use super::requests::{Exchange, not_found};
use super::response::Embedding;
use crate::http::RequestHead;
use crate::http::refusal::Refusal;
use crate::pages;
use crate::picture::Picture;
use crate::session::{SessionId, Socket};
use crate::stream_name::StreamName;
use std::fmt::Write as _;

impl<S: Socket> Hub<S> {
    pub(super) fn watch_page(
        &mut self,
        exchange: Exchange<'_>,
        name: &StreamName,
        embedding: Embedding,
    ) -> Result<(), Refusal> {
        let page = pages::page("watch/watch.html").ok_or_else(not_found)?;
        let still = self.public_still(name);
        let site = self.site(exchange.id, exchange.head);
        let preview = link_preview(name, site.as_deref(), still.as_ref());
        let page = page.filled(&preview, &without_scripts(name));
        let page = page.ok_or_else(not_found)?;
        self.respond(exchange, |to| to.page(&page, embedding));
        Ok(())
    }

    /// A picture of a stream that everybody may watch. The page is for everybody: of another stream it
    /// does not say even that it is on air.
    pub(super) fn public_still(&mut self, name: &StreamName) -> Option<Picture> {
        if self.is_public(name) {
            self.still(name)
        } else {
            None
        }
    }

    /// Where this server begins for this client: `https://host/prefix`. `None` for a request without a
    /// host.
    pub(super) fn site(&self, id: SessionId, head: &RequestHead) -> Option<String> {
        let host = head.host.as_deref().filter(|host| !host.is_empty())?;
        let session = &self.sessions[id];
        let is_forwarded =
            head.is_forwarded_https && self.settings.proxies.trusts(session.address());
        let scheme = if is_forwarded || session.socket().is_encrypted() {
            "https"
        } else {
            "http"
        };
        Some(format!("{scheme}://{host}{}", self.link_prefix(id, head)))
    }
}

/// Open Graph's words (ogp.me): programs that show a link with a picture read them. Those want JPEG,
/// PNG or WebP, and none takes SVG: without a still there is no picture. The description is the page's own.
fn link_preview(name: &StreamName, site: Option<&str>, still: Option<&Picture>) -> String {
    let mut html = format!(
        "<title>{name} · videostream</title>\n  \
         <meta name=\"description\" content=\"Watch {name} live.\">"
    );
    let Some(site) = site else {
        return html;
    };
    let address = format!("{}/live/{name}", attribute(site));
    let mut add = |property: &str, value: &dyn std::fmt::Display| {
        write!(
            html,
            "\n  <meta property=\"og:{property}\" content=\"{value}\">"
        )
        .expect("text takes all");
    };
    add("site_name", &"videostream");
    add("type", &"video.other");
    add("title", name);
    add("url", &address);
    // The bare player, in a frame.
    let size = still.and_then(|still| still.size);
    let (width, height) = size.map_or(SIZE_DEFAULT, |size| (size.width, size.height));
    add("video", &format_args!("{address}?embed"));
    add("video:type", &"text/html");
    add("video:width", &width);
    add("video:height", &height);
    if let Some(still) = still {
        add("image", &format_args!("{address}/poster"));
        add("image:type", &still.media_type);
        if size.is_some() {
            add("image:width", &width);
            add("image:height", &height);
        }
        add("image:alt", &format_args!("A picture of {name}"));
    }
    // The rest of a Twitter card is Open Graph's.
    let card = if still.is_some() {
        "summary_large_image"
    } else {
        "summary"
    };
    write!(html, "\n  <meta name=\"twitter:card\" content=\"{card}\">").expect("text takes all");
    let asked: String =
        form_urlencoded::byte_serialize(format!("{site}/live/{name}").as_bytes()).collect();
    write!(
        html,
        "\n  <link rel=\"alternate\" type=\"application/json+oembed\" title=\"{name}\" \
         href=\"{}/oembed?url={asked}\">",
        attribute(site)
    )
    .expect("text takes all");
    html
}

/// Of a picture that is not known yet.
pub(super) const SIZE_DEFAULT: (u16, u16) = (1280, 720);

/// The stream as a browser shows it by itself, for those without scripts. The link is relative, so that it
/// is right below any path prefix.
fn without_scripts(name: &StreamName) -> String {
    format!(
        "<noscript><p class=\"no-script\">Scripts are turned off in this browser. Watch {name} without them, a few \
         seconds later: <a href=\"{name}.webm\">{name}.webm</a></p></noscript>"
    )
}

/// As the value of an attribute in quotes.
pub(super) fn attribute(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preview_has_whole_links_and_no_markup_of_others() {
        let name = StreamName::try_from("demo").unwrap();
        let jpeg =
            Picture::jpeg(b"\xff\xd8\xff\xc0\0\x0b\x08\x01\x68\x02\x80\x01\x01\x11\0"[..].into());
        let html = link_preview(&name, Some("https://h:1/a&\"<b"), Some(&jpeg));
        for line in [
            "<title>demo · videostream</title>",
            "<meta property=\"og:url\" content=\"https://h:1/a&amp;&quot;&lt;b/live/demo\">",
            "<meta property=\"og:image\" content=\"https://h:1/a&amp;&quot;&lt;b/live/demo/poster\">",
            "<meta property=\"og:image:type\" content=\"image/jpeg\">",
            "<meta property=\"og:image:width\" content=\"640\">",
            "<meta property=\"og:image:height\" content=\"360\">",
            "<meta property=\"og:video\" content=\"https://h:1/a&amp;&quot;&lt;b/live/demo?embed\">",
            "<meta property=\"og:video:width\" content=\"640\">",
            "<meta name=\"twitter:card\" content=\"summary_large_image\">",
            "<link rel=\"alternate\" type=\"application/json+oembed\" title=\"demo\" \
             href=\"https://h:1/a&amp;&quot;&lt;b/oembed?url=https%3A%2F%2Fh%3A1%2Fa%26%22%3Cb%2Flive%2Fdemo\">",
        ] {
            assert!(html.lines().any(|it| it.trim() == line), "{line} in {html}");
        }
        let without = link_preview(&name, Some("http://h"), None);
        assert!(without.contains("og:title") && !without.contains("image"));
        assert!(
            without.contains("\"og:video:width\" content=\"1280\"")
                && without.contains("content=\"summary\"")
        );
        assert!(!link_preview(&name, None, Some(&jpeg)).contains("og:"));
    }
}
