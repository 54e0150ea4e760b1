//! The nearest known word to a misspelt one.

/// The known word with the smallest edit distance, at most 2; `None` also when the word is known. The first of several
/// wins. Letters are compared without case unless `exact`; the answer then takes the word's own case.
pub fn nearest(word: &str, known: &[&str], exact: bool) -> Option<String> {
    let fold = |text: &str| if exact { text.to_owned() } else { text.to_lowercase() };
    let wanted = fold(word);
    // Every known word is short, so a long one cannot be near any of them.
    if wanted.len() > 64 {
        return None;
    }
    let mut best: Option<(usize, String)> = None;
    for candidate in known.iter().map(|k| fold(k)) {
        if candidate == wanted {
            return None;
        }
        let distance = distance(&wanted, &candidate);
        if distance < best.as_ref().map_or(3, |(least, _)| *least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, found)| {
        if !exact && word == word.to_uppercase() && word != wanted { found.to_uppercase() } else { found }
    })
}

/// ` (did you mean X?)`, or nothing.
pub(super) fn did_you_mean(near: Option<&str>) -> String {
    near.map(|word| format!(" (did you mean {word}?)")).unwrap_or_default()
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_words() {
        let known = ["ADD", "COPY", "RUN"];
        assert_eq!(nearest("RUNN", &known, false).as_deref(), Some("RUN"));
        assert_eq!(nearest("cpoy", &known, false).as_deref(), Some("copy"));
        assert_eq!(nearest("copy", &known, false), None);
        assert_eq!(nearest("EXECUTE", &known, false), None);
        assert_eq!(nearest("frm", &["chown", "from"], true).as_deref(), Some("from"));
    }
}
