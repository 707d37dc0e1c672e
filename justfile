# What CI runs, by the same words. `just ci` before you push.

# Everything that must hold before a change lands.
ci: fmt clippy doc deny test

# Layout of the code.
fmt:
    cargo fmt --all --check

# Lints, warnings denied.
clippy:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Documentation builds without a warning.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Licences, duplicate crates, sources.
deny:
    cargo fetch --locked
    cargo deny --offline check licenses bans sources

# The tests, as the README says.
test:
    cargo test --workspace

# One fuzz target for a while; needs cargo-fuzz and a nightly compiler.
fuzz target seconds="60":
    cargo fuzz run {{target}} -- -max_total_time={{seconds}}

# Whether the fuzz targets still compile.
fuzz-check:
    cd fuzz && cargo check

# Our engine against another one, outside the workspace; some minutes to build.
rivals:
    cd rules/benches/rivals && cargo test --locked

# What is shipped: `target/dist/`.
dist:
    cargo build --profile dist --workspace
