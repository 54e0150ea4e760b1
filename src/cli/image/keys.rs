//! `key=value,key=value`, as `--output` takes it: one record of CSV, so that a value with commas can be quoted.

use std::collections::BTreeMap;

/// Keys that say nothing where they are false (or true), and cannot be carried out otherwise, with the reason.
const INAPPLICABLE: [(&str, bool, &str); 8] = [
    ("unpack", false, "layers are unpacked when something needs their files, not before"),
    ("store", true, "the image is kept in the store; with type=cacheonly only its layers are"),
    ("oci-artifact", false, "no attestations are made, so there is no artifact to hold them"),
    ("attestation-inline", false, "no attestations are made"),
    ("prefer-nondist-layers", false, "layers keep the media type they came with"),
    ("name-canonical", false, "the store finds every image by its digest already"),
    ("danging-name-empty-only", false, "images without a name are found by their digest"),
    ("buildinfo", false, "BuildKit dropped it, and so it is not written here"),
];

/// Keys with their values; what is taken out is known.
#[derive(Debug)]
pub struct Keys(BTreeMap<String, String>);

impl Keys {
    /// Reads a record.
    ///
    /// # Errors
    /// In words.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut keys = BTreeMap::new();
        for field in fields(text)? {
            // `force-compression` alone means true.
            let (key, value) = match field.split_once('=') {
                Some((key, value)) => (key, value),
                None if field == "force-compression" => (field.as_str(), "true"),
                None => return Err(format!("`{field}` is not KEY=VALUE")),
            };
            // Names of annotations keep their letters.
            let key = key.trim();
            let key = if key.starts_with("annotation") { key.to_owned() } else { key.to_ascii_lowercase() };
            if keys.insert(key.clone(), value.to_owned()).is_some() {
                return Err(format!("`{key}` is given twice"));
            }
        }
        Ok(Self(keys))
    }

    /// Takes a value out.
    pub fn text(&mut self, key: &str) -> Option<String> {
        self.0.remove(key)
    }

    /// Takes a boolean out.
    ///
    /// # Errors
    /// If it is none.
    pub fn flag(&mut self, key: &str) -> Result<Option<bool>, String> {
        let value = self.0.remove(key);
        value.map(|value| boolean(key, &value)).transpose()
    }

    /// Takes out all keys that begin so.
    pub fn beginning_with(&mut self, prefix: &str) -> Vec<(String, String)> {
        let names: Vec<String> = self.0.keys().filter(|key| key.starts_with(prefix)).cloned().collect();
        names.into_iter().filter_map(|name| self.0.remove_entry(&name)).collect()
    }

    /// What is left must not be there.
    ///
    /// # Errors
    /// With the reason, for the first key.
    pub fn finish(mut self, kind: &str) -> Result<(), String> {
        for (key, natural, reason) in INAPPLICABLE {
            if let Some(asked) = self.flag(key)?
                && asked != natural
            {
                return Err(format!("{key}={asked} does not apply: {reason}"));
            }
        }
        match self.0.keys().next().map(String::as_str) {
            None => Ok(()),
            Some("source-date-epoch") => {
                Err("one time holds for the whole build: give it with --source-date-epoch".into())
            }
            Some("dangling-name-prefix") => {
                Err("dangling-name-prefix does not apply: an image without a name is found by its digest"
                    .into())
            }
            Some(key) => Err(format!("type={kind} has no key `{key}`")),
        }
    }
}

fn boolean(key: &str, value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" => Ok(true),
        "0" | "f" | "false" => Ok(false),
        _ => Err(format!("`{key}={value}` is neither true nor false")),
    }
}

/// The fields of a record; a field in quotes may hold commas, and `""` for a quote.
fn fields(text: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    let mut rest = text.chars().peekable();
    loop {
        let mut field = String::new();
        if rest.next_if_eq(&'"').is_some() {
            loop {
                match rest.next() {
                    None => return Err("a quote is not closed".into()),
                    Some('"') if rest.next_if_eq(&'"').is_some() => field.push('"'),
                    Some('"') => break,
                    Some(c) => field.push(c),
                }
            }
            if rest.peek().is_some_and(|c| *c != ',') {
                return Err("something follows a closing quote".into());
            }
        } else {
            while let Some(c) = rest.next_if(|c| *c != ',') {
                field.push(c);
            }
        }
        fields.push(field);
        if rest.next().is_none() {
            return Ok(fields);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        assert_eq!(fields("a=1,b=2").unwrap(), ["a=1", "b=2"]);
        assert_eq!(fields("a,\"b=1,2\",\"c\"\"d\"").unwrap(), ["a", "b=1,2", "c\"d"]);
        for bad in ["\"a", "\"a\"b"] {
            assert!(fields(bad).is_err(), "{bad}");
        }
    }
}
