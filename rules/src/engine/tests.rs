//! Promises of the detector.
