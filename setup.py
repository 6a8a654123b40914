"""Builds the compiled kernels; all else is in pyproject.toml.

Each is optional: where there is no compiler, installation goes on and the twins in NumPy
answer, several times slower (`terradrift.kernels.missing()` names them).
"""

from pathlib import Path

from setuptools import Extension, setup

KERNELS = Path("terradrift") / "kernels"

setup(
    ext_modules=[
        Extension(
            f"terradrift.kernels._{source.stem}",
            [str(source)],
            depends=[str(header) for header in sorted(KERNELS.glob("*.h"))],
            extra_compile_args=["-O3", "-std=c11", "-fno-math-errno"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            py_limited_api=True,
            optional=True,
        )
        for source in sorted(KERNELS.glob("*.c"))
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
