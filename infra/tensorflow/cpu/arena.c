#define _GNU_SOURCE
#include "arena.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define GRAIN 4096
/* Made accessible at once; a multiple of the large pages in which it is asked for. */
#define STEP ((size_t)32 << 20)

/* Blocks lie side by side in the order of their addresses; no two free ones are neighbours. */
struct arena_block {
  char *start;
  size_t bytes;
  int is_free;
  arena_block *before, *after;
  /* Among the free ones, in no order. */
  arena_block *free_before, *free_after;
};

static struct {
  /* Of all addresses, of those in blocks, of those that are accessible. */
  char *start, *end, *used, *open;
  arena_block *last, *free;
  int is_refused;
} arena;

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

/* As many addresses as the machine has memory: more could not be held anyway. */
static int reserve(void) {
  if (arena.start != NULL || arena.is_refused) return !arena.is_refused;
  const size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
  const size_t bytes = (memory + STEP - 1) / STEP * STEP;
  char *range = mmap(NULL, bytes + STEP, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) {
    arena.is_refused = 1;
    return 0;
  }
  arena.start = (char *)(((uintptr_t)range + STEP - 1) / STEP * STEP);
  arena.end = arena.start + bytes;
  arena.used = arena.open = arena.start;
  /* Only a wish. */
  madvise(arena.start, bytes, MADV_HUGEPAGE);
  return 1;
}

static void set_free(arena_block *block) {
  block->is_free = 1;
  block->free_before = NULL;
  block->free_after = arena.free;
  if (arena.free != NULL) arena.free->free_before = block;
  arena.free = block;
}

static void set_taken(arena_block *block) {
  block->is_free = 0;
  if (block->free_before != NULL) block->free_before->free_after = block->free_after;
  else arena.free = block->free_after;
  if (block->free_after != NULL) block->free_after->free_before = block->free_before;
}

static arena_block *block_after(arena_block *before, char *start, size_t bytes) {
  arena_block *block = calloc(1, sizeof *block);
  if (block == NULL) return NULL;
  block->start = start;
  block->bytes = bytes;
  block->before = before;
  block->after = before == NULL ? NULL : before->after;
  if (before != NULL) before->after = block;
  if (block->after != NULL) block->after->before = block;
  else arena.last = block;
  return block;
}

/* The smallest that is large enough; of equal ones the one at the lowest address. */
static arena_block *best_fit(size_t bytes) {
  arena_block *best = NULL;
  for (arena_block *block = arena.free; block != NULL; block = block->free_after) {
    if (block->bytes < bytes) continue;
    if (best == NULL || block->bytes < best->bytes ||
        (block->bytes == best->bytes && block->start < best->start)) {
      best = block;
    }
  }
  return best;
}

/* Takes a free block, less what is too much of it. */
static arena_block *split(arena_block *block, size_t bytes) {
  if (block->bytes > bytes) {
    arena_block *rest = block_after(block, block->start + bytes, block->bytes - bytes);
    if (rest == NULL) return NULL;
    set_free(rest);
    block->bytes = bytes;
  }
  set_taken(block);
  return block;
}

/* Opens addresses up to `end`. */
static int opened(char *end) {
  if (end <= arena.open) return 1;
  const size_t bytes = ((size_t)(end - arena.open) + STEP - 1) / STEP * STEP;
  if (bytes > (size_t)(arena.end - arena.open)) return 0;
  if (mprotect(arena.open, bytes, PROT_READ | PROT_WRITE) != 0) return 0;
  arena.open += bytes;
  return 1;
}

/* A block at the end, a free one that lies there made longer. */
static arena_block *appended(size_t bytes) {
  arena_block *last = arena.last != NULL && arena.last->is_free ? arena.last : NULL;
  char *start = last == NULL ? arena.used : last->start;
  if (bytes > (size_t)(arena.end - start) || !opened(start + bytes)) return NULL;
  arena_block *block = last == NULL ? block_after(arena.last, start, bytes) : last;
  if (block == NULL) return NULL;
  if (last != NULL) set_taken(last);
  block->bytes = bytes;
  arena.used = start + bytes;
  return block;
}

void *arena_take(size_t bytes, arena_block **taken) {
  bytes = (bytes + GRAIN - 1) / GRAIN * GRAIN;
  pthread_mutex_lock(&guard);
  arena_block *block = NULL;
  if (reserve()) {
    arena_block *fit = best_fit(bytes);
    block = fit == NULL ? appended(bytes) : split(fit, bytes);
  }
  pthread_mutex_unlock(&guard);
  *taken = block;
  return block == NULL ? NULL : block->start;
}

/* Makes one of two neighbours; the first stays. */
static void join(arena_block *first, arena_block *second) {
  first->bytes += second->bytes;
  first->after = second->after;
  if (second->after != NULL) second->after->before = first;
  else arena.last = first;
  free(second);
}

void arena_give(arena_block *block) {
  pthread_mutex_lock(&guard);
  if (block->after != NULL && block->after->is_free) {
    set_taken(block->after);
    join(block, block->after);
  }
  if (block->before != NULL && block->before->is_free) join(block->before, block);
  else set_free(block);
  pthread_mutex_unlock(&guard);
}

void arena_trim(void) {
  pthread_mutex_lock(&guard);
  for (arena_block *block = arena.free; block != NULL; block = block->free_after) {
    madvise(block->start, block->bytes, MADV_DONTNEED);
  }
  pthread_mutex_unlock(&guard);
}
