/*
 * Filters made ready for a kernel, kept from run to run: where weights stand still, as in evaluation, to pack
 * them costs more than a small batch takes.
 */
#ifndef DISTILLERY_KEPT_FILTER_H
#define DISTILLERY_KEPT_FILTER_H

#include "kernels.h"

/* Of one node, whose filter is a variable. All zeros at first. */
typedef struct {
  /* What was seen last, and when. */
  const float *filter;
  uint64_t version;
  char *memory;
  int is_made;
} kept_filter;

/* Variables are about to be written, or were: what is kept of them is stale. */
void variables_changed(void);

/*
 * Memory for a filter that is made ready. Where nothing has changed since the last run, it is the node's own,
 * and `is_made` says whether it holds the filter already; else, and without a node, the operation's scratch.
 */
char *filter_memory(kept_filter *kept, const float *filter, int slot, size_t bytes, int *is_made);
void kept_filter_free(kept_filter *kept);

#endif
