//! The comparison as a picture: viewers against what they cost, one line for each server.

use std::path::Path;

use anyhow::Context;
use plotters::prelude::*;

use crate::runs::{Run, Runs};

const SIZE: (u32, u32) = (800, 440);

/// Lines of different servers differ (mostly Okabe and Ito's colours, which most people can tell
/// apart).
const COLOURS: [RGBColor; 9] = [
    RGBColor(0, 0, 0),
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(140, 140, 140),
    RGBColor(120, 70, 20),
];

/// Draws what was held; a server's last point is the most that it held.
pub fn draw(runs: &Runs, title: &str, path: &Path) -> anyhow::Result<()> {
    let held = |run: &&Run| run.is_held();
    let most = runs.0.iter().filter(held).map(|run| run.viewers).max();
    let most = most.context("no viewers were held: there is nothing to draw")?;
    // On white, to be read on dark pages, too.
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .caption(title, ("sans-serif", 15))
        .x_label_area_size(40)
        .y_label_area_size(50)
        // The lines' names stand to the right of them.
        .build_cartesian_2d(0..most + most * 7 / 10, 0f64..105f64)?;
    chart
        .configure_mesh()
        .x_desc("viewers")
        .y_desc("server CPU, percent of one core")
        .x_label_formatter(&|viewers| viewers.to_string())
        .y_label_formatter(&|percent| format!("{percent:.0}"))
        .label_style(("sans-serif", 13))
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (server, colour) in runs.servers().into_iter().zip(COLOURS.into_iter().cycle()) {
        let points: Vec<(u64, f64)> = runs
            .of(server)
            .into_iter()
            .filter(held)
            .map(|run| (run.viewers, run.cpu_percent()))
            .collect();
        let circles = points.iter().map(|&at| Circle::new(at, 3, colour.filled()));
        chart.draw_series(circles)?;
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(server)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::MiddleRight)
        .background_style(WHITE.mix(0.9))
        .border_style(RGBColor(200, 200, 200))
        .label_font(("sans-serif", 13))
        .draw()?;
    area.present().with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::runs::tests::run;

    #[test]
    fn each_server_has_a_line_on_white() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chart.svg");
        let mut runs = Runs::default();
        assert!(draw(&runs, "none", &path).is_err());
        for (server, cost) in [("floor", 0.4), ("other", 0.6)] {
            runs.add(run(server, 100, cost));
            runs.add(run(server, 1000, cost));
        }
        draw(&runs, "a title", &path).unwrap();
        let svg = fs::read_to_string(path).unwrap();
        for expected in ["#FFFFFF", "a title", "floor", "other", "viewers"] {
            assert!(svg.contains(expected), "{expected}");
        }
        // A line and its key.
        assert_eq!(
            svg.matches(r##"stroke="#D55E00" stroke-width="2""##)
                .count(),
            2
        );
    }
}
