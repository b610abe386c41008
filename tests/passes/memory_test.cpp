#include <gtest/gtest.h>
#include <algorithm>
#include <map>
#include <set>

#include "anneal/passes/liveness.hpp"
#include "passes/sample_models.hpp"

// The memory plan, checked by playing every program through it and writing down who owns each byte.

namespace anneal::testing {
namespace {

constexpr int64_t granule = 64;

std::vector<PassOptions> all_options() {
  std::vector<PassOptions> result;
  for (const char* precision : {"fp32", "bf16"})
    for (const char* recompute : {"none", "attention", "block", "cheap"})
      for (int64_t shards : {1, 2})
        result.push_back({.precision = precision, .recompute = recompute, .shards = shards});
  result.push_back({.precision = "bf16", .fuse = false});
  result.push_back({.reuse_memory = false});
  return result;
}

// Owners of the arena while one program runs.
class Ownership {
 public:
  Ownership(const Module& module, const Program& program, const Plan& plan,
            const ProgramPlan& places, Target& target)
      : program_(program), places_(places), target_(target) {
    owner_.assign(static_cast<size_t>((plan.arena_bytes + granule - 1) / granule), nobody);
    for (size_t i = 0; i < module.persistents.size(); ++i)
      claim(plan.persistent_offset[i], module.persistents[i].type.bytes(),
            of_persistent(static_cast<int32_t>(i)), true);
    for (Value v : program.inputs()) claim(place(v), bytes(v), v.id, true);
  }

  void play() {
    for (size_t i = 0; i < program_.order.size(); ++i) step(i);
    for (const auto& out : program_.outputs) expect_held(out.value, "as output " + out.name);
  }

 private:
  static constexpr int32_t nobody = -1;
  static int32_t of_persistent(int32_t index) { return -2 - index; }
  int64_t place(Value v) const { return places_.value_offset[static_cast<size_t>(v.id)]; }
  int64_t bytes(Value v) const { return program_.type(v).bytes(); }

  // Who owns the value's bytes when they hold its content.
  int32_t holder(Value v) const {
    const auto& info = program_.info(v);
    return info.persistent >= 0 && info.producer < 0 ? of_persistent(info.persistent) : v.id;
  }

  template <class F>
  void each_granule(int64_t offset, int64_t length, F f) {
    ASSERT_GE(offset, 0);
    ASSERT_EQ(offset % granule, 0);
    ASSERT_LE(offset + length, static_cast<int64_t>(owner_.size()) * granule);
    for (int64_t at = offset; at < offset + length; at += granule)
      f(owner_[static_cast<size_t>(at / granule)]);
  }

  void claim(int64_t offset, int64_t length, int32_t who, bool must_be_free) {
    each_granule(offset, length, [&](int32_t& owner) {
      if (must_be_free) {
        EXPECT_EQ(owner, nobody) << "two places overlap at the start";
      }
      owner = who;
    });
  }

  void expect_held(Value v, const std::string& where) {
    int wrong = 0;
    each_granule(place(v), bytes(v), [&](int32_t owner) { wrong += owner != holder(v); });
    EXPECT_EQ(wrong, 0) << "%" << v.id << " is overwritten before it is read " << where;
  }

  bool overlap(int64_t a, int64_t a_bytes, int64_t b, int64_t b_bytes) const {
    return a < b + b_bytes && b < a + a_bytes;
  }

