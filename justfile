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
    cargo deny --offline check licenses bans sources

# The tests, as the README says.
test:
    cargo test --workspace

# The benches that need no rival.
bench:
    cargo bench --workspace
