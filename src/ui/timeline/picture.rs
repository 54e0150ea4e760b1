//! The picture: one bar a task over time, drawn as SVG. All it shows stands in the table as well.

use std::fmt::Write as _;
use std::time::Duration;

use crate::ui::format::duration;
use crate::ui::timeline::escape;
use crate::ui::timeline::story::{Row, Story, time};

/// Units of the drawing; it scales with the window.
const WIDTH: f64 = 1200.0;
/// Where the bars begin: names stand to the left.
const LEFT: f64 = 400.0;
/// Where they end.
const RIGHT: f64 = 1130.0;
const ROW: f64 = 24.0;
const TOP: f64 = 34.0;
/// Characters of a name that have room.
const LONGEST: usize = 54;
/// The narrowest bar that can be seen.
const NARROWEST: f64 = 3.0;

/// Draws the story.
pub(super) fn picture(story: &Story) -> String {
    let height = TOP + ROW * story.rows.len() as f64 + 10.0;
    let scale = Scale::of(story);
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"picture-title picture-words\">\n\
         <title id=\"picture-title\">Tasks over time</title>\n\
         <desc id=\"picture-words\">One bar a task, from its beginning to its end; the table below says the same in \
         words.</desc>\n\
         <defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><rect class=\"hatch-ground\" width=\"6\" height=\"6\"/>\
         <rect class=\"hatch-line\" width=\"2\" height=\"6\"/></pattern></defs>\n"
    );
    for tick in scale.ticks() {
        let x = scale.x(story.began + tick);
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "<line class=\"tick\" x1=\"{x:.1}\" y1=\"{:.1}\" x2=\"{x:.1}\" y2=\"{:.1}\"/>\
             <text class=\"time\" x=\"{x:.1}\" y=\"18\">{}</text>",
            TOP - 8.0,
            height - 6.0,
            axis_label(tick)
        );
    }
    for (place, row) in story.rows.iter().enumerate() {
        draw(&mut out, row, TOP + ROW * place as f64, &scale);
    }
    out.push_str("</svg>\n");
    out
}

fn draw(out: &mut String, row: &Row, y: f64, scale: &Scale) {
    let (from, to) = (scale.x(row.began), scale.x(row.ended));
    let width = (to - from).max(NARROWEST);
    let class = format!("{} {}", row.result(), row.what());
    let critical = if row.critical { " critical" } else { "" };
    let words = format!("{}: {}, {}", row.name, row.result(), time(row.took()));
    let _ = writeln!(
        out,
        "<a href=\"#task-{}\" class=\"row{critical}\" aria-label=\"{}\"><title>{}</title>\
         <rect class=\"ground\" x=\"0\" y=\"{y:.1}\" width=\"{WIDTH}\" height=\"{ROW}\"/>\
         <text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        row.number,
        escape(&words),
        escape(&words),
        LEFT - 12.0,
        y + 16.0,
        escape(&shortened(&row.name))
    );
    if row.waited > Duration::ZERO {
        let ready = scale.x(row.began.saturating_sub(row.waited));
        let middle = y + ROW / 2.0;
        let _ = writeln!(
            out,
            "<line class=\"waited\" x1=\"{ready:.1}\" y1=\"{middle:.1}\" x2=\"{from:.1}\" y2=\"{middle:.1}\"/>"
        );
    }
    let _ = writeln!(
        out,
        "<rect class=\"bar {class}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" rx=\"2\"/>",
        y + 4.0,
        ROW - 8.0
    );
    if row.critical {
        let _ = writeln!(
            out,
            "<rect class=\"longest\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"2.5\"/>",
            y + ROW - 3.5
        );
    }
    let sign = match row.result() {
        "failed" => "\u{2715} ",
        "cancelled" => "\u{2013} ",
        _ => "",
    };
    let took = if row.result() == "cached" { "cached".to_owned() } else { time(row.took()) };
    let label = escape(&format!("{sign}{took}"));
    // Behind the bar where there is room, else before it.
    let (x, anchor) =
        if from + width + 70.0 < WIDTH { (from + width + 6.0, "start") } else { (from - 6.0, "end") };
    let _ = writeln!(
        out,
        "<text class=\"took\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{label}</text></a>",
        y + 16.0
    );
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST - 1).chain(['\u{2026}']).collect()
}

/// Time to units.
struct Scale {
    began: Duration,
    took: Duration,
}

impl Scale {
    fn of(story: &Story) -> Self {
        Self { began: story.began, took: story.took().max(Duration::from_millis(1)) }
    }

    fn x(&self, at: Duration) -> f64 {
        let part = at.saturating_sub(self.began).as_secs_f64() / self.took.as_secs_f64();
        LEFT + part.min(1.0) * (RIGHT - LEFT)
    }

    /// At most eight, at round times.
    fn ticks(&self) -> Vec<Duration> {
        let least = self.took.as_secs_f64() / 8.0;
        let power = 10f64.powf(least.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|step| *step >= least);
        let step = step.unwrap_or(power * 10.0);
        let count = (self.took.as_secs_f64() / step).floor() as u32;
        (0..=count).map(|n| Duration::from_secs_f64(step * f64::from(n))).collect()
    }
}

/// Times of the axis need more digits than durations where all of it is short.
fn axis_label(tick: Duration) -> String {
    match tick.as_secs_f64() {
        0.0 => "0".to_owned(),
        seconds if seconds < 0.1 => format!("{:.0}ms", seconds * 1000.0),
        seconds if seconds < 60.0 => format!("{}s", (seconds * 100.0).round() / 100.0),
        _ => duration(tick).replace(".0s", "s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_round() {
        let labels = |ms| {
            let scale = Scale { began: Duration::ZERO, took: Duration::from_millis(ms) };
            scale.ticks().into_iter().map(axis_label).collect::<Vec<_>>()
        };
        assert_eq!(labels(40), ["0", "5ms", "10ms", "15ms", "20ms", "25ms", "30ms", "35ms", "40ms"]);
        assert_eq!(labels(7000), ["0", "1s", "2s", "3s", "4s", "5s", "6s", "7s"]);
        assert_eq!(labels(300_000).last().map(String::as_str), Some("5m00s"));
    }
}
