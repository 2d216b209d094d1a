//! The comparison as a table in Markdown.

use std::fmt::Write;

use crate::runs::{Run, Runs};

/// The server that the others are held against.
const FLOOR: &str = "floor";

/// Delays are told of about so many viewers.
const DELAYS_AT: u64 = 1000;

/// A row for each server; below it what was not held, and why. `counts` are the numbers of viewers,
/// smallest first; `has_held` adds what one core held.
pub fn table(runs: &Runs, counts: &[u64], has_held: bool) -> String {
    let listed: Vec<String> = counts.iter().map(u64::to_string).collect();
    let at = delays_at(counts);
    let mut head = vec![
        "server".into(),
        format!("CPU-s/GB at {} viewers", listed.join(" / ")),
        "ratio to the floor".into(),
        "memory per viewer".into(),
        format!("delay p50 / p99 ms at {at}"),
        format!("join p50 ms at {at}"),
        format!("faults at {at}"),
    ];
    if has_held {
        head.push("viewers one core held".into());
    }
    let mut text = row(&head);
    text += &row(&vec!["---".to_owned(); head.len()]);
    let mut notes = String::new();
    for server in runs.servers() {
        let each = |tell: &dyn Fn(&Run) -> Option<String>| -> String {
            let cells = counts.iter().map(|&viewers| {
                let told = runs.at(server, viewers).and_then(tell);
                told.unwrap_or_else(|| "-".into())
            });
            cells.collect::<Vec<_>>().join(" / ")
        };
        let cost = |run: &Run| {
            let cost = run.report.server.cpu_s_per_gb?;
            let mark = if run.is_held() { "" } else { "*" };
            Some(format!("{cost:.2}{mark}"))
        };
        let ratio = |run: &Run| {
            let floor = runs.at(FLOOR, run.viewers)?.report.server.cpu_s_per_gb?;
            Some(format!("{:.2}", run.report.server.cpu_s_per_gb? / floor))
        };
        let there = runs.at(server, at);
        let delays = there.and_then(|run| run.report.delay_ms);
        let joins = there.and_then(|run| run.report.join_ms);
        let mut cells = vec![
            server.to_owned(),
            each(&cost),
            each(&ratio),
            memory(runs, server, counts).unwrap_or_else(|| "-".into()),
            delays.map_or("-".into(), |delay| {
                format!("{:.0} / {:.0}", delay.p50, delay.p99)
            }),
            joins.map_or("-".into(), |join| format!("{:.1}", join.p50)),
            there.map_or("-".into(), |run| run.report.invalid.to_string()),
        ];
        if has_held {
            cells.push(
                runs.held(server)
                    .map_or("-".into(), |held| held.to_string()),
            );
        }
        text += &row(&cells);
        for run in counts
            .iter()
            .filter_map(|&viewers| runs.at(server, viewers))
        {
            if !run.is_held() {
                let _ = writeln!(
                    notes,
                    "- {server}, {} viewers: {}",
                    run.viewers,
                    run.misses.join("; ")
                );
            }
        }
    }
    if !notes.is_empty() {
        let _ = write!(text, "\n\\* not held:\n\n{notes}");
    }
    text
}

pub fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// The largest count that is no larger than a thousand.
fn delays_at(counts: &[u64]) -> u64 {
    let fits = counts.iter().rev().find(|&&count| count <= DELAYS_AT);
    *fits.or(counts.first()).unwrap_or(&DELAYS_AT)
}

/// The slope of resident memory from the fewest to the most viewers.
fn memory(runs: &Runs, server: &str, counts: &[u64]) -> Option<String> {
    let (few, many) = (counts.first()?, counts.last()?);
    let rss = |viewers: u64| Some(runs.at(server, viewers)?.report.server.rss_bytes as f64);
    (many > few).then_some(())?;
    Some(kb((rss(*many)? - rss(*few)?) / (many - few) as f64))
}

pub fn kb(bytes: f64) -> String {
    format!("{:.1} KB", bytes / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::tests::run;

    #[test]
    fn each_server_has_a_row_with_its_ratio_to_the_floor() {
        let mut runs = Runs::default();
        for (server, cost) in [("floor", 0.4), ("other", 0.6)] {
            runs.add(run(server, 100, cost));
            runs.add(run(server, 1000, cost / 2.0));
        }
        assert_eq!(
            table(&runs, &[100, 1000, 4000], false),
            "| server | CPU-s/GB at 100 / 1000 / 4000 viewers | ratio to the floor | \
             memory per viewer | delay p50 / p99 ms at 1000 | join p50 ms at 1000 | \
             faults at 1000 |\n\
             | --- | --- | --- | --- | --- | --- | --- |\n\
             | floor | 0.40 / 0.20 / - | 1.00 / 1.00 / - | - | 8 / 19 | 1.0 | 0 |\n\
             | other | 0.60 / 0.30 / - | 1.50 / 1.50 / - | - | 8 / 19 | 1.0 | 0 |\n"
        );
    }

    #[test]
    fn memory_is_the_slope_between_the_fewest_and_the_most() {
        let mut runs = Runs::default();
        runs.add(run("a", 100, 0.4));
        runs.add(run("a", 4000, 0.4));
        assert_eq!(
            memory(&runs, "a", &[100, 1000, 4000]),
            Some("1.0 KB".into())
        );
        assert_eq!(memory(&runs, "a", &[100]), None);
    }

    #[test]
    fn what_was_not_held_is_marked_and_told() {
        let mut runs = Runs::default();
        runs.add(Run {
            misses: vec!["worst is 61 %".into()],
            ..run("a", 4000, 0.5)
        });
        runs.add(run("a", 1000, 0.5));
        let told = table(&runs, &[4000], true);
        assert!(
            told.contains("| a | 0.50* | - | - | 8 / 19 | 1.0 | 0 | 1000 |\n"),
            "{told}"
        );
        assert!(
            told.ends_with("\n\\* not held:\n\n- a, 4000 viewers: worst is 61 %\n"),
            "{told}"
        );
    }

    #[test]
    fn delays_are_told_of_a_thousand_viewers_or_nearly() {
        assert_eq!(delays_at(&[100, 1000, 4000]), 1000);
        assert_eq!(delays_at(&[100, 500, 2000]), 500);
        assert_eq!(delays_at(&[4000]), 4000);
    }
}
