"""Runnel and others on the same workloads, one after the other: what `bench/peers/compare` is made of."""
