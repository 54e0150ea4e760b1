//! The values of `lap image build --secret` and `--ssh`.

use std::path::PathBuf;

use crate::build::{SecretSource, SecretValue, SshSource};
use crate::host;

/// Reads `id=NAME[,src=FILE|,env=VARIABLE][,type=file|env]`, as Buildx does.
///
/// # Errors
/// In words, for clap.
pub fn secret(text: &str) -> Result<SecretSource, String> {
    let (mut id, mut kind, mut source, mut variable) = (None, None, None, None);
    for field in fields(text)? {
        let (key, value) = field.split_once('=').ok_or_else(|| format!("`{field}` is not KEY=VALUE"))?;
        let place = match key.trim().to_ascii_lowercase().as_str() {
            "id" => &mut id,
            "type" => &mut kind,
            "source" | "src" => &mut source,
            "env" => &mut variable,
            other => return Err(format!("`{other}` is none of id, src, env, type")),
        };
        if place.replace(value.to_owned()).is_some() {
            return Err(format!("`{key}` is given twice"));
        }
    }
    let id = id.filter(|id| !id.is_empty()).ok_or("it has no id=")?;
    let value = match (kind.as_deref(), source, variable) {
        (Some("file"), _, Some(_)) => return Err("type=file has no key `env`".into()),
        (Some("env"), Some(name), None) | (None | Some("env"), None, Some(name)) => SecretValue::Env(name),
        (None | Some("file"), Some(path), None) => SecretValue::File(PathBuf::from(path)),
        (None | Some("env"), Some(_), Some(_)) => return Err("give either src or env".into()),
        (Some("file"), None, None) => SecretValue::File(PathBuf::from(&id)),
        (Some("env"), None, None) => SecretValue::Env(id.clone()),
        (None, None, None) if host::env::bytes(&id).is_some() => SecretValue::Env(id.clone()),
        (None, None, None) => SecretValue::File(PathBuf::from(&id)),
        (Some(other), ..) => return Err(format!("`type={other}` is neither file nor env")),
    };
    Ok(SecretSource { id, value })
}

/// Reads `NAME[=SOCKET|=KEY[,KEY…]]`, as Buildx does.
///
/// # Errors
/// In words, for clap.
pub fn ssh(text: &str) -> Result<SshSource, String> {
    let (id, paths) = text.split_once('=').unwrap_or((text, ""));
    if id.is_empty() {
        return Err("it has no name: write default, or NAME=KEY".into());
    }
    let paths = paths.split(',').filter(|path| !path.is_empty()).map(PathBuf::from).collect();
    Ok(SshSource { id: id.to_owned(), paths })
}

/// The fields of one CSV record.
fn fields(text: &str) -> Result<Vec<String>, String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let field = fields.last_mut().ok_or("it is empty")?;
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if quoted || field.is_empty() => quoted = !quoted,
            '"' => return Err("a quotation mark stands inside a word".into()),
            ',' if !quoted => fields.push(String::new()),
            c => field.push(c),
        }
    }
    if quoted { Err("a quotation mark is missing at its end".into()) } else { Ok(fields) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_as_buildx_reads_them() {
        let file =
            |id: &str, path: &str| Ok(SecretSource { id: id.into(), value: SecretValue::File(path.into()) });
        let env =
            |id: &str, name: &str| Ok(SecretSource { id: id.into(), value: SecretValue::Env(name.into()) });
        let table = [
            ("id=a,src=/x", file("a", "/x")),
            ("id=a,source=/x,type=file", file("a", "/x")),
            ("\"id=a\",\"src=/x,\"\"y\"\"\"", file("a", "/x,\"y\"")),
            ("id=a,env=B", env("a", "B")),
            ("type=env,id=a,src=B", env("a", "B")),
            ("type=env,id=a", env("a", "a")),
            ("id=no-such-variable", file("no-such-variable", "no-such-variable")),
            ("id=PATH", env("PATH", "PATH")),
        ];
        for (text, expected) in table {
            assert_eq!(secret(text), expected, "{text}");
        }
        for wrong in
            ["", "id=", "src=/x", "id=a,id=b", "id=a,src=x,env=y", "id=a,type=x", "id=a,x=y", "id=\"a", "a"]
        {
            assert!(secret(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn agents_as_buildx_reads_them() {
        let source = |id: &str, paths: &[&str]| {
            Ok(SshSource { id: id.into(), paths: paths.iter().map(PathBuf::from).collect() })
        };
        assert_eq!(ssh("default"), source("default", &[]));
        assert_eq!(ssh("default="), source("default", &[]));
        assert_eq!(ssh("git=/a,/b=c"), source("git", &["/a", "/b=c"]));
        assert!(ssh("=x").is_err() && ssh("").is_err());
    }
}
