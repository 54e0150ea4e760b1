//! Tables of commands that list things.

use unicode_width::UnicodeWidthStr as _;

/// Rows under headings, columns aligned by what they hold.
///
/// Nothing is ever cut: a table may be read by a program.
#[derive(Clone, Debug, Default)]
pub struct Table {
    headings: Vec<String>,
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings. One that begins with `>` stands to the right, as numbers do.
    pub fn new(headings: &[&str]) -> Self {
        Self {
            right: headings.iter().map(|heading| heading.starts_with('>')).collect(),
            headings: headings.iter().map(|heading| heading.trim_start_matches('>').to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row. Missing cells are empty; cells without a heading are left out.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) -> &mut Self {
        let mut row: Vec<String> = cells
            .into_iter()
            .map(|cell| super::clean(cell.into().as_bytes()))
            .take(self.headings.len())
            .collect();
        row.resize(self.headings.len(), String::new());
        self.rows.push(row);
        self
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, headings first, each ending with a newline and without spaces at its end.
    pub fn render(&self) -> String {
        let all = || std::iter::once(&self.headings).chain(&self.rows);
        let widths: Vec<usize> = (0..self.headings.len())
            .map(|column| all().map(|row| row[column].width()).max().unwrap_or(0))
            .collect();
        let mut out = String::new();
        for row in all() {
            let mut line = String::new();
            for ((cell, width), right) in row.iter().zip(&widths).zip(&self.right) {
                let space = " ".repeat(width - cell.width());
                let (before, after) = if *right { (space.as_str(), "") } else { ("", space.as_str()) };
                line.push_str(&format!("{before}{cell}{after}   "));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_is_in_them() {
        let mut table = Table::new(&["NAME", ">SIZE", "NOTE"]);
        table.row(["日本", "5.24MB", ""]).row(["shop:1", "0B", "a\tb"]).row(["x"]);
        insta::assert_snapshot!(table.render(), @r"
        NAME       SIZE   NOTE
        日本     5.24MB
        shop:1       0B   a       b
        x
        ");
    }
}
