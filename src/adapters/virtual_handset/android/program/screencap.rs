//! `screencap`: the screen as PNG or raw. Formats: AOSP `frameworks/base/cmds/screencap`.

use crate::adapters::virtual_handset::android::screen::{Picture, picture};
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use crate::ports::BoxFuture;

/// `PIXEL_FORMAT_RGBA_8888`.
const RGBA: u32 = 1;
/// `HAL_DATASPACE_UNKNOWN` of a raw picture: what ADB calls no colour space.
const NO_COLOUR_SPACE: u32 = 0;
/// From this API level on a raw picture names its colour space.
const FIRST_WITH_COLOUR_SPACE: u32 = 28;

const USAGE: &str = "usage: screencap [-hp] [-d display-id] [FILENAME]
   -h: this message
   -p: save the file as a png.
   -d: specify the display ID to capture
If FILENAME ends with .png it will be saved as a png.
If FILENAME is not given, the results will be printed to stdout.
";

/// `screencap [-p] [FILE]`
pub(super) fn screencap(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
    Box::pin(run(process))
}

async fn run(process: &mut Process) -> Result<u8, Stop> {
    let (mut png, mut file) = (false, None);
    let words = process.arguments.get(1..).unwrap_or_default().to_vec();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-p" => png = true,
            "-d" => drop(words.next()),
            option if option.starts_with('-') => {
                process.complain(USAGE).await?;
                return Ok(1);
            }
            name => file = Some(name.to_owned()),
        }
    }
    png |= file.as_ref().is_some_and(|name| name.ends_with(".png"));
    let (picture, sdk) = process
        .handset
        .with(|world| (picture(world), world.firmware.sdk));
    let bytes = if png {
        as_png(&picture)
    } else {
        raw(&picture, sdk)
    };
    let Some(file) = file else {
        process.print(bytes).await?;
        return Ok(0);
    };
    match process.write_file(&file, bytes) {
        Ok(()) => Ok(0),
        Err(error) => {
            let text = format!("Error opening file: {file} ({error})\n");
            process.complain(text).await?;
            Ok(1)
        }
    }
}

/// Width, height, format, from 9 on the colour space, and the pixels.
fn raw(picture: &Picture, sdk: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(picture.bytes.len() + 16);
    for word in [picture.width, picture.height, RGBA] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    if sdk >= FIRST_WITH_COLOUR_SPACE {
        bytes.extend_from_slice(&NO_COLOUR_SPACE.to_le_bytes());
    }
    bytes.extend_from_slice(&picture.bytes);
    bytes
}

fn as_png(picture: &Picture) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width, picture.height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&picture.bytes));
    // Memory takes everything; an empty file is what a failing encoder leaves.
    if written.is_err() {
        bytes.clear();
    }
    bytes
}
