"""Random recordings for property tests."""

import numpy as np
from hypothesis import strategies as st

from srtrack.events import Events

WIDTH, HEIGHT = 5, 4


@st.composite
def recordings(draw, min_size=0, max_size=40, max_time=60):
    """Few pixels and few times, so that events share both."""
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, WIDTH - 1),
                st.integers(0, HEIGHT - 1),
                st.integers(0, max_time),
                st.booleans(),
            ),
            min_size=min_size,
            max_size=max_size,
        )
    )
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    return Events.from_arrays(*columns, WIDTH, HEIGHT, sort=True)
