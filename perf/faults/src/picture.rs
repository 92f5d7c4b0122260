//! Memory, journals and faults over time, as a picture.

use std::path::Path;

use plotters::prelude::*;

use crate::campaign::Struck;
use crate::plan::Kind;
use crate::samples::Sample;

const SIZE: (u32, u32) = (1400, 900);
/// Points of a curve: more cannot be told apart.
const POINTS: usize = 1_400;
const MIB: f64 = 1_048_576.0;

type Drawn<'a> = Result<(), Box<dyn std::error::Error + 'a>>;

/// Draws it. `bound_bytes` is what the engine may have resident.
pub(crate) fn draw(
    path: &Path,
    title: &str,
    samples: &[Sample],
    struck: &[Struck],
    bound_bytes: u64,
) -> anyhow::Result<()> {
    let drawn = try_draw(path, title, samples, struck, bound_bytes as f64 / MIB);
    drawn.map_err(|error| anyhow::anyhow!("{} cannot be drawn: {error}", path.display()))
}

fn try_draw<'a>(path: &'a Path, title: &str, samples: &[Sample], struck: &[Struck], bound: f64) -> Drawn<'a> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let root = root.titled(title, ("sans-serif", 20))?;
    let (memory, rest) = root.split_vertically(290);
    let (disk, faults) = rest.split_vertically(250);
    let end = samples.last().map_or(1.0, |sample| sample.at_s);
    let resident = curve(samples, |sample| sample.resident_bytes as f64 / MIB);
    let spilled = curve(samples, |sample| sample.spilled_bytes as f64 / MIB);
    panel(&memory, "engine's resident memory, MiB", (end, bound * 1.1), &resident, Some(bound), &BLUE)?;
    let most = spilled.iter().fold(1.0, |most: f64, (_, value)| most.max(*value));
    panel(&disk, "journals on disk, MiB", (end, most * 1.1), &spilled, None, &RED)?;
    timeline(&faults, end, struck)?;
    root.present()?;
    Ok(())
}

/// As many points as can be told apart, each the most of those it stands for.
fn curve(samples: &[Sample], value: impl Fn(&Sample) -> f64) -> Vec<(f64, f64)> {
    let together = samples.len().div_ceil(POINTS).max(1);
    let point = |chunk: &[Sample]| (chunk[0].at_s, chunk.iter().map(&value).fold(0.0, f64::max));
    samples.chunks(together).map(point).collect()
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn panel<'a>(
    area: &Area<'a>,
    caption: &str,
    (end, top): (f64, f64),
    curve: &[(f64, f64)],
    bound: Option<f64>,
    color: &RGBColor,
) -> Drawn<'a> {
    let mut builder = ChartBuilder::on(area);
    builder.caption(caption, ("sans-serif", 16)).margin(6).x_label_area_size(24).y_label_area_size(110);
    let mut chart = builder.build_cartesian_2d(0.0..end, 0.0..top)?;
    chart.configure_mesh().light_line_style(WHITE).x_labels(12).y_labels(6).draw()?;
    chart.draw_series(AreaSeries::new(curve.iter().copied(), 0.0, color.mix(0.15)).border_style(color))?;
    if let Some(bound) = bound {
        chart.draw_series(LineSeries::new([(0.0, bound), (end, bound)], BLACK.stroke_width(2)))?;
        chart.draw_series([Text::new("bound", (0.0, bound * 0.99), ("sans-serif", 14))])?;
    }
    Ok(())
}

/// A row for each kind of fault.
fn timeline<'a>(area: &Area<'a>, end: f64, struck: &[Struck]) -> Drawn<'a> {
    let rows = Kind::ALL.len();
    let mut builder = ChartBuilder::on(area);
    builder.caption("faults; the horizontal axis is seconds", ("sans-serif", 16)).margin(6);
    builder.x_label_area_size(24).y_label_area_size(110);
    let mut chart = builder.build_cartesian_2d(0.0..end, (0..rows).into_segmented())?;
    let name = |place: &SegmentValue<usize>| match place {
        SegmentValue::CenterOf(row) | SegmentValue::Exact(row) => {
            Kind::ALL.get(*row).map_or(String::new(), |kind| kind.name().to_string())
        }
        SegmentValue::Last => String::new(),
    };
    chart.configure_mesh().light_line_style(WHITE).x_labels(12).y_labels(rows).y_label_formatter(&name).draw()?;
    // One of a moment is to be seen, too.
    let shortest = end / 700.0;
    for one in struck {
        let row = Kind::ALL.iter().position(|kind| *kind == one.kind).unwrap_or(0);
        let color = Palette99::pick(row).mix(0.8).filled();
        let corners = [
            (one.from_s, SegmentValue::Exact(row)),
            (one.to_s.max(one.from_s + shortest), SegmentValue::Exact(row + 1)),
        ];
        let mut bar = Rectangle::new(corners, color);
        bar.set_margin(3, 3, 0, 0);
        chart.draw_series([bar])?;
    }
    Ok(())
}
