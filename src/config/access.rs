//! Who may publish and watch: from the options to the rules.
//!
//! The rule that was asked for by name holds. Where none was, publishing is open on loopback
//! addresses alone, unless a proxy stands before them, and watching everywhere; but a server that signs
//! links or has a hook asked wants both guarded, so nothing is open then that was not opened by name.

use std::net::SocketAddr;

use super::hook::{self, Hook};
use super::secrets::{WHAT_A_KEY_IS, is_key, random_key, secret, token_key};
use super::{ConfigError, Options, option_error};
use crate::access::origin::{LocalNames, Origins};
use crate::access::{Access, Policy};
use crate::secret::Secret;

/// What lets publishers and viewers in.
#[derive(Debug)]
pub(super) struct Rules {
    pub access: Access,
    /// The server's publish key, if it was made at random and so has to be printed.
    pub random_publish_key: Option<Secret>,
    pub hook: Option<Hook>,
}

pub(super) fn check(options: Options, listen: &[SocketAddr]) -> Result<Rules, ConfigError> {
    let publish_key = secret(
        ("--publish-key", options.publish_key),
        ("--publish-key-file", options.publish_key_file.as_deref()),
    )?;
    let watch_key = secret(
        ("--watch-key", options.watch_key),
        ("--watch-key-file", options.watch_key_file.as_deref()),
    )?;
    for (option, key) in [&publish_key, &watch_key].into_iter().flatten() {
        if !is_key(key) {
            return Err(option_error(option, WHAT_A_KEY_IS));
        }
    }
    let tokens = token_key(options.token_secret, options.token_secret_file.as_deref())?;
    let hook = options
        .auth_url
        .map(|url| hook::check(url, options.auth_timeout, options.auth_cache))
        .transpose()?;

    let mut random_publish_key = None;
    // A trusted proxy brings clients from other machines.
    let has_proxy = options.trusted_proxy.is_some_and(|list| !list.is_empty());
    let is_local = is_loopback_only(listen) && !has_proxy;
    let mut is_open_to_the_machine = false;
    let publish = match publish_key {
        Some((option, _)) if options.publish_open == Some(true) => {
            let reason = format!("contradicts {option}: give one of them");
            return Err(option_error("--publish-open", reason));
        }
        Some((_, key)) => Policy::Key(key),
        None if options.publish_open == Some(true) => Policy::Open,
        None if tokens.is_some() => Policy::Token,
        None if hook.is_some() => Policy::Open,
        None if is_local => {
            is_open_to_the_machine = true;
            Policy::Open
        }
        None => {
            let key = options.handed_publish_key.map_or_else(random_key, Ok)?;
            Policy::Key(random_publish_key.insert(key).clone())
        }
    };
    let watch = match watch_key {
        Some((option, _)) if options.watch_open == Some(true) => {
            let reason = format!("contradicts {option}: give one of them");
            return Err(option_error("--watch-open", reason));
        }
        Some((_, key)) => Policy::Key(key),
        None if tokens.is_some() && options.watch_open != Some(true) => Policy::Token,
        None => Policy::Open,
    };

    let origins = Origins::parse(&options.allow_origin.unwrap_or_default())
        .map_err(|error| option_error("--allow-origin", error))?;
    let local_names = LocalNames::new(&options.allow_host.unwrap_or_default(), &origins)
        .map_err(|error| option_error("--allow-host", error))?;
    let access = Access {
        publish,
        watch,
        streams: {
            let streams = options.streams.into_iter();
            streams
                .map(|(name, options)| (name, options.keys))
                .collect()
        },
        tokens,
        origins,
        local_names: is_open_to_the_machine.then_some(local_names),
    };
    Ok(Rules {
        access,
        random_publish_key,
        hook,
    })
}

