# Two commands for a newcomer: `make demo` and `make test`. Both need Python >= 3.11, make and a package index, nothing else.

VENV   ?= .venv
BIN    := $(VENV)/bin
PROMPT ?= Say hello in one short sentence.
# Tests wait for limits and for other programs half of their time, so that a core has room for two.
# A worker takes 250 MB and imports all tests, so that more than eight gain little.
CORES ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
WORKERS ?= $(shell echo $$(($(CORES) < 4 ? 2 * $(CORES) : 8)))
AIMOCK ?= 1.43.0
CODEX ?= latest 0.142.5
# The first interpreter new enough; override with `make PYTHON=/path/to/python test`.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$p && break; done)

comma := ,

# uv brings CA certificates of its own; the machine's also know an index behind a company's proxy.
export UV_SYSTEM_CERTS ?= true

# Without it each run compiles all that it imports anew: by the thousands, since tests start programs.
unexport PYTHONDONTWRITEBYTECODE

DEMO := $(VENV)/.installed-demo
DEV  := $(VENV)/.installed-dev

# `make LOCKED=1 ...` installs the versions of dev.lock.
CONSTRAINTS := $(if $(LOCKED),-c dev.lock)

# install(extras): make the environment once, put the package and its extras into it.
define install
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name one with PYTHON=..." >&2; exit 1; }
	@echo "installing codex-api[$(1)] into $(VENV)"
	@if command -v uv >/dev/null; then \
		test -x $(BIN)/python || uv venv -q --python "$(PYTHON)" $(VENV); \
		uv pip install -q --python $(BIN)/python $(CONSTRAINTS) -e '.[$(1)]'; \
	else \
		test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
		$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip; \
		$(BIN)/python -m pip install -q --disable-pip-version-check $(CONSTRAINTS) -e '.[$(1)]'; \
	fi
endef

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

$(DEV): pyproject.toml
	$(call install,all$(comma)dev)
	@touch $(DEMO) $@

$(DEMO): pyproject.toml
	$(call install,cli$(comma)server)
	@touch $@

.PHONY: demo
demo: $(DEMO) ## stream one answer from the embedded server: no key, no network
	$(BIN)/python -m codex_api respond "$(PROMPT)" --provider embedded

.PHONY: test
test: $(DEV) ## run the tests
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

.PHONY: differential
differential: $(DEV) ## read 100,000 mutated HTTP answers, and compare with h11
	MUTATED_ANSWERS=100000 $(BIN)/python -m pytest -q -n auto \
		tests/transport/_core/test_http1_differential.py

# The longest first, because they run two at a time.
STATIC := pyright mypy docs public-types lint contracts generate-check

.PHONY: check static
check: $(DEV) ## everything that must pass before a change lands; the tests begin beside the last of the others
	@$(MAKE) --no-print-directory -j 2 $(STATIC) test
static: $(DEV) ## what needs no run of the tests
	@$(MAKE) --no-print-directory -j 2 $(STATIC)

.PHONY: lint format
lint: $(DEV) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(DEV) ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: generate generate-check
generate: $(DEV) ## write the blocking front, from the one for asyncio
	$(BIN)/python tools/generate_sync.py

generate-check: $(DEV) ## see whether the blocking front is as `make generate` writes it
	$(BIN)/python tools/generate_sync.py --check

.PHONY: types mypy pyright public-types
types: mypy pyright public-types ## mypy --strict on src and tests, pyright strict on src, every public type is known

mypy: $(DEV)
	$(BIN)/mypy

pyright: $(DEV)
	$(BIN)/pyright

public-types: $(DEV)
	@# It finds the package by the first python on the PATH, and tells its list of modules at length.
	@told=$$(PATH="$(abspath $(BIN)):$$PATH" $(BIN)/pyright --verifytypes codex_api --ignoreexternal) \
		|| { echo "$$told" | grep -v '^   codex_api'; exit 1; }

.PHONY: contracts
contracts: $(DEV) ## which layer may import which
	$(BIN)/lint-imports

