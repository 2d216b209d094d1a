//! What another site shows of a link to a stream: oEmbed 1.0 (oembed.com), in JSON.

use super::Hub;
use super::requests::not_found;
use super::watch_page::{SIZE_DEFAULT, attribute};
use crate::http::RequestHead;
use crate::http::refusal::{Cause, Refusal};
use crate::picture::Size;
use crate::session::{SessionId, Socket};
use crate::stream_name::StreamName;
use serde_json::json;

impl<S: Socket> Hub<S> {
    /// The answer to `/oembed?url=…&maxwidth=…&maxheight=…&format=json`.
    pub(super) fn oembed(&mut self, id: SessionId, head: &RequestHead) -> Result<String, Refusal> {
        if !matches!(head.query.value("format"), None | Some("json")) {
            return Err(Refusal::new(
                501,
                "oembed is in JSON here: leave format out",
            ));
        }
        let bad = |reason: &'static str| Refusal::new(400, reason).because(Cause::Address);
        let url = head.query.value("url");
        let url = url.ok_or_else(|| bad("url is the address of a stream's page: give one"))?;
        let limit = |name| match head.query.value(name).map(str::parse::<u32>) {
            None => Ok(u32::MAX),
            Some(Ok(limit)) if limit > 0 => Ok(limit),
            Some(_) => Err(bad("maxwidth and maxheight are whole numbers of pixels")),
        };
        let within = (limit("maxwidth")?, limit("maxheight")?);
        let site = self.site(id, head).ok_or_else(not_found)?;
        let name = stream_of(url, &site).ok_or_else(not_found)?;
        let still = self.public_still(&name);
        let size = still.as_ref().and_then(|still| still.size);
        let (width, height) = fit(size, within);
        let address = format!("{site}/live/{name}");
        let source = attribute(&address);
        let mut answer = json!({
            "version": "1.0",
            "type": "video",
            "provider_name": "videostream",
            "provider_url": format!("{site}/"),
            "title": name.as_str(),
            "width": width,
            "height": height,
            "html": format!(
                "<iframe src=\"{source}?embed\" width=\"{width}\" height=\"{height}\" title=\"{name}\" \
                 style=\"border:0\" allow=\"autoplay; fullscreen; picture-in-picture; screen-wake-lock\" allowfullscreen></iframe>"
            ),
        });
        if let Some(size) = size {
            answer["thumbnail_url"] = format!("{address}/poster").into();
            answer["thumbnail_width"] = size.width.into();
            answer["thumbnail_height"] = size.height.into();
        }
        Ok(answer.to_string())
    }
}

/// The stream whose page at this site has this address, with whatever query.
fn stream_of(url: &str, site: &str) -> Option<StreamName> {
    let name = url.strip_prefix(site)?.strip_prefix("/live/")?;
    let name = name.split(['?', '#']).next().unwrap_or_default();
    StreamName::try_from(name).ok()
}

/// A picture's size, or the usual one, within limits, in its shape.
fn fit(size: Option<Size>, (max_width, max_height): (u32, u32)) -> (u32, u32) {
    let (width, height) = size.map_or(SIZE_DEFAULT, |size| (size.width, size.height));
    let (width, height) = (u64::from(width.max(1)), u64::from(height.max(1)));
    let (max_width, max_height) = (u64::from(max_width), u64::from(max_height));
    let mut fitted = (width, height);
    if fitted.0 > max_width {
        fitted = (max_width, max_width * height / width);
    }
    if fitted.1 > max_height {
        fitted = (max_height * width / height, max_height);
    }
    let bounded = |pixels: u64| u32::try_from(pixels.max(1)).unwrap_or(u32::MAX);
    (bounded(fitted.0), bounded(fitted.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_streams_have_a_stream() {
        let stream = |url| stream_of(url, "http://h:1/a").map(|name| name.to_string());
        for url in [
            "http://h:1/a/live/b",
            "http://h:1/a/live/b?embed",
            "http://h:1/a/live/b?t=-5#c",
        ] {
            assert_eq!(stream(url).as_deref(), Some("b"), "{url}");
        }
        for url in [
            "http://h:1/a/live/",
            "http://h:1/a/live/b/c",
            "http://h:1/a/live/b.webm",
            "http://h:1/a/publish/b",
            "http://h:1/live/b",
            "http://h:12/a/live/b",
            "https://h:1/a/live/b",
            "",
        ] {
            assert_eq!(stream(url), None, "{url}");
        }
    }

    #[test]
    fn player_fits_into_the_limits_in_the_pictures_shape() {
        let any = u32::MAX;
        assert_eq!(fit(None, (any, any)), (1280, 720));
        assert_eq!(fit(None, (640, any)), (640, 360));
        assert_eq!(fit(None, (640, 90)), (160, 90));
        let portrait = Some(Size {
            width: 90,
            height: 160,
        });
        assert_eq!(fit(portrait, (any, any)), (90, 160));
        assert_eq!(fit(portrait, (45, any)), (45, 80));
        assert_eq!(fit(portrait, (1, 1)), (1, 1));
    }
}
