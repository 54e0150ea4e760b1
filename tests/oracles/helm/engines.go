package main

// The engines pin the versions of Sprig, semver and YAML that Helm is built with.
import (
	_ "helm.sh/helm/v3/pkg/engine"
	_ "helm.sh/helm/v4/pkg/engine"
)
