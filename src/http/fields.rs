//! Field lines by name (RFC 9110, 5).

use super::HttpError;

/// The field lines, by name.
pub(super) struct Fields<'a>(pub(super) &'a [httparse::Header<'a>]);

impl<'a> Fields<'a> {
    pub(super) fn lines(
        &self,
        name: &'static str,
    ) -> impl Iterator<Item = Result<&'a str, HttpError>> {
        let lines = self
            .0
            .iter()
            .filter(move |line| line.name.eq_ignore_ascii_case(name));
        lines.map(move |line| match std::str::from_utf8(line.value) {
            Ok(value) => Ok(value.trim_matches([' ', '\t'])),
            Err(_) => Err(HttpError::Field {
                name,
                problem: "is not UTF-8",
            }),
        })
    }

    /// All lines of a field that any client may fill with any bytes. Unreadable bytes are marked
    /// and kept: the entry of a trusted proxy may stand behind them.
    pub(super) fn joined_as_far_as_readable(&self, name: &str) -> Option<String> {
        let lines = self.0.iter();
        let lines = lines.filter(|line| line.name.eq_ignore_ascii_case(name));
        let lines: Vec<_> = lines
            .map(|line| String::from_utf8_lossy(line.value))
            .collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    /// A field that may come once (RFC 9110, 5.3).
    pub(super) fn single(&self, name: &'static str) -> Result<Option<&'a str>, HttpError> {
        let mut lines = self.lines(name);
        let first = lines.next().transpose()?;
        match lines.next() {
            None => Ok(first),
            Some(_) => Err(HttpError::Field {
                name,
                problem: "comes more than once",
            }),
        }
    }

    /// The members of a list, over all its lines (RFC 9110, 5.6.1); empty ones do not count.
    pub(super) fn list(&self, name: &'static str) -> Result<Vec<&'a str>, HttpError> {
        let mut members = Vec::new();
        for line in self.lines(name) {
            let split = line?
                .split(',')
                .map(|member| member.trim_matches([' ', '\t']));
            members.extend(split.filter(|member| !member.is_empty()));
        }
        Ok(members)
    }

    pub(super) fn list_has(&self, name: &'static str, member: &str) -> Result<bool, HttpError> {
        Ok(self
            .list(name)?
            .iter()
            .any(|found| found.eq_ignore_ascii_case(member)))
    }
}
