//! What verification finds: whatever is done to any line.

use proptest::prelude::*;

use super::super::chain::Marks;
use super::*;

/// The lines of a log whose calls have these names, in files of so many lines.
fn log(names: &[String], file: usize) -> (Vec<Vec<Vec<u8>>>, Head) {
    let opened = |because| {
        Event::Opened(Opened {
            time: SystemTime::UNIX_EPOCH,
            because,
            server: "s",
            key: "k",
            before: None,
            torn_bytes: None,
        })
        .body()
    };
    let (mut head, mut files) = (Head::NONE, Vec::new());
    for (i, names) in names.chunks(file).enumerate() {
        let because = if i == 0 {
            Because::New
        } else {
            Because::Rotated
        };
        let mut lines = Vec::new();
        let calls = names.iter().map(|name| Event::Call(&call(name)).body());
        for body in std::iter::once(opened(because)).chain(calls) {
            let mut line = Vec::new();
            head = head.follow(Marks::default(), &body, &mut line);
            lines.push(line);
        }
        files.push(lines);
    }
    (files, head)
}

fn write(folder: &Path, files: &[Vec<Vec<u8>>]) -> Vec<PathBuf> {
    let paths = files.iter().enumerate().map(|(i, lines)| {
        let path = folder.join(format!("{i}"));
        std::fs::write(&path, lines.concat()).unwrap();
        path
    });
    paths.collect()
}

fn found(paths: &[PathBuf], expected: Option<Digest>) -> Vec<String> {
    let findings = verify(paths, expected).unwrap().findings;
    findings
        .iter()
        .map(|finding| {
            let text = finding.to_string();
            text.rsplit_once('/').unwrap().1.to_owned()
        })
        .collect()
}

#[derive(Debug, Clone)]
enum Harm {
    /// Another byte in a line, at a part of its length.
    Edit(prop::sample::Index, u8),
    Remove,
    /// Exchanged with another one.
    Swap(prop::sample::Index),
    /// Once more, elsewhere.
    Repeat(prop::sample::Index),
    /// The line ends in its middle, and with it the file.
    Cut(prop::sample::Index),
}

fn harm() -> impl Strategy<Value = Harm> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), 0x20..0x7f_u8).prop_map(|(at, byte)| Harm::Edit(at, byte)),
        Just(Harm::Remove),
        index().prop_map(Harm::Swap),
        index().prop_map(Harm::Repeat),
        index().prop_map(Harm::Cut),
    ]
}

proptest! {
    #[test]
    fn whatever_is_done_to_any_line_is_found(
        names in prop::collection::vec(".{0,12}", 1..16),
        size in 1..8_usize,
        at in any::<prop::sample::Index>(),
        harm in harm(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (mut files, head) = log(&names, size);
        let paths = write(folder.path(), &files);
        prop_assert_eq!(found(&paths, Some(head.hash)), Vec::<String>::new());
        let places: Vec<_> = files.iter().enumerate()
            .flat_map(|(file, lines)| (0..lines.len()).map(move |line| (file, line))).collect();
        let place = at.index(places.len());
        let (file, line) = places[place];
        let mut is_last = place == places.len() - 1;
        match &harm {
            Harm::Edit(position, byte) => {
                let bytes = &mut files[file][line];
                let position = position.index(bytes.len());
                prop_assume!(bytes[position] != *byte);
                bytes[position] = *byte;
            }
            Harm::Remove => drop(files[file].remove(line)),
            Harm::Swap(with) => {
                let with = with.index(places.len());
                prop_assume!(with != place);
                is_last = false;
                let other = places[with];
                let taken = files[other.0][other.1].clone();
                files[other.0][other.1] = std::mem::replace(&mut files[file][line], taken);
            }
            Harm::Repeat(to) => {
                let again = files[file][line].clone();
                let to = places[to.index(places.len())];
                is_last = false;
                files[to.0].insert(to.1, again);
            }
            Harm::Cut(position) => {
                let bytes = &mut files[file][line];
                bytes.truncate(position.index(bytes.len()));
                files[file].truncate(line + 1);
                files.truncate(file + 1);
            }
        }
        let paths = write(folder.path(), &files);
        prop_assert_ne!(found(&paths, Some(head.hash)), Vec::<String>::new());
        // What is done to the end of a log needs its head, unless it leaves half a line.
        let at_end = is_last || matches!(harm, Harm::Cut(_));
        if !at_end {
            prop_assert_ne!(found(&paths, None), Vec::<String>::new());
        }
    }
}

/// The lines of each file.
type Files = Vec<Vec<Vec<u8>>>;

/// What somebody does to a log.
type Change<'a> = &'a dyn Fn(&mut Files);

/// That, what is said of it, and whether it is found without the head.
type Case<'a> = (Change<'a>, &'a [&'a str], bool);

