/* SPDX-License-Identifier: MIT */
#ifndef MXG_LATE_LIBRARY_H
#define MXG_LATE_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

/* A library that one command needs and that brings thirty others with it: linked, each start of every command would
 * take 30 ms longer. Its functions are looked up when they are wanted.
 *
 * #define FUNCTIONS(F) F(first) F(second)
 * static struct { FUNCTIONS(MXG_LATE_POINTER) } library;
 * static const char *const names[] = { FUNCTIONS(MXG_LATE_NAME) NULL };
 */
#define MXG_LATE_POINTER(name) __typeof__(&name) name;
#define MXG_LATE_NAME(name) #name,

/* Fills the struct, once and for good; `pointers` is its address. sonames and names end with NULL; the first library
 * that is there is taken. False: none is there, or it lacks a function, and nothing is filled. */
bool mxg_late_library(const char *const *sonames, const char *const *names, void *pointers);

#endif
