//! The nearest known word to a misspelled one.

/// The candidate with the smallest edit distance to `word`, if it is near enough to be meant: at
/// most a third of the word's letters differ, and at least one may.
pub(crate) fn nearest<'a>(word: &str, candidates: &'a [String]) -> Option<&'a String> {
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .iter()
        .map(|candidate| (edit_distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance: insertions, deletions and replacements of characters.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, to) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found_and_a_stranger_is_not() {
        let known = ["listen".to_owned(), "behind_proxy".to_owned()];
        assert_eq!(nearest("lisen", &known), Some(&known[0]));
        assert_eq!(nearest("behindproxy", &known), Some(&known[1]));
        assert_eq!(nearest("colour", &known), None);
    }

    #[test]
    fn distances_are_edits() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("same", "same"), 0);
    }
}
