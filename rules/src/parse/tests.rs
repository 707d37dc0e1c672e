//! Promises of the parser.
