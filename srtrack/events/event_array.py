"""A recording of an event camera, or a slice of one, as four arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Unit of time -> microseconds.
TIME_UNITS = {'s': 1e6, 'ms': 1e3, 'us': 1, 'ns': 1e-3}
#: The same as fractions, for integers: float64 has too few digits for nanoseconds since 1970.
_FRACTIONS = {'s': (10**6, 1), 'ms': (1000, 1), 'us': (1, 1), 'ns': (1, 1000)}
#: Coordinates are kept in 16 bits.
MAX_SIDE = 2**16
#: Times lie between -MAX_TIME and MAX_TIME, so that sums of two do not overflow.
MAX_TIME = 2**62


@dataclass(frozen=True, eq=False)
class Events:
    """N events in the order of their times.

    The constructor trusts its arguments; :meth:`from_arrays` converts and checks foreign ones.

    Attributes:
        x, y: (N,) uint16, column and row of the pixel.
        t: (N,) int64, microseconds, never decreasing. Integers, so that "before the frame" is exact.
        p: (N,) bool, polarity: True is ON (brighter), False is OFF (darker).
        width, height: Size of the sensor in pixels.
    """

    x: np.ndarray
    y: np.ndarray
    t: np.ndarray
    p: np.ndarray
    width: int
    height: int

    def __len__(self) -> int:
        return len(self.t)

    def __getitem__(self, index: slice) -> Events:
        """The events of a slice with a positive step, as views."""
        return Events(
            self.x[index], self.y[index], self.t[index], self.p[index], self.width, self.height
        )

    @classmethod
    def from_arrays(
        cls,
        x,
        y,
        t,
        p,
        width: int | None = None,
        height: int | None = None,
        time_unit: str | None = None,
        sort: bool = False,
        source: str = 'events',
    ) -> Events:
        """Convert and check arrays of any numeric type.

        Args:
            x, y: (N,) whole numbers in [0, width) and [0, height).
            t: (N,) times in ``time_unit``, never decreasing; rounded to microseconds.
            p: (N,) polarities; 1 is ON, 0 and -1 are OFF.
            width, height: Size of the sensor. Default: the smallest that holds all events.
            time_unit: Key of :data:`TIME_UNITS`. Default: microseconds where the times are
                integers, seconds where they are floating.
            sort: Sort by time (stable) instead of refusing unsorted times.
            source: What error messages call the recording.

        Raises:
            ValueError: Names the source, the first bad row (counted from 1) and the way out.
        """
        columns = {name: np.asarray(each) for name, each in dict(x=x, y=y, t=t, p=p).items()}
        shapes = {each.shape for each in columns.values()}
        if len(shapes) > 1 or columns['t'].ndim != 1:
            found = ', '.join(f'{name} {each.shape}' for name, each in columns.items())
            raise ValueError(f'{source}: x, y, t, p have to be vectors of one length, got {found}')
        for name, column in columns.items():
            if column.dtype.kind not in 'biuf':
                raise ValueError(f'{source}: {name} is {column.dtype}, not numbers')
            if column.dtype.kind == 'f':
                _require(np.isfinite(column), source, f'{name} = {{}} is not finite', column)
        times = _microseconds(columns['t'], time_unit, source)
        width = _checked_side(columns['x'], width, 'x', 'width', source)
        height = _checked_side(columns['y'], height, 'y', 'height', source)
        on = columns['p'] > 0
        known = on & (columns['p'] == 1) | (columns['p'] == 0) | (columns['p'] == -1)
        _require(known, source, 'polarity {} is none of 1, 0, -1', columns['p'])
        events = cls(
            columns['x'].astype(np.uint16),
            columns['y'].astype(np.uint16),
            times,
            on,
            width,
            height,
        )
        if sort:
            order = np.argsort(times, kind='stable')
            return cls(events.x[order], events.y[order], times[order], on[order], width, height)
        later = np.ones(len(times), bool)
        later[1:] = times[1:] >= times[:-1]
        _require(
            later, source, 'its time, {} us, is before that of the row above; set sort=True', times
        )
        return events


def _microseconds(t: np.ndarray, unit: str | None, source: str) -> np.ndarray:
    unit = unit or ('s' if t.dtype.kind == 'f' else 'us')
    if unit not in TIME_UNITS:
        raise ValueError(f'time_unit={unit!r} is not one of {", ".join(map(repr, TIME_UNITS))}')
    problem = f'time {{}} {unit} is too large; set time_unit'
    if t.dtype.kind != 'f':
        factor, divisor = _FRACTIONS[unit]
        limit = MAX_TIME // factor
        # Signed types hold both limits, of the others only uint64 reaches beyond them.
        _require(
            (t < limit) if t.dtype.kind == 'u' else (-limit < t) & (t < limit), source, problem, t
        )
        times = t.astype(np.int64) * factor
        if divisor > 1:
            times, rest = np.divmod(times, divisor)
            times += 2 * rest + times % 2 > divisor  # halves to even, as np.rint
        return times
    times = np.rint(t.astype(np.float64) * TIME_UNITS[unit])
    _require(np.abs(times) < MAX_TIME, source, problem, t)
    return times.astype(np.int64)


def _checked_side(values: np.ndarray, side: int | None, axis: str, name: str, source: str) -> int:
    if values.dtype.kind == 'f':
        _require(values == np.floor(values), source, f'{axis} = {{}} is not a whole number', values)
    _require(values >= 0, source, f'{axis} = {{}} is negative', values)
    if side is None:
        if not len(values):
            raise ValueError(f'{source}: no events to tell the size of the sensor from; set {name}')
        side = int(values.max()) + 1
    if not 1 <= side <= MAX_SIDE:
        raise ValueError(f'{source}: {name} = {side} is not in [1, {MAX_SIDE}]')
    _require(values < side, source, f'{axis} = {{}} is outside the sensor, {name} {side}', values)
    return int(side)


def _require(valid: np.ndarray, source: str, problem: str, values: np.ndarray) -> None:
    if not valid.all():
        row = int(np.argmin(valid))
        raise ValueError(f'{source}, row {row + 1}: {problem.format(values[row])}')
