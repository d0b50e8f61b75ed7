# `make run` starts Switchboard, `make test` checks everything. The scripts say what they do.

.PHONY: run build test format deny

# SANDBOX=1 runs the Telegram sandbox beside it; ARGS="--listen 0.0.0.0:8080" are flags of `switchboard serve`.
run:
	@scripts/run $(ARGS)

# The binary for a server, with the web app inside: target/release/switchboard.
build:
	@scripts/web build
	@cargo build --locked --release

# STEPS="rust web" runs only these steps; `scripts/test --help` lists them.
test:
	@scripts/test $(STEPS)

format:
	@cargo fmt --all
	@scripts/web format

# Licences, advisories and banned crates; needs cargo-deny.
deny:
	@cargo deny --locked check
