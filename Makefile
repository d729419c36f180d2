SHELL := bash

HERO := .build/release/hero

.PHONY: help build mpi demo test format lint bench bench-record bench-table performance fuzz endurance quality dist wheel release release-arm64 \
  test-arm64 gpu-bundle cuda-emulation gpu-check-emulated packages

## Shows what there is.
help:
	@awk '/^## / { text = text (text == "" ? "" : " ") substr($$0, 4); next } \
	  /^[a-z0-9-]+:/ && text != "" { split($$0, name, ":"); sub(/[.;:] .*/, ".", text); \
	    printf "make %-18s %s\n", name[1], text; text = "" } \
	  /^$$/ { text = "" }' Makefile

## Installs missing packages and builds the program: .build/release/hero.
build: packages
	swift build -c release --product hero
	@Scripts/note-commit $(HERO).commit
	@$(MAKE) --no-print-directory mpi

## A plugin for each MPI that is installed, beside the program: mpirun, mpiexec and srun then start
## it as one job.
PLUGINS ?= .build/release/lib
PLUGIN_SOURCE := Sources/hero/Shims/MPIPlugin/plugin.c
mpi:
	@found=; \
	for mpi in openmpi mpich; do \
	  compiler=$$(command -v mpicc.$$mpi || true); \
	  if [ -z "$$compiler" ] && command -v mpicc >/dev/null; then \
	    case "$$(mpicc -show 2>/dev/null)" in \
	      *openmpi*|*open-mpi*|*-lopen-*) kind=openmpi ;; *) kind=mpich ;; esac; \
	    [ $$kind = $$mpi ] && compiler=mpicc; \
	  fi; \
	  [ -n "$$compiler" ] || continue; \
	  mkdir -p $(PLUGINS) && $$compiler -O2 -Wall -Wextra -Werror -fPIC -shared \
	    -o $(PLUGINS)/.hero-mpi-$$mpi.so.$$$$ $(PLUGIN_SOURCE) && \
	    mv $(PLUGINS)/.hero-mpi-$$mpi.so.$$$$ $(PLUGINS)/hero-mpi-$$mpi.so || exit 1; \
	  echo "MPI: $(PLUGINS)/hero-mpi-$$mpi.so"; found=1; \
	done; \
	[ -n "$$found" ] || echo "MPI: none is installed (no mpicc); the program runs as one process"

## Makes a small corpus, trains on it and shows what was learnt, in some minutes.
demo: build
	$(HERO) demo --output demo

## Runs all tests. Also whether every module imports only what Package.swift says that it stands on.
## METEOR's data for the tests: where HERO_METEOR_DATA says, else in the Python package
## pycocoevalcap if that is installed.
test: export HERO_METEOR_DATA ?= $(shell python3 -c "import importlib.util as u; \
  s = u.find_spec('pycocoevalcap'); print(s.submodule_search_locations[0] + '/meteor' if s else '')" 2>/dev/null)
test: packages mpi
	swift test -c release -Xswiftc -enable-testing --explicit-target-dependency-import-check error

## Formats the sources.
format:
	swift format --in-place --recursive Sources Tests Package.swift Fuzz/Sources Fuzz/Package.swift

