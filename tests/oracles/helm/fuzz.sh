#!/bin/sh
# Compares random templates, values and YAML texts with Helm's engine. By hand, needs Go.
# usage: fuzz.sh SEED COUNT
# fixtures/compat/fuzz was made by `go run . fuzz 12 300 ../../../fixtures/compat/fuzz`.
set -eu
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
go run . fuzz "$1" "$2" "$folder"
cd ../../..
LAP_FUZZ_VECTORS=$folder cargo test -q --test compat -- fuzz_vectors
