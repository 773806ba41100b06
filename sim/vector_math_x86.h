/*
 * The AVX2 and AVX-512 forms of sim/vector_math.h, for its dispatcher. Each gives NULL where the
 * build is for another architecture or the processor does not have the instructions.
 */
#ifndef MURPHY_SIM_VECTOR_MATH_X86_H
#define MURPHY_SIM_VECTOR_MATH_X86_H

#include "sim/vector_math.h"

const struct vector_kernels *vector_kernels_avx2(void);
const struct vector_kernels *vector_kernels_avx512(void);

#endif
