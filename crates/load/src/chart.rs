//! A picture of CPU against size: SVG, drawn without anybody's help.

use std::fmt::Write;

use crate::report::{CORE_SHARE_MAX, Row};

/// The whole picture.
const WIDTH: f64 = 720.0;
/// The whole picture.
const HEIGHT: f64 = 420.0;
/// Room for the axes' words.
const LEFT: f64 = 70.0;
/// Room for the title.
const TOP: f64 = 50.0;
/// Room to the right of the curves.
const RIGHT: f64 = 30.0;
/// Room for the axis and the machine.
const BOTTOM: f64 = 80.0;
/// Lines across.
const STEPS: u32 = 5;

/// A curve: its colour, its name and its points.
struct Curve {
    colour: &'static str,
    name: &'static str,
    points: Vec<(f64, f64)>,
}

/// Draws the share of a core that server and floor use, against the size.
pub(crate) fn draw(name: &str, unit: &str, rows: &[Row], machine: &str) -> String {
    let server = rows.iter().filter_map(|row| Some((row.size as f64, row.core_share?)));
    let floor = rows.iter().filter_map(|row| Some((row.size as f64, row.floor_share()?)));
    let curves = [
        Curve { colour: "#1f6feb", name: "server", points: server.collect() },
        Curve { colour: "#8b949e", name: "floor: sends alone", points: floor.collect() },
    ];
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let right = round_up(all().map(|(size, _)| *size).fold(1.0, f64::max));
    let top = all().map(|(_, share)| *share).fold(CORE_SHARE_MAX, f64::max);
    let top = if top <= 1.0 { 1.0 } else { round_up(top) };
    let place = |(size, share): (f64, f64)| {
        let x = LEFT + size / right * (WIDTH - LEFT - RIGHT);
        (x, HEIGHT - BOTTOM - share / top * (HEIGHT - TOP - BOTTOM))
    };
    let mut svg = String::new();
    let mut add = |text: std::fmt::Arguments<'_>| {
        // Writing into a String cannot fail.
        svg.write_fmt(format_args!("{text}\n")).unwrap_or(());
    };
    add(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\" fill=\"#24292f\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"28\" font-size=\"17\">odeum bench {}: share of a core</text>",
        escape(name)
    ));
    for step in 0..=STEPS {
        let part = f64::from(step) / f64::from(STEPS);
        let (x, y) = place((right * part, top * part));
        let (left, bottom) = place((0.0, 0.0));
        add(format_args!(
            "<path d=\"M{left:.1} {y:.1}H{:.1}\" stroke=\"#d0d7de\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.0} %</text>\n\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{:.0}</text>",
            WIDTH - RIGHT,
            left - 8.0,
            y + 4.0,
            top * part * 100.0,
            bottom + 20.0,
            right * part
        ));
    }
    add(format_args!(
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n\
         <text x=\"{LEFT}\" y=\"{:.1}\" font-size=\"11\" fill=\"#57606a\">{}</text>",
        f64::midpoint(LEFT, WIDTH - RIGHT),
        HEIGHT - BOTTOM + 42.0,
        escape(unit),
        HEIGHT - 14.0,
        escape(machine)
    ));
    for (number, curve) in (0u32..).zip(curves.iter().filter(|curve| !curve.points.is_empty())) {
        let points: Vec<_> = curve.points.iter().map(|point| place(*point)).collect();
        add(format_args!("{}", curve.draw(&points, number)));
    }
    svg + "</svg>\n"
}

impl Curve {
    /// The line, its points and, at place `number`, its name.
    fn draw(&self, points: &[(f64, f64)], number: u32) -> String {
        let Self { colour, name, .. } = self;
        let line: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let dots: String = (points.iter())
            .map(|(x, y)| {
                format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>\n")
            })
            .collect();
        let (x, y) = (LEFT + 16.0, TOP + 16.0 + 20.0 * f64::from(number));
        format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n{dots}\
             <circle cx=\"{x:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{y:.1}\">{name}</text>",
            line.join(" "),
            y - 4.0,
            x + 12.0
        )
    }
}

/// The next number with one digit and zeros behind it, or half of it.
fn round_up(value: f64) -> f64 {
    let unit = 10f64.powf(value.log10().floor());
    let in_units = value / unit;
    unit * if in_units <= 5.0 { (in_units * 2.0).ceil() / 2.0 } else { in_units.ceil() }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_point_and_what_is_not_known_is_none() {
        let mut rows: Vec<_> = [1, 50, 200].map(|size| Row::new(size, 1, size)).into();
        for row in &mut rows {
            row.core_share = Some(row.size as f64 / 250.0);
        }
        let svg = draw("fanout", "viewers", &rows, "a machine <fast>");
        assert_eq!(svg.matches("r=\"3.5\"").count(), 3);
        assert_eq!(svg.matches("<polyline").count(), 1);
        assert!(svg.contains("a machine &lt;fast&gt;") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, end) in [(400.0, 400.0), (401.0, 450.0), (7.2, 8.0), (1.0, 1.0), (52.0, 60.0)] {
            assert!((round_up(value) - end).abs() < 1e-9, "{value}: {}", round_up(value));
        }
    }
}
