//! The page around picture and table.

use std::fmt::Write as _;
use std::time::Duration;

use crate::ui::format::size;
use crate::ui::timeline::escape;
use crate::ui::timeline::picture::picture;
use crate::ui::timeline::story::{Row, Story, time};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The whole page.
pub(super) fn page(title: &str, story: &Story) -> String {
    let title = escape(title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Timeline: {title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#tasks\">To the table</a>\n<header>\n<h1>Where the time went</h1>\n\
         <p class=\"what\">{title}</p>\n"
    );
    if story.rows.is_empty() {
        out.push_str("</header>\n<main><p>Nothing happened.</p></main>\n</body>\n</html>\n");
        return out;
    }
    out.push_str(&figures(story));
    out.push_str("</header>\n<main>\n<figure>\n");
    out.push_str(&picture(story));
    out.push_str(LEGEND);
    out.push_str("</figure>\n");
    out.push_str(&table(story));
    let _ = write!(out, "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
    out
}

const LEGEND: &str = "<figcaption>\
<span><i class=\"key step\"></i>step</span>\
<span><i class=\"key transfer\"></i>transfer</span>\
<span><i class=\"key output\"></i>output</span>\
<span><i class=\"key facts\"></i>facts</span>\
<span><i class=\"key cached\"></i>cached (hatched)</span>\
<span><i class=\"key failed\"></i>failed (\u{2715})</span>\
<span><i class=\"key waiting\"></i>waited (dotted line)</span>\
<span><i class=\"key longest\"></i>critical path (underlined): what the end waited for</span>\
</figcaption>\n";

fn figures(story: &Story) -> String {
    let moved: u64 = story.rows.iter().map(|row| row.moved).sum();
    let waited: Duration = story.rows.iter().map(|row| row.waited).sum();
    let failed = story.rows.iter().filter(|row| row.result() == "failed").count();
    let mut facts = vec![
        ("Took", time(story.took())),
        ("Critical path", time(story.critical())),
        ("Steps run", story.steps("ran").to_string()),
        ("Steps cached", story.steps("cached").to_string()),
        ("Waited", if waited.is_zero() { "none".into() } else { time(waited) }),
        ("Moved", size(moved)),
    ];
    if failed > 0 {
        facts.insert(0, ("Failed", failed.to_string()));
    }
    let facts =
        facts.iter().map(|(name, value)| format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", escape(value)));
    format!("<dl>\n{}</dl>\n", facts.collect::<String>())
}

fn table(story: &Story) -> String {
    let mut out = String::from(
        "<table id=\"tasks\" tabindex=\"-1\">\n<caption>All tasks in the order in which they began</caption>\n\
         <thead><tr><th scope=\"col\">No.</th><th scope=\"col\">Task</th><th scope=\"col\">Kind</th>\
         <th scope=\"col\">Result</th><th scope=\"col\">Began</th><th scope=\"col\">Waited</th>\
         <th scope=\"col\">Took</th><th scope=\"col\">Moved</th><th scope=\"col\">Critical path</th></tr></thead>\n\
         <tbody>\n",
    );
    for row in &story.rows {
        line(&mut out, row, story.began);
    }
    out.push_str("</tbody>\n</table>\n");
    out
}

fn line(out: &mut String, row: &Row, began: Duration) {
    let waited = if row.waited.is_zero() { String::new() } else { time(row.waited) };
    let moved = if row.moved == 0 { String::new() } else { size(row.moved) };
    let _ = writeln!(
        out,
        "<tr id=\"task-{number}\" tabindex=\"0\" class=\"{result}\"><td>{number}</td>\
         <th scope=\"row\">{name}{more}</th><td>{what}</td><td>{result}</td><td>{began}</td><td>{waited}</td>\
         <td>{took}</td><td>{moved}</td><td>{longest}</td></tr>",
        number = row.number,
        result = row.result(),
        name = escape(&row.name),
        more = more(row),
        what = row.what(),
        began = escape(&time(row.began.saturating_sub(began))),
        took = escape(&time(row.took())),
        longest = if row.critical { "yes" } else { "" },
    );
}

/// What it ended with and its last log lines, folded away unless it failed.
fn more(row: &Row) -> String {
    let mut out = String::new();
    if !row.detail.is_empty() {
        let _ = write!(out, "<p class=\"detail\">{}</p>", escape(&row.detail));
    }
    if !row.lines.is_empty() {
        let open = if row.result() == "failed" { " open" } else { "" };
        let lines: Vec<String> = row.lines.iter().map(|line| escape(line)).collect();
        let count = lines.len();
        let _ = write!(
            out,
            "<details{open}><summary>last {count} log lines</summary><pre>{}</pre></details>",
            lines.join("\n")
        );
    }
    out
}
