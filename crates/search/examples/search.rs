//! Searches the web and prints what was found, and what each engine had to say.
//!
//! ```sh
//! cargo run -p pymcp-search --example search -- "rust programming" uk-en 10 1
//! ```
//!
//! The words, then a region, a number of results and a number of pages, of which the last three may be left out.
//! `BRAVE_API_KEY`, `SEARXNG_URL` (with its host in `SEARXNG_PRIVATE_HOST` if it is one's own) and `DDGS_PROXY` are
//! taken from the environment.

// A program may print.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::env;
use std::process::ExitCode;

use pymcp_search::{Config, Outcome, Query, Search, Secret};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(outcome) => {
            print(&outcome);
            ExitCode::from(u8::from(!outcome.is_answer()))
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<Outcome, Box<dyn std::error::Error>> {
    let mut arguments = env::args().skip(1);
    let text = arguments.next().unwrap_or_default();
    let region = arguments.next();
    let mut number = |or: usize| arguments.next().map_or(Ok(or), |text| text.parse());
    let (results, pages) = (number(Query::RESULTS)?, number(1)?);
    let region = region.as_deref().unwrap_or(Query::REGION);
    let query = Query::new(&text, region, results, u32::try_from(pages)?)?;
    let search = Search::new(config()?)?;
    Ok(search
        .search(&query, |report| {
            eprintln!("{}: {}", report.engine, report.status.name());
        })
        .await)
}

fn config() -> Result<Config, Box<dyn std::error::Error>> {
    let set = |name| env::var(name).ok().filter(|text: &String| !text.is_empty());
    let mut config = Config {
        brave_api_key: set("BRAVE_API_KEY").and_then(|key| Secret::new(&key)),
        proxy: set("DDGS_PROXY").map(|proxy| proxy.parse()).transpose()?,
        private_hosts: set("SEARXNG_PRIVATE_HOST").into_iter().collect(),
        ..Config::default()
    };
    if let Some(url) = set("SEARXNG_URL") {
        config.urls.insert("searxng".to_owned(), url);
    }
    Ok(config)
}

fn print(outcome: &Outcome) {
    for (at, found) in outcome.results.iter().enumerate() {
        println!("{:>3}. {}", at + 1, found.title);
        println!("     {}", found.href);
        println!("     {}", found.body);
        println!("     [{}]", found.engines.join(", "));
    }
    println!();
    println!(
        "{:<12} {:<10} {:>7} {:>5} {:>7}  note",
        "engine", "status", "results", "pages", "ms"
    );
    for report in &outcome.engines {
        println!(
            "{:<12} {:<10} {:>7} {:>5} {:>7}  {}",
            report.engine,
            report.status.name(),
            report.results,
            report.pages,
            report.time.as_millis(),
            report.note.as_deref().unwrap_or_default()
        );
    }
}
