"""Algorithms that solve the ptychographic problem, one module each, of three pure functions.

init(patterns, guess, options) gives a state, update(state, patterns, iteration, options) the next
one with scalar metrics, finish(state) the reconstruction. Random numbers come from (options.seed,
iteration) alone, so that a resumed run ends with the same bits.
"""
