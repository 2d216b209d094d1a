//! `--fail-if`: conditions on the figures, so that a load test can gate other people's work.
//!
//! ```text
//! p99 > 200 ms , failed > 0
//! name op number unit
//! ```

use std::fmt;
use std::str::FromStr;

/// Conditions of which none may hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Conditions(pub(super) Vec<Condition>);

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    pub name: Name,
    operator: Operator,
    /// In the unit that the figure has.
    bound: f64,
    /// As it was written.
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Above,
    AtLeast,
    Below,
    AtMost,
    Equal,
    Other,
}

/// Two characters first, so that `>=` is not read as `>`.
const OPERATORS: [(&str, Operator); 6] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("==", Operator::Equal),
    ("!=", Operator::Other),
    (">", Operator::Above),
    ("<", Operator::Below),
];

/// What a figure counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Milliseconds,
    Seconds,
    Bytes,
    Percent,
    Count,
}

macro_rules! names {
    ($($name:ident $text:literal $unit:ident)*) => {
        /// A figure of the report.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Name { $($name),* }

        impl Name {
            const ALL: &[Name] = &[$(Name::$name),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Name::$name => $text),* }
            }

            fn unit(self) -> Unit {
                match self { $(Name::$name => Unit::$unit),* }
            }
        }
    };
}

names! {
    P50 "p50" Milliseconds
    P90 "p90" Milliseconds
    P99 "p99" Milliseconds
    Max "max" Milliseconds
    JoinP50 "join_p50" Milliseconds
    JoinP90 "join_p90" Milliseconds
    JoinP99 "join_p99" Milliseconds
    JoinMax "join_max" Milliseconds
    Connected "connected" Count
    Failed "failed" Count
    Dropped "dropped" Count
    Skips "skips" Count
    Invalid "invalid" Count
    BytesTotal "bytes_total" Bytes
    BytesMin "bytes_min" Bytes
    BytesMedian "bytes_median" Bytes
    BytesMax "bytes_max" Bytes
    Worst "worst" Percent
    CpuS "cpu_s" Seconds
    CpuSPerGb "cpu_s_per_gb" Seconds
    RssBytes "rss_bytes" Bytes
    RssBytesPeak "rss_bytes_peak" Bytes
}

impl Name {
    /// Whether there is such a figure only when the load brings its own publisher.
    pub fn needs_publisher(self) -> bool {
        matches!(
            self,
            Name::P50 | Name::P90 | Name::P99 | Name::Max | Name::Worst
        )
    }

    /// Whether there is such a figure only when the server's process is known.
    pub fn needs_pid(self) -> bool {
        matches!(
            self,
            Name::CpuS | Name::CpuSPerGb | Name::RssBytes | Name::RssBytesPeak
        )
    }
}

