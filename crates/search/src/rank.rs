//! Many lists become one: results that are the same page are joined, and those stand first that several indexes rank
//! high (reciprocal rank fusion). The same lists always give the same result.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::engine::{Hit, Index};
use crate::links;
use crate::outcome::Found;
use crate::text;

/// What keeps the first ranks from outweighing all others (Cormack, Clarke and Büttcher, 2009).
const SMOOTHING: f64 = 60.0;

/// Words of a query that decide between equals.
const WORDS: usize = 32;

/// A hit that may be shown: cleaned, and with what makes its address the same as another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    key: String,
    title: String,
    href: String,
    body: String,
}

impl Entry {
    /// The hit as it may be shown; nothing if its address is none that can be followed.
    pub(crate) fn new(hit: &Hit) -> Option<Self> {
        let url = links::tidy(&hit.url)?;
        let mut title = text::clean(&hit.title, text::TITLE);
        if title.is_empty() {
            title = url.host_str().unwrap_or_default().to_owned();
        }
        Some(Self {
            key: links::key(&url),
            title,
            body: text::clean(&hit.body, text::BODY),
            href: url.into(),
        })
    }
}

/// What one engine found, best first, all pages in a row.
pub(crate) struct List<'a> {
    pub(crate) engine: &'static str,
    pub(crate) index: Index,
    pub(crate) entries: &'a [Entry],
}

/// How many different pages the lists name.
pub(crate) fn distinct<'a>(lists: impl IntoIterator<Item = &'a [Entry]>) -> usize {
    lists
        .into_iter()
        .flatten()
        .map(|entry| entry.key.as_str())
        .collect::<HashSet<_>>()
        .len()
}

/// One page, as all engines together have it.
struct Joined<'a> {
    /// The entry that is ranked best; of equals the one of the first list.
    best: &'a Entry,
    rank: usize,
    /// The longest snippet of all.
    body: &'a str,
    engines: Vec<&'static str>,
    /// The best rank in each index: engines with the same index are one opinion.
    ranks: BTreeMap<Index, usize>,
}

impl Joined<'_> {
    fn score(&self) -> f64 {
        self.ranks
            .iter()
            .map(|(index, rank)| index.weight() / (SMOOTHING + *rank as f64))
            .sum()
    }
}

/// The best `most` results of all lists, each page once. Of equal ones those come first that have more of the query's
/// words, then those of the first list.
pub(crate) fn fuse(lists: &[List<'_>], query: &str, most: usize) -> Vec<Found> {
    let mut joined: Vec<Joined<'_>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for list in lists {
        for (at, entry) in list.entries.iter().enumerate() {
            let rank = at + 1;
            let place = *places.entry(&entry.key).or_insert_with(|| {
                joined.push(Joined {
                    best: entry,
                    rank,
                    body: &entry.body,
                    engines: Vec::new(),
                    ranks: BTreeMap::new(),
                });
                joined.len() - 1
            });
            let known = &mut joined[place];
            if rank < known.rank {
                known.best = entry;
                known.rank = rank;
            }
            if entry.body.len() > known.body.len() {
                known.body = &entry.body;
            }
            if !known.engines.contains(&list.engine) {
                known.engines.push(list.engine);
            }
            let best = known.ranks.entry(list.index).or_insert(rank);
            *best = rank.min(*best);
        }
    }
    let mut scored: Vec<_> = joined
        .into_iter()
        .map(|joined| (joined.score(), joined))
        .collect();
    // Stable, here and below: what is equal in all of it stays in the order of the lists.
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    // Only those that can get in are looked at further.
    if let Some((last, _)) = scored.get(most.saturating_sub(1)) {
        let last = *last;
        scored.retain(|(score, _)| *score >= last);
    }
    let words = words(query);
    let mut order: Vec<_> = scored
        .into_iter()
        .map(|(score, joined)| (score, matches(&joined, &words), joined))
        .collect();
    order.sort_by(|(a, few, _), (b, many, _)| b.total_cmp(a).then(many.cmp(few)));
    order
        .into_iter()
        .take(most)
        .map(|(_, _, joined)| Found {
            title: joined.best.title.clone(),
            href: joined.best.href.clone(),
            body: joined.body.to_owned(),
            engines: joined.engines,
        })
        .collect()
}

/// The words of a query in lower case, each once; the first [`WORDS`] of them.
fn words(query: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in query
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        if words.len() < WORDS && !words.iter().any(|known| known == word) {
            words.push(word.to_owned());
        }
    }
    words
}

