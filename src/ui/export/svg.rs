//! The picture: a dark frame, grounds, shapes and text, each gathered by colour so that the file stays small.

use std::collections::BTreeMap;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::shapes::{Shapes, Tile, px, tile_path};
use super::{Glyph, glyphs, palette_slot};

// Lengths are tenths of a pixel; the font size is 14 pixels, for which a cell of most monospaced fonts is 8.4 wide.
const CELL_WIDTH: i32 = 84;
const CELL_HEIGHT: i32 = 170;
const BASELINE: i32 = 128;
const PADDING: i32 = 140;
const FONTS: &str = "ui-monospace, 'JetBrains Mono', 'DejaVu Sans Mono', Menlo, Consolas, monospace";

/// Draws the whole buffer.
pub(super) fn picture(buffer: &Buffer, title: &str) -> String {
    let mut picture = Picture::default();
    for row in 0..buffer.area.height {
        for glyph in glyphs(buffer, row) {
            picture.add(&glyph, row);
        }
        picture.close_run();
    }
    let width = 2 * PADDING + i32::from(buffer.area.width) * CELL_WIDTH;
    let height = 2 * PADDING + i32::from(buffer.area.height) * CELL_HEIGHT;
    picture.finish(title, width, height)
}

#[derive(Default)]
struct Picture {
    grounds: BTreeMap<Rgb, Vec<Tile>>,
    shapes: BTreeMap<(Rgb, bool), Shapes>,
    texts: BTreeMap<Pen, String>,
    open: Option<Run>,
}

/// What letters have in common inside one group of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pen {
    ink: Rgb,
    is_dim: bool,
    is_bold: bool,
    is_italic: bool,
}

/// Letters of one pen, side by side in one row.
struct Run {
    pen: Pen,
    place: Tile,
    text: String,
}

impl Picture {
    fn add(&mut self, glyph: &Glyph<'_>, row: u16) {
        let place = place(glyph, row);
        let paint = Paint::of(glyph.cell);
        if let Some(ground) = paint.ground {
            self.grounds.entry(ground).or_default().push(place);
        }
        let has = |modifier| glyph.cell.modifier.contains(modifier);
        if has(Modifier::HIDDEN) {
            return;
        }
        if has(Modifier::UNDERLINED) {
            self.shapes_of(paint).tiles.push(Tile { top: place.top + 150, bottom: place.top + 160, ..place });
        }
        if has(Modifier::CROSSED_OUT) {
            self.shapes_of(paint).tiles.push(Tile { top: place.top + 80, bottom: place.top + 90, ..place });
        }
        let is_drawn = lone(glyph.text).is_some_and(|character| self.draw(character, paint, place));
        if !is_drawn {
            let pen =
                Pen { ink: paint.ink, is_dim: paint.is_dim, is_bold: has(Modifier::BOLD), is_italic: has(Modifier::ITALIC) };
            self.write(glyph.text, pen, place);
        }
    }

    /// Draws a character that needs no font; `false` for letters.
    fn draw(&mut self, character: char, paint: Paint, place: Tile) -> bool {
        match character {
            ' ' => true,
            '░'..='▓' => {
                let percent = 25 * (character as u32 - 0x2590);
                let ink = mix(paint.ink, paint.ground.unwrap_or(GROUND), percent);
                self.shapes_of(Paint { ink, ..paint }).tiles.push(place);
                true
            }
            '\u{2500}'..='\u{259f}' | '\u{2800}'..='\u{28ff}' => self.shapes_of(paint).draw(character, place),
            _ => false,
        }
    }

    fn shapes_of(&mut self, paint: Paint) -> &mut Shapes {
        self.shapes.entry((paint.ink, paint.is_dim)).or_default()
    }

    /// Continues the open run, over one space at most, or starts another. A letter outside ASCII stands alone: the viewer may have to
    /// take it from a font of another width, and must not push its neighbours aside.
    fn write(&mut self, text: &str, pen: Pen, place: Tile) {
        if let Some(run) = &mut self.open
            && run.pen == pen
            && run.text.is_ascii()
            && text.is_ascii()
            && place.left - run.place.right <= CELL_WIDTH
        {
            if place.left > run.place.right {
                run.text.push(' ');
            }
            run.text.push_str(text);
            run.place.right = place.right;
            return;
        }
        self.close_run();
        self.open = Some(Run { pen, place, text: text.to_owned() });
    }

    fn close_run(&mut self) {
        let Some(Run { pen, place, text }) = self.open.take() else { return };
        let (x, y, length) = (px(place.left), px(place.top + BASELINE), px(place.right - place.left));
        self.texts.entry(pen).or_default().push_str(&format!(
            "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\">{}</text>\n",
            escaped(&text)
        ));
    }

