//! Packing: a chart as an archive that has the same bytes wherever it is made (`Helm: pkg/chart/v2/util/save.go`).
//!
//! The order of entries, their names and contents are Helm's. Times are the files' own or one given for all; the
//! compression is fixed, and so is the header, which carries Helm's comment and mark.

use std::io::Write as _;

use super::decode::Fields;
use super::{API_V1, API_V2, Chart, Error, Lock};
use crate::yaml::{self, Value};

/// The mark that Helm puts into the header, as a subfield of RFC 1952.
const MARK: &[u8] = b"rr\x28\x00aHR0cHM6Ly95b3V0dS5iZS96OVV6MWljandyTQo=";

/// The archive of a chart and its dependencies. `time` replaces the times of all files.
///
/// # Errors
/// If a name cannot be that of a file, or the schema is not JSON.
pub fn package(chart: &Chart, time: Option<u64>) -> Result<Vec<u8>, Error> {
    let broken = |e: std::io::Error| Error::Chart(format!("cannot write the archive: {e}"));
    let gzip = flate2::GzBuilder::new().comment("Helm").extra(MARK).operating_system(255).mtime(0);
    let mut archive =
        Archive { tar: tar::Builder::new(gzip.write(Vec::new(), flate2::Compression::default())), time };
    archive.chart(chart, "")?;
    let mut gzip = archive.tar.into_inner().map_err(broken)?;
    gzip.flush().map_err(broken)?;
    gzip.finish().map_err(broken)
}

struct Archive {
    tar: tar::Builder<flate2::write::GzEncoder<Vec<u8>>>,
    time: Option<u64>,
}

impl Archive {
    fn chart(&mut self, chart: &Chart, prefix: &str) -> Result<(), Error> {
        let metadata = &chart.metadata;
        let base = format!("{prefix}{}", metadata.name);
        let about = if metadata.api_version == API_V1 {
            super::Metadata { dependencies: None, ..metadata.clone() }.to_value()
        } else {
            metadata.to_value()
        };
        let text = yaml::write(&about).map_err(|e| Error::Chart(e.to_string()))?;
        self.file(&format!("{base}/Chart.yaml"), &text, chart.modified)?;
        if let (API_V2, Some(lock)) = (metadata.api_version.as_str(), &chart.lock) {
            let text = yaml::write(&lock_value(lock, self.time)).map_err(|e| Error::Chart(e.to_string()))?;
            self.file(&format!("{base}/Chart.lock"), &text, lock_time(lock).unwrap_or(chart.modified))?;
        }
        for file in chart.raw.iter().filter(|file| file.name == "values.yaml") {
            self.file(&format!("{base}/values.yaml"), file.data.as_bytes(), file.modified)?;
        }
        if let Some(schema) = &chart.schema {
            if serde_json::from_slice::<serde::de::IgnoredAny>(schema.data.as_bytes()).is_err() {
                return Err(Error::Chart("invalid JSON in values.schema.json".to_owned()));
            }
            self.file(&format!("{base}/values.schema.json"), schema.data.as_bytes(), schema.modified)?;
        }
        for file in chart.templates.iter().chain(chart.files.iter()) {
            self.file(&format!("{base}/{}", file.name), file.data.as_bytes(), file.modified)?;
        }
        for dependency in &chart.dependencies {
            self.chart(dependency, &format!("{base}/charts/"))?;
        }
        Ok(())
    }

    fn file(&mut self, name: &str, data: &[u8], modified: u64) -> Result<(), Error> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(data.len() as u64);
        header.set_mtime(self.time.unwrap_or(modified));
        let added = self.tar.append_data(&mut header, name, data);
        added.map_err(|e| Error::Chart(format!("cannot pack {name}: {e}")))
    }
}

fn lock_time(lock: &Lock) -> Option<u64> {
    let time: jiff::Timestamp = lock.generated.parse().ok()?;
    u64::try_from(time.as_second()).ok()
}

/// A lock as Helm writes it.
pub fn lock_value(lock: &Lock, time: Option<u64>) -> Value {
    let fields = Fields::default();
    fields.value("dependencies", Value::list(lock.dependencies.iter().map(|d| d.to_value()).collect()));
    fields.value("digest", lock.digest.as_str().into());
    let given = time.and_then(|t| i64::try_from(t).ok()).and_then(|t| jiff::Timestamp::from_second(t).ok());
    let generated = given.map_or_else(|| lock.generated.clone(), |t| t.to_string());
    fields.value("generated", generated.into());
    fields.done()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{Compat, File, Loader};

    #[test]
    fn an_archive_has_the_same_bytes_again_and_loads_to_the_same_chart() {
        let file = |name: &str, text: &str| File::new(name, text.as_bytes(), 7);
        let files = vec![
            file("Chart.yaml", "version: 1.0.0\nname: a\napiVersion: v2\n# note\nunknown: x\n"),
            file("values.yaml", "a: 1 # note\n"),
            file("templates/x.yaml", "x"),
            file("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 2.0.0\n"),
        ];
        let loader = Loader { compat: Compat::Helm4 };
        let chart = loader.files(files).unwrap().chart;
        let archive = package(&chart, None).unwrap();
        assert_eq!(archive, package(&chart, None).unwrap());
        let again = loader.archive("a.tgz", &archive).unwrap().chart;
        let names: Vec<_> = again.raw.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["Chart.yaml", "values.yaml", "templates/x.yaml", "charts/b/Chart.yaml"]);
        assert_eq!(again.raw[0].data.to_string(), "apiVersion: v2\nname: a\nversion: 1.0.0\n");
        assert_eq!(again.raw[1].data.to_string(), "a: 1 # note\n");
        assert_eq!(again.raw[1].modified, 7);
    }
}