  void step(size_t i) {
    const Node& node = program_.node(program_.order[i]);
    std::string where = str("by ", node.op->name, " in ", node.scope);
    for (Value v : node.inputs)
      if (v) expect_held(v, where);
    int64_t scratch = places_.workspace_offset[i];
    int64_t scratch_bytes = target_.workspace_bytes(*node.op, program_.call(program_.order[i]));
    EXPECT_EQ(scratch >= 0, scratch_bytes > 0) << where;
    for (size_t o = 0; o < node.outputs.size(); ++o) {
      Value out = node.outputs[o];
      if (scratch >= 0) {
        EXPECT_FALSE(overlap(scratch, scratch_bytes, place(out), bytes(out))) << where;
      }
      // An output may lie over an input only where the op allows it, and then exactly.
      for (size_t k = 0; k < node.inputs.size(); ++k) {
        Value in = node.inputs[k];
        if (!in || !overlap(place(in), bytes(in), place(out), bytes(out))) continue;
        EXPECT_EQ(place(in), place(out)) << where;
        auto allows = [&](const Alias& a) {
          return a.output == static_cast<int>(o) && a.input == static_cast<int>(k);
        };
        bool allowed = std::any_of(node.op->may_alias.begin(), node.op->may_alias.end(), allows) ||
                       std::any_of(node.op->must_alias.begin(), node.op->must_alias.end(), allows);
        for (const auto& a : node.op->accumulate) allowed |= allows({a.output, a.input});
        EXPECT_TRUE(allowed) << where << ": output " << o << " lies over input " << k;
      }
      for (size_t other = 0; other < o; ++other)
        EXPECT_FALSE(
            overlap(place(out), bytes(out), place(node.outputs[other]), bytes(node.outputs[other])))
            << where;
    }
    if (scratch >= 0) {
      for (Value v : node.inputs) {
        if (!v) continue;
        EXPECT_FALSE(overlap(scratch, scratch_bytes, place(v), bytes(v))) << where;
      }
      claim(scratch, scratch_bytes, nobody, false);
    }
    for (Value v : node.outputs) claim(place(v), bytes(v), v.id, false);
  }

