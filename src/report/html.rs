//! A report as one file that a browser opens without a network: its own style, no script, nothing loaded.

use crate::report::scale::escape;
use crate::report::{Block, Document};

/// The policy forbids the browser to load anything, whatever the text says.
const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
"#;
const STYLE: &str = "
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #d7dce2; } h3 { font-size: 1rem; margin: 0; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; }
th, td { text-align: left; padding: 0.15rem 0.9rem 0.15rem 0; vertical-align: top; border-bottom: 1px solid #eef0f3; overflow-wrap: anywhere; }
th { color: #555; font-weight: 600; } figure { margin: 1.5rem 0; } svg { width: 100%; height: auto; } figcaption { color: #555; font-size: 0.85rem; }
@media print { body { margin: 0; } figure { break-inside: avoid; } }
";

impl Document {
    /// For a browser, offline.
    pub fn html(&self) -> String {
        let title = escape(&self.title);
        let body: String = self.blocks.iter().map(block).collect();
        format!(
            "{HEAD}<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n"
        )
    }
}

fn block(block: &Block) -> String {
    match block {
        Block::Heading(text) => format!("<h2>{}</h2>\n", escape(text)),
        Block::Words(text) => format!("<p>{}</p>\n", escape(text)),
        Block::List(lines) => {
            let items: String = lines.iter().map(|line| format!("<li>{}</li>\n", escape(line))).collect();
            format!("<ul>\n{items}</ul>\n")
        }
        Block::Table { head, rows } => {
            let cells = |tag: &str, cells: &[String]| -> String {
                let cells: String = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell))).collect();
                format!("<tr>{cells}</tr>\n")
            };
            let has_head = head.iter().any(|cell| !cell.is_empty());
            let head = if has_head { cells("th", head) } else { String::new() };
            let rows: String = rows.iter().map(|row| cells("td", row)).collect();
            format!("<div class=\"wide\"><table>\n{head}{rows}</table></div>\n")
        }
        Block::Picture { title, svg, caption } => {
            format!("<figure><h3>{}</h3>{svg}<figcaption>{}</figcaption></figure>\n", escape(title), escape(caption))
        }
    }
}
