# Each target is one script or one cmake call. `make demo` and `make test` need nothing
# but make itself to be installed beforehand.
PREFIX ?= /usr/local

.PHONY: all demo test test-release portable interop fuzz bench prove lint install clean
all: build/build.ninja
	@cmake --build --preset release

build/build.ninja: CMakePresets.json
	@.ci/setup
	@cmake --preset release -DCMAKE_INSTALL_PREFIX=$(PREFIX) >/dev/null

build/asan/build.ninja: CMakePresets.json
	@cmake --preset asan >/dev/null

# Preview, apply and second preview of the main job, against the emulator.
demo:
	@.ci/setup
	@$(MAKE) --no-print-directory -s all
	@spec/demo.sh

# All specs: C units and busted under AddressSanitizer and UBSan, and the release module
# in stock Lua.
test:
	@.ci/setup test
	@$(MAKE) --no-print-directory all build/asan/build.ninja
	@cmake --build --preset asan
	@spec/test.sh

# The same specs on the release build alone.
test-release:
	@.ci/setup test
	@$(MAKE) --no-print-directory all
	@spec/test.sh release

# The same units and specs, built without Linux's own calls.
portable:
	@.ci/setup test
	@cmake --preset portable >/dev/null
	@cmake --build --preset portable
	@spec/test.sh portable

# The official TypeScript SDK against the emulator and compared with our module, and the
# consent page in a browser. When node, its registry or Chromium is missing, the check
# says so and counts as skipped.
interop: all
	@.ci/setup interop || echo "going on without them"
	@spec/interop/run.sh
	@spec/consent/run.sh

# Fuzzes the parsers of replies and headers; SECONDS per target.
SECONDS ?= 60
fuzz:
	@.ci/setup test
	@spec/fuzz/run.sh $(SECONDS)

# Compares figures with a bare curl_multi loop: timings, not tests.
bench: all
	@spec/bench/run.sh
	@spec/emulator/speed.sh build

# The long sweeps: kills and faults.
prove:
	@.ci/setup test
	@$(MAKE) --no-print-directory all build/asan/build.ninja
	@cmake --build --preset asan
	@spec/prove.sh

lint:
	@.ci/setup test
	@$(MAKE) --no-print-directory build/build.ninja
	@spec/lint/lint.sh

install: all
	@cmake --install build --prefix $(PREFIX)

clean:
	@rm -rf build
