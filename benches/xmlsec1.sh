#!/bin/sh
# Judges, and lets libxmlsec1 verify the same documents in the same run. Takes the arguments of the benchmark.
# Needs a C compiler, pkg-config and libxmlsec1-dev.
set -eu
cd "$(dirname "$0")/.."
mkdir -p target
# shellcheck disable=SC2046
cc -O2 -Wall -Wextra -Wno-deprecated-declarations -o target/libxmlsec1 benches/libxmlsec1.c $(pkg-config --cflags --libs xmlsec1-openssl)
LIBXMLSEC1="$PWD/target/libxmlsec1" exec cargo bench --bench judge -- "$@"
