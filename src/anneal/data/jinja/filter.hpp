#pragma once

#include <string>

#include "anneal/data/jinja/function.hpp"

namespace anneal::jinja {

struct FilterCall {
  const Value& value;
  const Bound& arguments;
  Surroundings& with;
};

// A filter with fixed parameters.
struct Filter {
  const char* name;
  const char* parameters[4];
  size_t required;
  Value (*apply)(const FilterCall&);
};

// The part of a value that an attribute such as "function.name" or 0 leads to.
Value attribute_at(const Value& value, const Value& path);

// Filters of whole sequences, whose arguments may be names of filters and tests.
inline constexpr const char* kSequenceFilters =
    "map, select, reject, selectattr, rejectattr, sort, dictsort, unique, min, max and sum";
bool is_sequence_filter(const std::string& name);
Value apply_sequence_filter(const std::string& name, const Value& value, const Arguments& arguments,
                            Surroundings& with);

}  // namespace anneal::jinja
