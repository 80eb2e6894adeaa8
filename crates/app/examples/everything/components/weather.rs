//! Shows: structured content. The schema that clients see comes from the type of the result, and its
//! doc comments say what the numbers mean.

use pymcp_kit::{Ctx, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::icons;

/// Where to look.
#[derive(Debug, Deserialize, JsonSchema)]
struct Args {
    /// The station.
    station: Station,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Station {
    Basel,
    Reykjavik,
    Singapore,
}

/// One reading.
#[derive(Debug, Serialize, JsonSchema)]
struct Reading {
    /// Degrees Celsius.
    temperature: f64,
    /// What the sky looks like.
    conditions: &'static str,
    /// Relative humidity in per cent.
    #[schemars(range(min = 0, max = 100))]
    humidity: u8,
}

/// The tool, as clients see it.
pub(crate) fn tool() -> Tool {
    Tool::new("read_weather", read_weather)
        .title("Read the weather")
        .description("What a weather station measured on one day long ago: the same every time.")
        .icons([icons::disc("gold")])
        .read_only()
        .destructive(false)
        .idempotent(true)
        .open_world(false)
        .cached()
}

async fn read_weather(_: Ctx, args: Args) -> Result<Reading> {
    let (temperature, conditions, humidity) = match args.station {
        Station::Basel => (11.5, "fog on the Rhine", 93),
        Station::Reykjavik => (3.0, "rain from the side", 81),
        Station::Singapore => (31.0, "a thunderstorm at four", 78),
    };
    Ok(Reading {
        temperature,
        conditions,
        humidity,
    })
}
