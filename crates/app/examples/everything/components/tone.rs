//! Shows: audio as the result of a tool.

use std::f64::consts::TAU;

use pymcp_kit::{Audio, Ctx, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

use super::icons;

/// Samples in a second; twice the highest pitch that is played.
const RATE: u32 = 8000;

/// What to play.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default)]
struct Args {
    /// The pitch in hertz.
    #[schemars(range(min = 20, max = 4000))]
    hertz: u32,
    /// The length in milliseconds.
    #[schemars(range(min = 10, max = 1000))]
    milliseconds: u32,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            hertz: 440,
            milliseconds: 100,
        }
    }
}

/// The tool, as clients see it.
pub(crate) fn tool() -> Tool {
    Tool::new("tone", tone)
        .title("Tone")
        .description("A tone of one pitch, as a WAV recording.")
        .icons([icons::disc("steelblue")])
        .read_only()
        .destructive(false)
        .idempotent(true)
        .open_world(false)
        .cached()
}

async fn tone(_: Ctx, args: Args) -> Result<Audio> {
    let sample = |n: u32| {
        let angle = TAU * f64::from(args.hertz) * f64::from(n) / f64::from(RATE);
        // Half as loud as can be.
        (angle.sin() * f64::from(i16::MAX) / 2.0) as i16
    };
    let samples = (0..RATE * args.milliseconds / 1000).map(sample);
    Ok(Audio::wav(wav(samples.collect())))
}

/// One channel of 16 bits, uncompressed.
fn wav(samples: Vec<i16>) -> Vec<u8> {
    let bytes = samples.len() as u32 * 2;
    let mut wav = Vec::with_capacity(44 + samples.len() * 2);
    wav.extend(b"RIFF");
    wav.extend((36 + bytes).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes()); // bytes of the format
    wav.extend(1_u16.to_le_bytes()); // uncompressed
    wav.extend(1_u16.to_le_bytes()); // channels
    wav.extend(RATE.to_le_bytes());
    wav.extend((RATE * 2).to_le_bytes()); // bytes a second
    wav.extend(2_u16.to_le_bytes()); // bytes a sample
    wav.extend(16_u16.to_le_bytes()); // bits a sample
    wav.extend(b"data");
    wav.extend(bytes.to_le_bytes());
    wav.extend(samples.into_iter().flat_map(i16::to_le_bytes));
    wav
}
