//! A picture and a sound.

use pymcp_kit::{Audio, Image};

/// A PNG.
pub(crate) const PICTURE: &[u8] = include_bytes!("../../src/resources/assets/logo.png");

/// A WAV: a quarter of a millisecond of silence, 8 bits at 8 kHz.
const SOUND: &[u8] = b"RIFF\x26\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x02\0\0\0\x80\x80";

pub(crate) fn picture() -> Image {
    Image::png(PICTURE)
}

pub(crate) fn sound() -> Audio {
    Audio::wav(SOUND)
}
