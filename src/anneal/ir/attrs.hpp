#pragma once

#include <memory>
#include <ostream>
#include <typeinfo>
#include <utility>

#include "anneal/base/error.hpp"

namespace anneal {

// The attributes of a node: one value of a struct type that the op declares. The struct has
// operator== and print(std::ostream&). Attrs is immutable and cheap to copy.
class Attrs {
 public:
  Attrs() = default;

  template <class T>
  static Attrs of(T value) {
    Attrs a;
    a.value_ = std::make_shared<const Holder<T>>(std::move(value));
    return a;
  }

  template <class T>
  const T& as() const {
    auto holder = dynamic_cast<const Holder<T>*>(value_.get());
    ANNEAL_ASSERT(holder, "attributes are not a ", typeid(T).name());
    return holder->value;
  }

  bool operator==(const Attrs& other) const {
    if (!value_ || !other.value_) return !value_ && !other.value_;
    return value_->equals(*other.value_);
  }

  void print(std::ostream& out) const {
    if (value_) value_->print(out);
  }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual bool equals(const Base& other) const = 0;
    virtual void print(std::ostream& out) const = 0;
  };
  template <class T>
  struct Holder final : Base {
    explicit Holder(T v) : value(std::move(v)) {}
    bool equals(const Base& other) const override {
      auto same = dynamic_cast<const Holder*>(&other);
      return same && same->value == value;
    }
    void print(std::ostream& out) const override { value.print(out); }
    T value;
  };

  std::shared_ptr<const Base> value_;
};

}  // namespace anneal
