#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "anneal/monitor/metrics.hpp"

namespace anneal {

// What a line of metrics.jsonl holds, declared once for the writer and the reader: the event's name
// and, in the order of the line, its fields.
template <class Event>
struct EventFields;

template <class Event, class Member>
struct Field {
  constexpr Field(const char* n, Member Event::*m) : name(n), member(m) {}
  const char* name;
  Member Event::*member;
};

// Calls f(name, member) for each field of the event, which is const or not.
template <class Event, class F>
void for_fields(Event& event, F&& f) {
  std::apply([&](const auto&... field) { (f(field.name, event.*field.member), ...); },
             EventFields<std::remove_const_t<Event>>::fields);
}

template <>
struct EventFields<StartEvent> {
  static constexpr const char* name = "start";
  static constexpr auto fields = std::tuple{
      Field{"step", &StartEvent::step},
      Field{"config_hash", &StartEvent::config_hash},
      Field{"host", &StartEvent::host},
      Field{"device", &StartEvent::device},
      Field{"instruction_set", &StartEvent::instruction_set},
      Field{"ranks", &StartEvent::ranks},
      Field{"threads", &StartEvent::threads},
      Field{"parameters", &StartEvent::parameters},
      Field{"planned_bytes", &StartEvent::planned_bytes},
      Field{"baseline_bytes", &StartEvent::baseline_bytes},
  };
};

template <>
struct EventFields<StepEvent> {
  static constexpr const char* name = "step";
  static constexpr auto fields = std::tuple{
      Field{"step", &StepEvent::step},
      Field{"tokens", &StepEvent::tokens},
      Field{"loss", &StepEvent::loss},
      Field{"accuracy", &StepEvent::accuracy},
      Field{"grad_norm", &StepEvent::grad_norm},
      Field{"lr", &StepEvent::lr},
      Field{"step_seconds", &StepEvent::step_seconds},
      Field{"data_wait_seconds", &StepEvent::data_wait_seconds},
      Field{"tokens_per_second", &StepEvent::tokens_per_second},
      Field{"mfu", &StepEvent::mfu},
      Field{"cpu_percent", &StepEvent::cpu_percent},
      Field{"read_bytes", &StepEvent::read_bytes},
      Field{"rss_bytes", &StepEvent::rss_bytes},
      Field{"loss_scale", &StepEvent::loss_scale},
      Field{"skipped", &StepEvent::skipped},
  };
};

template <>
struct EventFields<EvalEvent> {
  static constexpr const char* name = "eval";
  static constexpr auto fields = std::tuple{
      Field{"step", &EvalEvent::step},
      Field{"loss", &EvalEvent::loss},
      Field{"perplexity", &EvalEvent::perplexity},
      Field{"accuracy", &EvalEvent::accuracy},
      Field{"bits_per_byte", &EvalEvent::bits_per_byte},
  };
};

template <>
struct EventFields<CheckpointEvent> {
  static constexpr const char* name = "checkpoint";
  static constexpr auto fields = std::tuple{
      Field{"step", &CheckpointEvent::step},
      Field{"path", &CheckpointEvent::path},
      Field{"bytes", &CheckpointEvent::bytes},
      Field{"stall_seconds", &CheckpointEvent::stall_seconds},
      Field{"total_seconds", &CheckpointEvent::total_seconds},
  };
};

template <>
struct EventFields<AlertEvent> {
  static constexpr const char* name = "alert";
  static constexpr auto fields = std::tuple{
      Field{"step", &AlertEvent::step},
      Field{"kind", &AlertEvent::kind},
      Field{"message", &AlertEvent::message},
  };
};

template <>
struct EventFields<EndEvent> {
  static constexpr const char* name = "end";
  static constexpr auto fields = std::tuple{
      Field{"step", &EndEvent::step},
      Field{"status", &EndEvent::status},
      Field{"peak_anon_bytes", &EndEvent::peak_anon_bytes},
      Field{"peak_rss_bytes", &EndEvent::peak_rss_bytes},
      Field{"wall_seconds", &EndEvent::wall_seconds},
  };
};

// Appends the event's JSON object to `line`. Allocates only to grow `line` and for strings.
template <class Event>
void append_json(std::string& line, const Event& event);

extern template void append_json(std::string&, const StartEvent&);
extern template void append_json(std::string&, const StepEvent&);
extern template void append_json(std::string&, const EvalEvent&);
extern template void append_json(std::string&, const CheckpointEvent&);
extern template void append_json(std::string&, const AlertEvent&);
extern template void append_json(std::string&, const EndEvent&);

// A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
std::string quote_json(const std::string& text);

// The "step" of a line, 0 if it has none; nothing if the line is not a JSON object.
std::optional<int64_t> step_of_line(std::string_view line);

}  // namespace anneal
