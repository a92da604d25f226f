// The least a test needs: named cases that register themselves, and checks that say where they
// failed. Each test file is a program of its own; `main` is at the end of this header.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

namespace dwcp::test {

struct Case {
  const char* name;
  void (*run)();
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

struct Registration {
  Registration(const char* name, void (*run)()) { cases().push_back({name, run}); }
};

[[noreturn]] inline void fail(const char* file, int line, const char* what) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
  std::exit(1);
}

/// Bytes of a seeded generator: noise, or text-like when `symbols` is small.
inline std::vector<uint8_t> sample(size_t size, uint32_t seed, uint32_t symbols = 256) {
  std::mt19937 random(seed);
  std::vector<uint8_t> bytes(size);
  for (auto& byte : bytes) byte = static_cast<uint8_t>(random() % symbols);
  return bytes;
}

}  // namespace dwcp::test

#define CHECK(condition) ((condition) ? void() : ::dwcp::test::fail(__FILE__, __LINE__, #condition))

#define TEST(name)                                                          \
  static void name();                                                       \
  static const ::dwcp::test::Registration registration_##name(#name, name); \
  static void name()

int main() {
  for (const auto& test : dwcp::test::cases()) {
    std::printf("%s\n", test.name);
    std::fflush(stdout);
    test.run();
  }
  return dwcp::test::cases().empty() ? 1 : 0;
}
