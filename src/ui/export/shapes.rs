//! Characters that are drawn rather than written: box drawing, blocks and braille, as rectangles and a few strokes.
//!
//! Lengths are whole tenths of a pixel, so that sums are exact and the same shapes are always written with the same digits.

/// Writes tenths of a pixel as pixels. Lengths here are never negative.
pub(super) fn px(tenths: i32) -> String {
    if tenths % 10 == 0 { format!("{}", tenths / 10) } else { format!("{}.{}", tenths / 10, tenths % 10) }
}

/// A rectangle of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tile {
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) right: i32,
    pub(super) bottom: i32,
}

impl Tile {
    /// Where lines cross. It lies in the middle of a pixel, so that a line one pixel wide is sharp.
    const fn centre(self) -> (i32, i32) {
        let x = (self.left + self.right) / 2;
        (x - x % 10 + 5, (self.top + self.bottom) / 2)
    }

    /// A part of the tile, its edges in `parts` of the whole.
    const fn part(self, horizontal: (i32, i32), vertical: (i32, i32), parts: i32) -> Self {
        let (width, height) = (self.right - self.left, self.bottom - self.top);
        Self {
            left: self.left + width * horizontal.0 / parts,
            top: self.top + height * vertical.0 / parts,
            right: self.left + width * horizontal.1 / parts,
            bottom: self.top + height * vertical.1 / parts,
        }
    }
}

/// Joins tiles that touch along a whole side, first in rows and then in columns.
fn joined(mut tiles: Vec<Tile>) -> Vec<Tile> {
    tiles.sort_by_key(|tile| (tile.top, tile.bottom, tile.left));
    tiles.dedup_by(|next, kept| {
        let joins = (next.top, next.bottom) == (kept.top, kept.bottom) && next.left <= kept.right;
        kept.right = if joins { kept.right.max(next.right) } else { kept.right };
        joins
    });
    tiles.sort_by_key(|tile| (tile.left, tile.right, tile.top));
    tiles.dedup_by(|next, kept| {
        let joins = (next.left, next.right) == (kept.left, kept.right) && next.top <= kept.bottom;
        kept.bottom = if joins { kept.bottom.max(next.bottom) } else { kept.bottom };
        joins
    });
    tiles
}

pub(super) fn tile_path(tiles: Vec<Tile>) -> String {
    let outline = |tile: Tile| {
        let (left, top, right, bottom) = (px(tile.left), px(tile.top), px(tile.right), px(tile.bottom));
        format!("M{left} {top}H{right}V{bottom}H{left}z")
    };
    joined(tiles).into_iter().map(outline).collect()
}

/// The box-drawing characters made of straight arms. [`ARMS`] holds their weights at the same place.
const BOXES: &str = "─│┌┐└┘├┤┬┴┼━┃┏┓┗┛┣┫┳┻╋╴╵╶╷╸╹╺╻╼╽╾╿┝┠┥┨┯┰┷┸┿╂";

/// One digit per arm — up, right, down, left: 0 none, 1 light, 2 heavy.
const ARMS: [u16; 44] = [
    0x0101, 0x1010, 0x0110, 0x0011, 0x1100, 0x1001, 0x1110, 0x1011, 0x0111, 0x1101, 0x1111, 0x0202, 0x2020, 0x0220, 0x0022,
    0x2200, 0x2002, 0x2220, 0x2022, 0x0222, 0x2202, 0x2222, 0x0001, 0x1000, 0x0100, 0x0010, 0x0002, 0x2000, 0x0200, 0x0020,
    0x0201, 0x1020, 0x0102, 0x2010, 0x1210, 0x2120, 0x1012, 0x2021, 0x0212, 0x0121, 0x1202, 0x2101, 0x1212, 0x2121,
];

/// Half the width of a light and of a heavy line.
const LIGHT: i32 = 5;
const HEAVY: i32 = 15;

/// Everything of one colour that is drawn rather than written.
#[derive(Default)]
pub(super) struct Shapes {
    pub(super) tiles: Vec<Tile>,
    /// Path of the rounded corners, as thin strokes.
    pub(super) corners: String,
    /// Path of the braille dots, as strokes of almost no length with round ends.
    pub(super) dots: String,
}

impl Shapes {
    /// Draws a character into its cell; `false` if it has to be written as a letter.
    pub(super) fn draw(&mut self, character: char, cell: Tile) -> bool {
        let code = character as i32;
        let arms = BOXES.chars().zip(ARMS).find(|(known, _)| *known == character);
        match (code, arms) {
            (0x2800..=0x28ff, _) => self.draw_braille(code - 0x2800, cell),
            (0x2504..=0x250b, _) => self.draw_dashes(3 + (code - 0x2504) / 4, (code - 0x2504) % 4, cell),
            (0x254c..=0x254f, _) => self.draw_dashes(2, code - 0x254c, cell),
            (0x256d, _) => self.draw_corner(1, 1, cell),
            (0x256e, _) => self.draw_corner(-1, 1, cell),
            (0x256f, _) => self.draw_corner(-1, -1, cell),
            (0x2570, _) => self.draw_corner(1, -1, cell),
            (0x2580, _) => self.tiles.push(cell.part((0, 8), (0, 4), 8)),
            (0x2581..=0x2588, _) => self.tiles.push(cell.part((0, 8), (0x2588 - code, 8), 8)),
            (0x2589..=0x258f, _) => self.tiles.push(cell.part((0, 0x2590 - code), (0, 8), 8)),
            (0x2590, _) => self.tiles.push(cell.part((4, 8), (0, 8), 8)),
            (0x2594, _) => self.tiles.push(cell.part((0, 8), (0, 1), 8)),
            (0x2595, _) => self.tiles.push(cell.part((7, 8), (0, 8), 8)),
            (_, Some((_, arms))) => self.draw_arms(arms, cell),
            (_, None) => return false,
        }
        true
    }

