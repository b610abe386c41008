#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "anneal/base/log.hpp"
#include "anneal/cli/command.hpp"
#include "anneal/train/fusion_bench.hpp"

namespace anneal {
namespace {

using Json = nlohmann::ordered_json;

struct FusionArguments {
  int64_t elements = int64_t{1} << 25;
  int64_t threads = 0;
  bool json = false;
};

Json to_json(const FusionWay& way) {
  return {{"nodes", way.nodes},
          {"bytes", way.bytes},
          {"arena_bytes", way.arena_bytes},
          {"seconds", way.seconds}};
}

void print_way(const char* name, const FusionWay& way) {
  std::printf("  %-9s %3lld nodes %10.1f MiB moved %9.2f ms %7.1f GB/s %10.1f MiB needed\n", name,
              static_cast<long long>(way.nodes), way.bytes / 0x1p20, way.seconds * 1e3,
              way.bytes / way.seconds * 1e-9, static_cast<double>(way.arena_bytes) / 0x1p20);
}

ExitCode bench_fusion(const FusionArguments& arguments) {
  auto list = measure_fusion(arguments.elements, arguments.threads,
                             [](const std::string& line) { log_info("measuring " + line); });
  if (arguments.json) {
    Json json = Json::array();
    for (const auto& m : list)
      json.push_back({{"name", m.name},
                      {"shapes", m.shapes},
                      {"separate", to_json(m.separate)},
                      {"fused", to_json(m.fused)},
                      {"difference", m.difference}});
    std::cout << json.dump(2) << '\n';
    return ExitCode::ok;
  }
  for (const auto& m : list) {
    std::printf("%s, %s\n", m.name.c_str(), m.shapes.c_str());
    print_way("separate", m.separate);
    print_way("fused", m.fused);
    std::printf("  bytes moved %+.0f %%, %.2f times as fast; ",
                (m.fused.bytes / m.separate.bytes - 1) * 100, m.separate.seconds / m.fused.seconds);
    if (m.difference == 0)
      std::printf("the same bits\n");
    else
      std::printf("results within %.1e of the largest\n", m.difference);
  }
  return ExitCode::ok;
}

}  // namespace

Command bench_fusion_command() {
  return {.name = "bench fusion",
          .summary = "Measure what fusing chains of operations saves: bytes moved and time",
          .example = "bench fusion",
          .setup = [](Arguments& a) {
            auto arguments = std::make_shared<FusionArguments>();
            a.option("--elements", "N", arguments->elements,
                     "Numbers in each array; more than the caches hold");
            a.option("--threads", "N", arguments->threads, "Threads; 0: all cores");
            a.flag("--json", arguments->json, "Print JSON");
            return [arguments] { return bench_fusion(*arguments); };
          }};
}

}  // namespace anneal
