/*
 * Memory for large tensors: one range of addresses, handed out best fit, so that what a step frees serves
 * whatever it wants next and the process holds little more than is alive at the worst moment. (TensorFlow's
 * own allocator grows by regions and gives away up to twice what is asked for.)
 */
#ifndef DISTILLERY_ARENA_H
#define DISTILLERY_ARENA_H

#include <stddef.h>

typedef struct arena_block arena_block;

/* Aligned to a page, uninitialised; NULL if there is none. Any thread may take and give. */
void *arena_take(size_t bytes, arena_block **block);
void arena_give(arena_block *block);

/* Gives the pages that nobody holds back to the system. */
void arena_trim(void);

#endif
