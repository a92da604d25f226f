// What the client measures: a histogram of latencies with 1.6 % steps, and the CPU time of a
// process with all its threads.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STEP_BITS = 6, STEPS = 1 << STEP_BITS, BUCKETS = (64 - STEP_BITS) * STEPS };

static uint64_t histogram[BUCKETS];

static inline uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t own_cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void record(uint64_t ns) {
  if (ns < STEPS) {
    histogram[ns]++;
    return;
  }
  const int shift = 63 - __builtin_clzll(ns) - STEP_BITS;
  histogram[(size_t)(shift + 1) * STEPS + (ns >> shift) - STEPS]++;
}

/// The latency that `share` of the messages stayed under, microseconds.
static double quantile_us(double share) {
  uint64_t total = 0, seen = 0;
  for (size_t i = 0; i < BUCKETS; i++) total += histogram[i];
  for (size_t i = 0; i < BUCKETS; i++) {
    seen += histogram[i];
    if (seen == 0 || (double)seen < share * (double)total) continue;
    const size_t shift = i / STEPS == 0 ? 0 : i / STEPS - 1;
    const size_t low = i < STEPS ? i : ((i % STEPS) + STEPS) << shift;
    return (double)low / 1e3;
  }
  return 0;
}

/// User and system time of a process, threads that ended included; ns, in steps of a clock tick.
static uint64_t cpu_ns_of(int pid) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE* file = pid > 0 ? fopen(path, "r") : NULL;
  if (file == NULL) return 0;
  const size_t size = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[size] = 0;
  const char* rest = strrchr(text, ')');
  unsigned long user = 0, system = 0;
  if (rest == NULL ||
      sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
    return 0;
  return (user + system) * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}
