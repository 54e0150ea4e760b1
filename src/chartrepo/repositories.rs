//! Helm's `repositories.yaml`: read and written so that Helm sees what it wrote itself.

use std::path::{Path, PathBuf};

use super::{Error, Trust};
use crate::host::fs;
use crate::yaml::{self, Options, Value};

/// A repository the user has added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The name before the `/` of a chart.
    pub name: String,
    /// The address whose `index.yaml` lists the charts.
    pub url: String,
    /// Name of the user, if it asks for one.
    pub username: String,
    /// Their password.
    pub password: String,
    /// A client certificate.
    pub cert_file: String,
    /// Its key.
    pub key_file: String,
    /// Certificates of authorities to trust.
    pub ca_file: String,
    /// Whether any certificate is good enough.
    pub insecure: bool,
    /// Whether user and password also go to other hosts.
    pub pass_credentials: bool,
}

impl Entry {
    /// How its server is trusted and told who we are.
    pub fn trust(&self) -> Trust {
        let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
        Trust {
            username: self.username.clone(),
            password: self.password.clone(),
            cert_file: path(&self.cert_file),
            key_file: path(&self.key_file),
            ca_file: path(&self.ca_file),
            insecure: self.insecure,
            pass_credentials: self.pass_credentials,
        }
    }

    fn read(value: &Value) -> Self {
        let text = |key: &str| match value.get(key) {
            Some(Value::Str(text)) => text.to_string(),
            Some(Value::Float(n)) => yaml::format_json_float(n).unwrap_or_default(),
            Some(Value::Bool(b)) => b.to_string(),
            _ => String::new(),
        };
        let flag = |key: &str| matches!(value.get(key), Some(Value::Bool(true)));
        Self {
            name: text("name"),
            url: text("url"),
            username: text("username"),
            password: text("password"),
            cert_file: text("certFile"),
            key_file: text("keyFile"),
            ca_file: text("caFile"),
            insecure: flag("insecure_skip_tls_verify"),
            pass_credentials: flag("pass_credentials_all"),
        }
    }

    fn to_value(&self) -> Value {
        Value::map([
            ("name", self.name.as_str().into()),
            ("url", self.url.as_str().into()),
            ("username", self.username.as_str().into()),
            ("password", self.password.as_str().into()),
            ("certFile", self.cert_file.as_str().into()),
            ("keyFile", self.key_file.as_str().into()),
            ("caFile", self.ca_file.as_str().into()),
            ("insecure_skip_tls_verify", self.insecure.into()),
            ("pass_credentials_all", self.pass_credentials.into()),
        ])
    }
}

/// The repositories the user has added.
#[derive(Clone, Debug, Default)]
pub struct Repositories {
    /// In the order in which they were added.
    pub entries: Vec<Entry>,
    api_version: String,
    generated: String,
}

impl Repositories {
    /// Reads the file; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read or is something else.
    pub fn load(path: &Path) -> Result<Option<Self>, Error> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(Error::local("read the list of chart repositories")(error)),
        };
        let map = yaml::read_map(&text, Options::default()).map_err(|e| {
            Error::Invalid(format!("couldn't load repositories file ({}): {e}", path.display()))
        })?;
        let text = |key: &[u8]| map.get(key).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let entries = match map.get(b"repositories") {
            Some(Value::List(list)) => {
                list.items().iter().filter(|e| !e.is_null()).map(Entry::read).collect()
            }
            _ => Vec::new(),
        };
        Ok(Some(Self { entries, api_version: text(b"apiVersion"), generated: text(b"generated") }))
    }

    /// Writes the file, readable by its owner only.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let fail = || Error::local("write the list of chart repositories");
        let generated =
            if self.generated.is_empty() { "0001-01-01T00:00:00Z" } else { self.generated.as_str() };
        let value = Value::map([
            ("apiVersion", self.api_version.as_str().into()),
            ("generated", generated.into()),
            ("repositories", Value::list(self.entries.iter().map(Entry::to_value).collect())),
        ]);
        let text = yaml::write(&value).map_err(|e| Error::Invalid(e.to_string()))?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(fail())?;
        }
        fs::write_private(path, &text).map_err(fail())
    }

    /// The repository of a name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.name == name)
    }

    /// Adds a repository, or changes the one of its name.
    pub fn update(&mut self, entry: Entry) {
        match self.entries.iter_mut().find(|e| e.name == entry.name) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
    }

    /// Takes a repository out; whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|e| e.name != name);
        self.entries.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_helms() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/repositories.yaml");
        assert!(Repositories::load(&path).unwrap().is_none());
        let mut list = Repositories::default();
        list.update(Entry { name: "a".into(), url: "http://h".into(), ..Entry::default() });
        list.save(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "apiVersion: \"\"\ngenerated: \"0001-01-01T00:00:00Z\"\nrepositories:\n- caFile: \"\"\n  certFile: \"\"\n  \
             insecure_skip_tls_verify: false\n  keyFile: \"\"\n  name: a\n  pass_credentials_all: false\n  password: \
             \"\"\n  url: http://h\n  username: \"\"\n"
        );
        let mut again = Repositories::load(&path).unwrap().unwrap();
        assert_eq!(again.entries, list.entries);
        assert!(again.remove("a") && !again.remove("a"));
    }
}
