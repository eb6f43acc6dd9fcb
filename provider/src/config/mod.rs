//! `config.toml`: sources by name, defaults of options, and where each value came from.