.PHONY: docs
docs: $(DEV) ## build the documentation, warnings are errors
	$(BIN)/sphinx-build -q -W -n --keep-going -b html docs docs/_build/html

# Every target of tests/fuzz/targets.py, the seconds that each gets, and where chance begins; 0 is
# another place each time.
FUZZED := http sse websocket mapping items failures rate_limits realtime server cassette scenario configuration pem
SECONDS ?= 10
SEED ?= 0

.PHONY: fuzz fuzz-engine
fuzz-engine:
	$(call install,fuzz)

fuzz: $(DEV) ## look for inputs that break a decoder, led by coverage; make fuzz FUZZED=sse SECONDS=600
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(MAKE) --no-print-directory fuzz-engine
	@mkdir -p .fuzz && for target in $(FUZZED); do \
		mkdir -p .fuzz/$$target && $(BIN)/python -m tests.fuzz.run $$target .fuzz/$$target \
			-max_total_time=$(SECONDS) -seed=$(SEED) -artifact_prefix=.fuzz/ >.fuzz/$$target.log 2>&1 \
			|| { tail -n 30 .fuzz/$$target.log; exit 1; }; \
		echo "$$target: $$(grep -c . .fuzz/$$target.log) lines, $$(ls .fuzz/$$target | wc -l) inputs kept"; \
	done

.PHONY: bench
bench: $(DEV) ## measure ourselves against floors and peers; make bench ARGS="sse --check"
	$(BIN)/python -m benchmarks $(ARGS)

# Each installs beside the others, since most of the time is spent waiting for a package index.
PEERS := peer-python peer-ray peer-node peer-codex peer-aimock peer-collector peer-packages

.PHONY: peers peer-uv $(PEERS)
peers: ## install the programs that tests marked `peer` talk to
	@$(MAKE) --no-print-directory -j $(PEERS)

peer-aimock:
	@if test -d .peers/node_modules/@copilotkit/aimock; then :; \
	elif command -v npm >/dev/null; then \
		mkdir -p .peers && npm install --silent --no-audit --no-fund --prefix .peers @copilotkit/aimock@$(AIMOCK) \
			|| echo "make peers: npm could not install aimock, tests against it will be skipped"; \
	else echo "make peers: npm is missing, tests against aimock will be skipped"; fi

peer-codex:
	@if command -v npm >/dev/null; then \
		for version in $(CODEX); do \
			test -d .peers/codex-$$version/node_modules/@openai/codex || npm install --silent --no-audit --no-fund \
				--prefix .peers/codex-$$version @openai/codex@$$version \
				|| echo "make peers: npm could not install the Codex CLI, tests of it will be skipped"; \
		done; \
	else echo "make peers: npm is missing, tests of the Codex CLI will be skipped"; fi

# Clients for JavaScript: the official SDK, and the AI SDK. They need Node 22, which the dev environment has.
NODE_CLIENTS ?= openai@7.59.0 ai@7.0.173 @ai-sdk/openai@4.0.118 ws@8.23.0 zod@4.6.7

peer-node:
	@if test -d .peers/node/node_modules/openai; then :; \
	elif command -v npm >/dev/null; then \
		npm install --silent --no-audit --no-fund --prefix .peers/node $(NODE_CLIENTS) \
			|| echo "make peers: npm could not install $(NODE_CLIENTS), their tests will be skipped"; \
	else echo "make peers: npm is missing, tests of clients for JavaScript will be skipped"; fi

# Clients that bound what we depend on: an environment of their own, by the installer that is quickest.
PYTHON_CLIENTS ?= openai-agents==0.24.0 'pydantic-ai-slim[openai]==2.68.0' langchain-openai==1.7.4 \
	litellm==1.110.2 openai==3.57.0

# The installer that is quickest, for environments that hold much.
UV = $$(command -v uv || echo .peers/uv/bin/uv)

peer-uv: $(DEMO)
	@mkdir -p .peers; test -x $(UV) \
		|| $(BIN)/python -m pip install -q --disable-pip-version-check --upgrade --target .peers/uv uv