#[test]
fn what_was_done_is_said_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> = "abcdef".chars().map(String::from).collect();
    let said = |change: Change<'_>| {
        let (mut files, head) = log(&names, 3);
        change(&mut files);
        let paths = write(folder.path(), &files);
        (found(&paths, None), found(&paths, Some(head.hash)))
    };
    let other = "no line up to this last one has the expected head: the log was rewritten, or cut before it";
    let edit = |line: &mut Vec<u8>, from: &str, to: &str| {
        let text = String::from_utf8(line.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        *line = text.replacen(from, to, 1).into_bytes();
    };
    let cases: [Case<'_>; 13] = [
        (&|_| {}, &[], true),
        (
            &|files| edit(&mut files[0][1], r#""a""#, r#""x""#),
            &["0, line 2: this line was edited: the line after it has another hash of it"],
            true,
        ),
        (
            &|files| edit(&mut files[0][1], r#":2,"#, r#":7,"#),
            &["0, line 2: the number of this line was edited"],
            true,
        ),
        (
            &|files| edit(&mut files[0][1], r#"{"#, r#"["#),
            &["0, line 2: this is no line of an audit log; it was edited"],
            true,
        ),
        (
            &|files| drop(files[0].remove(1)),
            &["0, line 2: a line is missing before this one"],
            true,
        ),
        (
            &|files| drop(files[1].drain(..2)),
            &["1, line 1: 2 lines are missing before this one"],
            true,
        ),
        (
            &|files| drop(files[0].remove(0)),
            &["0, line 1: the lines before this one are missing"],
            true,
        ),
        (
            &|files| files[0].swap(1, 2),
            &[
                "0, line 2: a line is missing before this one",
                "0, line 3: this line is out of place",
                "0, line 4: a line is missing before this one",
            ],
            true,
        ),
        (
            &|files| files[1][3].truncate(50),
            &["1, line 4: this line is cut off"],
            false,
        ),
        // A log may begin with a file that goes on from another.
        (&|files| drop(files.remove(0)), &[], true),
        (
            &|files| *files = [log(&names, 9).0, log(&names, 9).0].concat(),
            &["1, line 1: a new chain begins here, which does not follow the line before"],
            false,
        ),
        // What needs the head.
        (&|files| drop(files[1].pop()), &[], false),
        (
            &|files| *files = log(&["rewritten".to_owned()], 1).0,
            &[],
            false,
        ),
    ];
    for (i, (change, findings, has_head)) in cases.into_iter().enumerate() {
        let (without, with) = said(change);
        assert_eq!(without, findings, "case {i}");
        assert_eq!(
            !with.iter().any(|text| text.ends_with(other)),
            has_head,
            "case {i}: {with:?}"
        );
    }
}

#[test]
fn a_log_may_have_grown_since_its_head_was_noted_and_a_long_line_is_one_finding() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> = "abcdef".chars().map(String::from).collect();
    let (mut files, _) = log(&names, 9);
    let noted = Digest::of(&files[0][4]);
    let paths = write(folder.path(), &files);
    let verified = verify(&paths, Some(noted)).unwrap();
    assert_eq!(
        (verified.findings.len(), verified.after_expected),
        (0, Some(2))
    );
    assert_eq!(
        (verified.lines, verified.first, verified.closed),
        (7, 1, false)
    );
    let long = [vec![b'x'; 5 * MAX_LINE_BYTES], vec![b'\n']].concat();
    files[0].insert(2, long);
    let paths = write(folder.path(), &files);
    assert_eq!(
        found(&paths, None)[0],
        "0, line 3: this is no line of an audit log; it was edited"
    );
    let (file, _) = verify([folder.path().join("none")], None).unwrap_err();
    assert!(file.ends_with("none"));
}

#[test]
fn a_line_with_one_of_the_last_numbers_that_there_are_is_none() {
    for number in [u64::MAX, u64::MAX - 1] {
        last_number(number);
    }
}

fn last_number(number: u64) {
    let folder = tempfile::tempdir().unwrap();
    let (mut files, _) = log(&["a".into(), "b".into()], 2);
    let line = String::from_utf8(files[0][1].clone()).unwrap();
    let edited = line.replace("\"sequence\":2", &format!("\"sequence\":{number}"));
    files[0][1] = edited.into_bytes();
    let paths = write(folder.path(), &files);
    let findings = found(&paths, None);
    assert!(
        findings[0].contains("no line of an audit log"),
        "{findings:?}"
    );
    // Nor does a log go on after it.
    let log = Log::new();
    let _ = log.open().close();
    let text = std::fs::read_to_string(log.path()).unwrap();
    let text = text.replacen("\"sequence\":1", &format!("\"sequence\":{number}"), 1);
    let (first, _) = text.split_once('\n').unwrap();
    std::fs::write(log.path(), format!("{first}\n")).unwrap();
    assert!(log.refusal().contains("none of an audit log"));
}
