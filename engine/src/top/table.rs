//! A table as it is shown: columns, rows, and their order.

use std::cmp::Ordering;

/// What a thing is to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Tone {
    /// As usual.
    #[default]
    Plain,
    /// Of less weight.
    Faint,
    /// As it should be.
    Good,
    /// To be looked at.
    Odd,
    /// Wrong.
    Bad,
}

impl Tone {
    /// Of what should never happen.
    pub(super) fn bad_if(is_bad: bool) -> Self {
        if is_bad { Tone::Bad } else { Tone::Plain }
    }

    /// Of what happens, but not often.
    pub(super) fn odd_if(is_odd: bool) -> Self {
        if is_odd { Tone::Odd } else { Tone::Plain }
    }
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: &'static str,
    /// Whether it is of figures: at the right, and the largest first.
    pub(super) is_figure: bool,
    /// At least so wide, so that columns keep their place while figures change.
    pub(super) least: u16,
}

impl Column {
    /// Of names, from a to z.
    pub(super) const fn names(name: &'static str) -> Self {
        Column { name, is_figure: false, least: 0 }
    }

    /// Of figures, the largest first.
    pub(super) const fn figures(name: &'static str, least: u16) -> Self {
        Column { name, is_figure: true, least }
    }
}

/// What is in a row's column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) tone: Tone,
    /// What figures are compared by; names are compared by their text.
    figure: f64,
}

impl Cell {
    pub(super) fn name(text: &str) -> Self {
        Cell { text: text.into(), tone: Tone::Plain, figure: 0.0 }
    }

    pub(super) fn figure(text: String, figure: f64) -> Self {
        Cell { text, tone: Tone::Plain, figure }
    }

    /// A figure that is not known: smaller than all.
    pub(super) fn unknown() -> Self {
        Cell { text: "-".into(), tone: Tone::Faint, figure: f64::NEG_INFINITY }
    }

    pub(super) fn tone(self, tone: Tone) -> Self {
        Cell { tone, ..self }
    }
}

/// A row.
pub(super) type Row = Vec<Cell>;

/// A table.
pub(super) struct Table {
    pub(super) columns: &'static [Column],
    pub(super) rows: Vec<Row>,
}

/// How rows are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    /// By this column.
    pub(super) column: usize,
    /// The other way round than the column's own.
    pub(super) reversed: bool,
}

impl Order {
    /// Whether what is larger goes first.
    pub(super) fn is_falling(self, columns: &[Column]) -> bool {
        columns[self.column].is_figure != self.reversed
    }
}

impl Table {
    /// Orders the rows; those that are alike stay as they are.
    pub(super) fn sort(&mut self, order: Order) {
        let column = self.columns[order.column];
        let falling = order.is_falling(self.columns);
        self.rows.sort_by(|one, other| {
            let (one, other) = (&one[order.column], &other[order.column]);
            let rising: Ordering = match column.is_figure {
                true => one.figure.total_cmp(&other.figure),
                false => one.text.cmp(&other.text),
            };
            if falling { rising.reverse() } else { rising }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 2] = [Column::names("name"), Column::figures("count", 0)];

    /// The names, once rows were sorted.
    fn sorted(column: usize, reversed: bool) -> String {
        let row = |name: &str, count: Option<f64>| {
            vec![Cell::name(name), count.map_or(Cell::unknown(), |count| Cell::figure("?".into(), count))]
        };
        let rows = vec![row("b", Some(9.0)), row("d", Some(10.0)), row("a", None), row("c", Some(9.0))];
        let mut table = Table { columns: &COLUMNS, rows };
        table.sort(Order { column, reversed });
        table.rows.iter().map(|row| row[0].text.as_str()).collect()
    }

    #[test]
    fn names_rise_figures_fall_and_what_is_alike_stays() {
        assert_eq!(sorted(0, false), "abcd");
        assert_eq!(sorted(0, true), "dcba");
        assert_eq!(sorted(1, false), "dbca");
        assert_eq!(sorted(1, true), "abcd");
    }
}
