use pymcp_kit::testing::Probe;
use serde_json::{Value, json};

use super::*;

/// SplitMix64 (Steele, Lea and Flood 2014) with a fixed seed: the same draws in every run.
fn seeded(mut state: u64) -> impl FnMut() -> f64 {
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 * 2_f64.powi(-53)
    }
}

/// Mean direction and mean resultant length of many draws.
fn moments(mu: f64, kappa: f64) -> (f64, f64) {
    let draws = 40_000;
    let mut uniform = seeded(7);
    let (mut sin, mut cos) = (0.0, 0.0);
    for _ in 0..draws {
        let angle = sample(mu, kappa, &mut uniform);
        assert!((0.0..TAU).contains(&angle), "{angle}");
        sin += angle.sin();
        cos += angle.cos();
    }
    (
        sin.atan2(cos).rem_euclid(TAU),
        sin.hypot(cos) / f64::from(draws),
    )
}

/// I₁(κ)/I₀(κ), the expected length, by the integrals themselves.
fn expected_length(kappa: f64) -> f64 {
    let steps = 20_000;
    let (mut top, mut bottom) = (0.0, 0.0);
    for i in 0..steps {
        let angle = PI * (f64::from(i) + 0.5) / f64::from(steps);
        let weight = (kappa * (angle.cos() - 1.0)).exp();
        top += angle.cos() * weight;
        bottom += weight;
    }
    top / bottom
}

#[test]
fn the_distribution_is_von_mises() {
    for kappa in [0.01, 0.5, 1.0, 2.0, 10.0, 700.0] {
        let (direction, length) = moments(1.5, kappa);
        let expected = expected_length(kappa);
        // Five standard errors of the mean of 40,000 cosines.
        assert!(
            (length - expected).abs() < 0.02,
            "κ {kappa}: {length} for {expected}"
        );
        if kappa >= 0.5 {
            assert!((direction - 1.5).abs() < 0.05, "κ {kappa}: {direction}");
        }
    }
}

#[test]
fn tiny_kappa_is_uniform() {
    for kappa in [0.0, -0.0, 1e-300, 1e-7] {
        let (_, length) = moments(1.5, kappa);
        assert!(length < 0.02, "κ {kappa}: {length}");
    }
}

#[test]
fn huge_kappa_is_normal_and_then_mu_itself() {
    for kappa in [1e7, 1e12] {
        let mut uniform = seeded(3);
        let draws = 20_000;
        let variance: f64 = (0..draws)
            .map(|_| (sample(1.5, kappa, &mut uniform) - 1.5).powi(2))
            .sum::<f64>()
            / f64::from(draws);
        assert!(
            (variance * kappa - 1.0).abs() < 0.05,
            "κ {kappa}: {}",
            variance * kappa
        );
    }
    assert_eq!(sample(1.5, f64::MAX, seeded(3)), 1.5);
}

#[test]
fn both_sides_of_each_switch_agree() {
    for switch in [1e-6, 1e6] {
        let (_, below) = moments(3.0, switch * 0.999);
        let (_, above) = moments(3.0, switch * 1.001);
        assert!(
            (below - above).abs() < 0.02,
            "{switch}: {below} and {above}"
        );
    }
}

async fn run(answer: Value) -> (Result<f64>, Vec<String>) {
    let mut probe =
        Probe::with_capabilities(json!({ "elicitation": {} }), move |method, params| {
            assert_eq!(method, "elicitation/create");
            assert_eq!(
                params["requestedSchema"]["properties"]["value"]["type"],
                "number"
            );
            answer.clone()
        });
    let result = probe
        .run(vonmises_random(probe.ctx(), Args { mu: 1.5 }))
        .await;
    let logs = probe.logs().into_iter().map(|(level, _)| level).collect();
    (result, logs)
}

#[tokio::test]
async fn the_users_answer_decides() {
    for accepted in [
        json!(2.0),
        json!("2.5"),
        json!(true),
        json!(0),
        json!(1e308),
    ] {
        let (result, logs) =
            run(json!({ "action": "accept", "content": { "value": accepted } })).await;
        assert!((0.0..TAU).contains(&result.unwrap()));
        assert_eq!(logs, ["info", "warning"]);
    }
    assert!(run(json!({ "action": "decline" })).await.0.is_ok());
    let (cancelled, _) = run(json!({ "action": "cancel" })).await;
    assert!(format!("{:?}", cancelled.unwrap_err()).contains("cancelled"));
}

#[tokio::test]
async fn answers_that_are_no_kappa_are_refused() {
    for content in [
        json!({ "value": -1.0 }),
        json!({ "value": "nan" }),
        json!({ "value": "inf" }),
        json!({}),
        json!(2.0),
    ] {
        let (result, _) = run(json!({ "action": "accept", "content": content })).await;
        assert!(result.is_err());
    }
    for answer in [json!({ "action": "maybe" }), json!({ "action": "accept" })] {
        assert!(run(answer).await.0.is_err());
    }
}
