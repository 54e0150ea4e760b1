//! Charts' sections of an index, cut out by their indentation.
//!
//! Helm and most tools write an index in block style, one chart a key below `entries`. Where an index looks otherwise
//! (JSON, flow style, anchors), nothing is cut and the whole index is read.

/// The text `entries:` with only the section of `chart`. `Some(None)` if the index has no such chart; `None` if it is
/// not written in a way that allows to know.
pub(super) fn cut(text: &str, chart: &str) -> Option<Option<String>> {
    let (_, entries) = find_line(text, "entries:")?;
    let body = &text[entries..];
    let first = body.lines().find(|l| !l.trim().is_empty() && !l.trim_start().starts_with('#'))?;
    let indent = first.len() - first.trim_start().len();
    if indent == 0 || !first.trim_end().ends_with(':') {
        return None;
    }
    let pad = &first[..indent];
    let plain = chart.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !plain {
        return None;
    }
    let start = [format!("{pad}{chart}:"), format!("{pad}\"{chart}\":"), format!("{pad}'{chart}':")]
        .iter()
        .find_map(|line| find_line(body, line));
    let Some((start, behind)) = start else { return Some(None) };
    // A second section of that name would be an error, which only a full reading tells.
    let end = section_end(&body[behind..], indent) + behind;
    Some(Some(format!("entries:\n{}", &body[start..end])))
}

/// An index taken apart.
pub(super) struct Sections<'t> {
    /// All but the charts.
    pub rest: String,
    /// Every chart's lines, which are YAML of their own.
    pub charts: Vec<&'t str>,
}

/// Takes an index apart; `None` if it is not written in a way that allows to.
pub(super) fn sections(text: &str) -> Option<Sections<'_>> {
    let (head, entries) = find_line(text, "entries:")?;
    let is_mark = |line: &str| line.starts_with("---") || line.starts_with("...");
    if text[..head].lines().skip(1).any(is_mark) {
        return None;
    }
    let (mut at, mut indent, mut charts) = (entries, None, Vec::new());
    while at < text.len() {
        let line = text[at..].split_inclusive('\n').next()?;
        let trimmed = line.trim_start_matches(' ');
        let depth = line.len() - trimmed.len();
        if trimmed.trim().is_empty() || trimmed.starts_with('#') {
            at += line.len();
        } else if depth == 0 {
            break;
        } else if depth != *indent.get_or_insert(depth) {
            return None;
        } else {
            let end = at + line.len() + section_end(&text[at + line.len()..], depth);
            charts.push(&text[at..end]);
            at = end;
        }
    }
    let rest = format!("{}{}", &text[..head], &text[at..]);
    (!charts.is_empty()).then_some(Sections { rest, charts })
}

/// Where the line is that is `wanted` and at most a comment: its begin, and the begin of the next one.
fn find_line(text: &str, wanted: &str) -> Option<(usize, usize)> {
    let mut at = 0;
    loop {
        let found = at + text[at..].find(wanted)?;
        let end = found + wanted.len();
        let begins = found == 0 || text.as_bytes()[found - 1] == b'\n';
        let line_end = text[end..].find('\n').map_or(text.len(), |n| end + n);
        let rest = text[end..line_end].trim();
        if begins && (rest.is_empty() || rest.starts_with('#')) {
            return Some((found, (line_end + 1).min(text.len())));
        }
        at = end;
    }
}

/// Where the lines end that belong to a key at `indent`: deeper ones, list items at its own indent, comments.
fn section_end(text: &str, indent: usize) -> usize {
    let mut at = 0;
    while at < text.len() {
        let line = &text[at..];
        let line = line.find('\n').map_or(line, |n| &line[..n]);
        let trimmed = line.trim_start_matches(' ');
        let depth = line.len() - trimmed.len();
        let blank = trimmed.trim().is_empty() || trimmed.starts_with('#');
        if !blank && (depth < indent || depth == indent && !trimmed.starts_with('-')) {
            return at;
        }
        at += line.len() + 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "apiVersion: v1\nentries:\n  a:\n  - name: a\n    description: |\n      entries:\n\n      b:\n  b:\n    - name: b\n  \"c\":\n  - name: c\ngenerated: x\n";

    #[test]
    fn all_charts_are_cut_out() {
        let all = sections(INDEX).unwrap();
        let a = "  a:\n  - name: a\n    description: |\n      entries:\n\n      b:\n";
        assert_eq!(all.charts, [a, "  b:\n    - name: b\n", "  \"c\":\n  - name: c\n"]);
        assert_eq!(all.rest, "apiVersion: v1\ngenerated: x\n");
        let noted = "entries: # all\n# one\n\n   a: # its own\n   # more\n   - n: a\n \nx: y";
        let all = sections(noted).unwrap();
        assert_eq!(
            (all.charts, all.rest.as_str()),
            (vec!["   a: # its own\n   # more\n   - n: a\n \n"], "x: y")
        );
        for other in [
            "entries: {a: []}\n",
            "entries:\n",
            "a: 1\n---\nentries:\n  a:\n  - n: a\n",
            "entries:\n   a:\n  b:\n",
        ] {
            assert!(sections(other).is_none(), "{other}");
        }
    }

    #[test]
    fn one_chart_is_cut_out() {
        let a = "entries:\n  a:\n  - name: a\n    description: |\n      entries:\n\n      b:\n";
        assert_eq!(cut(INDEX, "a").unwrap().unwrap(), a);
        assert_eq!(cut(INDEX, "b").unwrap().unwrap(), "entries:\n  b:\n    - name: b\n");
        assert_eq!(cut(INDEX, "c").unwrap().unwrap(), "entries:\n  \"c\":\n  - name: c\n");
        let noted = "entries:\n  a:\n  - n: a\n  w: # ☃☃☃\n  - n: w\n";
        assert_eq!(cut(noted, "w").unwrap().unwrap(), "entries:\n  w: # ☃☃☃\n  - n: w\n");
        let inside = "entries:\n  w:\n  # more\n  - n: w\n  x:\n";
        assert_eq!(cut(inside, "w").unwrap().unwrap(), "entries:\n  w:\n  # more\n  - n: w\n");
        assert_eq!(cut("entries:\n  w:", "w").unwrap().unwrap(), "entries:\n  w:");
        assert_eq!(cut(INDEX, "d"), Some(None));
        assert_eq!(cut("{\"entries\": {}}", "a"), None);
        assert_eq!(cut("entries: {a: []}\n", "a"), None);
        assert_eq!(cut("entries:\n", "a"), None);
    }
}
