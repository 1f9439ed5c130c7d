"""Benchmarks: real processes over loopback, a real store, real SMPP. See docs/performance.md."""