    fn finish(self, title: &str, width: i32, height: i32) -> String {
        let (w, h, frame_w, frame_h) = (px(width), px(height), px(width - 10), px(height - 10));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" font-family=\"{FONTS}\" \
             font-size=\"14\">\n<title>{}</title>\n<rect x=\".5\" y=\".5\" width=\"{frame_w}\" height=\"{frame_h}\" rx=\"10\" \
             fill=\"{}\" stroke=\"{}\"/>\n",
            escaped(title),
            hex(GROUND),
            hex(BORDER)
        );
        for (ground, tiles) in self.grounds {
            svg.push_str(&tiles_element(ground, false, tiles));
        }
        for ((ink, is_dim), shapes) in self.shapes {
            svg.push_str(&shapes_elements(ink, is_dim, shapes));
        }
        svg.push_str("<g xml:space=\"preserve\" style=\"white-space:pre\">\n");
        for (pen, texts) in self.texts {
            let weight = if pen.is_bold { " font-weight=\"600\"" } else { "" };
            let slant = if pen.is_italic { " font-style=\"italic\"" } else { "" };
            svg.push_str(&format!("<g fill=\"{}\"{}{weight}{slant}>\n{texts}</g>\n", hex(pen.ink), opacity(pen.is_dim)));
        }
        svg + "</g>\n</svg>\n"
    }
}

fn place(glyph: &Glyph<'_>, row: u16) -> Tile {
    let (left, top) = (PADDING + i32::from(glyph.column) * CELL_WIDTH, PADDING + i32::from(row) * CELL_HEIGHT);
    Tile { left, top, right: left + i32::from(glyph.width) * CELL_WIDTH, bottom: top + CELL_HEIGHT }
}

/// The character of a symbol that has only one.
fn lone(symbol: &str) -> Option<char> {
    let mut characters = symbol.chars();
    characters.next().filter(|_| characters.next().is_none())
}

fn tiles_element(ink: Rgb, is_dim: bool, tiles: Vec<Tile>) -> String {
    let (ink, faint, path) = (hex(ink), opacity(is_dim), tile_path(tiles));
    format!("<path shape-rendering=\"crispEdges\" fill=\"{ink}\"{faint} d=\"{path}\"/>\n")
}

fn shapes_elements(ink: Rgb, is_dim: bool, shapes: Shapes) -> String {
    let (colour, faint) = (hex(ink), opacity(is_dim));
    let mut elements = String::new();
    if !shapes.tiles.is_empty() {
        elements.push_str(&tiles_element(ink, is_dim, shapes.tiles));
    }
    if !shapes.corners.is_empty() {
        elements.push_str(&format!("<path fill=\"none\" stroke=\"{colour}\"{faint} d=\"{}\"/>\n", shapes.corners));
    }
    if !shapes.dots.is_empty() {
        let pen = "stroke-width=\"2.2\" stroke-linecap=\"round\"";
        elements.push_str(&format!("<path fill=\"none\" stroke=\"{colour}\"{faint} {pen} d=\"{}\"/>\n", shapes.dots));
    }
    elements
}

const fn opacity(is_dim: bool) -> &'static str {
    if is_dim { " opacity=\".6\"" } else { "" }
}

fn hex(colour: Rgb) -> String {
    format!("#{colour:06x}")
}

/// Text as XML allows it; characters that XML has no place for are left out.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => {}
            _ if character.is_control() => {}
            _ => xml.push(character),
        }
    }
    xml
}

/// A colour of the picture, `0xrrggbb`.
type Rgb = u32;

const GROUND: Rgb = 0x12_15_1b;
const BORDER: Rgb = 0x2b_31_3c;
const INK: Rgb = 0xc8_ce_d9;

/// The sixteen colours: muted, of about equal lightness, the bright ones one step up.
const PALETTE: [Rgb; 16] = [
    0x1f_24_2d, 0xd6_76_7b, 0x8a_b5_73, 0xd9_b3_6c, 0x6f_9f_d8, 0xb5_8a_c9, 0x68_b0_b5, 0xae_b6_c2, 0x6b_74_84, 0xe6_92_95,
    0xa6_cd_8c, 0xec_ca_8a, 0x8f_b8_ea, 0xca_a5_dc, 0x86_c9_cd, 0xe8_ec_f2,
];

/// The colour in the picture; `None` for the terminal's own.
fn rgb(colour: Color) -> Option<Rgb> {
    match (colour, palette_slot(colour)) {
        (Color::Rgb(red, green, blue), _) => Some(u32::from_be_bytes([0, red, green, blue])),
        (Color::Indexed(index), _) => indexed(index),
        (_, Some(slot)) => PALETTE.get(usize::from(slot)).copied(),
        (_, None) => None,
    }
}

/// xterm's 256 colours: the sixteen, a cube of 6 × 6 × 6, and 24 greys.
fn indexed(index: u8) -> Option<Rgb> {
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    match index {
        0..=15 => PALETTE.get(usize::from(index)).copied(),
        16..=231 => {
            let step = index - 16;
            Some(u32::from_be_bytes([0, level(step / 36), level(step / 6 % 6), level(step % 6)]))
        }
        232..=255 => {
            let grey = 8 + 10 * (index - 232);
            Some(u32::from_be_bytes([0, grey, grey, grey]))
        }
    }
}

