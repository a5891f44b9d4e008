# SPDX-License-Identifier: GPL-3.0-or-later
"""The highest rate without loss, as RFC 2544, section 26.1, has it: trials at
rates that close in on it, each of which passes if every frame arrives."""

KEEPS_UP = 0.9                  # Of the rate asked for: else it is too much
                                # for the sender.
CLOSE = 0.03                    # As near as the search goes.


def highest(trial, start, steps=8):
    """'trial(rate)' gives (frames a second that were really offered, lost).
    From 'start' on the rate is doubled as long as trials pass, or halved as
    long as they fail; then the interval is halved.  Gives the highest rate
    offered of those that passed, or 0."""
    best, low, high, rate = 0, None, None, start
    for _ in range(steps):
        offered, lost = trial(rate)
        if lost:
            high = rate
        else:
            best, low = max(best, offered), rate
            if offered < rate * KEEPS_UP:
                break
        if low and high and high - low < CLOSE * high:
            break
        rate = (low + high) / 2 if low and high else \
            rate * 2 if low else rate / 2
    return best


def repeated(trial, start, times):
    """As many results as 'times'; the later searches begin where the first
    has ended."""
    rates = [highest(trial, start, 9)]
    for _ in range(times - 1):
        near = rates[0] or start / 256
        rates.append(_around(trial, near))
    return rates


def _around(trial, near):
    """A short search within about 40 % of 'near', wider if that fails."""
    best, low, high = 0, near * 0.6, None
    rate = near
    for _ in range(6):
        offered, lost = trial(rate)
        if lost:
            high = rate
            low = low if low < rate else rate / 2
        else:
            best, low = max(best, offered), rate
            if offered < rate * KEEPS_UP:
                break
        rate = (low + high) / 2 if high else rate * 1.2
        if high and high - low < CLOSE * high:
            break
    return best