## Whether sources are formatted and lines keep to their length.
lint:
	swift format lint --strict --recursive Sources Tests Package.swift Fuzz/Sources Fuzz/Package.swift
	Scripts/long-lines
	@! grep -rn '^@testable' Sources Tests/*Support || \
	  { echo "'swift build -c release' compiles these without -enable-testing" >&2; exit 1; }
	@! grep -rn --include='*.swift' '\.pointee\.' $$(grep -rl 'import CFFmpeg' Sources Tests) || \
	  { echo "FFmpeg's fields are read by FFmpegStructures.swift" >&2; exit 1; }

## Times a step of every kind of training. BATCH: the lengths of a batch of videos, as JSON; by
## default 8 TV-like ones.
BENCH := $(HERO) bench finetune encode caption mlm mfm-nce mffr fom vsm --batch $(or $(BATCH),Benchmarks/batch.json)
bench: build
	$(BENCH)

## The same as bench, and a line a kind in Benchmarks/history.jsonl.
bench-record: build
	$(BENCH) --record Benchmarks/history.jsonl

## Puts the newest figures of the history into README.
bench-table: build
	$(HERO) bench --table Benchmarks/history.jsonl --into README.md

## What the work costs as it grows: tables and plots of Docs/Performance.md. Takes the better part
## of an hour and 16 GB of disk.
performance: build
	$(HERO) bench scaling --into Docs/Performance.md

## Damaged files for every reader, under sanitizers; SECONDS of them for each.
fuzz: packages
	Fuzz/run $(if $(filter command line,$(origin SECONDS)),$(SECONDS),60)

## A million updates, then a hundred SIGKILLs for each kind of training; an hour or two. UPDATES and
## KILLS say how many.
endurance: build
	Scripts/endurance updates $(UPDATES)
	Scripts/endurance kills $(KILLS)

## Trains every task on the demo's corpus from a fixed seed and compares what was learnt with the
## bands in Benchmarks/quality.json; those that 500 updates leave in the midst of learning go on to
## 1,000. With CORPUS and TOKENIZER, a corpus of TVR's own text (see Scripts/quality-corpus), on
## that too, from three seeds, whose curves PAGE takes.
QUALITY := $(HERO) demo --compare Benchmarks/quality.json
quality: build
	rm -rf quality && mkdir quality
	status=0; \
	$(if $(CORPUS),Scripts/quality-corpus "$(CORPUS)" "$(TOKENIZER)" Benchmarks/quality-corpus.json || status=1;) \
	$(QUALITY) --output quality/long --figures quality/long.json --updates 1000 --tasks tvr how2r didemo_video_sub \
	  didemo_video_only || status=1; \
	$(QUALITY) --output quality/short --figures quality/short.json --tasks pretrain msrvtt_video_sub msrvtt_video_only yc2r \
	  vatex_en_r tvc tvqa how2qa violin vlep yc2c vatex_en_c || status=1; \
	exit $$status

## The program for machines without Swift and packages: dist/hero-VERSION-linux-ARCH and .tar.zst.
dist: packages
	Scripts/make-dist

## The same as a wheel for Python, which needs no network to install: dist/hero_video-VERSION-….whl.
wheel: dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) Scripts/make-wheel dist/hero-*-linux-$$(uname -m)
	Scripts/check-wheel dist/hero_video-*_$$(uname -m).whl

## All of a release, and whether it holds what it promises: the archive, a Debian package, the list
## of parts, SHA256SUMS. As root also whether the commit builds and passes its tests on a bare
## Debian 12 and 13, and whether the package works there and under Slurm; SUITES= leaves that out.
SUITES ?= bookworm trixie
release: packages
	for suite in $(SUITES); do Scripts/check-source $$suite || exit 1; done
	Scripts/make-release
	Scripts/check-release
	for suite in $(SUITES); do Scripts/check-package $$suite || exit 1; done
	$(if $(SUITES),Scripts/check-slurm)

## The same for arm64, compiled here and run in emulation.
release-arm64:
	Scripts/arm64 make release SUITES=

## The goldens of every model and what reads files, compiled for arm64 and run in emulation.
## Swift 6.2.3 as Debian builds it fails at its own assertion in one pass, and gives up early on
## long expressions.
ARM64_TESTS := .build/arm64/tests
ARM64_FRONTEND := -solver-scope-threshold=100000000 -solver-trail-threshold=1000000000 \
  -solver-memory-threshold 4000000000
test-arm64:
	Scripts/arm64 swift build --scratch-path $(ARM64_TESTS) -c release -Xswiftc -enable-testing --build-tests \
	  -Xswiftc -Xllvm -Xswiftc -sil-disable-pass=deadobject-elim \
	  $(foreach flag,$(ARM64_FRONTEND),-Xswiftc -Xfrontend -Xswiftc $(flag))
	Scripts/arm64 env HERO_TEST_GPU=none $(ARM64_TESTS)/release/heroPackageTests.xctest --testing-library swift-testing \
	  --filter 'GoldenTests|FormatsTests|TextTests' --skip OnTheDevice

## What shows on a machine with a GPU whether hero is right there, and how fast:
## gpu-bundle/gpu-check, without arguments.
gpu-bundle: packages
	Scripts/make-gpu-bundle

## The emulated device of the tests as libraries of NVIDIA's names:
## HERO_CUDA_PATH=.build/cuda-emulation hero devices.
EMULATION := .build/cuda-emulation
EMULATED := Tests/CUDAEmulation
cuda-emulation:
	@mkdir -p $(EMULATION)
	cc -O2 -fPIC -c -ISources/hero/Shims/COpenBLAS/include -o $(EMULATION)/openblas.o Sources/hero/Shims/COpenBLAS/openblas.c
	c++ -std=c++17 -O2 -fPIC -shared -fvisibility=hidden -o $(EMULATION)/libcuda.so.1 \
	  -I$(EMULATED) -I$(EMULATED)/include -ISources/hero/Shims/CCUDA/include -ISources/hero/Shims/CKernels/include \
	  -ISources/hero/Shims/COpenBLAS/include $(EMULATED)/*.cpp $(EMULATED)/Libraries/exports.cpp $(EMULATION)/openblas.o -ldl -lpthread
	@ln -sf libcuda.so.1 $(EMULATION)/libnvrtc.so.12 && ln -sf libcuda.so.1 $(EMULATION)/libcublasLt.so.12 && \
	  ln -sf libcuda.so.1 $(EMULATION)/libnccl.so.2

## The bundle's check on that device, at small size.
gpu-check-emulated: gpu-bundle cuda-emulation
	HERO_CUDA_PATH=$(EMULATION) HERO_GPU_CHECK=small gpu-bundle/gpu-check

packages:
	@Scripts/install-packages
