//! Turns a finished screen into something a person can look at away from the terminal: plain text, text with colour codes, a picture.
//!
//! Everything here is a pure function of the buffer, so that the same screen gives the same bytes on every machine. Nothing is written
//! to a file and no colour is taken from the terminal: the sixteen named colours have fixed values in the picture.

mod shapes;
mod svg;

use ratatui::buffer::{Buffer, Cell, CellWidth};
use ratatui::style::{Color, Modifier, Style};

/// Writes the screen as text: one line per row, without trailing spaces.
pub fn to_text(buffer: &Buffer) -> String {
    lines(buffer, |glyph, line| line.push_str(glyph.text))
}

/// Writes one letter per cell for its style, in the grid of [`to_text`]; a wide character gets its letter once per column.
pub fn style_layer(buffer: &Buffer, letter: &dyn Fn(Style) -> char) -> String {
    lines(buffer, |glyph, line| {
        let letter = letter(glyph.cell.style());
        line.extend((0..glyph.width).map(|_| letter));
    })
}

/// Writes the screen with SGR sequences: one where the style changes, and a reset at the end of a line that needs it.
pub fn to_ansi(buffer: &Buffer) -> String {
    let mut screen = String::new();
    for row in 0..buffer.area.height {
        let mut current = PLAIN.to_owned();
        let mut glyphs = glyphs(buffer, row);
        while glyphs.last().is_some_and(|glyph| glyph.text == " " && sgr(glyph.cell) == PLAIN) {
            glyphs.pop();
        }
        for glyph in glyphs {
            let wanted = sgr(glyph.cell);
            if wanted != current {
                screen.push_str(&format!("\u{1b}[{wanted}m"));
                current = wanted;
            }
            screen.push_str(glyph.text);
        }
        if current != PLAIN {
            screen.push_str(&format!("\u{1b}[{PLAIN}m"));
        }
        screen.push('\n');
    }
    screen
}

/// Draws the screen as an SVG picture on a dark ground. Lines, blocks and braille are shapes rather than letters, so they join in any
/// viewer, whatever its font.
pub fn to_svg(buffer: &Buffer, title: &str) -> String {
    svg::picture(buffer, title)
}

/// What one position of the grid shows; the cells a wide character covers are not listed.
struct Glyph<'a> {
    column: u16,
    width: u16,
    text: &'a str,
    cell: &'a Cell,
}

fn glyphs(buffer: &Buffer, row: u16) -> Vec<Glyph<'_>> {
    let area = buffer.area;
    let mut glyphs = Vec::new();
    let mut column = 0;
    while column < area.width {
        let Some(cell) = buffer.cell((area.x.saturating_add(column), area.y.saturating_add(row))) else { break };
        let text = printable(cell.symbol());
        let width = text.cell_width().clamp(1, area.width - column);
        glyphs.push(Glyph { column, width, text, cell });
        column += width;
    }
    glyphs
}

/// A symbol that would move the cursor or take no room is shown as a space, so that columns stay where they are.
fn printable(symbol: &str) -> &str {
    if symbol.contains(char::is_control) || symbol.cell_width() == 0 { " " } else { symbol }
}

