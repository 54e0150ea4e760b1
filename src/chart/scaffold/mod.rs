//! The files of a new chart: a Deployment, its Service, a ServiceAccount, and what may stand in front of them.

/// What the texts have in place of the chart's name.
const NAME: &str = "CHARTNAME";

const FILES: &[(&str, &str)] = &[
    ("Chart.yaml", include_str!("Chart.yaml")),
    ("values.yaml", include_str!("values.yaml")),
    (".helmignore", include_str!("helmignore")),
    ("templates/_helpers.tpl", include_str!("names.tpl")),
    ("templates/deployment.yaml", include_str!("deployment.yaml")),
    ("templates/service.yaml", include_str!("service.yaml")),
    ("templates/serviceaccount.yaml", include_str!("serviceaccount.yaml")),
    ("templates/ingress.yaml", include_str!("ingress.yaml")),
    ("templates/httproute.yaml", include_str!("httproute.yaml")),
    ("templates/hpa.yaml", include_str!("hpa.yaml")),
    ("templates/NOTES.txt", include_str!("NOTES.txt")),
    ("templates/tests/test-connection.yaml", include_str!("test-connection.yaml")),
];

/// The files of a new chart of that name, by their paths.
pub fn scaffold(name: &str) -> Vec<(String, Vec<u8>)> {
    FILES.iter().map(|(path, text)| ((*path).to_owned(), text.replace(NAME, name).into_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{Compat, File, Loader};

    #[test]
    fn a_new_chart_loads() {
        let files = scaffold("shop");
        let files = files.iter().map(|(path, text)| File::new(path.as_str(), text, 0)).collect();
        let chart = Loader { compat: Compat::Helm4 }.files(files).unwrap().chart;
        assert_eq!(chart.metadata.name, "shop");
        assert_eq!(chart.templates.len(), 9);
        assert!(chart.templates.iter().all(|f| !f.data.to_string().contains(NAME)));
    }
}
