#include "kept-filter.h"

#include <stdatomic.h>
#include <stdlib.h>

static _Atomic uint64_t version = 1;

void variables_changed(void) { atomic_fetch_add(&version, 1); }

void kept_filter_free(kept_filter *kept) {
  free(kept->memory);
  kept->memory = NULL;
  kept->is_made = 0;
}

char *filter_memory(kept_filter *kept, const float *filter, int slot, size_t bytes, int *is_made) {
  *is_made = 0;
  if (kept == NULL) return shared_scratch(slot, bytes);
  uint64_t now = atomic_load(&version);
  int is_same = kept->filter == filter && kept->version == now;
  kept->filter = filter;
  kept->version = now;
  if (!is_same) {
    /* While training, filters change in every run, and nothing is worth to be kept. */
    kept_filter_free(kept);
    return shared_scratch(slot, bytes);
  }
  *is_made = kept->is_made;
  if (kept->memory == NULL && posix_memalign((void **)&kept->memory, 64, bytes) != 0) abort();
  kept->is_made = 1;
  return kept->memory;
}