peer-python: peer-uv
	@test ! -e .peers/python/.installed || exit 0; uv=$(UV); \
	$$uv venv -q --clear --python "$(PYTHON)" .peers/python \
		&& $$uv pip install -q --python .peers/python/bin/python $(PYTHON_CLIENTS) \
		&& touch .peers/python/.installed \
		|| echo "make peers: the clients for Python could not be installed, their tests will be skipped"

# A collector of OpenTelemetry, in a wheel with nothing to import.
COLLECTOR ?= rotel==0.0.1a15

peer-collector: peer-uv
	@test ! -e .peers/collector/.installed || exit 0; uv=$(UV); \
	$$uv pip install -q --python "$(PYTHON)" --no-deps --target .peers/collector $(COLLECTOR) \
		&& touch .peers/collector/.installed \
		|| echo "make peers: no collector of OpenTelemetry could be installed, its tests will be skipped"

# Ray has 600 MB and pins of its own; beside it what its tests are run with.
RAY_TESTS := anyio hypothesis inline-snapshot pytest pytest-timeout pytest-xdist trustme

peer-ray: peer-uv
	@test ! -e .peers/ray/.installed || exit 0; uv=$(UV); \
	$$uv venv -q --clear --python "$(PYTHON)" .peers/ray \
		&& $$uv pip install -q --python .peers/ray/bin/python -e '.[ray,bulk,server]' $(RAY_TESTS) \
		&& touch .peers/ray/.installed \
		|| echo "make peers: Ray could not be installed, its tests will be skipped"

.PHONY: kills
kills: $(DEV) ## kill bulk runs 50 times at random moments, and count what is lost and paid again
	BULK_KILLS=50 $(BIN)/python -m pytest -q -m kills tests/bulk/test_kill.py

.PHONY: ray
ray: ## test bulk runs on Ray, where `make peers` has installed it
	@if test -e .peers/ray/.installed; then .peers/ray/bin/python -m pytest -q tests/bulk/test_ray.py; \
	else echo "make ray: Ray is not installed, its tests are skipped"; fi

# Each program, and the package that it is in.
PEER_PACKAGES := chromium:chromium nginx:nginx-light haproxy:haproxy tinyproxy:tinyproxy-bin \
	microsocks:microsocks

peer-packages:
	@missing=; for pair in $(PEER_PACKAGES); do \
		PATH="$$PATH:/usr/sbin" command -v "$${pair%%:*}" >/dev/null || missing="$$missing $${pair##*:}"; \
	done; \
	if test -z "$$missing"; then :; \
	elif test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		apt-get update -qq || :; \
		for package in $$missing; do \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$$package" \
				>/dev/null || echo "make peers: apt-get could not install $$package, its tests will be skipped"; \
		done; \
	else echo "make peers:$$missing cannot be installed here, their tests will be skipped"; fi

.PHONY: newcomer
newcomer: ## walk the first hour with the wheel: install, serve, the official SDK, record, replay, test
	tools/newcomer.sh

.PHONY: beside
beside: $(DEV) ## test the wheel's WebSocket beside packages that bound `websockets`, and with the lowest versions
	$(BIN)/python -m tools.beside

.PHONY: check-versions
check-versions: $(DEV) ## try the wheel on every Python here, with the newest and the lowest versions
	$(BIN)/python -m tools.check_versions $(ARGS)

.PHONY: release
release: $(DEV) ## build sdist, wheel and bill of materials, and try the wheel in empty environments
	$(BIN)/python -m tools.release

.PHONY: lock
lock: $(DEV) ## write the versions of this environment into dev.lock
	$(BIN)/python -m tools.lock

.PHONY: coverage
coverage: $(DEV) ## see that each module of the core is covered by tests of its own
	$(BIN)/python tools/coverage_gate.py

.PHONY: mutants
mutants: $(DEV) ## change decisions one at a time, and see whether tests notice; make mutants ARGS=sse
	$(BIN)/python -m tools.mutants $(ARGS)

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf $(VENV) .coverage-gate .fuzz .peers dist docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