impl Condition {
    /// The failure to report if the condition holds. A figure that could not be measured is no good
    /// news.
    pub fn check(&self, figure: Option<f64>) -> Option<String> {
        let name = self.name.as_str();
        let Some(figure) = figure else {
            return Some(format!("{}: {name} could not be measured", self.text));
        };
        let holds = match self.operator {
            Operator::Above => figure > self.bound,
            Operator::AtLeast => figure >= self.bound,
            Operator::Below => figure < self.bound,
            Operator::AtMost => figure <= self.bound,
            Operator::Equal => figure == self.bound,
            Operator::Other => figure != self.bound,
        };
        let unit = match self.name.unit() {
            Unit::Milliseconds => " ms",
            Unit::Seconds => " s",
            Unit::Bytes => " bytes",
            Unit::Percent => " %",
            Unit::Count => "",
        };
        let figure = (figure * 1e3).round() / 1e3;
        holds.then(|| format!("{}: {name} is {figure}{unit}", self.text))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Conditions {
    type Err = String;

    fn from_str(text: &str) -> Result<Conditions, String> {
        text.split(',')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(Conditions)
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Condition, String> {
        let text = text.trim();
        let (at, sign, operator) = OPERATORS
            .iter()
            .filter_map(|&(sign, operator)| Some((text.find(sign)?, sign, operator)))
            .min_by_key(|&(at, sign, _)| (at, std::cmp::Reverse(sign.len())))
            .ok_or_else(|| format!("'{text}' has no comparison: write it like p99>200ms"))?;
        let name = text[..at].trim();
        let name = *Name::ALL
            .iter()
            .find(|known| known.as_str() == name)
            .ok_or_else(|| {
                let names: Vec<&str> = Name::ALL.iter().map(|name| name.as_str()).collect();
                format!("'{name}' is none of {}", names.join(", "))
            })?;
        let amount = text[at + sign.len()..].trim();
        let bound = amount_in(name.unit(), amount)
            .ok_or_else(|| format!("'{amount}' is no amount for {}", name.as_str()))?;
        Ok(Condition {
            name,
            operator,
            bound,
            text: text.to_owned(),
        })
    }
}

/// Reads a number and its unit; the figure's own unit may be left out.
fn amount_in(unit: Unit, text: &str) -> Option<f64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let factor = match (unit, text[end..].trim()) {
        (_, "") | (Unit::Milliseconds, "ms") | (Unit::Seconds, "s") => 1.0,
        (Unit::Bytes, "B") | (Unit::Percent, "%") => 1.0,
        (Unit::Milliseconds, "us" | "µs") | (Unit::Seconds, "ms") => 1e-3,
        (Unit::Milliseconds, "s") => 1e3,
        (Unit::Bytes, "kB" | "KB") => 1e3,
        (Unit::Bytes, "MB") => 1e6,
        (Unit::Bytes, "GB") => 1e9,
        (Unit::Bytes, "KiB") => 1024.0,
        (Unit::Bytes, "MiB") => 1024.0 * 1024.0,
        (Unit::Bytes, "GiB") => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(text: &str, figure: f64) -> bool {
        let Conditions(conditions) = text.parse().unwrap();
        conditions[0].check(Some(figure)).is_some()
    }

    #[test]
    fn conditions_are_read_with_and_without_units() {
        assert!(held("p99>200ms", 200.1) && !held("p99>200ms", 200.0));
        assert!(held("p99 >= 0.2 s", 200.0) && held("join_p99>=200", 200.0));
        assert!(held("failed>0", 1.0) && !held("failed>0", 0.0));
        assert!(held("connected != 50", 49.0) && held("connected==50", 50.0));
        assert!(held("worst<97%", 96.9) && !held("worst<97", 97.0));
        assert!(held("rss_bytes>1MiB", 1_048_577.0) && held("cpu_s_per_gb>0.35", 0.36));
        let Conditions(two) = "p99>200ms,failed>0".parse().unwrap();
        assert_eq!(two.len(), 2);
    }

    #[test]
    fn true_condition_names_its_figure() {
        let Conditions(one) = "p99 > 200ms".parse().unwrap();
        assert_eq!(
            one[0].check(Some(230.5)).unwrap(),
            "p99 > 200ms: p99 is 230.5 ms"
        );
        assert_eq!(
            one[0].check(None).unwrap(),
            "p99 > 200ms: p99 could not be measured"
        );
    }

    #[test]
    fn invalid_condition_is_refused_with_its_fault() {
        let refused = |text: &str| text.parse::<Conditions>().unwrap_err();
        assert!(refused("p98>1").starts_with("'p98' is none of p50, p90, "));
        assert_eq!(
            refused("p99"),
            "'p99' has no comparison: write it like p99>200ms"
        );
        assert_eq!(refused("p99>fast"), "'fast' is no amount for p99");
        assert_eq!(refused("failed>1ms"), "'1ms' is no amount for failed");
        assert!(refused("").contains("no comparison") && refused("failed>0,").contains("''"));
        assert!(refused("failed>-1").contains("no amount"));
    }
}
