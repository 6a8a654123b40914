/* What every kernel begins with. A kernel is plain C over arrays that the caller owns; the
 * module that Python wants to see is empty, and its functions are called by ctypes, which
 * lets go of the interpreter's lock meanwhile. */
#ifndef TERRADRIFT_KERNEL_H
#define TERRADRIFT_KERNEL_H

#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#define KERNEL __declspec(dllexport)
#else
#define KERNEL __attribute__((visibility("default")))
#endif

/* Compiled once per generation of the processor, the best of which is taken when loaded:
 * this needs the loader of glibc, and the levels a GCC that knows them. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#if __GNUC__ >= 12
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#endif
#else
#define CLONES
#endif

/* What CLONES call has to be compiled with each of them. */
#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* The empty module of the file `name`.c. */
#define KERNEL_MODULE(name)                                                         \
    static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_" #name, 0, -1, 0, \
                                        0, 0, 0, 0};                                \
    PyMODINIT_FUNC PyInit__##name(void) { return PyModule_Create(&module); }

#endif