/// `percent` of `ink` on `ground`.
fn mix(ink: Rgb, ground: Rgb, percent: u32) -> Rgb {
    let channel = |shift: u32| (((ink >> shift) & 0xff) * percent + ((ground >> shift) & 0xff) * (100 - percent) + 50) / 100;
    (channel(16) << 16) | (channel(8) << 8) | channel(0)
}

/// The colours a cell ends up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Paint {
    ink: Rgb,
    ground: Option<Rgb>,
    is_dim: bool,
}

impl Paint {
    /// Reversed cells trade ink and ground here; a dim one among them gets a darker ground, and its letters stay clear.
    fn of(cell: &Cell) -> Self {
        let ink = rgb(cell.fg).unwrap_or(INK);
        let ground = rgb(cell.bg);
        let is_dim = cell.modifier.contains(Modifier::DIM);
        if !cell.modifier.contains(Modifier::REVERSED) {
            return Self { ink, ground, is_dim };
        }
        let lit = if is_dim { mix(ink, GROUND, 60) } else { ink };
        Self { ink: ground.unwrap_or(GROUND), ground: Some(lit), is_dim: false }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::{Color, Modifier, Style};

    use super::{Paint, hex, indexed, mix, picture, rgb};

    fn styled(text: &str, style: Style) -> Buffer {
        let mut buffer = Buffer::with_lines([text]);
        buffer.set_style(buffer.area, style);
        buffer
    }

    #[test]
    fn text_is_escaped_and_keeps_its_columns() {
        let svg = picture(&Buffer::with_lines(["a<b & c"]), "P&L <today>");
        assert!(svg.contains("<title>P&amp;L &lt;today&gt;</title>"));
        assert!(
            svg.contains("<text x=\"14\" y=\"26.8\" textLength=\"58.8\" lengthAdjust=\"spacingAndGlyphs\">a&lt;b &amp; c</text>")
        );
        assert_eq!(svg, picture(&Buffer::with_lines(["a<b & c"]), "P&L <today>"));
    }

    #[test]
    fn runs_break_at_gaps_styles_and_letters_outside_ascii() {
        let runs = |text| picture(&Buffer::with_lines([text]), "").matches("<text ").count();
        assert_eq!(runs("one two"), 1);
        assert_eq!(runs("one  two"), 2);
        assert_eq!(runs("▲ up"), 2);
        assert_eq!(runs("日本"), 2);
        assert_eq!(runs("   "), 0);
    }

    #[test]
    fn boxes_are_drawn_and_not_written() {
        let svg = picture(&Buffer::with_lines(["╭──╮", "│⣿█│", "╰──╯"]), "");
        assert!(!svg.contains("<text "));
        assert_eq!(svg.matches("shape-rendering").count(), 1);
        assert_eq!(svg.matches("stroke-linecap").count(), 1);
    }

    #[test]
    fn modifiers_show() {
        let svg = picture(&styled("x", Style::new().add_modifier(Modifier::BOLD | Modifier::ITALIC | Modifier::DIM)), "");
        assert!(svg.contains("opacity=\".6\" font-weight=\"600\" font-style=\"italic\""));
        assert!(!picture(&styled("x", Style::new().add_modifier(Modifier::HIDDEN)), "").contains("<text "));
    }

    #[test]
    fn reversed_cells_trade_ink_and_ground() {
        let buffer = styled("x", Style::new().fg(Color::Rgb(200, 0, 0)).bg(Color::Rgb(0, 0, 9)).add_modifier(Modifier::REVERSED));
        let paint = Paint::of(buffer.cell((0, 0)).unwrap());
        assert_eq!(paint, Paint { ink: 0x00_00_09, ground: Some(0xc8_00_00), is_dim: false });
    }

    #[test]
    fn grounds_of_equal_colour_become_one_rectangle() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 4));
        buffer.set_style(buffer.area, Style::new().bg(Color::Blue));
        assert!(picture(&buffer, "").contains(" d=\"M14 14H98V82H14z\""));
    }

    #[test]
    fn indexed_colours_follow_xterm() {
        assert_eq!(indexed(196), Some(0xff_00_00));
        assert_eq!(indexed(232), Some(0x08_08_08));
        assert_eq!(indexed(255), Some(0xee_ee_ee));
        assert_eq!(indexed(9), rgb(Color::LightRed));
        assert!((0..=255).all(|index| indexed(index).is_some()));
    }

    #[test]
    fn mixing_is_linear() {
        assert_eq!(mix(0xff_ff_ff, 0, 0), 0);
        assert_eq!(mix(0xff_ff_ff, 0, 100), 0xff_ff_ff);
        assert_eq!(hex(mix(0x64_00_c8, 0, 50)), "#320064");
    }

    #[test]
    fn no_size_fails() {
        for (width, height) in [(0, 0), (0, 3), (3, 0), (1, 1), (300, 2)] {
            assert!(picture(&Buffer::empty(Rect::new(0, 0, width, height)), "").ends_with("</svg>\n"));
        }
    }
}
