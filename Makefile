# linkwatch: `make run` shows this machine's links, `make test` runs everything. See README.md.
SHELL := /bin/bash
.DEFAULT_GOAL := build
.PHONY: build run test test-pure test-namespaces test-wirelab format deps deps-test soak fuzz bench bench-lab lab install clean completions

SWIFTFLAGS := -c release --static-swift-stdlib
BIN := .build/release

build: deps
	swift build $(SWIFTFLAGS)

deps:
	@Tests/install-packages build

deps-test:
	@Tests/install-packages build test

run: build
	@Tests/run-here

test: deps-test
	@Tests/run-all

test-pure: deps
	@Tests/run-all style pure

test-namespaces: deps-test
	@Tests/run-all build namespaces

test-wirelab: deps-test
	@Tests/run-all build wirelab

format:
	swift format -i -r -p Sources Tests Fuzz Benchmarks Package.swift

clean:
	rm -rf .build .build-* .venv