/// How well a page has the words: in its title counts more than in its snippet.
fn matches(joined: &Joined<'_>, words: &[String]) -> usize {
    let title = joined.best.title.to_lowercase();
    let body = joined.body.to_lowercase();
    words
        .iter()
        .map(|word| 2 * usize::from(title.contains(word)) + usize::from(body.contains(word)))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(urls: &[&str]) -> Vec<Entry> {
        let hit = |url: &&str| Hit {
            title: format!("Title of {url}"),
            url: (*url).to_owned(),
            body: String::new(),
        };
        urls.iter()
            .filter_map(|url| Entry::new(&hit(url)))
            .collect()
    }

    fn list<'a>(engine: &'static str, index: Index, entries: &'a [Entry]) -> List<'a> {
        List {
            engine,
            index,
            entries,
        }
    }

    fn hrefs(found: &[Found]) -> Vec<&str> {
        found.iter().map(|found| found.href.as_str()).collect()
    }

    #[test]
    fn what_two_indexes_agree_on_stands_first_and_once() {
        let mojeek = entries(&["https://a.example/", "https://b.example/x?utm_source=m"]);
        let brave = entries(&["https://c.example/", "http://b.example/x/"]);
        let lists = [
            list("mojeek", Index::Mojeek, &mojeek),
            list("brave", Index::Brave, &brave),
        ];
        let found = fuse(&lists, "x", 10);
        assert_eq!(
            hrefs(&found),
            [
                "https://b.example/x",
                "https://a.example/",
                "https://c.example/"
            ]
        );
        assert_eq!(found[0].engines, ["mojeek", "brave"]);
        assert_eq!(distinct([&mojeek[..], &brave[..]]), 3);
    }

    #[test]
    fn two_engines_with_one_index_are_one_opinion() {
        let same = entries(&["https://a.example/", "https://b.example/"]);
        let other = entries(&["https://c.example/"]);
        let lists = [
            list("duckduckgo", Index::Bing, &same),
            list("yahoo", Index::Bing, &same),
            list("mojeek", Index::Mojeek, &other),
        ];
        let found = fuse(&lists, "c", 10);
        // Were they two, both would stand before it.
        assert_eq!(
            hrefs(&found),
            [
                "https://c.example/",
                "https://a.example/",
                "https://b.example/"
            ]
        );
        assert_eq!(found[1].engines, ["duckduckgo", "yahoo"]);
    }

    #[test]
    fn an_encyclopaedia_is_half_an_opinion() {
        let wikipedia = entries(&["https://en.wikipedia.org/wiki/A"]);
        let far = entries(&["https://x.example/", "https://y.example/"]);
        let lists = [
            list("wikipedia", Index::Wikipedia, &wikipedia),
            list("mojeek", Index::Mojeek, &far),
        ];
        assert_eq!(
            hrefs(&fuse(&lists, "a", 10)).last(),
            Some(&"https://en.wikipedia.org/wiki/A")
        );
    }

    #[test]
    fn a_page_keeps_its_best_rank_title_and_its_longest_snippet() {
        let hit = |title: &str, body: &str| Hit {
            title: title.to_owned(),
            url: "https://a.example/".to_owned(),
            body: body.to_owned(),
        };
        let first: Vec<_> = entries(&["https://z.example/"])
            .into_iter()
            .chain(Entry::new(&hit("second", "a longer snippet")))
            .collect();
        let second: Vec<_> = Entry::new(&hit("first", "short")).into_iter().collect();
        let lists = [
            list("mojeek", Index::Mojeek, &first),
            list("brave", Index::Brave, &second),
        ];
        let found = &fuse(&lists, "a", 1)[0];
        assert_eq!(found.title, "first");
        assert_eq!(found.body, "a longer snippet");
    }

    #[test]
    fn words_decide_between_equals_and_then_the_order_of_the_lists() {
        let one = entries(&["https://one.example/", "https://two.example/"]);
        let other = entries(&["https://rust.example/", "https://three.example/"]);
        let lists = [
            list("mojeek", Index::Mojeek, &one),
            list("brave", Index::Brave, &other),
        ];
        assert_eq!(
            hrefs(&fuse(&lists, "RUST", 10)),
            [
                "https://rust.example/",
                "https://one.example/",
                "https://two.example/",
                "https://three.example/"
            ]
        );
    }

    #[test]
    fn what_leads_nowhere_is_left_out_and_a_page_without_a_title_has_its_host() {
        let hit = |url: &str| Hit {
            title: "\u{202e} ".to_owned(),
            url: url.to_owned(),
            body: String::new(),
        };
        assert_eq!(Entry::new(&hit("javascript:alert(1)")), None);
        assert_eq!(Entry::new(&hit("https://user@evil.example/")), None);
        let entry = Entry::new(&hit("https://a.example/b")).unwrap();
        assert_eq!(entry.title, "a.example");
    }
}
