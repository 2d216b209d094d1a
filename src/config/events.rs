//! Where events go.

use super::hook::is_web_address;
use super::limits::duration;
use super::record::GRACE_DEFAULT;
use super::{ConfigError, Options, option_error, secrets};
use crate::secret::Secret;
use std::time::Duration;

/// The web address that gets events.
#[derive(Debug, Clone)]
pub struct Events {
    /// Of `http` or `https`. A secret: user and password, or a key, may be in it.
    pub url: Secret,
    /// What events are signed with.
    pub secret: Option<Secret>,
    /// A publisher that comes back within this time has not ended.
    pub grace: Duration,
}

impl Events {
    pub(super) fn check(options: &Options) -> Result<Option<Events>, ConfigError> {
        let secret = secrets::secret(
            ("--event-secret", options.event_secret.clone()),
            ("--event-secret-file", options.event_secret_file.as_deref()),
        )?;
        let Some(url) = &options.event_url else {
            return match secret {
                Some((option, _)) => {
                    Err(option_error(option, "needs --event-url: name an address"))
                }
                None => Ok(None),
            };
        };
        if !is_web_address(url.expose()) {
            let reason = "must be an http:// or https:// URL, such as http://127.0.0.1:3000/events, \
                          with a port from 1 to 65535 if it has one";
            return Err(option_error("--event-url", reason));
        }
        if let Some((option, secret)) = &secret
            && secret.expose().is_empty()
        {
            return Err(option_error(
                option,
                "is empty: give a secret of some length",
            ));
        }
        Ok(Some(Events {
            url: url.clone(),
            secret: secret.map(|(_, secret)| secret),
            grace: duration("--record-grace", options.record_grace, GRACE_DEFAULT)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Serve;

    fn resolve(text: &str) -> Result<Option<Events>, String> {
        let serve = Serve::resolve(toml::from_str(text).unwrap());
        serve
            .map(|serve| serve.events)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn events_need_a_web_address_and_may_have_a_secret() {
        assert!(resolve("").unwrap().is_none());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hush\n").unwrap();
        let path = file.path().display();
        for secret in [
            "event_secret = 'hush'".to_owned(),
            format!("event_secret_file = '{path}'"),
        ] {
            let text = format!("event_url = 'https://u:p@h/e?key=k'\n{secret}\n");
            let events = resolve(&text).unwrap().unwrap();
            assert_eq!(events.secret.as_ref().unwrap().expose(), "hush");
            assert_eq!(events.grace, Duration::from_secs(30));
            assert!(
                !format!("{events:?}").contains("h/e") && !format!("{events:?}").contains("hush")
            );
        }
        let unsigned = resolve("event_url = 'http://h'\nrecord_grace = 2")
            .unwrap()
            .unwrap();
        assert!(unsigned.secret.is_none() && unsigned.grace == Duration::from_secs(2));
    }

    #[test]
    fn address_or_secret_that_is_of_no_use_is_refused() {
        for (text, start) in [
            (
                "event_url = 'hush'",
                "--event-url: must be an http:// or https:// URL",
            ),
            ("event_url = 'http://h:0/hush'", "--event-url: must be "),
            (
                "event_url = 'http://h'\nevent_secret = ''",
                "--event-secret: is empty",
            ),
            ("event_secret = 'hush'", "--event-secret: needs --event-url"),
            (
                "event_secret = 'hush'\nevent_secret_file = '/x'",
                "--event-secret-file: contradicts --event-secret",
            ),
        ] {
            let refusal = resolve(text).unwrap_err();
            assert!(
                refusal.starts_with(start) && !refusal.contains("hush"),
                "{refusal}"
            );
        }
    }
}
