"""What a detector over series of embeddings is: one method, arrays in, scores out."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class SeriesDetector(Protocol):
    """Scores every observation of every patch; the larger, the more unusual.

    An implementation is a frozen dataclass of its parameters, all with defaults, so that
    its `repr` says how scores were made. The score of a day depends on that day and on
    days before it, never on later ones, unless a parameter asks for it by name.
    """

    def detect(
        self,
        days: NDArray[np.datetime64],
        vectors: NDArray[np.floating],
        clear: NDArray[np.bool_],
        /,
    ) -> NDArray[np.float32]:
        """Score `n` patches over `t` days.

        Args:
            days: (t,), datetime64[D], UTC, ascending, each once.
            vectors: (n, t, d), float16 or float32; rows that are not clear hold anything,
                and are not read.
            clear: (n, t), True where the observation may be used.

        Returns:
            (n, t), NaN where the detector abstains, always where not `clear`.
        """
        ...
