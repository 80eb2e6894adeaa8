//! What differs between two texts, line by line.

/// Lines around a change that are shown.
const AROUND: usize = 2;

/// Lines of either text that are compared line by line; more are shown whole.
const MOST: usize = 2000;

/// The lines of both in one: `-` is in `old` only, `+` in `new` only; what is the same is shown near a change.
pub(super) fn diff(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let marked = mark(&old, &new);
    let near = |at: usize| {
        let around = at.saturating_sub(AROUND)..(at + AROUND + 1).min(marked.len());
        marked[around].iter().any(|(mark, _)| *mark != ' ')
    };
    let (mut text, mut shown) = (String::new(), true);
    for (at, (mark, line)) in marked.iter().enumerate() {
        let before = std::mem::replace(&mut shown, near(at));
        match shown {
            true => text.push_str(&format!("  {mark} {line}\n")),
            false if before => text.push_str("    …\n"),
            false => {}
        }
    }
    text
}

fn mark<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    if old.len() > MOST || new.len() > MOST {
        let old = old.iter().map(|line| ('-', *line));
        return old.chain(new.iter().map(|line| ('+', *line))).collect();
    }
    // How many lines are the same from here on: the longest common subsequence.
    let mut same = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            same[i][j] = match old[i] == new[j] {
                true => same[i + 1][j + 1] + 1,
                false => same[i + 1][j].max(same[i][j + 1]),
            };
        }
    }
    let (mut marked, mut i, mut j) = (Vec::new(), 0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            marked.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && same[i + 1][j] >= same[i][j + 1]) {
            marked.push(('-', old[i]));
            i += 1;
        } else {
            marked.push(('+', new[j]));
            j += 1;
        }
    }
    marked
}

#[cfg(test)]
mod tests {
    use super::diff;

    #[test]
    fn changes_are_shown_with_what_is_around_them() {
        let old = "a\nb\nc\nd\ne\nf\ng\n";
        let new = "a\nb\nc\nD\ne\nf\ng\nh\n";
        let shown = diff(old, new);
        let lines: Vec<&str> = shown.lines().map(|line| &line[2..]).collect();
        assert_eq!(
            lines,
            [
                "  …", "  b", "  c", "- d", "+ D", "  e", "  f", "  g", "+ h"
            ]
        );
        assert_eq!(diff(old, old), "    …\n");
        assert_eq!(diff("", "x\n"), "  + x\n");
    }
}
