//! The environment and the places it names.

use std::path::PathBuf;

/// The value of a variable; unset, empty and not UTF-8 are `None`.
pub fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The value of a variable as a path; unset and empty are `None`.
pub fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The value of a variable as it is, which may be empty; unset is `None`.
pub fn bytes(name: &str) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt;
    std::env::var_os(name).map(OsStringExt::into_vec)
}

/// The arguments of this process, the program's name first.
pub fn arguments() -> impl Iterator<Item = std::ffi::OsString> {
    std::env::args_os()
}

/// All variables that are UTF-8.
pub fn vars() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
}

/// The user's home directory.
pub fn home() -> Option<PathBuf> {
    path("HOME")
}

/// The working directory.
///
/// # Errors
/// If it was removed or may not be read.
pub fn current_dir() -> Result<PathBuf, super::Error> {
    std::env::current_dir().map_err(|e| super::Error::new("find the working directory", ".", e))
}

/// The XDG data folder: `$XDG_DATA_HOME`, else `~/.local/share`.
pub fn data_home() -> Option<PathBuf> {
    path("XDG_DATA_HOME").filter(|p| p.is_absolute()).or_else(|| Some(home()?.join(".local/share")))
}

/// The XDG configuration folder: `$XDG_CONFIG_HOME`, else `~/.config`.
pub fn config_home() -> Option<PathBuf> {
    path("XDG_CONFIG_HOME").filter(|p| p.is_absolute()).or_else(|| Some(home()?.join(".config")))
}

/// The folder for temporary files.
pub fn temp_dir() -> PathBuf {
    std::env::temp_dir()
}
