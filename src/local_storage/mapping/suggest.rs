//! "Did you mean": the known word that is nearest to an unknown one.

/// The nearest of `known`, if it is near enough: one of them is the beginning of the other, or few characters differ.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = 1 + word.chars().count() / 4;
    let distance = |candidate: &str| {
        let is_beginning = word.len().min(candidate.len()) > 2
            && (candidate.starts_with(word) || word.starts_with(candidate));
        if is_beginning { 1 } else { distance(word, candidate) }
    };
    let distances = known.into_iter().map(|candidate| (distance(candidate), candidate));
    distances.filter(|&(distance, _)| distance <= limit).min().map(|(_, candidate)| candidate)
}

/// How many characters must be put in, taken out or changed.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((j, y), pair) in b.chars().enumerate().zip(row.windows(2)) {
            let [diagonal, above] = pair else { continue };
            let left = next.get(j).copied().unwrap_or(usize::MAX - 1);
            next.push((diagonal + usize::from(x != y)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested_unless_all_are_far() {
        let known = ["key", "origin", "envelope", "versions", "each", "event"];
        assert_eq!(nearest("evnet", known), Some("event"));
        assert_eq!(nearest("version", known), Some("versions"));
        assert_eq!(nearest("boolean", ["bool", "int"]), Some("bool"));
        assert_eq!(nearest("colour", known), None);
    }
}
