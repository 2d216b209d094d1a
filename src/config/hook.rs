//! The web hook of the options.

use std::time::Duration;

use super::limits::duration;
use super::{ConfigError, Period, option_error};
use crate::http::host;
use crate::secret::Secret;

/// A person waits 5 s at most for a hook; one that takes longer is down.
pub(super) const HOOK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// A page, its socket and its pictures ask within a second or two, and somebody whose link was
/// taken back is out within ten.
pub(super) const HOOK_CACHE_DEFAULT: Duration = Duration::from_secs(10);

/// The web hook that decides about publishers and viewers.
#[derive(Debug, Clone)]
pub struct Hook {
    /// Of `http` or `https`. A secret: user and password, or a key, may be in it.
    pub url: Secret,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How long an answer holds. Zero: for one request.
    pub cache: Duration,
}

pub(super) fn check(
    url: Secret,
    timeout: Option<Period>,
    cache: Option<Period>,
) -> Result<Hook, ConfigError> {
    if !is_web_address(url.expose()) {
        let reason = "must be an http:// or https:// URL, such as http://127.0.0.1:3000/auth, with \
                      a port from 1 to 65535 if it has one";
        return Err(option_error("--auth-url", reason));
    }
    Ok(Hook {
        url,
        timeout: duration("--auth-timeout", timeout, HOOK_TIMEOUT_DEFAULT)?,
        cache: match cache {
            Some(none) if none.is_zero() => Duration::ZERO,
            cache => duration("--auth-cache", cache, HOOK_CACHE_DEFAULT)?,
        },
    })
}

/// User and password may stand in it.
pub(super) fn is_web_address(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else {
        return false;
    };
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit('@').next().unwrap_or_default();
    let port = host::split(host, 80).map(|(_, port)| port);
    matches!(uri.scheme_str(), Some("http" | "https")) && port.is_some_and(|port| port != 0)
}
