//! Any file of JSON with comments is what it was after `install` and `uninstall`, and nothing of it is lost in between.

use proptest::prelude::*;

use super::*;

/// White space and comments between two tokens.
fn gap() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        2 => Just(" ".to_owned()),
        2 => Just("\n  ".to_owned()),
        1 => Just("\t".to_owned()),
        1 => Just(" // {c: \"mment\"}, }\n".to_owned()),
        1 => Just("/* \"mcpServers\": { */".to_owned()),
        1 => Just("\n\n/* two\n   lines */\n".to_owned()),
    ]
}

fn string() -> impl Strategy<Value = String> {
    "[ -~äß👩]{0,8}".prop_map(|text| serde_json::to_string(&text).unwrap())
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        string(),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-1.50e3".to_owned()),
        Just("12345678901234567890".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            items("[", inner.clone(), "]"),
            fields(string(), inner).prop_map(|fields| object(&fields)),
        ]
    })
}

/// Things between brackets, with commas, perhaps one at the end.
fn items(
    open: &'static str,
    item: impl Strategy<Value = String>,
    close: &'static str,
) -> impl Strategy<Value = String> {
    (
        prop::collection::vec((gap(), item, gap()), 0..3),
        gap(),
        any::<bool>(),
    )
        .prop_map(move |(items, end, comma)| {
            let comma = if comma && !items.is_empty() { "," } else { "" };
            let items: Vec<_> = items.into_iter().map(|(a, b, c)| a + &b + &c).collect();
            format!("{open}{}{comma}{end}{close}", items.join(","))
        })
}

type Written = (Vec<(String, String)>, String, bool);

/// The fields of an object with names of their own, each with what surrounds it.
fn fields(
    name: impl Strategy<Value = String>,
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = Written> {
    let field = (gap(), name, gap(), gap(), value, gap());
    (prop::collection::vec(field, 0..3), gap(), any::<bool>()).prop_map(|(fields, end, comma)| {
        let mut written: Vec<(String, String)> = Vec::new();
        for (a, name, b, c, value, d) in fields {
            if written.iter().all(|(other, _)| *other != name) {
                let text = format!("{a}{name}{b}:{c}{value}{d}");
                written.push((name, text));
            }
        }
        (written, end, comma)
    })
}

fn object((fields, end, comma): &Written) -> String {
    let comma = if *comma && !fields.is_empty() {
        ","
    } else {
        ""
    };
    let fields: Vec<_> = fields.iter().map(|(_, text)| text.as_str()).collect();
    format!("{{{}{comma}{end}}}", fields.join(","))
}

/// A whole file, with servers or without.
fn file() -> impl Strategy<Value = String> {
    let server = prop_oneof![
        value(),
        string().prop_map(|path| format!("{{\"command\": {path}}}")),
    ];
    let servers = fields("\"[a-z]{1,4}\"", server);
    let top = fields("\"[a-e]{1,3}\"", value());
    let whole = (
        gap(),
        top,
        prop::option::of((0..3_usize, gap(), servers)),
        gap(),
    );
    let whole = whole.prop_map(|(before, mut top, servers, after)| {
        if let Some((at, gap, servers)) = servers {
            let text = format!("{gap}\"mcpServers\":{}", object(&servers));
            let at = at.min(top.0.len());
            top.0.insert(at, ("\"mcpServers\"".to_owned(), text));
        }
        format!("{before}{}{after}", object(&top))
    });
    (whole, any::<bool>(), any::<bool>()).prop_map(|(text, crlf, mark)| {
        let text = if crlf {
            text.replace('\n', "\r\n")
        } else {
            text
        };
        format!("{}{text}", if mark { "\u{feff}" } else { "" })
    })
}

/// Every comment of a text, in order.
fn comments(text: &str) -> usize {
    ["// {c: \"mment\"}, }", "/* \"mcpServers\": { */", "/* two"]
        .iter()
        .map(|comment| text.matches(comment).count())
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_file_survives(before in file(), arguments in prop::collection::vec("[ -~]{0,6}", 0..3), touched in any::<bool>()) {
        let cursor = CLIENTS[3];
        let home = Home::new();
        let path = home.with(cursor, &before);
        let mut all = vec!["install", "cursor", "--write", "--"];
        all.extend(arguments.iter().map(String::as_str));
        let output = home.run(&all);
        prop_assert_eq!(output.status.code(), Some(0), "{:?}\n{}", output, before);
        let after = read(&path);
        let mut expected = cursor.value(&before);
        let servers = expected.as_object_mut().unwrap().entry("mcpServers").or_insert_with(|| serde_json::json!({}));
        let mut entry = serde_json::json!({"command": binary().to_str().unwrap()});
        if !arguments.is_empty() {
            entry["args"] = serde_json::json!(arguments);
        }
        servers["zebra-2"] = entry;
        prop_assert_eq!(cursor.value(&after), expected.clone());
        prop_assert_eq!(comments(&after), comments(&before), "{}\n{}", before, after);
        if touched {
            fs::write(&path, format!("{after}\n// touched\n")).unwrap();
        }
        home.ok(&["uninstall", "cursor"]);
        let now = read(&path);
        if touched {
            expected["mcpServers"].as_object_mut().unwrap().remove("zebra-2");
            prop_assert_eq!(cursor.value(&now), expected);
            prop_assert_eq!(comments(&now), comments(&before), "{}\n{}", after, now);
            prop_assert!(now.ends_with("// touched\n"));
        } else {
            prop_assert_eq!(now, before);
        }
    }
}
