// The command line of the load client: `name=value` words.
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

static struct {
  int port, conns, pid, oneway;
  uint32_t depth;
  size_t size;
  enum wire wire;
  double warm, secs;
  const char* congestion;
} opt = {.conns = 1, .depth = 1, .size = 64, .warm = 0.4, .secs = 0.6};

__attribute__((noreturn)) static void fail(const char* what) {
  fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void parse(int count, char** arguments) {
  for (int i = 1; i < count; i++) {
    char* value = strchr(arguments[i], '=');
    if (value == NULL) fail(arguments[i]);
    *value++ = 0;
    const char* name = arguments[i];
    if (!strcmp(name, "port"))
      opt.port = atoi(value);
    else if (!strcmp(name, "conns"))
      opt.conns = atoi(value);
    else if (!strcmp(name, "size"))
      opt.size = (size_t)atol(value);
    else if (!strcmp(name, "depth"))
      opt.depth = (uint32_t)atoi(value);
    else if (!strcmp(name, "pid"))
      opt.pid = atoi(value);
    else if (!strcmp(name, "warm"))
      opt.warm = atof(value);
    else if (!strcmp(name, "secs"))
      opt.secs = atof(value);
    else if (!strcmp(name, "congestion"))
      opt.congestion = value;
    else if (!strcmp(name, "mode"))
      opt.oneway = !strcmp(value, "oneway");
    else if (!strcmp(name, "wire"))
      opt.wire = !strcmp(value, "raw")      ? WIRE_RAW
                 : !strcmp(value, "frames") ? WIRE_FRAMES
                 : !strcmp(value, "stream") ? WIRE_STREAM
                                            : WIRE_ZMTP;
    else
      fail(name);
  }
}
