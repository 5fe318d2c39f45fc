//! Curves as SVG, which browsers show and which needs no library: both scales logarithmic, Strata drawn through and
//! what it is compared with dashed.

use std::fmt::Write as _;

/// The picture and the margins of its field, in pixels; the names of the curves stand in the right one.
const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 300.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
/// Colours that are told apart with any eyes, by Okabe and Ito.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// A picture of curves with the same axes.
#[derive(Debug, Default)]
pub struct Plot {
    /// What stands above it.
    pub title: String,
    /// What is from left to right.
    pub x_axis: String,
    /// What is from bottom to top.
    pub y_axis: String,
    /// The curves.
    pub curves: Vec<Curve>,
}

/// Points that belong together.
#[derive(Debug)]
pub struct Curve {
    /// What it says.
    pub name: String,
    /// Pairs of x and y, ascending in x. Those that are not above 0 have no place on a logarithmic scale.
    pub points: Vec<(f64, f64)>,
    /// The same of the baseline, if there is one.
    pub baseline: Vec<(f64, f64)>,
}

/// A logarithmic scale from one power of ten to another, on a stretch of pixels.
struct Scale {
    powers: (i32, i32),
    pixels: (f64, f64),
}

impl Plot {
    /// The picture as a file of its own.
    pub fn svg(&self) -> String {
        let all = || self.curves.iter().flat_map(|curve| curve.points.iter().chain(&curve.baseline)).copied();
        let x = Scale::of(all().map(|point| point.0), (LEFT, WIDTH - RIGHT));
        let y = Scale::of(all().map(|point| point.1), (HEIGHT - BOTTOM, TOP));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        );
        text(&mut svg, (LEFT, TOP - 15.0), "start", &self.title);
        text(&mut svg, (f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 10.0), "middle", &self.x_axis);
        text(&mut svg, (LEFT - 10.0, TOP - 15.0), "end", &self.y_axis);
        x.ticks().for_each(|power| {
            let at = x.at(10_f64.powi(power));
            line(&mut svg, (at, TOP), (at, HEIGHT - BOTTOM));
            text(&mut svg, (at, HEIGHT - BOTTOM + 18.0), "middle", &power_of_ten(power));
        });
        y.ticks().for_each(|power| {
            let at = y.at(10_f64.powi(power));
            line(&mut svg, (LEFT, at), (WIDTH - RIGHT, at));
            text(&mut svg, (LEFT - 10.0, at + 4.0), "end", &power_of_ten(power));
        });
        for (number, curve) in self.curves.iter().enumerate() {
            curve.draw(&mut svg, number, &x, &y);
        }
        svg + "</svg>\n"
    }
}

impl Curve {
    fn draw(&self, svg: &mut String, number: usize, x: &Scale, y: &Scale) {
        let colour = COLOURS[number % COLOURS.len()];
        for (points, dashes) in [(&self.points, "none"), (&self.baseline, "4 4")] {
            let shown = points.iter().filter(|(x, y)| *x > 0.0 && *y > 0.0);
            let points: String = shown.map(|point| format!("{:.1},{:.1} ", x.at(point.0), y.at(point.1))).collect();
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" \
                 stroke-dasharray=\"{dashes}\"/>",
                points.trim_end()
            );
        }
        #[allow(clippy::cast_precision_loss, reason = "there are few curves")]
        let at = TOP + 10.0 + 20.0 * number as f64;
        let beside = WIDTH - RIGHT + 15.0;
        let _ = writeln!(svg, "<rect x=\"{beside}\" y=\"{}\" width=\"12\" height=\"4\" fill=\"{colour}\"/>", at - 6.0);
        text(svg, (beside + 18.0, at), "start", &self.name);
    }
}

impl Scale {
    #[allow(clippy::cast_possible_truncation, reason = "powers of ten of measurements are small")]
    fn of(values: impl Iterator<Item = f64> + Clone, pixels: (f64, f64)) -> Scale {
        let logs = values.filter(|value| *value > 0.0).map(f64::log10);
        let least = logs.clone().fold(f64::INFINITY, f64::min);
        let most = logs.fold(f64::NEG_INFINITY, f64::max);
        if least > most {
            return Scale { powers: (0, 1), pixels };
        }
        let (low, high) = (least.floor() as i32, most.ceil() as i32);
        Scale { powers: (low, high.max(low + 1)), pixels }
    }

    fn at(&self, value: f64) -> f64 {
        let (low, high) = (f64::from(self.powers.0), f64::from(self.powers.1));
        self.pixels.0 + (value.log10() - low) / (high - low) * (self.pixels.1 - self.pixels.0)
    }

    fn ticks(&self) -> impl Iterator<Item = i32> {
        self.powers.0..=self.powers.1
    }
}

fn power_of_ten(power: i32) -> String {
    match power {
        -3..=3 => 10_f64.powi(power).to_string(),
        _ => format!("1e{power}"),
    }
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(svg, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#ddd\"/>");
}

fn text(svg: &mut String, at: (f64, f64), anchor: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{text}</text>", at.0, at.1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decade_is_as_wide_as_any_other() {
        let scale = Scale::of([200.0, 3.0].into_iter(), (0.0, 300.0));
        assert_eq!(scale.powers, (0, 3));
        assert_eq!([1.0, 10.0, 100.0, 1000.0].map(|value| scale.at(value).round()), [0.0, 100.0, 200.0, 300.0]);
        assert_eq!(Scale::of([5.0].into_iter(), (0.0, 1.0)).powers, (0, 1));
        assert_eq!(Scale::of([10.0].into_iter(), (0.0, 1.0)).powers, (1, 2), "no stretch is empty");
        assert_eq!(Scale::of([0.0].into_iter(), (0.0, 1.0)).powers, (0, 1), "nothing is above 0");
    }

    #[test]
    fn every_point_above_zero_is_drawn() {
        let curve =
            Curve { name: "a < b".into(), points: vec![(1.0, 1.0), (10.0, 0.0), (10.0, 10.0)], baseline: vec![] };
        let svg = Plot { title: "GET & PUT".into(), curves: vec![curve], ..Plot::default() }.svg();
        assert!(svg.contains(&format!("points=\"{LEFT:.1},{:.1} {:.1},{TOP:.1}\"", HEIGHT - BOTTOM, WIDTH - RIGHT)));
        assert!(svg.contains("GET &amp; PUT") && svg.contains("a &lt; b") && svg.ends_with("</svg>\n"));
    }
}
