# The commands of this repository; `make help` lists them.

CARGO ?= cargo
MUSL := x86_64-unknown-linux-musl
HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
# musl where its standard library and compiler are installed, else glibc; static either way.
TARGET ?= $(shell [ -d "$$(rustc --print target-libdir --target $(MUSL) 2>/dev/null)" ] && command -v musl-gcc >/dev/null \
	&& echo $(MUSL) || echo $(HOST))
LAP := target/$(TARGET)/release/lap
# Relocations in their short form: 1.5 MB less that every process reads at its start. glibc's start code knows it since 2.36.
comma := ,
LINK := $(if $(findstring gnu,$(TARGET)),-C link-arg=-Wl$(comma)-z$(comma)pack-relative-relocs)

.PHONY: help quickstart test lint release bench compare install

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | awk -F'|' '{ printf "  make %-12s %s\n", $$1, $$2 }'

quickstart: release ## Build lap, base images and a project, push and run it: the whole way on this machine
	@fixtures/quickstart $(LAP)

test: ## Install what tests need and run every test
	@tests/prepare
	@tests/run

lint: ## Formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

release: ## The static binary, its size, and proof that it is static and starts
	RUSTFLAGS="-C target-feature=+crt-static" $(CARGO) rustc --release --locked --bin lap --target $(TARGET) -- $(LINK)
	@if readelf -d $(LAP) | grep NEEDED; then echo "$(LAP) needs libraries: it is not static" >&2; exit 1; fi
	@if readelf -l $(LAP) | grep INTERP; then echo "$(LAP) needs a loader: it is not static" >&2; exit 1; fi
	@$(LAP) version >/dev/null || { echo "$(LAP) does not start: with a glibc older than 2.36 say make release LINK=" >&2; exit 1; }
	@echo "$(LAP): static, $$(stat -c %s $(LAP) | awk '{ printf "%.1f MB", $$1 / 1e6 }')"

install: release ## Put lap into PREFIX/bin (default /usr/local)
	install -D -m 755 $(LAP) $(DESTDIR)$(or $(PREFIX),/usr/local)/bin/lap

bench: ## Hot paths, by criterion
	$(CARGO) bench

compare: release ## lap beside Debian's buildah on the same project
	@benches/compare/run $(LAP)
