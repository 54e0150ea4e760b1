//! The order in which go-yaml writes the keys of a map.

use std::cmp::Ordering;

/// go-yaml's natural order: letters after everything else, runs of digits by their number. It is not transitive for
/// every set of keys; a sort must bear that.
pub fn natural_order(a: &str, b: &str) -> Ordering {
    order(a, b, false)
}

/// `digits_first`: after a digit a letter sorts before other signs, as version 3 has it.
fn order(a: &str, b: &str, digits_first: bool) -> Ordering {
    let common = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let mut start = common;
    while !a.is_char_boundary(start) || !b.is_char_boundary(start) {
        start -= 1;
    }
    let (Some(x), Some(y)) = (a[start..].chars().next(), b[start..].chars().next()) else {
        return a.len().cmp(&b.len());
    };
    match (go_is_letter(x), go_is_letter(y)) {
        (true, true) => return x.cmp(&y),
        (false, false) => {}
        (letter, _) => {
            let digits = digits_first && a[..start].chars().next_back().is_some_and(go_is_digit);
            return if letter == digits { Ordering::Less } else { Ordering::Greater };
        }
    }
    let mut left = 0i64;
    let mut right = 0i64;
    if x == '0' || y == '0' {
        let digits = a[..start].chars().rev().take_while(|c| go_is_digit(*c));
        if digits.into_iter().any(|c| c != '0') {
            (left, right) = (1, 1);
        }
    }
    let (ai, bi) = (run(&a[start..], &mut left), run(&b[start..], &mut right));
    left.cmp(&right).then(ai.cmp(&bi)).then(x.cmp(&y))
}

fn run(text: &str, value: &mut i64) -> usize {
    let mut n = 0;
    for c in text.chars().take_while(|c| go_is_digit(*c)) {
        *value = value.wrapping_mul(10).wrapping_add(i64::from(u32::from(c)) - i64::from(b'0'));
        n += 1;
    }
    n
}

fn go_is_letter(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { c.is_alphabetic() && !c.is_numeric() }
}

fn go_is_digit(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { false }
}

/// Sorts keys in [`natural_order`]; never panics although that order is not always consistent.
pub(super) fn sort_keys<T>(keys: &mut Vec<T>, text: impl Fn(&T) -> &str) {
    sort_with(keys, |a, b| natural_order(text(a), text(b)));
}

/// As [`sort_keys`], in the order of go-yaml version 3.
pub(super) fn sort_keys_v3<T>(keys: &mut Vec<T>, text: impl Fn(&T) -> &str) {
    sort_with(keys, |a, b| order(text(a), text(b), true));
}

fn sort_with<T>(keys: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    if keys.windows(2).all(|w| compare(&w[0], &w[1]) != Ordering::Greater) {
        return;
    }
    let mut width = 1;
    let mut order: Vec<usize> = (0..keys.len()).collect();
    while width < order.len() {
        let mut merged = Vec::with_capacity(order.len());
        for pair in order.chunks(width * 2) {
            let (left, right) = pair.split_at(width.min(pair.len()));
            merge(left, right, &mut merged, |a, b| compare(&keys[*b], &keys[*a]) == Ordering::Less);
        }
        order = merged;
        width *= 2;
    }
    let mut slots: Vec<Option<T>> = std::mem::take(keys).into_iter().map(Some).collect();
    keys.extend(order.into_iter().filter_map(|i| slots[i].take()));
}

fn merge(
    left: &[usize],
    right: &[usize],
    out: &mut Vec<usize>,
    right_first: impl Fn(&usize, &usize) -> bool,
) {
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        if right_first(&left[i], &right[j]) {
            out.push(right[j]);
            j += 1;
        } else {
            out.push(left[i]);
            i += 1;
        }
    }
    out.extend_from_slice(&left[i..]);
    out.extend_from_slice(&right[j..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn natural_keys() {
        let mut keys: Vec<&str> = "é a10 a2 a.b a-b a B A 10 9 _x -".split(' ').collect();
        sort_keys(&mut keys, |k| k);
        assert_eq!(keys.join(" "), "- _x 9 10 A B a a-b a.b a2 a10 é");
    }
}