  const Program& program_;
  const ProgramPlan& places_;
  Target& target_;
  std::vector<int32_t> owner_;
};

TEST(PlanMemory, NobodyWritesOverWhatIsStillRead) {
  for (const SampleModel& model : sample_models()) {
    for (const PassOptions& options : all_options()) {
      SCOPED_TRACE(str(model.name, " ", options.precision, " recompute=", options.recompute,
                       " shards=", options.shards, " reuse=", options.reuse_memory));
      CpuTarget target;
      Module module = build_sample(model.config);
      Plan plan = run_passes(module, options, target);
      for (const auto& [name, program] : module.programs) {
        SCOPED_TRACE(name);
        Ownership(module, program, plan, plan.programs.at(name), target).play();
        EXPECT_LE(plan.persistent_bytes + plan.programs.at(name).transient_bytes, plan.arena_bytes);
      }
    }
  }
}

// The order of nodes after `schedule` needs no more memory than the order before it, and placing
// the values loses little to fragmentation.
TEST(PlanMemory, SchedulingAndPlacingStayNearThePeak) {
  for (const SampleModel& model : sample_models()) {
    for (const PassOptions& options : all_options()) {
      if (!options.reuse_memory) continue;
      CpuTarget target;
      std::map<std::string, int64_t> before;
      Module module = build_sample(model.config);
      auto peaks = [&](const Module& m) {
        std::map<std::string, int64_t> result;
        for (const auto& [name, program] : m.programs) {
          std::vector<int64_t> workspace;
          for (NodeId n : program.order)
            workspace.push_back(target.workspace_bytes(*program.node(n).op, program.call(n)));
          result[name] = peak_bytes(assign_buffers(program, m), workspace);
        }
        return result;
      };
      Plan plan =
          run_passes(module, options, target, [&](const Pass& pass, const Module& m, double) {
            if (pass.name == "fuse") before = peaks(m);
          });
      for (const auto& [name, peak] : peaks(module)) {
        EXPECT_LE(peak, before.at(name)) << model.name << " " << name;
        int64_t placed = plan.programs.at(name).transient_bytes;
        EXPECT_GE(placed, peak) << model.name << " " << name;
        // Values here are small; each is rounded up to 64 bytes.
        int64_t rounding = granule * 64;
        EXPECT_LE(static_cast<double>(placed), 1.1 * static_cast<double>(peak + rounding))
            << model.name << " " << name;
      }
    }
  }
}

TEST(PlanMemory, RecomputingSavesActivations) {
  ModelConfig config = sample_models()[1].config;
  config.layers = 8;
  config.context = 64;
  std::vector<int64_t> bytes;
  for (const char* recompute : {"none", "attention", "block", "cheap"}) {
    CpuTarget target;
    Module module = build_language_model(config, {.micro_batch = 8, .evaluate = false});
    bytes.push_back(run_passes(module, {.recompute = recompute}, target)
                        .programs.at("step.next")
                        .transient_bytes);
  }
  EXPECT_LT(bytes[1], bytes[0]);
  EXPECT_LT(bytes[2], bytes[1]);
  // With blocks only the residual stream of each layer stays: a small part of what a block keeps.
  EXPECT_LT(static_cast<double>(bytes[2]), 0.5 * static_cast<double>(bytes[0]));
  EXPECT_LT(bytes[3], bytes[1]);
}

// What is cheap to compute again takes no matrix product, and no value is kept only for it: what it
// reads is made again as well, or the backward pass reads it too.
TEST(PlanMemory, CheapRecomputationAddsNoProductAndKeepsNothing) {
  for (const SampleModel& model : sample_models()) {
    for (const char* precision : {"fp32", "bf16"}) {
      SCOPED_TRACE(str(model.name, " ", precision));
      CpuTarget target;
      ModelConfig config = model.config;
      config.layers = 4;
      config.context = 64;
      std::vector<int64_t> bytes;
      for (const char* recompute : {"none", "cheap"}) {
        Module module = build_language_model(config, {.micro_batch = 8, .evaluate = false});
        Plan plan = run_passes(module, {.precision = precision, .recompute = recompute}, target);
        bytes.push_back(plan.programs.at("step.next").transient_bytes);
        const Program& program = module.programs.at("step.next");
        std::set<int32_t> kept;
        for (NodeId n : program.order)
          if (program.node(n).phase == Phase::backward)
            for (Value v : program.node(n).inputs)
              if (v) kept.insert(v.id);
        int64_t again = 0;
        for (NodeId n : program.order) {
          const Node& node = program.node(n);
          if (node.phase != Phase::recompute) continue;
          ++again;
          EXPECT_TRUE(products_of(*node.op, program.call(n)).empty());
          for (Value v : node.inputs) {
            NodeId producer = v ? program.info(v).producer : -1;
            EXPECT_TRUE(producer < 0 || program.node(producer).phase == Phase::recompute ||
                        kept.contains(v.id))
                << node.describe();
          }
        }
        EXPECT_EQ(again > 0, recompute == std::string("cheap"));
      }
      EXPECT_LT(bytes[1], bytes[0]);
    }
  }
}

// Attention, forward and backward, in any plan: no value of two dimensions of the context's length,
// and no workspace that grows with its square.
TEST(PlanMemory, NothingGrowsWithTheSquareOfTheContext) {
  for (const SampleModel& model : sample_models()) {
    for (const char* precision : {"fp32", "bf16", "fp16"}) {
      std::vector<double> transient;
      for (int64_t context : {509, 2 * 509, 4 * 509}) {
        ModelConfig config = model.config;
        config.context = context;
        CpuTarget target;
        Module module = build_language_model(config, {.micro_batch = 1, .generate = true});
        Plan plan = run_passes(module, {.precision = precision}, target);
        for (const auto& [name, program] : module.programs) {
          for (int32_t id = 0; id < program.value_count(); ++id) {
            const Shape& shape = program.type(Value{id}).shape;
            int of_context = 0;
            for (int i = 0; i < shape.rank(); ++i) of_context += shape[i] == context;
            EXPECT_LE(of_context, 1) << model.name << " " << name << " %" << id << shape;
          }
        }
        transient.push_back(static_cast<double>(plan.programs.at("step.next").transient_bytes));
      }
      EXPECT_LT(transient[2] / transient[1], 2.1) << model.name << " " << precision;
    }
  }
}

// Every op of the models has a kernel of its own: nothing falls back to an expansion in a run.
TEST(Expand, TheModelsNeedNone) {
  for (const SampleModel& model : sample_models()) {
    for (const PassOptions& options : all_options()) {
      CpuTarget target;
      size_t before = 0, after = 0;
      auto count = [](const Module& m) {
        size_t n = 0;
        for (const auto& [name, program] : m.programs) n += program.order.size();
        return n;
      };
      Module module = build_sample(model.config);
      run_passes(module, options, target, [&](const Pass& pass, const Module& m, double) {
        if (pass.name == "simplify") before = count(m);
        if (pass.name == "expand") after = count(m);
      });
      EXPECT_EQ(before, after) << model.name;
    }
  }
}

}  // namespace
}  // namespace anneal::testing
