//! The report as a table for people; also the rows of the page.

use std::fmt;

use super::findings::{Percentiles, Stalled};
use super::report::Report;

/// A name and what it came to, in words.
pub(super) fn rows(report: &Report) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("url", report.url.clone()),
        ("viewers", viewers(report)),
        ("measured", format!("{:.1} s", report.duration_s)),
        ("received", received(report)),
    ];
    if report.beside.compared > 0 {
        let bytes = &report.bytes;
        let (min, median, max) = (size(bytes.min), size(bytes.median), size(bytes.max));
        rows.push((
            "per viewer",
            format!("min {min}, median {median}, max {max}"),
        ));
    }
    if let (Some(published), Some(worst)) = (report.beside.published, report.worst_percent()) {
        let published = size(published);
        rows.push((
            "published",
            format!("{published}; the worst viewer got {worst:.1} % of it"),
        ));
    }
    rows.push((
        "join",
        match report.join_ms {
            Some(_) => format!(
                "{}; the last after {:.2} s",
                times(report.join_ms),
                report.beside.came_s
            ),
            None => times(None),
        },
    ));
    rows.push((
        "delay",
        match report.delay_ms {
            Some(_) => format!(
                "{} ({} stamps)",
                times(report.delay_ms),
                report.beside.stamps
            ),
            None if report.beside.published.is_some() && report.join_ms.is_some() => {
                "no delivery stamp came".into()
            }
            None => "not measured".into(),
        },
    ));
    let Stalled { all, woken, back } = report.beside.stalled;
    if all > 0 {
        rows.push((
            "stalled",
            format!("{all}, {woken} read on, {back} of them live again"),
        ));
    }
    rows.push(("skips", report.skips.to_string()));
    rows.push(("invalid", report.invalid.to_string()));
    if let Some(server) = &report.server {
        let per_gb = match server.cpu_s_per_gb {
            Some(per_gb) => format!(", {per_gb:.3} s/GB"),
            None => String::new(),
        };
        let percent = server.cpu_s / report.duration_s.max(0.001) * 100.0;
        rows.push((
            "server CPU",
            format!("{:.2} s, {percent:.0} % of a core{per_gb}", server.cpu_s),
        ));
        let (rss, peak) = (size(server.rss_bytes), size(server.rss_bytes_peak));
        rows.push(("server memory", format!("{rss}, peak {peak}")));
    }
    if let Some(cpu_s) = report.beside.own_cpu_s {
        let processes = match report.beside.processes {
            1 => String::new(),
            count => format!(", {count} processes"),
        };
        let busiest = match report.beside.strain {
            Some(strain) => format!("; its busiest thread {:.0} % busy", strain.load * 100.0),
            None => String::new(),
        };
        rows.push((
            "this test's CPU",
            format!("{cpu_s:.2} s{processes}{busiest}"),
        ));
    }
    let wait_ms = report.beside.strain.and_then(|strain| strain.wait_ms);
    let waits = [
        wait_ms.map(|ms| format!("{ms:.1} ms for a core in each delay")),
        report.beside.late.map(|late| {
            let ms = late.by.as_secs_f64() * 1e3;
            format!("publisher late by {ms:.1} ms at most")
        }),
    ];
    let waits: Vec<String> = waits.into_iter().flatten().collect();
    if !waits.is_empty() {
        rows.push(("its waits", waits.join(", ")));
    }
    for (name, reasons) in [
        ("why failed", &report.beside.reasons.failed),
        ("why dropped", &report.beside.reasons.dropped),
        ("why invalid", &report.beside.reasons.invalid),
    ] {
        rows.extend(reasons.iter().map(|reason| (name, reason.clone())));
    }
    rows
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = rows(self);
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in rows {
            // The text goes to a terminal, and some of it comes from a server.
            writeln!(f, "{name:width$}  {}", value.replace(char::is_control, " "))?;
        }
        Ok(())
    }
}

fn viewers(report: &Report) -> String {
    let Report {
        viewers,
        connected,
        failed,
        dropped,
        protocol,
        ..
    } = report;
    format!("{viewers} ({protocol}): {connected} connected, {failed} failed, {dropped} dropped")
}

fn received(report: &Report) -> String {
    let rate = report.bytes.total as f64 * 8.0 / report.duration_s.max(0.001) / 1e6;
    format!("{}, {rate:.1} Mbit/s", size(report.bytes.total))
}

fn times(percentiles: Option<Percentiles>) -> String {
    match percentiles {
        Some(Percentiles { p50, p90, p99, max }) => {
            format!("p50 {p50:.1}, p90 {p90:.1}, p99 {p99:.1}, max {max:.1} ms")
        }
        None => "no viewer received media".into(),
    }
}

/// Bytes in decimal units: the same GB as in CPU seconds per GB.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        10_000_000..10_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;

    #[test]
    fn table_has_all_figures() {
        let text = report().to_string();
        for line in [
            "viewers          50 (ws): 50 connected, 0 failed, 0 dropped\n",
            "received         156.2 MB, 125.0 Mbit/s\n",
            "per viewer       min 3100.0 kB, median 3125.0 kB, max 3130.0 kB\n",
            "published        3125.0 kB; the worst viewer got 99.2 % of it\n",
            "join             p50 1.2, p90 2.0, p99 3.0, max 4.0 ms; the last after 1.28 s\n",
            "delay            no delivery stamp came\n",
            "stalled          5, 4 read on, 3 of them live again\n",
            "server CPU       0.05 s, 0 % of a core, 0.320 s/GB\n",
            "server memory    12.6 MB, peak 13.6 MB\n",
            "this test's CPU  2.50 s; its busiest thread 25 % busy\n",
            "its waits        0.0 ms for a core in each delay, publisher late by 4.5 ms at most\n",
            "why invalid      a & b\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}
