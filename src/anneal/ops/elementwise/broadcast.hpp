#pragma once

#include <algorithm>

#include "anneal/base/shape.hpp"

namespace anneal {

// How a smaller tensor is read as a larger one, element e of the larger being element index(e).
struct Broadcast {
  enum class Form { same, scalar, suffix, column } form = Form::same;
  int64_t period = 1;  // suffix: its elements; column: length of a row
  int64_t index(int64_t e) const {
    switch (form) {
      case Form::same:
        return e;
      case Form::scalar:
        return 0;
      case Form::suffix:
        return e % period;
      case Form::column:
        return e / period;
    }
    return 0;
  }
};

// The form in which `from` broadcasts to `to`; throws InternalError where it does not.
inline Broadcast broadcast_of(const Shape& from, const Shape& to) {
  if (from == to) return {};
  if (from.rank() == 0) return {.form = Broadcast::Form::scalar};
  if (from.rank() == to.rank() && from == to.with_last(1))
    return {.form = Broadcast::Form::column, .period = to[-1]};
  bool suffix =
      from.rank() < to.rank() && std::equal(from.begin(), from.end(), to.end() - from.rank());
  ANNEAL_ASSERT(suffix, "shape ", from, " does not broadcast to ", to);
  return {.form = Broadcast::Form::suffix, .period = from.elements()};
}

}  // namespace anneal
