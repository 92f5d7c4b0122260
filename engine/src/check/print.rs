//! Says what was found, for people as it comes, or as JSON at the end.

use std::io::{self, Write};
use std::process::ExitCode;

use console::Style;
use serde::Serialize;

use super::point::{Group, Point, Verdict};
use crate::outcome::Outcome;

/// The least width of a point's name.
const NAME_WIDTH: usize = 14;

/// A point as JSON.
#[derive(Serialize)]
struct Line<'a> {
    group: &'a str,
    #[serde(flatten)]
    point: &'a Point,
}

/// Prints groups as they come.
pub(super) struct Printer {
    json: bool,
    groups: Vec<Group>,
}

impl Printer {
    pub(super) fn new(json: bool) -> Self {
        Printer { json, groups: Vec::new() }
    }

    /// Takes what was found of a group, and shows it, if it is for people.
    pub(super) fn take(&mut self, group: Group) -> io::Result<()> {
        if !self.json {
            let mut out = io::stdout().lock();
            write!(out, "{}", shown(&group, colour))?;
            out.flush()?;
        }
        self.groups.push(group);
        Ok(())
    }

    /// Says how many points there are of each verdict, or prints all as JSON. The exit code is that of a failure if
    /// something is wrong.
    pub(super) fn end(self) -> io::Result<ExitCode> {
        let points = || self.groups.iter().flat_map(|group| &group.points);
        let mut out = io::stdout().lock();
        if self.json {
            let line = |group: &'_ Group| -> Vec<_> {
                group.points.iter().map(|point| serde_json::json!(Line { group: group.name, point })).collect()
            };
            let all: Vec<_> = self.groups.iter().flat_map(line).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
        } else {
            writeln!(out, "\n{}", counts(points()))?;
        }
        out.flush()?;
        let is_wrong = points().any(|point| point.verdict == Verdict::Wrong);
        Ok(if is_wrong { Outcome::Lost } else { Outcome::Complete }.into())
    }
}

/// A group with its points, a line each.
fn shown(group: &Group, word: impl Fn(Verdict) -> String) -> String {
    let width = group.points.iter().map(|point| point.point.chars().count()).max().unwrap_or(0).max(NAME_WIDTH);
    let mut text = format!("{}\n", group.name);
    for Point { point, verdict, found, advice } in &group.points {
        text += &format!("  {}  {point:width$}  {found}", word(*verdict));
        if let Some(advice) = advice {
            text += &format!(": {advice}");
        }
        text.push('\n');
    }
    text
}

/// The verdict's word, padded; in colour on a terminal.
fn colour(verdict: Verdict) -> String {
    let look = match verdict {
        Verdict::Fine => Style::new().green(),
        Verdict::Doubtful => Style::new().yellow(),
        Verdict::Wrong => Style::new().red().bold(),
        Verdict::NotTold => Style::new().dim(),
    };
    look.apply_to(padded(verdict)).to_string()
}

fn padded(verdict: Verdict) -> String {
    format!("{:8}", verdict.word())
}

fn counts<'a>(points: impl Iterator<Item = &'a Point> + Clone) -> String {
    let count = |verdict| points.clone().filter(|point| point.verdict == verdict).count();
    let each = Verdict::ALL.map(|verdict| format!("{} {}", count(verdict), verdict.word()));
    each.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_shown_with_a_line_for_each_point() {
        let points = vec![
            Point::fine("io_uring", "allowed"),
            Point::doubtful("isolation", "CPU 1 is shared").advising("boot with isolcpus=1"),
            Point::wrong("a longer name than most", "it is so"),
            Point::not_told_here("governor", "/sys"),
        ];
        assert_eq!(counts(points.iter()), "1 fine, 1 doubtful, 1 wrong, 1 not told");
        let text = shown(&Group { name: "machine", points }, padded);
        assert_eq!(
            text,
            "machine\n  fine      io_uring                 allowed\n  doubtful  isolation                CPU 1 is shared: \
             boot with isolcpus=1\n  wrong     a longer name than most  it is so\n  not told  governor                 not \
             told here: there is no /sys\n"
        );
    }

    #[test]
    fn a_point_in_json_has_its_group_and_no_advice_where_there_is_none() {
        let line = serde_json::json!(Line { group: "clock", point: &Point::not_told("source", "no") });
        let expected = serde_json::json!({"group": "clock", "point": "source", "verdict": "not told", "found": "no", "advice": null});
        assert_eq!(line, expected);
    }
}
