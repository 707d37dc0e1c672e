//! The journal against a model, a failing disk and damaged bytes.
