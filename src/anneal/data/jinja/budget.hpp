#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace anneal::jinja {

// What goes wrong inside a template, without its place, which who evaluates adds.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// That the template itself refuses what it is given (raise_exception).
class Refusal : public Failure {
 public:
  using Failure::Failure;
};

// What rendering may take at most, so that a hostile template ends soon: real ones take a
// thousandth of it.
class Budget {
 public:
  static constexpr int64_t kSteps = 5'000'000;
  static constexpr int64_t kBytes = int64_t{1} << 28;  // of all values made, alive or not

  // Throws Failure when the steps are used up.
  void step(int64_t steps = 1);
  // Before bytes are allocated. Throws Failure when they are used up.
  void allocate(int64_t bytes);

 private:
  int64_t steps_ = 0, bytes_ = 0;
};

}  // namespace anneal::jinja
