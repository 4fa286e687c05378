//! The pixels of the screen: the views of `ui`, drawn plainly. No theme, no anti-aliasing, no images.

use super::ui::{self, View};
use crate::adapters::virtual_handset::kernel::world::World;
use font8x8::{BASIC_FONTS, LATIN_FONTS, UnicodeFonts};

/// Screen pixels of one pixel of a letter.
const SCALE: i64 = 4;
/// Pixels of a letter's cell, before scaling.
const CELL: i64 = 8;

/// A colour: red, green, blue, opacity.
type Colour = [u8; 4];

const PAPER: Colour = [250, 250, 250, 255];
const INK: Colour = [33, 33, 33, 255];
const FRAME: Colour = [189, 189, 189, 255];
const BUTTON: Colour = [197, 202, 233, 255];
const ACCENT: Colour = [63, 81, 181, 255];
const DARK: Colour = [0, 0, 0, 255];

/// What the screen shows, row by row, four bytes a pixel: red, green, blue, opacity.
pub(crate) struct Picture {
    /// Pixels in a row.
    pub(crate) width: u32,
    /// Rows.
    pub(crate) height: u32,
    /// `width * height * 4` bytes.
    pub(crate) bytes: Vec<u8>,
}

/// Pixels in a row, and rows.
pub(crate) fn size(world: &World) -> (u32, u32) {
    let (width, height) = ui::size(world.firmware.sdk);
    (side(width), side(height))
}

/// Draws the screen as it is now.
pub(crate) fn picture(world: &World) -> Picture {
    let (width, height) = size(world);
    let is_off = world.android.display.is_off;
    let ground = if is_off { DARK } else { PAPER };
    let pixels = usize::try_from(u64::from(width) * u64::from(height)).unwrap_or(0);
    let mut picture = Picture {
        width,
        height,
        bytes: ground.repeat(pixels),
    };
    if !is_off {
        picture.view(&ui::tree(world));
    }
    picture
}

fn side(pixels: i64) -> u32 {
    u32::try_from(pixels).unwrap_or(0)
}

impl Picture {
    fn view(&mut self, view: &View) {
        let (left, top, right, bottom) = view.bounds;
        let is_button = view.class.ends_with("Button");
        let is_field = view.class.contains("Edit") || view.class.contains("AutoComplete");
        if is_button {
            self.fill(view.bounds, BUTTON);
        }
        if is_button || is_field || view.checked.is_some() {
            self.outline(view.bounds, if view.focused { ACCENT } else { FRAME });
        }
        if view.checked == Some(true) {
            self.fill((left + 12, top + 12, right - 12, bottom - 12), ACCENT);
        }
        let text = if view.text.is_empty() && is_button {
            &view.description
        } else {
            &view.text
        };
        self.text(text, view.bounds);
        for child in &view.children {
            self.view(child);
        }
    }

    fn fill(&mut self, (left, top, right, bottom): (i64, i64, i64, i64), colour: Colour) {
        for y in top..bottom {
            for x in left..right {
                self.put(x, y, colour);
            }
        }
    }

    fn outline(&mut self, (left, top, right, bottom): (i64, i64, i64, i64), colour: Colour) {
        for (left, top, right, bottom) in [
            (left, top, right, top + 2),
            (left, bottom - 2, right, bottom),
            (left, top, left + 2, bottom),
            (right - 2, top, right, bottom),
        ] {
            self.fill((left, top, right, bottom), colour);
        }
    }

    /// One line, cut where its place ends.
    fn text(&mut self, text: &str, (left, top, right, bottom): (i64, i64, i64, i64)) {
        let (step, mut x) = (CELL * SCALE, left + SCALE * 4);
        let y = top + (bottom - top - step) / 2;
        for letter in text.chars() {
            if x + step > right {
                return;
            }
            self.letter(letter, x, y);
            x += step;
        }
    }

    fn letter(&mut self, letter: char, left: i64, top: i64) {
        let glyph = BASIC_FONTS.get(letter).or_else(|| LATIN_FONTS.get(letter));
        // A box stands for what the font lacks.
        let glyph = glyph.unwrap_or([0x7e, 0x42, 0x42, 0x42, 0x42, 0x42, 0x7e, 0]);
        for (row, y) in glyph.into_iter().zip((top..).step_by(4)) {
            for (bit, x) in (0..8).zip((left..).step_by(4)) {
                if row & (1 << bit) != 0 {
                    self.fill((x, y, x + SCALE, y + SCALE), INK);
                }
            }
        }
    }

    fn put(&mut self, x: i64, y: i64, colour: Colour) {
        let (width, height) = (i64::from(self.width), i64::from(self.height));
        if !(0..width).contains(&x) || !(0..height).contains(&y) {
            return;
        }
        let at = usize::try_from((y * width + x) * 4).unwrap_or(usize::MAX);
        if let Some(pixel) = self.bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *pixel = colour;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::virtual_handset::android::testing::{firmware, world};

    fn colours(picture: &Picture) -> std::collections::BTreeSet<[u8; 4]> {
        let pixels = picture.bytes.as_chunks().0;
        pixels.iter().copied().collect()
    }

    #[test]
    fn what_is_shown_can_be_seen() {
        let mut world = world(firmware("android-14"));
        let shown = picture(&world);
        assert_eq!((shown.width, shown.height), (1080, 2400));
        assert_eq!(shown.bytes.len(), 1080 * 2400 * 4);
        assert_eq!(colours(&shown), [PAPER, INK].into());
        world.android.display.is_off = true;
        assert_eq!(colours(&picture(&world)), [DARK].into());
    }
}
