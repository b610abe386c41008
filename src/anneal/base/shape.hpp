#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>

#include "anneal/base/error.hpp"

namespace anneal {

// Extents of a dense row-major tensor, outermost first. Rank 0 is a scalar (one element).
class Shape {
 public:
  static constexpr int max_rank = 4;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) {
    for (int64_t d : dims) push_back(d);
  }

  int rank() const { return rank_; }
  // Negative indices count from the end.
  int64_t operator[](int i) const { return dims_[index(i)]; }
  int64_t& operator[](int i) { return dims_[index(i)]; }
  void push_back(int64_t dim) {
    ANNEAL_ASSERT(rank_ < max_rank, "a shape has at most 4 dimensions");
    dims_[rank_++] = dim;
  }

  int64_t elements() const {
    int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= dims_[i];
    return n;
  }
  // Product of all extents but the last: the number of rows.
  int64_t rows() const { return rank_ == 0 ? 1 : elements_but_last(); }
  // The last extent: the length of a row (1 for a scalar).
  int64_t row_length() const { return rank_ == 0 ? 1 : dims_[rank_ - 1]; }
  // The same shape with another last extent.
  Shape with_last(int64_t dim) const {
    Shape s = *this;
    s[-1] = dim;
    return s;
  }

  const int64_t* begin() const { return dims_.data(); }
  const int64_t* end() const { return dims_.data() + rank_; }
  bool operator==(const Shape& other) const {
    return rank_ == other.rank_ && std::equal(begin(), end(), other.begin());
  }

 private:
  int index(int i) const {
    int k = i < 0 ? i + rank_ : i;
    ANNEAL_ASSERT(k >= 0 && k < rank_, "dimension out of range");
    return k;
  }
  int64_t elements_but_last() const {
    int64_t n = 1;
    for (int i = 0; i + 1 < rank_; ++i) n *= dims_[i];
    return n;
  }

  std::array<int64_t, max_rank> dims_{};
  int rank_ = 0;
};

inline std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int i = 0; i < shape.rank(); ++i) out << (i ? "," : "") << shape[i];
  return out << ']';
}

}  // namespace anneal
