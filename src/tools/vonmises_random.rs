//! Draws from the von Mises distribution; its concentration κ is asked of the user (elicitation).

use std::f64::consts::{PI, TAU};

use pymcp_kit::{Ctx, Effect, Elicited, Error, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

/// Where the distribution is centred.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Args {
    /// The mean angle mu (μ), expressed in radians between 0 and 2π
    #[schemars(range(min = 0, max = TAU))]
    mu: f64,
}

/// The tool, as clients see it.
pub fn tool() -> Tool {
    Tool::new("vonmises_random", vonmises_random)
        .title("Von Mises random number")
        .description(
            "Generate a random number from the von Mises distribution. This is an example of a tool that uses \
             elicitation to obtain the required parameter kappa (κ).",
        )
        .tags(["experimental", "elicitation", "example"])
        .read_only()
        .destructive(false)
        .idempotent(false)
        .open_world(false)
        .effects([Effect::Random])
        .asks::<f64>()
}

async fn vonmises_random(ctx: Ctx, args: Args) -> Result<f64> {
    ctx.info("Requesting the user for the value of kappa for von Mises distribution.")
        .await;
    let question = "Please provide the value of kappa (κ) for the von Mises distribution. It should be a positive number.";
    let kappa = match ctx.elicit::<f64>(question).await? {
        Elicited::Accepted(kappa) => {
            ctx.warning(format!("Received kappa: {kappa:?}")).await;
            kappa
        }
        Elicited::Declined => {
            ctx.warning("User declined to provide kappa. Using default value of 1.0.")
                .await;
            1.0
        }
        Elicited::Cancelled => {
            ctx.warning("User cancelled the operation. The random number will NOT be generated.")
                .await;
            return Err(Error::user("Operation cancelled by the user."));
        }
    };
    if !kappa.is_finite() || kappa < 0.0 {
        return Err(Error::user(
            "kappa (κ) must be a finite number that is not negative.",
        ));
    }
    ctx.require(&Effect::Random)?;
    let mut failed = None;
    let drawn = sample(args.mu, kappa, || match uniform() {
        Ok(u) => u,
        Err(error) => {
            failed = Some(error);
            0.5
        }
    });
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(drawn),
    }
}

/// A number from [0, 1) with 53 random bits.
fn uniform() -> Result<f64, getrandom::Error> {
    Ok((getrandom::u64()? >> 11) as f64 * 2_f64.powi(-53))
}

/// One draw in [0, 2π), by Best and Fisher's rejection from a wrapped Cauchy distribution (1979).
///
/// Below κ = 1e-6 the density differs from the uniform one by less than 1e-6 and the method loses
/// all its digits; above 1e6 so does its acceptance test, and the distribution is normal with
/// variance 1/κ to within the same error.
fn sample(mu: f64, kappa: f64, mut uniform: impl FnMut() -> f64) -> f64 {
    if kappa <= 1e-6 {
        return TAU * uniform();
    }
    if kappa > 1e6 {
        // Box and Muller; 1 − u is never 0.
        let radius = (-2.0 * (1.0 - uniform()).ln()).sqrt();
        let normal = radius * (TAU * uniform()).cos();
        return (mu + normal / kappa.sqrt()).rem_euclid(TAU);
    }
    let s = 0.5 / kappa;
    let r = s + (1.0 + s * s).sqrt();
    loop {
        let z = (PI * uniform()).cos();
        let d = z / (r + z);
        let u = uniform();
        if u < 1.0 - d * d || u <= (1.0 - d) * d.exp() {
            let q = 1.0 / r;
            let f = ((q + z) / (1.0 + q * z)).clamp(-1.0, 1.0);
            let angle = if uniform() > 0.5 { f.acos() } else { -f.acos() };
            return (mu + angle).rem_euclid(TAU);
        }
    }
}

#[cfg(test)]
#[path = "vonmises_random_tests.rs"]
mod tests;
