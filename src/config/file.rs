//! The configuration file: TOML, and a line number for whatever is wrong with it.

use std::path::Path;

use super::{ConfigError, Options};

/// Reads the file, and refuses keys it does not know and values of the wrong type.
pub fn read(path: &Path) -> Result<Options, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.into(),
        source,
    })?;
    read_text(path, &text)
}

/// The same for a file that has been read.
pub fn read_text(path: &Path, text: &str) -> Result<Options, ConfigError> {
    parse(text).map_err(|(line, message)| ConfigError::File {
        path: path.into(),
        line,
        message,
    })
}

/// The options, or the number of the line that is wrong and one line about it.
///
/// Only `toml`'s message is passed on, never its picture of the line: a key may stand there.
fn parse(text: &str) -> Result<Options, (Option<usize>, String)> {
    let located = |error: &toml::de::Error| {
        let line = error.span().map(|span| {
            let before = text.as_bytes().iter().take(span.start);
            1 + before.filter(|&&byte| byte == b'\n').count()
        });
        (line, first_line(error.message()))
    };
    let deserializer = toml::Deserializer::parse(text).map_err(|error| located(&error))?;
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let key = error.path().to_string();
        let (line, message) = located(error.inner());
        match key.as_str() {
            "." => (line, message),
            key => (line, format!("{key}: {message}")),
        }
    })
}

/// `serde` lists every known key after an unknown one: two dozen of them do not help.
fn first_line(message: &str) -> String {
    match message.lines().next().unwrap_or_default() {
        line if line.starts_with("unknown field ") => "unknown key".to_owned(),
        line => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> (usize, String) {
        let (line, message) = parse(text).unwrap_err();
        (line.unwrap(), message)
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let options = parse(
            "listen = ['0.0.0.0:80', '[::]:80']\npublish_open = true\nmax_streams = 9\n\
             ring_bytes = '16MiB'\nblock_bytes = 65536\nring_duration = '1m 30s'\nlog = 'json'\n\
             [streams.door]\npublish_key = 'k'\n",
        )
        .unwrap();
        assert_eq!(options.listen.unwrap().len(), 2);
        assert_eq!(options.publish_open, Some(true));
        assert_eq!(options.max_streams, Some(9));
        assert_eq!(options.ring_bytes.unwrap().0, 16 << 20);
        assert_eq!(options.block_bytes.unwrap().0, 65536);
        assert_eq!(options.ring_duration.unwrap().as_secs(), 90);
        let door = &options.streams["door"];
        assert_eq!(door.keys.publish.as_ref().unwrap().expose(), "k");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let text = "# hello\nlog = 'json'\nringbytes = 5\n";
        assert_eq!(refusal(text), (3, "ringbytes: unknown key".into()));
        let text = "[streams.door]\nkey = 'k'\n";
        assert_eq!(refusal(text), (2, "streams.door.key: unknown key".into()));
    }

    #[test]
    fn a_wrong_type_is_named_with_its_key_and_line() {
        assert_eq!(
            refusal("\nmax_streams = 'many'\n"),
            (
                2,
                "max_streams: invalid type: string \"many\", expected usize".into()
            )
        );
    }

    #[test]
    fn a_key_of_a_wrong_type_is_not_shown() {
        for (value, what) in [
            ("4711", ""),
            ("-4711", ""),
            ("4711.5", ""),
            ("true", ""),
            ("['4711']", "sequence"),
        ] {
            for key in [
                "publish_key",
                "token_secret",
                "auth_url",
                "event_url",
                "event_secret",
            ] {
                let (line, message) = refusal(&format!("\n{key} = {value}\n"));
                let is_told = message.starts_with(&format!("{key}: ")) && message.contains(what);
                assert!(line == 2 && is_told, "{message}");
                assert!(
                    !message.contains("4711") && !message.contains("true"),
                    "{message}"
                );
            }
        }
        assert_eq!(
            refusal("\n[streams.door]\nwatch_key = 5\n"),
            (
                3,
                "streams.door.watch_key: a secret is text in quotes".into()
            )
        );
    }

    #[test]
    fn a_bad_value_is_named_with_its_key_and_line() {
        let (line, message) =
            refusal("log = 'text'\nlisten = [\n  '127.0.0.1:80',\n  'nowhere',\n]");
        assert_eq!(
            (line, message.starts_with("listen[1]: ")),
            (4, true),
            "{message}"
        );
        let (line, message) = refusal("head_timeout = 'ten'");
        assert_eq!(
            (line, message.starts_with("head_timeout: ")),
            (1, true),
            "{message}"
        );
        let (line, message) = refusal("ring_bytes = '10 cats'");
        assert_eq!(
            (line, message.starts_with("ring_bytes: ")),
            (1, true),
            "{message}"
        );
    }

    #[test]
    fn a_stream_that_cannot_be_is_named_with_its_line() {
        assert_eq!(
            refusal("[streams.door]\nrecord = '/tmp'\n"),
            (
                2,
                "streams.door.record: invalid type: string \"/tmp\", expected a boolean".into()
            )
        );
        let (line, message) = refusal("log = 'text'\n[streams.'front door']\n");
        assert_eq!(line, 2);
        assert!(
            message.starts_with("streams: \"front door\": a stream name has 1 to 64 letters"),
            "{message}"
        );
    }

    #[test]
    fn invalid_toml_is_refused_in_one_line() {
        let (line, message) = refusal("log = 'text'\nlisten = [ 'a'\npublish_open = true\n");
        assert!(line >= 2 && !message.contains('\n'), "{line}: {message}");
    }
}
