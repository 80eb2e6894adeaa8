//! What of the program and its libraries can be read again from their files, as the system says it (proc_pid_maps(5)).

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;

/// Addresses of pages that hold what is in their file and nothing else: code and constants, which nobody has written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) addresses: Range<usize>,
    /// Device and inode.
    file: String,
    is_code: bool,
    /// What `smaps` said of it, and `maps` does not: see [`Mapping::is_clean`].
    said: Said,
}

/// What it takes for every page to hold what is in the file. Each is false until it was said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Said {
    /// No page in memory was written to.
    none_was_written: bool,
    /// No page that was written to is in swap, where the count of those in memory does not know of it.
    none_is_in_swap: bool,
    /// It never was writable, as tables of addresses are until the loader has filled them in: they have what no file has.
    never_was_writable: bool,
}

impl Mapping {
    /// Whether all that is in its pages can be read again from the file.
    fn is_clean(&self) -> bool {
        self.said.none_was_written && self.said.none_is_in_swap && self.said.never_was_writable
    }
}

/// Those in the text of `maps` or `smaps` that nobody may write to, of files that code is run from.
pub(super) fn read(text: impl Read) -> io::Result<Vec<Mapping>> {
    let mut all: Vec<Mapping> = Vec::new();
    // Whether the lines that follow are of the last one in `all`.
    let mut is_kept = false;
    for line in BufReader::new(text).lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        if let Some(addresses) = range(first) {
            let found = mapping(addresses, words);
            is_kept = found.is_some();
            all.extend(found);
            continue;
        }
        let Some(last) = all.last_mut().filter(|_| is_kept) else {
            continue;
        };
        match first {
            "Anonymous:" => last.said.none_was_written = words.next() == Some("0"),
            "Swap:" => last.said.none_is_in_swap = words.next() == Some("0"),
            // Whatever is writable is accounted for, and stays so.
            "VmFlags:" => last.said.never_was_writable = words.all(|flag| flag != "ac"),
            _ => {}
        }
    }
    let run: HashSet<_> = all
        .iter()
        .filter(|m| m.is_code)
        .map(|m| m.file.clone())
        .collect();
    all.retain(|mapping| run.contains(&mapping.file));
    Ok(all)
}

/// Those that were there before, and that still nobody has written to.
pub(super) fn unchanged<'a>(
    before: &'a [Mapping],
    now: &'a [Mapping],
) -> impl Iterator<Item = &'a Mapping> {
    now.iter().filter(|now| {
        let same = |before: &Mapping| before.addresses == now.addresses && before.file == now.file;
        now.is_clean() && before.iter().any(same)
    })
}

fn range(text: &str) -> Option<Range<usize>> {
    let (begin, end) = text.split_once('-')?;
    let address = |digits| usize::from_str_radix(digits, 16).ok();
    Some(address(begin)?..address(end)?)
}

/// A mapping of the words behind its addresses: permissions, offset, device, inode, path.
fn mapping<'a>(
    addresses: Range<usize>,
    mut words: impl Iterator<Item = &'a str>,
) -> Option<Mapping> {
    let may = words.next()?;
    let (device, inode) = (words.nth(1)?, words.next()?);
    let is_file = inode != "0" && words.next()?.starts_with('/');
    let is_private = may.starts_with('r') && may.ends_with('p') && !may.contains('w');
    (is_file && is_private).then(|| Mapping {
        addresses,
        file: format!("{device} {inode}"),
        is_code: may.contains('x'),
        said: Said::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
1000-2000 r--p 00000000 fe:00 7    /usr/bin/own name
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd mr mw me
2000-5000 r-xp 00001000 fe:00 7    /usr/bin/own name
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me
5000-6000 r--p 00004000 fe:00 7    /usr/bin/own name
Anonymous:             4 kB
Swap:                  0 kB
VmFlags: rd mr mw me
6000-7000 rw-p 00005000 fe:00 7    /usr/bin/own name
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd wr mr mw me ac
7000-8000 rw-p 00000000 00:00 0    [heap]
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd wr mr mw me ac
8000-9000 r--p 00000000 fe:00 8    /var/data
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd mr mw me
9000-a000 r-xs 00000000 fe:00 9    /shared
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me
a000-b000 r-xp 00000000 fe:01 7    /usr/lib/another
Anonymous:             8 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me
b000-c000 r-xp 00000000 00:00 0    [vdso]
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me de
c000-d000 r--p 00005000 fe:01 7    /usr/lib/another
Anonymous:             0 kB
Swap:                  4 kB
VmFlags: rd mr mw me
d000-e000 r--p 00006000 fe:01 7    /usr/lib/another
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd mr mw me ac
";

    fn addresses<'a>(of: impl IntoIterator<Item = &'a Mapping>) -> Vec<usize> {
        of.into_iter().map(|m| m.addresses.start).collect()
    }

    #[test]
    fn only_code_and_constants_of_programs_are_found() {
        let all = read(SMAPS.as_bytes()).unwrap();
        assert_eq!(
            addresses(&all),
            [0x1000, 0x2000, 0x5000, 0xa000, 0xc000, 0xd000]
        );
    }

    #[test]
    fn what_was_written_to_or_came_later_is_left_out() {
        let all = read(SMAPS.as_bytes()).unwrap();
        assert_eq!(addresses(unchanged(&all, &all)), [0x1000, 0x2000]);
        assert_eq!(addresses(unchanged(&all[1..], &all)), [0x2000]);
        let moved = read(SMAPS.replace("1000-2000", "1000-1800").as_bytes()).unwrap();
        assert_eq!(addresses(unchanged(&moved, &all)), [0x2000]);
        let other = read(SMAPS.replace("fe:00 7", "fe:00 70").as_bytes()).unwrap();
        assert_eq!(addresses(unchanged(&other, &all)), [0; 0]);
        // What is not said, as in `maps`, or by a system that does not know it, is not so.
        for word in ["Anonymous:", "Swap:", "VmFlags:"] {
            let short: Vec<_> = SMAPS.lines().filter(|l| !l.starts_with(word)).collect();
            let silent = read(short.join("\n").as_bytes()).unwrap();
            assert_eq!(addresses(unchanged(&all, &silent)), [0; 0], "{word}");
        }
    }

    #[test]
    fn whatever_is_said_is_no_trouble() {
        for text in [
            "",
            "x",
            "1-2",
            "1-2 r-xp",
            "zz-1 r-xp 0 0 1 /a",
            "Anonymous:",
            "Anonymous: 0",
        ] {
            assert_eq!(read(text.as_bytes()).unwrap(), [], "{text}");
        }
    }
}
