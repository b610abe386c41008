#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "anneal/monitor/metrics_fields.hpp"

namespace anneal {
namespace {

using Json = nlohmann::json;

// Not a finite number: its name in "not_finite".
const char* name_of_non_finite(double value) {
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

void append_number(std::string& line, auto value) {
  std::array<char, 32> digits;
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  line.append(digits.data(), end);
}

void append_value(std::string& line, int64_t value) { append_number(line, value); }
void append_value(std::string& line, double value) {
  if (std::isfinite(value))
    append_number(line, value);
  else
    line += "null";
}
void append_value(std::string& line, const std::optional<double>& value) {
  append_value(line, value.value_or(NAN));
}
void append_value(std::string& line, const std::string& value) { line += quote_json(value); }

// The value that "not_finite" must name, if any.
const double* non_finite(const double& value) { return std::isfinite(value) ? nullptr : &value; }
const double* non_finite(const std::optional<double>& value) {
  return value ? non_finite(*value) : nullptr;
}
const double* non_finite(const auto&) { return nullptr; }

void read_value(const Json& json, int64_t& value) {
  // A fraction, or more than an integer holds, is none.
  if (json.is_number_integer()) value = json.get<int64_t>();
}
void read_value(const Json& json, double& value) {
  if (json.is_number()) value = json.get<double>();
  if (json.is_null()) value = NAN;
}
void read_value(const Json& json, std::optional<double>& value) {
  if (json.is_number()) value = json.get<double>();
}
void read_value(const Json& json, std::string& value) {
  if (json.is_string()) value = json.get<std::string>();
}

void read_non_finite(const Json& json, auto& value) {
  if constexpr (!std::is_same_v<decltype(value), int64_t&> &&
                !std::is_same_v<decltype(value), std::string&>) {
    if (json == "nan") value = NAN;
    if (json == "inf") value = INFINITY;
    if (json == "-inf") value = -INFINITY;
  }
}

template <class Event>
Event read_event(const Json& json) {
  Event event;
  const auto bad = json.find("not_finite");
  for_fields(event, [&](const char* name, auto& member) {
    if (auto it = json.find(name); it != json.end()) read_value(*it, member);
    if (bad == json.end() || !bad->is_object()) return;
    if (auto it = bad->find(name); it != bad->end()) read_non_finite(*it, member);
  });
  return event;
}

template <size_t i = 0>
std::optional<MetricsEvent> read_named_event(const Json& json, const std::string& name) {
  if constexpr (i < std::variant_size_v<MetricsEvent>) {
    using Event = std::variant_alternative_t<i, MetricsEvent>;
    if (name == EventFields<Event>::name) return read_event<Event>(json);
    return read_named_event<i + 1>(json, name);
  }
  return {};
}

}  // namespace

std::string quote_json(const std::string& text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <class Event>
void append_json(std::string& line, const Event& event) {
  line += "{\"event\":\"";
  line += EventFields<Event>::name;
  line += '"';
  for_fields(event, [&](const char* name, const auto& value) {
    line += ",\"";
    line += name;
    line += "\":";
    append_value(line, value);
  });
  bool finite = true;
  for_fields(event, [&](const char* name, const auto& member) {
    const double* value = non_finite(member);
    if (!value) return;
    line += finite ? ",\"not_finite\":{\"" : ",\"";
    finite = false;
    line += name;
    line += "\":\"";
    line += name_of_non_finite(*value);
    line += '"';
  });
  line += finite ? "}" : "}}";
}

template void append_json(std::string&, const StartEvent&);
template void append_json(std::string&, const StepEvent&);
template void append_json(std::string&, const EvalEvent&);
template void append_json(std::string&, const CheckpointEvent&);
template void append_json(std::string&, const AlertEvent&);
template void append_json(std::string&, const EndEvent&);

std::string to_json(const MetricsEvent& event) {
  std::string line;
  std::visit([&](const auto& e) { append_json(line, e); }, event);
  return line;
}

std::optional<MetricsEvent> parse_metrics_line(std::string_view line) {
  Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("event") || !json["event"].is_string()) return {};
  return read_named_event(json, json["event"].get<std::string>());
}

std::optional<int64_t> step_of_line(std::string_view line) {
  Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return {};
  auto it = json.find("step");
  return it != json.end() && it->is_number() ? it->get<int64_t>() : 0;
}

}  // namespace anneal
