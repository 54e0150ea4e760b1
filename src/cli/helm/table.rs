//! Tables, JSON and YAML as Helm prints them.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::base::{Failure, Kind};
use crate::chartrepo::Ordered;
use crate::yaml;

/// `-o`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Columns for people.
    #[default]
    Table,
    /// One line of JSON.
    Json,
    /// YAML.
    Yaml,
}

/// Columns padded to their widest cell and separated by tabs. Cells wider than `limit` are cut; 0 is no limit.
pub fn table(rows: &[Vec<String>], limit: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.width()).max().unwrap_or(0);
        if limit > 0 { widest.min(limit) } else { widest }
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| resized(cell, *width));
        cells.collect::<Vec<_>>().join("\t")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

fn resized(cell: &str, width: usize) -> String {
    let have = cell.width();
    if have <= width {
        return format!("{cell}{}", " ".repeat(width - have));
    }
    let (mut out, mut used) = (String::new(), 0);
    for c in cell.chars() {
        out.push(c);
        let wide = c.width().unwrap_or(0);
        if used + wide + 3 >= width {
            break;
        }
        used += wide;
    }
    out + "..."
}

/// A list in one of the formats for programs.
///
/// # Errors
/// If a text cannot be written.
pub fn list(items: Vec<Ordered>, output: Output) -> Result<String, Failure> {
    let list = Ordered::List(items);
    if output == Output::Json {
        return Ok(list.compact() + "\n");
    }
    let text = yaml::write(&list.to_value()).map_err(|e| Failure::of(Kind::Bug, &e))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns() {
        let rows = [vec!["NAME".to_owned(), "URL".to_owned()], vec!["a".to_owned(), "http://x".to_owned()]];
        assert_eq!(table(&rows, 0), "NAME\tURL     \na   \thttp://x\n");
        assert_eq!(table(&rows, 6), "NAME\tURL   \na   \thtt...\n");
    }
}
