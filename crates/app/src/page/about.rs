//! Who the server is, as it says itself.

use pymcp_kit::model::{Icon, Implementation};
use serde::Serialize;

use super::item::{MOST_NAME, MOST_TEXT, shortened};

/// Bytes of an icon that is shown.
const MOST_ICON: usize = 64 << 10;

/// Who the server is.
#[derive(Debug, Serialize)]
pub(super) struct About {
    /// What people call it.
    pub(super) title: String,
    /// What programs call it.
    pub(super) name: String,
    pub(super) version: String,
    /// One sentence, or nothing.
    pub(super) description: String,
    /// The picture itself, as a `data:` URI; empty for none. Nothing is loaded from elsewhere.
    pub(super) icon: String,
    /// A letter or a digit that stands for it where it has no picture.
    pub(super) letter: char,
    /// `http:` or `https:`, or nothing.
    pub(super) website: String,
}

impl About {
    pub(super) fn of(info: &Implementation) -> Self {
        let title = info
            .title
            .as_deref()
            .filter(|title| !title.trim().is_empty());
        let title = title.unwrap_or(&info.name);
        let website = info.website_url.as_deref().unwrap_or_default();
        let opens = ["https://", "http://"]
            .iter()
            .any(|scheme| website.starts_with(scheme));
        Self {
            title: shortened(title, MOST_NAME),
            name: shortened(&info.name, MOST_NAME),
            version: shortened(&info.version, MOST_NAME),
            description: shortened(info.description.as_deref().unwrap_or_default(), MOST_TEXT),
            icon: info
                .icons
                .iter()
                .flatten()
                .find_map(picture)
                .unwrap_or_default(),
            letter: letter(title),
            website: match opens {
                true => website.to_owned(),
                false => String::new(),
            },
        }
    }
}

/// The picture of an icon that has it in itself.
fn picture(icon: &Icon) -> Option<String> {
    let shown = icon.src.len() <= MOST_ICON && icon.src.starts_with("data:image/");
    shown.then(|| icon.src.clone())
}

fn letter(title: &str) -> char {
    let plain = title.chars().find(char::is_ascii_alphanumeric);
    plain.map_or('M', |letter| letter.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_shown_with_what_it_has_in_itself_alone() {
        let mut info = Implementation::new("zebra-2", "1.0.0");
        let about = About::of(&info);
        assert_eq!(
            (&*about.title, about.letter, &*about.icon),
            ("zebra-2", 'Z', "")
        );
        info.title = Some("«Zebra»".to_owned());
        info.website_url = Some("javascript:alert(1)".to_owned());
        let data = "data:image/png;base64,AA==";
        info.icons = Some(vec![
            Icon::new("https://evil.example/x.png"),
            Icon::new("data:text/html,x"),
            Icon::new(data),
        ]);
        let about = About::of(&info);
        assert_eq!(
            (&*about.title, about.letter, &*about.icon),
            ("«Zebra»", 'Z', data)
        );
        assert_eq!(about.website, "");
        info.website_url = Some("https://zebra.example".to_owned());
        info.icons = Some(vec![Icon::new(format!(
            "data:image/png,{}",
            "A".repeat(MOST_ICON)
        ))]);
        info.title = Some("\u{202e}漢".to_owned());
        let about = About::of(&info);
        assert_eq!((&*about.icon, about.letter), ("", 'M'));
        assert_eq!(about.website, "https://zebra.example");
    }
}
