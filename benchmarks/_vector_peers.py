"""LanceDB, FAISS, DuckDB and NumPy as engines of `search.py`.

Each is built from `vectors.npy` of a folder into the folder, and opened from there by another
process. Every one gets its rows in the order of the archive: by region, then by day. FAISS,
NumPy and LanceDB hold float32, as their users do. A library is imported where it is used.
"""

from _vector_engine import Engine
from _vector_memory import Faiss, FaissRabitq, NumPy
from _vector_tables import DuckDb, DuckDbParquet, Lance, LancePq, LanceRq

ENGINES: dict[str, type[Engine]] = {
    "lance-pq": LancePq,
    "lance-rq": LanceRq,
    "lance-none": Lance,
    "faiss-sq8": Faiss,
    "faiss-rabitq": FaissRabitq,
    "duckdb": DuckDb,
    "duckdb-parquet": DuckDbParquet,
    "numpy": NumPy,
}
