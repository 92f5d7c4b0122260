//! A point of the check, and what is said of it.

use serde::Serialize;

/// What is said of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Fine,
    /// The engine works, less well than it could.
    Doubtful,
    /// The engine does not start, or does not do its work.
    Wrong,
    /// It cannot be known here.
    #[serde(rename = "not told")]
    NotTold,
}

impl Verdict {
    /// All, in the order in which they are counted.
    pub(super) const ALL: [Verdict; 4] = [Verdict::Fine, Verdict::Doubtful, Verdict::Wrong, Verdict::NotTold];

    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Verdict::Fine => "fine",
            Verdict::Doubtful => "doubtful",
            Verdict::Wrong => "wrong",
            Verdict::NotTold => "not told",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Point {
    /// Its name.
    pub(super) point: String,
    /// What is said of it.
    pub(super) verdict: Verdict,
    /// What was found.
    pub(super) found: String,
    /// The way out, unless it is part of what was found.
    pub(super) advice: Option<String>,
}

impl Point {
    /// As it should be.
    pub(super) fn fine(point: impl Into<String>, found: impl Into<String>) -> Self {
        Point::new(point, Verdict::Fine, found)
    }

    /// Less well than it could be.
    pub(super) fn doubtful(point: impl Into<String>, found: impl Into<String>) -> Self {
        Point::new(point, Verdict::Doubtful, found)
    }

    /// The engine cannot do its work so.
    pub(super) fn wrong(point: impl Into<String>, found: impl Into<String>) -> Self {
        Point::new(point, Verdict::Wrong, found)
    }

    /// Cannot be known here, for this reason.
    pub(super) fn not_told(point: impl Into<String>, why: impl Into<String>) -> Self {
        Point::new(point, Verdict::NotTold, why)
    }

    /// Its file is not there: another kernel, or a container that hides it.
    pub(super) fn not_told_here(point: impl Into<String>, file: &str) -> Self {
        Point::not_told(point, format!("not told here: there is no {file}"))
    }

    fn new(point: impl Into<String>, verdict: Verdict, found: impl Into<String>) -> Self {
        Point { point: point.into(), verdict, found: found.into(), advice: None }
    }

    /// The same with the way out.
    #[must_use]
    pub(super) fn advising(self, advice: impl Into<String>) -> Self {
        Point { advice: Some(advice.into()), ..self }
    }
}

/// Points that belong together.
#[derive(Debug)]
pub(super) struct Group {
    /// Its name.
    pub(super) name: &'static str,
    /// In the order in which they are shown.
    pub(super) points: Vec<Point>,
}