fn lines(buffer: &Buffer, mut write: impl FnMut(&Glyph<'_>, &mut String)) -> String {
    let mut text = String::new();
    for row in 0..buffer.area.height {
        let mut line = String::new();
        for glyph in glyphs(buffer, row) {
            write(&glyph, &mut line);
        }
        text.push_str(line.trim_end_matches(' '));
        text.push('\n');
    }
    text
}

/// The SGR parameter of a cell without any style.
const PLAIN: &str = "0";

const SGR_MODIFIERS: [(Modifier, &str); 9] = [
    (Modifier::BOLD, ";1"),
    (Modifier::DIM, ";2"),
    (Modifier::ITALIC, ";3"),
    (Modifier::UNDERLINED, ";4"),
    (Modifier::SLOW_BLINK, ";5"),
    (Modifier::RAPID_BLINK, ";6"),
    (Modifier::REVERSED, ";7"),
    (Modifier::HIDDEN, ";8"),
    (Modifier::CROSSED_OUT, ";9"),
];

/// The parameters of the sequence that leads from any style to that of `cell` (ECMA-48, with xterm's 256 colours and RGB).
fn sgr(cell: &Cell) -> String {
    let mut codes = PLAIN.to_owned();
    for (modifier, code) in SGR_MODIFIERS {
        if cell.modifier.contains(modifier) {
            codes.push_str(code);
        }
    }
    format!("{codes}{}{}", sgr_colour(cell.fg, 30), sgr_colour(cell.bg, 40))
}

/// `base` is 30 for the foreground and 40 for the background; bright colours lie 60 above.
fn sgr_colour(colour: Color, base: u8) -> String {
    match (colour, palette_slot(colour)) {
        (Color::Rgb(red, green, blue), _) => format!(";{};2;{red};{green};{blue}", base + 8),
        (Color::Indexed(index), _) => format!(";{};5;{index}", base + 8),
        (_, Some(slot)) if slot < 8 => format!(";{}", base + slot),
        (_, Some(slot)) => format!(";{}", base + 60 + slot - 8),
        (_, None) => String::new(),
    }
}

/// The place of a named colour among the sixteen of a terminal.
const fn palette_slot(colour: Color) -> Option<u8> {
    Some(match colour {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::{Color, Modifier, Style};

    use super::{style_layer, to_ansi, to_svg, to_text};

    fn line(text: &str) -> Buffer {
        Buffer::with_lines([text])
    }

    #[test]
    fn text_has_one_line_per_row_and_no_trailing_spaces() {
        assert_eq!(to_text(&Buffer::with_lines(["EUR/USD   ", "", " 1.0842"])), "EUR/USD\n\n 1.0842\n");
        assert_eq!(to_text(&Buffer::empty(Rect::new(0, 0, 0, 2))), "\n\n");
        assert_eq!(to_text(&Buffer::empty(Rect::ZERO)), "");
    }

    #[test]
    fn a_wide_character_counts_once() {
        assert_eq!(to_text(&line("日本|x")), "日本|x\n");
    }

    #[test]
    fn what_would_move_the_cursor_becomes_a_space() {
        let mut buffer = line("abcd");
        buffer[(1, 0)].set_symbol("\n");
        buffer[(2, 0)].set_symbol("");
        assert_eq!(to_text(&buffer), "a  d\n");
    }

    #[test]
    fn a_buffer_may_lie_anywhere() {
        let mut buffer = Buffer::empty(Rect::new(7, 5, 4, 1));
        buffer.set_string(7, 5, "pmax", Style::new());
        assert_eq!(to_text(&buffer), "pmax\n");
    }

    #[test]
    fn codes_appear_only_where_the_style_changes() {
        let mut buffer = line("ab cd   ");
        buffer.set_style(Rect::new(0, 0, 2, 1), Style::new().fg(Color::LightRed).add_modifier(Modifier::BOLD));
        buffer.set_style(Rect::new(3, 0, 2, 1), Style::new().fg(Color::Indexed(208)).bg(Color::Rgb(1, 2, 3)));
        assert_eq!(to_ansi(&buffer), "\u{1b}[0;1;91mab\u{1b}[0m \u{1b}[0;38;5;208;48;2;1;2;3mcd\u{1b}[0m\n");
    }

    #[test]
    fn styled_space_is_kept_in_colour_and_plain_space_is_not() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 2));
        buffer.set_style(Rect::new(0, 0, 2, 1), Style::new().bg(Color::Blue).add_modifier(Modifier::DIM | Modifier::REVERSED));
        assert_eq!(to_ansi(&buffer), "\u{1b}[0;2;7;44m  \u{1b}[0m\n\n");
    }

    #[test]
    fn the_picture_shows_what_the_screen_shows() {
        let svg = to_svg(&line("EUR/USD"), "quotes");
        assert!(svg.contains("<title>quotes</title>") && svg.contains(">EUR/USD</text>"));
    }

    #[test]
    fn the_style_layer_has_the_shape_of_the_text() {
        let mut buffer = line("up 日 down");
        buffer.set_style(Rect::new(0, 0, 2, 1), Color::Green);
        buffer.set_style(Rect::new(3, 0, 1, 1), Color::Yellow);
        let letter = |style: Style| match style.fg {
            Some(Color::Green) => 'g',
            Some(Color::Yellow) => 'y',
            _ => ' ',
        };
        assert_eq!(style_layer(&buffer, &letter), "gg yy\n");
    }
}
