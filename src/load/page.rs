//! The report as one page that needs nothing else: charts of delay, throughput and viewers over
//! time, and the table.

use std::fmt::Write;

use super::report::{Report, Second};
use super::table::rows;

const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1c1f23;--muted:#5f6873;--ground:#fff;--grid:#dfe3e8;\
--a:#0b6bcb;--b:#c2410c;--c:#7c3aed}\
@media(prefers-color-scheme:dark){:root{--text:#e8eaed;--muted:#9aa4af;--ground:#15181c;\
--grid:#2c3238;--a:#6cb4ff;--b:#ff9d6b;--c:#b9a3ff}}\
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;\
color:var(--text);background:var(--ground)}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}svg{width:100%;height:auto}\
svg text{font:12px system-ui,sans-serif;fill:var(--muted)}.grid{stroke:var(--grid)}\
polyline{fill:none;stroke-width:2}.a{stroke:var(--a)}.b{stroke:var(--b);stroke-dasharray:6 3}\
.c{stroke:var(--c);stroke-dasharray:2 3}text.a{fill:var(--a);stroke:none}\
text.b{fill:var(--b);stroke:none}text.c{fill:var(--c);stroke:none}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
th{text-align:left;padding:.2rem 2rem .2rem 0;font-weight:500;color:var(--muted)}\
td{padding:.2rem 0}tr{border-bottom:1px solid var(--grid)}";

const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 240.0;
/// Room for the labels at the left and below.
const LEFT: f64 = 64.0;
const BELOW: f64 = 24.0;
const ABOVE: f64 = 24.0;

/// One line of a chart.
struct Line {
    name: &'static str,
    class: &'static str,
    points: Vec<(f64, f64)>,
}

pub(super) fn page(report: &Report) -> String {
    let seconds = &report.beside.seconds;
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>Load test of {url}</title><style>{STYLE}</style>\n<h1>Load test of {url}</h1>\n",
        url = escape(&report.url)
    );
    let delay = |name, class, of: fn(&super::findings::Percentiles) -> f64| Line {
        name,
        class,
        points: points(seconds, |second| second.delay.as_ref().map(of)),
    };
    let delays = [
        delay("p50", "a", |delay| delay.p50),
        delay("p99", "b", |delay| delay.p99),
        delay("max", "c", |delay| delay.max),
    ];
    if delays[0].points.is_empty() {
        page.push_str("<h2>Delay</h2>\n<p>Not measured: the test had no publisher of its own.\n");
    } else {
        chart(&mut page, "Delay from publisher to viewer, ms", &delays);
    }
    let throughput = Line {
        name: "received",
        class: "a",
        points: points(seconds, |second| {
            (second.span_s > 0.0).then(|| second.bytes as f64 * 8.0 / second.span_s / 1e6)
        }),
    };
    chart(
        &mut page,
        "Throughput of all viewers, Mbit/s",
        &[throughput],
    );
    let watching = Line {
        name: "watching",
        class: "a",
        points: points(seconds, |second| Some(second.watching as f64)),
    };
    chart(&mut page, "Viewers", &[watching]);
    page.push_str("<h2>Figures</h2>\n<table>\n");
    for (name, value) in rows(report) {
        let _ = writeln!(page, "<tr><th>{name}<td>{}", escape(&value));
    }
    page.push_str("</table>\n</html>\n");
    page
}

fn points(seconds: &[Second], of: impl Fn(&Second) -> Option<f64>) -> Vec<(f64, f64)> {
    seconds
        .iter()
        .filter_map(|second| Some((second.at_s, of(second)?)))
        .collect()
}

/// Appends a heading and a drawing. Writing into a `String` cannot fail.
fn chart(page: &mut String, title: &str, lines: &[Line]) {
    let all = || lines.iter().flat_map(|line| &line.points);
    let top = step_above(all().map(|&(_, y)| y).fold(0.0, f64::max));
    let end = all().map(|&(x, _)| x).fold(1.0, f64::max);
    let x = |seconds: f64| LEFT + seconds / end * (WIDTH - LEFT - 8.0);
    let y = |value: f64| HEIGHT - BELOW - value / top * (HEIGHT - BELOW - ABOVE);
    let _ = writeln!(
        page,
        "<h2>{title}</h2>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{title} over time\">"
    );
    for quarter in 0..=4 {
        let value = top * f64::from(quarter) / 4.0;
        let (at, label) = (y(value), short(value));
        let _ = writeln!(
            page,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            LEFT - 6.0,
            at + 4.0
        );
    }
    for quarter in 0..=4 {
        let at = end * f64::from(quarter) / 4.0;
        let anchor = if quarter == 4 { "end" } else { "middle" };
        let _ = writeln!(
            page,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{} s</text>",
            x(at),
            HEIGHT - 6.0,
            short(at)
        );
    }
    for (n, line) in lines.iter().enumerate() {
        let points: Vec<String> = line
            .points
            .iter()
            .map(|&(at, value)| format!("{:.1},{:.1}", x(at), y(value)))
            .collect();
        let _ = writeln!(
            page,
            "<polyline class=\"{class}\" points=\"{}\"/>\
             <text class=\"{class}\" x=\"{}\" y=\"14\">{}</text>",
            points.join(" "),
            LEFT + 8.0 + 80.0 * n as f64,
            line.name,
            class = line.class
        );
    }
    page.push_str("</svg>\n");
}

/// A round number that is not below `value`.
fn step_above(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let factors = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    let factor = factors.into_iter().find(|factor| factor * power >= value);
    factor.unwrap_or(10.0) * power
}

fn short(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        _ => format!("{}", (value * 100.0).round() / 100.0),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    #[test]
    fn page_loads_nothing_and_escapes_the_report() {
        let page = page(&report());
        assert_eq!(page.matches("<svg").count(), 3);
        assert!(page.contains("/live/&lt;a&gt;") && !page.contains("<a>"));
        assert!(page.contains("a &amp; b"));
        for outside in ["http://", "https://", "<script", "url(", "src="] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(!page.contains("NaN") && !page.contains("inf"));
    }

    #[test]
    fn scales_end_at_round_numbers() {
        for (value, top) in [
            (0.0, 1.0),
            (0.7, 0.8),
            (1.0, 1.0),
            (125.0, 200.0),
            (9.1, 10.0),
        ] {
            assert!((step_above(value) - top).abs() < 1e-9, "{value}");
        }
    }
}
