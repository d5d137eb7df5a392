//! Runnel's simulator.
pub mod chance;
