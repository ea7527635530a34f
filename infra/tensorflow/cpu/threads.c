/* The threads that our kernels share, and memory that outlives a call. */
#define _GNU_SOURCE
#include "kernels.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 256
/* How long a thread without work looks for more before it sleeps: operations follow one another closely. */
#define SPIN_NANOS 30000

typedef struct {
  void *memory;
  size_t bytes;
} scratch;

static struct {
  int threads;
  /* Generation and next index, in its upper and lower half: who claims an index is sure of its region. */
  _Atomic uint64_t next;
  _Atomic int64_t finished;
  _Atomic int64_t tasks;
  /* What sleepers wait on: the generation. */
  _Atomic uint32_t generation;
  _Atomic int sleepers;
  _Atomic(parallel_task) run;
  _Atomic(void *) context;
  scratch of_thread[MAX_THREADS];
  scratch of_operation[SHARED_SCRATCH_SLOTS];
} pool = {.threads = 1};

static pthread_mutex_t operation = PTHREAD_MUTEX_INITIALIZER;

void operation_begin(void) { pthread_mutex_lock(&operation); }
void operation_end(void) { pthread_mutex_unlock(&operation); }

int parallel_threads(void) { return pool.threads; }

static int64_t now_nanos(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/* Claims an index of the region and runs it; 0 once there is none left. */
static int run_one(uint32_t generation, int thread) {
  uint64_t next = atomic_load(&pool.next);
  do {
    if ((uint32_t)(next >> 32) != generation) return 0;
    if ((int64_t)(uint32_t)next >= atomic_load(&pool.tasks)) return 0;
  } while (!atomic_compare_exchange_weak(&pool.next, &next, next + 1));
  /* The region cannot end before this index is finished, so its function and context stand. */
  atomic_load(&pool.run)(atomic_load(&pool.context), (int64_t)(uint32_t)next, thread);
  atomic_fetch_add(&pool.finished, 1);
  return 1;
}

static void await_generation_after(uint32_t seen) {
  const int64_t began = now_nanos();
  while (atomic_load(&pool.generation) == seen) {
    for (int i = 0; i < 64 && atomic_load(&pool.generation) == seen; i++) relax();
    if (now_nanos() - began < SPIN_NANOS) continue;
    atomic_fetch_add(&pool.sleepers, 1);
    syscall(SYS_futex, &pool.generation, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    atomic_fetch_sub(&pool.sleepers, 1);
  }
}

static void *work(void *argument) {
  const int thread = (int)(intptr_t)argument;
  uint32_t seen = 0;
  for (;;) {
    await_generation_after(seen);
    seen = atomic_load(&pool.generation);
    while (run_one(seen, thread)) {
    }
  }
  return NULL;
}

/* How many threads may work from now on. Threads once started stay, so it only ever grows. */
void parallel_start(int threads) {
  operation_begin();
  if (threads > MAX_THREADS) threads = MAX_THREADS;
  for (; pool.threads < threads; pool.threads++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, (void *)(intptr_t)pool.threads) != 0) break;
    pthread_detach(thread);
  }
  operation_end();
}

void parallel_run(int64_t tasks, parallel_task run, void *context) {
  if (tasks <= 1 || pool.threads == 1) {
    for (int64_t index = 0; index < tasks; index++) run(context, index, 0);
    return;
  }
  const uint32_t generation = atomic_load(&pool.generation) + 1;
  /* Closed first, or a thread that is late from the last region claims an index as of that one. */
  atomic_store(&pool.next, (uint64_t)generation << 32 | UINT32_MAX);
  atomic_store(&pool.run, run);
  atomic_store(&pool.context, context);
  atomic_store(&pool.finished, 0);
  atomic_store(&pool.tasks, tasks);
  atomic_store(&pool.next, (uint64_t)generation << 32);
  atomic_store(&pool.generation, generation);
  if (atomic_load(&pool.sleepers) > 0) {
    syscall(SYS_futex, &pool.generation, FUTEX_WAKE_PRIVATE, pool.threads - 1, NULL, NULL, 0);
  }
  while (run_one(generation, 0)) {
  }
  for (int spins = 0; atomic_load(&pool.finished) < tasks; spins++) {
    relax();
    /* Where cores are short, the thread we wait for may need this one. */
    if (spins % 4096 == 4095) syscall(SYS_sched_yield);
  }
}

static void *grown(scratch *kept, size_t bytes) {
  if (kept->bytes >= bytes) return kept->memory;
  free(kept->memory);
  kept->bytes = (bytes + 4095) & ~(size_t)4095;
  if (posix_memalign(&kept->memory, 4096, kept->bytes) != 0) abort();
  return kept->memory;
}

void *thread_scratch(int thread, size_t bytes) { return grown(&pool.of_thread[thread], bytes); }
void *shared_scratch(int slot, size_t bytes) { return grown(&pool.of_operation[slot], bytes); }