    fn draw_arms(&mut self, arms: u16, cell: Tile) {
        let half = |shift: u16| match (arms >> shift) & 0xf {
            0 => 0,
            1 => LIGHT,
            _ => HEAVY,
        };
        let (up, right, down, left) = (half(12), half(8), half(4), half(0));
        let (x, y) = cell.centre();
        let reach = up.max(down);
        let tiles = [
            (up, Tile { left: x - up, top: cell.top, right: x + up, bottom: y }),
            (right, Tile { left: x - reach, top: y - right, right: cell.right, bottom: y + right }),
            (down, Tile { left: x - down, top: y, right: x + down, bottom: cell.bottom }),
            (left, Tile { left: cell.left, top: y - left, right: x + reach, bottom: y + left }),
        ];
        self.tiles.extend(tiles.into_iter().filter(|(weight, _)| *weight > 0).map(|(_, tile)| tile));
    }

    /// `kind` counts as Unicode does: light and heavy across, light and heavy down.
    fn draw_dashes(&mut self, count: i32, kind: i32, cell: Tile) {
        let half = if kind % 2 == 0 { LIGHT } else { HEAVY };
        let (x, y) = cell.centre();
        for dash in 0..count {
            let stretch = (4 * dash + 1, 4 * dash + 3);
            let part = cell.part(stretch, stretch, 4 * count);
            self.tiles.push(if kind < 2 {
                Tile { top: y - half, bottom: y + half, ..part }
            } else {
                Tile { left: x - half, right: x + half, ..part }
            });
        }
    }

    /// A quarter turn that leaves the cell to the right (`1`) or left (`-1`), and below (`1`) or above (`-1`).
    fn draw_corner(&mut self, across: i32, down: i32, cell: Tile) {
        let radius = 35;
        let (x, y) = cell.centre();
        let side = px(if across > 0 { cell.right } else { cell.left });
        let end = px(if down > 0 { cell.bottom } else { cell.top });
        let (bend_x, bend_y, x, y) = (px(x + across * radius), px(y + down * radius), px(x), px(y));
        self.corners.push_str(&format!("M{x} {end}V{bend_y}Q{x} {y} {bend_x} {y}H{side}"));
    }

    /// Dots 1 to 6 fill the left and then the right column from above; 7 and 8 lie below them.
    fn draw_braille(&mut self, bits: i32, cell: Tile) {
        for (bit, (column, row)) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)].into_iter().enumerate() {
            if (bits >> bit) & 1 == 1 {
                let x = cell.left + (cell.right - cell.left) * (2 * column + 1) / 4;
                let y = cell.top + (cell.bottom - cell.top) * (2 * row + 1) / 8;
                self.dots.push_str(&format!("M{} {}h.1", px(x), px(y)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ARMS, BOXES, Shapes, Tile, joined, px, tile_path};

    const CELL: Tile = Tile { left: 140, top: 140, right: 224, bottom: 310 };

    fn drawn(character: char) -> Shapes {
        let mut shapes = Shapes::default();
        assert!(shapes.draw(character, CELL), "{character} is a letter");
        shapes
    }

    #[test]
    fn every_box_has_arms() {
        assert_eq!(BOXES.chars().count(), ARMS.len());
        for character in BOXES.chars() {
            assert!(!drawn(character).tiles.is_empty());
        }
    }

    #[test]
    fn every_drawn_character_stays_inside_its_cell() {
        for character in ('\u{2500}'..='\u{259f}').chain('\u{2800}'..='\u{28ff}') {
            let mut shapes = Shapes::default();
            shapes.draw(character, CELL);
            for tile in shapes.tiles {
                let inside =
                    tile.left >= CELL.left && tile.right <= CELL.right && tile.top >= CELL.top && tile.bottom <= CELL.bottom;
                assert!(inside && tile.left < tile.right && tile.top < tile.bottom, "{character}: {tile:?}");
            }
        }
    }

    #[test]
    fn lines_of_neighbouring_cells_join_into_one() {
        let mut shapes = Shapes::default();
        shapes.draw('─', CELL);
        shapes.draw('─', Tile { left: 224, right: 308, ..CELL });
        assert_eq!(joined(shapes.tiles), [Tile { left: 140, top: 220, right: 308, bottom: 230 }]);
    }

    #[test]
    fn lines_meet_in_the_middle_of_a_pixel() {
        assert_eq!(CELL.centre(), (185, 225));
        assert_eq!(tile_path(drawn('│').tiles), "M18 14H19V31H18z");
    }

    #[test]
    fn blocks_take_their_share_of_the_cell() {
        let height = |character| drawn(character).tiles.first().map(|tile| tile.bottom - tile.top);
        assert_eq!(height('█'), Some(170));
        assert_eq!(height('▄'), Some(85));
        assert_eq!(height('▀'), Some(85));
        assert_eq!(drawn('▌').tiles, [Tile { right: 182, ..CELL }]);
        assert_eq!(drawn('▐').tiles, [Tile { left: 182, ..CELL }]);
    }

    #[test]
    fn braille_has_one_dot_per_bit() {
        assert_eq!(drawn('\u{2800}').dots, "");
        assert_eq!(drawn('⣿').dots.matches('M').count(), 8);
        assert_eq!(drawn('⠁').dots, format!("M{} {}h.1", px(161), px(161)));
    }

    #[test]
    fn letters_are_left_to_the_font() {
        assert!(!Shapes::default().draw('a', CELL));
        assert!(!Shapes::default().draw('═', CELL));
    }
}