fn is_loopback_only(listen: &[SocketAddr]) -> bool {
    listen
        .iter()
        .all(|address| address.ip().to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use std::time::Duration;

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::access::token::{Act, Grant};
    use crate::access::{Shown, StreamKeys};
    use crate::config::Serve;
    use crate::config::StreamOptions;
    use crate::config::hook::{HOOK_CACHE_DEFAULT, HOOK_TIMEOUT_DEFAULT};

    const TOKEN_SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn secret(key: &str) -> Option<Secret> {
        Some(Secret::from(key))
    }

    fn listen(list: &[&str]) -> Option<Vec<SocketAddr>> {
        let addresses = list.iter().map(|address| address.parse().unwrap());
        Some(addresses.collect())
    }

    fn everywhere() -> Options {
        Options {
            listen: listen(&["0.0.0.0:8080"]),
            ..Options::default()
        }
    }

    fn refusal(options: Options) -> String {
        Serve::resolve(options).unwrap_err().to_string()
    }

    fn may_publish(serve: &Serve, stream: &str, key: Option<&str>) -> bool {
        let (stream, key) = (stream.parse().unwrap(), key.map(Secret::from));
        let shown = Shown {
            keys: key.iter().collect(),
            grants: Vec::new(),
        };
        serve.access.may_publish(&stream, &shown)
    }

    fn may_watch(serve: &Serve, stream: &str, key: Option<&str>) -> bool {
        let (stream, key) = (stream.parse().unwrap(), key.map(Secret::from));
        let shown = Shown {
            keys: key.iter().collect(),
            grants: Vec::new(),
        };
        serve.access.may_watch(&stream, &shown)
    }

    fn guards_names(serve: &Serve) -> bool {
        serve.access.local_names.is_some()
    }

    #[test]
    fn trusted_proxy_on_loopback_gets_a_random_key() {
        let options = Options {
            trusted_proxy: Some(vec!["127.0.0.1".parse().unwrap()]),
            ..Options::default()
        };
        let serve = Serve::resolve(options.clone()).unwrap();
        assert!(serve.random_publish_key.is_some() && !may_publish(&serve, "any", None));
        let open = Options {
            publish_open: Some(true),
            ..options
        };
        assert!(may_publish(&Serve::resolve(open).unwrap(), "any", None));
    }

    #[test]
    fn random_key_survives_a_handover() {
        let options = Options {
            handed_publish_key: secret("from before"),
            ..everywhere()
        };
        let serve = Serve::resolve(options.clone()).unwrap();
        assert_eq!(serve.random_publish_key, secret("from before"));
        assert!(may_publish(&serve, "any", Some("from before")));
        // The administrator has given another meanwhile.
        let given = Options {
            publish_key: secret("k"),
            ..options
        };
        let serve = Serve::resolve(given).unwrap();
        assert_eq!(serve.random_publish_key, None);
        assert!(!may_publish(&serve, "any", Some("from before")));
    }

    #[test]
    fn default_options_open_the_server_under_local_names() {
        let serve = Serve::resolve(Options::default()).unwrap();
        assert_eq!(serve.random_publish_key, None);
        assert!(may_publish(&serve, "any", None) && may_watch(&serve, "any", None));
        assert!(guards_names(&serve) && serve.hook.is_none());
    }

    #[test]
    fn every_loopback_address_counts_as_loopback() {
        let listen = listen(&["127.1.2.3:80", "[::1]:80", "[::ffff:127.0.0.1]:80"]);
        let serve = Serve::resolve(Options {
            listen,
            ..Options::default()
        })
        .unwrap();
        assert!(may_publish(&serve, "any", None) && guards_names(&serve));
    }

    #[test]
    fn an_address_others_can_reach_gets_a_random_key() {
        let options = Options {
            listen: listen(&["127.0.0.1:8080", "[::]:8080"]),
            ..Options::default()
        };
        let [one, two] = [(); 2].map(|()| Serve::resolve(options.clone()).unwrap());
        assert_ne!(one.random_publish_key, two.random_publish_key);
        let key = one.random_publish_key.as_ref().unwrap().expose();
        assert_eq!(URL_SAFE_NO_PAD.decode(key).unwrap().len(), 16);
        assert!(may_publish(&one, "any", Some(key)) && !may_publish(&two, "any", Some(key)));
        assert!(!may_publish(&one, "any", None) && may_watch(&one, "any", None));
        assert!(!guards_names(&one));
    }

    #[test]
    fn publish_open_turns_the_check_off_on_any_address() {
        let options = Options {
            publish_open: Some(true),
            ..everywhere()
        };
        let serve = Serve::resolve(options.clone()).unwrap();
        assert!(may_publish(&serve, "any", None) && !guards_names(&serve));
        let both = Options {
            publish_key: secret("k"),
            ..options
        };
        assert_eq!(
            refusal(both),
            "--publish-open: contradicts --publish-key: give one of them"
        );
    }

    #[test]
    fn key_of_a_stream_replaces_the_key_of_the_server() {
        let own = StreamKeys {
            publish: secret("own"),
            watch: None,
        };
        let options = Options {
            publish_key: secret("all"),
            watch_key: secret("see"),
            streams: BTreeMap::from([(
                "door".parse().unwrap(),
                StreamOptions {
                    keys: own,
                    record: None,
                },
            )]),
            ..Options::default()
        };
        let serve = Serve::resolve(options).unwrap();
        assert!(may_publish(&serve, "door", Some("own")));
        assert!(!may_publish(&serve, "door", Some("all")));
        assert!(may_publish(&serve, "other", Some("all")));
        assert!(may_watch(&serve, "door", Some("see")) && !may_watch(&serve, "door", None));
        assert!(!guards_names(&serve));
    }

    #[test]
    fn token_secret_closes_every_action_that_no_option_opens() {
        for options in [Options::default(), everywhere()] {
            let options = Options {
                token_secret: secret(TOKEN_SECRET),
                ..options
            };
            let serve = Serve::resolve(options.clone()).unwrap();
            assert_eq!(serve.random_publish_key, None);
            assert!(!may_publish(&serve, "any", None) && !may_watch(&serve, "any", None));
            assert!(!guards_names(&serve));
            let stream = "any".parse().unwrap();
            let grant = Grant {
                stream,
                act: Act::Watch,
            };
            let shown = Shown {
                keys: Vec::new(),
                grants: vec![grant.clone()],
            };
            assert!(serve.access.may_watch(&grant.stream, &shown));
            assert!(!serve.access.may_publish(&grant.stream, &shown));

            let opened = Options {
                publish_open: Some(true),
                watch_open: Some(true),
                ..options.clone()
            };
            let opened = Serve::resolve(opened).unwrap();
            assert!(may_publish(&opened, "any", None) && may_watch(&opened, "any", None));

            let keyed = Options {
                publish_key: secret("p"),
                watch_key: secret("w"),
                ..options
            };
            let keyed = Serve::resolve(keyed).unwrap();
            assert!(may_publish(&keyed, "any", Some("p")) && may_watch(&keyed, "any", Some("w")));
            assert!(!may_publish(&keyed, "any", None) && !may_watch(&keyed, "any", None));
        }
        let both = Options {
            watch_key: secret("w"),
            watch_open: Some(true),
            ..Options::default()
        };
        assert_eq!(
            refusal(both),
            "--watch-open: contradicts --watch-key: give one of them"
        );
        let short = Options {
            token_secret: secret("short-secret"),
            ..Options::default()
        };
        let refused = refusal(short);
        assert!(
            refused.starts_with("--token-secret: must be at least 32 bytes, such as"),
            "{refused}"
        );
        assert!(!refused.contains("short-secret"));
    }

    #[test]
    fn a_hook_needs_no_key_beside_it() {
        let options = Options {
            auth_url: secret("http://user:hush@localhost:1/a?key=hush"),
            ..everywhere()
        };
        let serve = Serve::resolve(options).unwrap();
        assert_eq!(serve.random_publish_key, None);
        assert!(may_publish(&serve, "any", None) && !guards_names(&serve));
        assert!(!format!("{serve:?}").contains("hush"));
        let hook = serve.hook.unwrap();
        assert_eq!(
            (hook.timeout, hook.cache),
            (HOOK_TIMEOUT_DEFAULT, HOOK_CACHE_DEFAULT)
        );
        let zero = Options {
            auth_url: secret("https://host"),
            auth_cache: Some(Duration::ZERO.into()),
            ..Options::default()
        };
        assert_eq!(
            Serve::resolve(zero).unwrap().hook.unwrap().cache,
            Duration::ZERO
        );
        for bad in [
            "",
            "host",
            "/auth",
            "ftp://host/",
            "http://",
            "http:///a",
            "ws://h/",
            "http://h:99999999/",
            "http://h:65536/",
            "http://h:0/",
            "http://h:x/",
            "http://h:-1/",
            "https://u:p@h:99999/",
            "http://u:p@/",
            "http://[::zz]/",
            "http://[::1/",
            "http://a,b/",
        ] {
            let refused = refusal(Options {
                auth_url: secret(bad),
                ..Options::default()
            });
            assert!(
                refused.starts_with("--auth-url: must be an http:// or https:// URL"),
                "{refused}"
            );
        }
    }

    #[test]
    fn key_is_1_to_256_characters_but_control_characters() {
        let serve = |key: &str| {
            Serve::resolve(Options {
                publish_key: secret(key),
                ..Options::default()
            })
        };
        let longest = "ß".repeat(256);
        for key in [
            "k",
            "correct horse",
            " ",
            "a:b",
            "Größe №5 🐎",
            "%20+&=#",
            &longest,
        ] {
            assert!(may_publish(&serve(key).unwrap(), "any", Some(key)), "{key}");
        }
        for key in [
            "",
            "a\tb",
            "a\n",
            "\0",
            "\u{7f}",
            "\u{85}",
            &"k".repeat(257),
        ] {
            let refused = serve(key).unwrap_err().to_string();
            let expected = format!("--publish-key: {WHAT_A_KEY_IS}");
            assert_eq!(refused, expected, "{key:?}");
        }
    }

    #[test]
    fn an_empty_key_is_refused_rather_than_taken_for_none() {
        let refused = refusal(Options {
            publish_key: secret(""),
            ..Options::default()
        });
        assert!(
            refused.starts_with("--publish-key: a key is 1 to 256"),
            "{refused}"
        );
    }

    #[test]
    fn secrets_are_read_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| -> Option<PathBuf> {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        let options = Options {
            publish_key_file: file("p", "pub\n"),
            watch_key_file: file("w", "see\r\n"),
            token_secret_file: file("t", TOKEN_SECRET),
            ..everywhere()
        };
        let serve = Serve::resolve(options.clone()).unwrap();
        assert!(may_publish(&serve, "any", Some("pub")) && may_watch(&serve, "any", Some("see")));
        assert!(!may_publish(&serve, "any", None) && !may_watch(&serve, "any", None));
        assert!(serve.access.tokens.is_some());

        let both = Options {
            watch_key: secret("k"),
            ..options.clone()
        };
        assert_eq!(
            refusal(both),
            "--watch-key-file: contradicts --watch-key: give one of them"
        );
        for (text, expected) in [
            ("", "--publish-key-file: a key is 1 to 256"),
            ("hush\thush\n", "--publish-key-file: a key is 1 to 256"),
            ("hush\nhush\n", "--publish-key-file: a key is 1 to 256"),
        ] {
            let refused = refusal(Options {
                publish_key_file: file("bad", text),
                ..options.clone()
            });
            assert!(
                refused.starts_with(expected) && !refused.contains("hush"),
                "{refused}"
            );
        }
        let refused = refusal(Options {
            token_secret_file: Some("/nowhere/secret".into()),
            ..options
        });
        assert!(
            refused.starts_with("--token-secret-file /nowhere/secret: No such file"),
            "{refused}"
        );
    }

    #[test]
    fn keys_stay_out_of_debug_output() {
        let options = Options {
            publish_key: secret("hush-hush"),
            token_secret: secret(&"hush".repeat(8)),
            ..Options::default()
        };
        assert!(!format!("{options:?}").contains("hush"));
        assert!(!format!("{:?}", Serve::resolve(options).unwrap()).contains("hush"));
    }

    #[test]
    fn invalid_origin_and_invalid_host_are_refused() {
        let refused = refusal(Options {
            allow_origin: Some(vec!["example.org".to_owned()]),
            ..Options::default()
        });
        assert!(
            refused.starts_with("--allow-origin: \"example.org\" is not "),
            "{refused}"
        );
        let refused = refusal(Options {
            allow_host: Some(vec!["http://example.org".to_owned()]),
            ..Options::default()
        });
        assert!(
            refused.starts_with("--allow-host: \"http://example.org\" is not "),
            "{refused}"
        );
    }
}
