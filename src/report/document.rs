//! What a report is made of, and its two plain forms.

use unicode_width::UnicodeWidthStr;

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its title.
    pub title: String,
    /// Its parts, in order.
    pub blocks: Vec<Block>,
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Begins a section.
    Heading(String),
    /// Sentences.
    Words(String),
    /// Short sentences, one a line.
    List(Vec<String>),
    /// Rows of cells under a head.
    Table {
        /// Names of the columns.
        head: Vec<String>,
        /// As many cells each as the head.
        rows: Vec<Vec<String>>,
    },
    /// A drawing, as a complete `svg` element, with what it says in words. Only HTML shows it.
    Picture {
        /// What it is called.
        title: String,
        /// The element.
        svg: String,
        /// What is to be seen.
        caption: String,
    },
}

impl Block {
    /// A heading.
    pub fn heading(text: &str) -> Self {
        Self::Heading(text.to_owned())
    }

    /// Rows of a name and its value.
    pub fn facts(name: &str, value: &str, rows: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
        Self::Table { head: vec![name.to_owned(), value.to_owned()], rows }
    }

    /// A table with these columns.
    pub fn table(head: &[&str], rows: Vec<Vec<String>>) -> Self {
        Self::Table { head: head.iter().map(|cell| (*cell).to_owned()).collect(), rows }
    }
}

impl Document {
    /// For a terminal.
    pub fn text(&self) -> String {
        let mut out = format!("{}\n", self.title);
        for block in &self.blocks {
            match block {
                Block::Heading(text) => out.push_str(&format!("\n{text}\n")),
                Block::Words(text) => out.push_str(&format!("{text}\n")),
                Block::List(lines) => lines.iter().for_each(|line| out.push_str(&format!("  - {line}\n"))),
                Block::Table { head, rows } => out.push_str(&aligned(head, rows)),
                Block::Picture { .. } => {}
            }
        }
        out
    }

    /// For a repository or a page.
    pub fn markdown(&self) -> String {
        let mut out = format!("# {}\n", self.title);
        let row = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        for block in &self.blocks {
            match block {
                Block::Heading(text) => out.push_str(&format!("\n## {text}\n")),
                Block::Words(text) => out.push_str(&format!("\n{text}\n")),
                Block::List(lines) => {
                    out.push('\n');
                    lines.iter().for_each(|line| out.push_str(&format!("- {line}\n")));
                }
                Block::Table { head, rows } => {
                    out.push_str(&format!("\n{}|{}\n", row(head), "---|".repeat(head.len())));
                    rows.iter().for_each(|cells| out.push_str(&row(cells)));
                }
                Block::Picture { .. } => {}
            }
        }
        out
    }
}

/// Columns padded to their widest cell, two blanks apart; nothing trails.
fn aligned(head: &[String], rows: &[Vec<String>]) -> String {
    let lines = || std::iter::once(head).chain(rows.iter().map(Vec::as_slice));
    let mut widths = vec![0; head.len()];
    for cells in lines() {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.width());
        }
    }
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.width())));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_report_reads_as_text_and_as_markdown() {
        let rows = vec![vec!["a|b".to_owned(), "1".to_owned()], vec!["c".to_owned(), "22".to_owned()]];
        let list = Block::List(vec!["one".to_owned()]);
        let blocks = vec![Block::heading("Part"), Block::Words("Said.".to_owned()), list, Block::table(&["name", "n"], rows)];
        let document = Document { title: "Title".to_owned(), blocks };
        assert_eq!(document.text(), "Title\n\nPart\nSaid.\n  - one\nname  n\na|b   1\nc     22\n");
        let expected = "# Title\n\n## Part\n\nSaid.\n\n- one\n\n| name | n |\n|---|---|\n| a\\|b | 1 |\n| c | 22 |\n";
        assert_eq!(document.markdown(), expected);
    }
}
