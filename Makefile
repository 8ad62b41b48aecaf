# linkwatch: `make run` shows this machine's links, `make test` runs everything. See README.md.
SHELL := /bin/bash
.DEFAULT_GOAL := build
.PHONY: build demo run test test-pure test-namespaces test-wirelab test-tsan format deps deps-test soak fuzz bench bench-lab lab lab-cut install clean completions generate

SWIFTFLAGS := -c release --static-swift-stdlib
BIN := .build/release
COMPLETIONS := .build/completions
PREFIX ?= /usr/local

build: deps
	swift build $(SWIFTFLAGS)

deps:
	@Tests/install-packages build

deps-test:
	@Tests/install-packages build test

run: build
	@Tests/run-here

demo: build
	@Tests/demo

test: deps-test
	@Tests/run-all

test-pure: deps
	@Tests/run-all style pure

# The sweep's thread under ThreadSanitizer.
test-tsan: deps
	@Tests/run-all tsan

test-namespaces: deps-test
	@Tests/run-all build namespaces

test-wirelab: deps-test
	@Tests/run-all build wirelab

# The story of 2002 with linkwatch and with keepalived: two directors, a client, two servers, and cables that are pulled.
lab: build deps-test
	@Tests/run-all venv >/dev/null
	@cd Tests && ../.venv/bin/python -m wirelab.scenario

# Pulls one cable of the wire lab, and shows who notices when.
lab-cut: build deps-test
	@Tests/run-all venv >/dev/null
	@cd Tests && ../.venv/bin/python -m wirelab.cut

# The completion scripts of the shells, written by linkwatch itself.
completions:
	@mkdir -p $(COMPLETIONS)
	@for shell in bash zsh fish; do \
	    $(BIN)/linkwatch --generate-completion-script $$shell > $(COMPLETIONS)/linkwatch.$$shell || exit 1; done

# After `make build`, so that root needs no compiler. DESTDIR and PREFIX as usual; the examples are those of the manual pages.
install: completions
	install -d $(DESTDIR)$(PREFIX)/{bin,sbin,lib/systemd/system,lib/sysusers.d,share/doc/linkwatch/examples}
	install -m 755 $(BIN)/linkwatch $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BIN)/linkwatchd $(BIN)/linkwatch-vrrp $(DESTDIR)$(PREFIX)/sbin
	for page in man/*.[1-8]; do \
	    install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man$${page##*.} $$page || exit 1; done
	install -D -m 644 $(COMPLETIONS)/linkwatch.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/linkwatch
	install -D -m 644 $(COMPLETIONS)/linkwatch.zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_linkwatch
	install -D -m 644 $(COMPLETIONS)/linkwatch.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/linkwatch.fish
	for unit in $(wildcard dist/*.service dist/*.socket); do \
	    sed 's|/usr/\(s\?bin\)/|$(PREFIX)/\1/|' $$unit > $(DESTDIR)$(PREFIX)/lib/systemd/system/$${unit##*/} || exit 1; done
	install -m 644 dist/linkwatch.sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/linkwatch.conf
	for page in man/*.toml.5; do example=$${page##*/}; \
	    awk '/^\.Ed/ { on = 0 } on; /^\.Bd -literal/ { on = 1 }' $$page \
	        > $(DESTDIR)$(PREFIX)/share/doc/linkwatch/examples/$${example%.5} || exit 1; done
# A package does this when it is installed, not when it is made.
	[ -n "$(DESTDIR)" ] || ! command -v systemd-sysusers >/dev/null || \
	    systemd-sysusers $(PREFIX)/lib/sysusers.d/linkwatch.conf

# Tests of the engine that take hours and gigabytes: the wider search, and a million random schedules, about an hour
# of one core.
soak: build
	$(BIN)/vrrp-search --soak
	@Tests/run-all venv >/dev/null
	LINKWATCH_ATTACK_SECONDS=120 .venv/bin/pytest -q -rs Tests/namespaces/test_attacks.py
# What keepalived does and what its import does, with Debian's newest keepalived too, and with all configurations of a
# folder: LINKWATCH_CONFIGURATIONS=FOLDER.
	LINKWATCH_KEEPALIVED=sid .venv/bin/pytest -q -rs Tests/namespaces/test_oracle.py
	[ -z "$(LINKWATCH_CONFIGURATIONS)" ] || .venv/bin/pytest -q -rs Tests/namespaces/test_oracle.py

fuzz: deps
	@Fuzz/run

# Every row of docs/benchmarks.md; BENCH='--only ROW', '--quick', '--list'.
bench: build
	@Tests/install-packages test bench
	@Benchmarks/run $(BENCH)

bench-lab: build
	@Tests/install-packages test bench
	@Benchmarks/run --lab wire $(BENCH)

# Generated from the varlink descriptions: the records, and the lists of linkwatch-varlink(7).
generate:
	@Tools/generate

format:
	swift format -i -r -p Sources Tests Fuzz Benchmarks Package.swift

clean:
	rm -rf .build .build-* .venv
