//! The regions that can be searched in.

use std::fmt;

/// One region: a country (or all), and a language.
#[derive(Debug, PartialEq, Eq)]
pub struct Region {
    /// As DuckDuckGo and the Python original write it: `uk-en`; `wt-wt` is everywhere.
    pub code: &'static str,
    /// ISO 3166-1 alpha-2, in lower case; none for everywhere and for regions of several countries.
    pub country: Option<&'static str>,
    /// ISO 639-1.
    pub language: &'static str,
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

const fn region(code: &'static str, country: &'static str, language: &'static str) -> Region {
    Region {
        code,
        country: Some(country),
        language,
    }
}

const fn wide(code: &'static str, language: &'static str) -> Region {
    Region {
        code,
        country: None,
        language,
    }
}

/// Every region, by its code.
pub const REGIONS: &[Region] = &[
    region("ar-es", "ar", "es"),
    region("at-de", "at", "de"),
    region("au-en", "au", "en"),
    region("be-fr", "be", "fr"),
    region("be-nl", "be", "nl"),
    region("bg-bg", "bg", "bg"),
    region("br-pt", "br", "pt"),
    region("ca-en", "ca", "en"),
    region("ca-fr", "ca", "fr"),
    region("ch-de", "ch", "de"),
    region("ch-fr", "ch", "fr"),
    region("ch-it", "ch", "it"),
    region("cl-es", "cl", "es"),
    region("cn-zh", "cn", "zh"),
    region("co-es", "co", "es"),
    region("ct-ca", "es", "ca"),
    region("cz-cs", "cz", "cs"),
    region("de-de", "de", "de"),
    region("dk-da", "dk", "da"),
    region("ee-et", "ee", "et"),
    region("es-es", "es", "es"),
    region("fi-fi", "fi", "fi"),
    region("fr-fr", "fr", "fr"),
    region("gr-el", "gr", "el"),
    region("hk-tzh", "hk", "zh"),
    region("hr-hr", "hr", "hr"),
    region("hu-hu", "hu", "hu"),
    region("id-en", "id", "en"),
    region("id-id", "id", "id"),
    region("ie-en", "ie", "en"),
    region("il-he", "il", "he"),
    region("in-en", "in", "en"),
    region("it-it", "it", "it"),
    region("jp-jp", "jp", "ja"),
    region("kr-kr", "kr", "ko"),
    region("lt-lt", "lt", "lt"),
    region("lv-lv", "lv", "lv"),
    region("mx-es", "mx", "es"),
    region("my-en", "my", "en"),
    region("my-ms", "my", "ms"),
    region("nl-nl", "nl", "nl"),
    region("no-no", "no", "no"),
    region("nz-en", "nz", "en"),
    region("pe-es", "pe", "es"),
    region("ph-en", "ph", "en"),
    region("ph-tl", "ph", "tl"),
    region("pl-pl", "pl", "pl"),
    region("pt-pt", "pt", "pt"),
    region("ro-ro", "ro", "ro"),
    region("ru-ru", "ru", "ru"),
    region("se-sv", "se", "sv"),
    region("sg-en", "sg", "en"),
    region("sk-sk", "sk", "sk"),
    region("sl-sl", "si", "sl"),
    region("th-th", "th", "th"),
    region("tr-tr", "tr", "tr"),
    region("tw-tzh", "tw", "zh"),
    region("ua-uk", "ua", "uk"),
    region("ue-es", "us", "es"),
    region("uk-en", "gb", "en"),
    region("us-en", "us", "en"),
    region("ve-es", "ve", "es"),
    region("vn-vi", "vn", "vi"),
    wide("wt-wt", "en"),
    wide("xa-ar", "ar"),
    wide("xa-en", "en"),
    wide("xl-es", "es"),
    region("za-en", "za", "en"),
];

/// The region of a code, in any case and with `_` for `-`.
pub(crate) fn find(code: &str) -> Option<&'static Region> {
    let code = code.trim().to_ascii_lowercase().replace('_', "-");
    let at = REGIONS
        .binary_search_by(|region| region.code.cmp(&code))
        .ok()?;
    REGIONS.get(at)
}

/// Regions that a code may have meant, likeliest first, three at most: the same country and language the other way
/// round (`en-gb`), the ISO code of the country (`gb-en`), the same country or language, or a slip of the finger.
pub(crate) fn suggest(code: &str) -> Vec<&'static Region> {
    let code = code.trim().to_ascii_lowercase().replace('_', "-");
    // No slip of the finger is that long, and looking for it takes its time.
    if code.len() > 16 {
        return Vec::new();
    }
    let (first, second) = code.split_once('-').unwrap_or((&code, ""));
    let score = |region: &Region| {
        let country = region.country.unwrap_or("wt");
        let (place, language) = region.code.split_once('-').unwrap_or_default();
        let is_place = |word: &str| word == place || word == country;
        let is_language = |word: &str| word == language || word == region.language;
        let meant = match () {
            () if is_place(first) && is_language(second) => 4.0,
            () if is_language(first) && is_place(second) => 3.0,
            () if is_place(first) || is_place(second) => 2.0,
            () if second.is_empty() && is_language(first) => 1.0,
            () => 0.0,
        };
        meant + strsim::jaro_winkler(&code, region.code)
    };
    let mut scored: Vec<_> = REGIONS
        .iter()
        .map(|region| (score(region), region))
        .filter(|(score, _)| *score > 0.8)
        .collect();
    scored.sort_by(|(a, left), (b, right)| b.total_cmp(a).then(left.code.cmp(right.code)));
    scored
        .into_iter()
        .take(3)
        .map(|(_, region)| region)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_made_of_codes() {
        assert!(REGIONS.is_sorted_by(|a, b| a.code < b.code));
        for Region {
            code,
            country,
            language,
        } in REGIONS
        {
            assert_eq!(code.split('-').count(), 2, "{code}");
            assert!(country.is_none_or(|country| country.len() == 2), "{code}");
            assert_eq!(language.len(), 2, "{code}");
        }
    }

    #[test]
    fn codes_are_found_however_they_are_written() {
        for code in ["uk-en", "UK-EN", " uk_en "] {
            assert_eq!(find(code).map(|region| region.code), Some("uk-en"));
        }
        assert_eq!(find("gb-en"), None);
        assert_eq!(find("../../admin?x="), None);
    }

    #[test]
    fn slips_are_understood() {
        let first = |code| suggest(code).first().map(|region| region.code);
        assert_eq!(first("en-uk"), Some("uk-en"));
        assert_eq!(first("en-US"), Some("us-en"));
        assert_eq!(first("gb-en"), Some("uk-en"));
        assert_eq!(first("jp-ja"), Some("jp-jp"));
        assert_eq!(first("fr"), Some("fr-fr"));
        assert_eq!(first("us-em"), Some("us-en"));
        assert_eq!(first("qqqqqq"), None);
        assert!(suggest("e").len() <= 3);
        assert!(suggest(&"uk-en".repeat(1000)).is_empty());
    }
}
