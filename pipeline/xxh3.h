/*
 * XXH3 for what is hashed all day: the same hashes, by the widest instructions that the processor
 * has, where the library was built with its dispatcher (its header is installed only then).
 */
#ifndef MURPHY_PIPELINE_XXH3_H
#define MURPHY_PIPELINE_XXH3_H

#include <xxhash.h>

#if defined(__x86_64__) && defined(__has_include)
#if __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h>
#endif
#endif

#endif
