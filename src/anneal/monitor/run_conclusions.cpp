// The sentences that compare runs.

#include <algorithm>
#include <cmath>

#include "anneal/base/error.hpp"
#include "anneal/monitor/plot_text.hpp"
#include "anneal/monitor/report_text.hpp"
#include "anneal/monitor/run_comparison.hpp"

namespace anneal {
namespace {

using Kind = Finding::Kind;

// Which of two: 1 the run, -1 what it is compared with, 0 neither.
int sign_of(bool shows, double better_by) { return !shows ? 0 : better_by > 0 ? 1 : -1; }

constexpr double wild_speed = 0.25;  // where speed varies more by itself, "as fast" misleads

class Judge {
 public:
  Judge(const std::vector<RunRecord>& runs, const std::vector<RunSummary>& summaries)
      : runs_(runs), summaries_(summaries) {}

  std::vector<Finding> judge() {
    if (runs_.size() > 2) choose_among_all();
    for (size_t i = 1; i < runs_.size(); ++i) {
      const RunComparison c = compare_runs(runs_, summaries_, i, 0);
      // Of two, the sentence that compares them is the conclusion.
      const bool two = runs_.size() == 2;
      add(two ? Kind::conclusion : Kind::note, c, "comparison",
          str(comparison(c), two ? verdict(c) : str("."), caveat(c)));
      add(Kind::note, c, "cause", cause(c));
    }
    return std::move(findings_);
  }

 private:
  void add(Kind kind, const RunComparison& c, const char* topic, std::string text) {
    findings_.push_back({kind, runs_[c.run].label, topic, std::move(text)});
  }

  const std::string& label(size_t run) const { return runs_[run].label; }
  bool diverged(size_t run) const { return summaries_[run].diverged(); }

  // Whether a sentence on the speed of the two says more than that it varied.
  static bool speed_tells(const RunComparison& c) {
    return c.speed && (c.speed_shows || c.speed_threshold <= wild_speed);
  }

  std::string speed(const RunComparison& c) const {
    const std::string &a = label(c.run), &b = label(c.against);
    if (!c.speed) return str(a, " and ", b, " have too few steps to compare their speed");
    const RunSummary &sa = summaries_[c.run], &sb = summaries_[c.against];
    const std::string medians =
        c.same_step ? str(duration_text(sa.step_seconds->median), " against ",
                          duration_text(sb.step_seconds->median))
                    : str(compact_count(sa.tokens_per_second->median), " against ",
                          compact_count(sb.tokens_per_second->median), " tokens a second");
    if (!speed_tells(c))
      return str("The speed of ", a, " and ", b, " cannot be compared, as it varies by up to ",
                 percent_text(c.speed_threshold), " by itself (", medians,
                 c.same_step ? " a step)" : ")");
    if (!c.speed_shows)
      return str(a, " is as fast as ", b, " as far as these runs can show (", medians,
                 c.same_step ? " a step" : "", "; differences below ",
                 percent_text(c.speed_threshold), " are within their spread)");
    if (*c.speed > 1)
      return c.same_step ? str(a, " is ", ratio_text(*c.speed), " as fast per step as ", b, " (",
                               medians, ")")
                         : str(a, " gets through ", ratio_text(*c.speed),
                               " as many tokens a second as ", b, " (", medians, ")");
    return c.same_step ? str(a, " takes ", ratio_text(1 / *c.speed), " as long per step as ", b,
                             " (", medians, ")")
                       : str(a, " gets through only ", ratio_text(*c.speed),
                             " as many tokens a second as ", b, " (", medians, ")");
  }

  std::string loss(const RunComparison& c) const {
    if (!c.incomparable.empty()) return str("; ", c.incomparable, ", so quality is not compared");
    const double change = *c.value / *c.against_value - 1;
    const std::string where = c.at_tokens ? str(" after ", compact_count(*c.at_tokens),
                                                " tokens, the most that both have,")
                                          : str("");
    const std::string numbers = str(loss_text(*c.value), " against ", loss_text(*c.against_value),
                                    ", ", change_text(change));
    const char* verb = c.at_tokens ? " is" : " ends";
    const std::string joint = speed_tells(c) ? str(", and") : str("; ", label(c.run));
    if (c.loss_shows)
      return str(joint, where, verb, " at a ", change < 0 ? "lower " : "higher ", c.measure, " (",
                 numbers, ")");
    return str(joint, where, verb, " at the same ", c.measure, " (", numbers,
               "; differences below ", percent_text(c.loss_threshold / *c.against_value),
               " are noise)");
  }

  std::string memory(const RunComparison& c) const {
    if (!c.memory_shows) return {};
    const auto peak = [&](size_t run) {
      return format_bytes(static_cast<double>(*summaries_[run].peak_anon_bytes));
    };
    return str(", with ", percent_text(std::abs(*c.memory - 1)), *c.memory < 1 ? " less" : " more",
               " memory at its peak (", peak(c.run), " against ", peak(c.against), ")");
  }

  std::string comparison(const RunComparison& c) const {
    const bool a = diverged(c.run), b = diverged(c.against);
    if (a && b) return str(label(c.run), " and ", label(c.against), " both diverged");
    if (a || b)
      return str(label(a ? c.run : c.against), " diverged after step ",
                 *summaries_[a ? c.run : c.against].diverged_step, " and ",
                 label(a ? c.against : c.run), " did not");
    return str(speed(c), loss(c), memory(c));
  }

  std::string caveat(const RunComparison& c) const {
    if (c.caveat.empty() || !c.value || diverged(c.run) || diverged(c.against)) return {};
    return str(" Mind that ", c.caveat, ".");
  }

  int loss_sign(const RunComparison& c) const {
    return c.value ? sign_of(c.loss_shows, *c.against_value - *c.value) : 0;
  }
  int speed_sign(const RunComparison& c) const {
    return c.speed ? sign_of(c.speed_shows, *c.speed - 1) : 0;
  }

  // 1: the run is better in something and worse in nothing; -1: the other; 0: neither.
  int choice(const RunComparison& c) const {
    if (diverged(c.run) != diverged(c.against)) return diverged(c.run) ? -1 : 1;
    if (diverged(c.run) || !c.value) return 0;
    const int quality = loss_sign(c), pace = speed_sign(c);
    if (quality * pace < 0) return 0;
    if (quality + pace != 0) return quality + pace > 0 ? 1 : -1;
    return c.memory ? sign_of(c.memory_shows, 1 - *c.memory) : 0;
  }

  std::string verdict(const RunComparison& c) const {
    if (const int chosen = choice(c); chosen != 0)
      return str(": choose ", label(chosen > 0 ? c.run : c.against), ".");
    if (diverged(c.run)) return ".";
    if (!c.value) return ".";
    if (loss_sign(c) * speed_sign(c) == 0) return ": nothing here speaks for one of them.";
    const bool quality_of_run = loss_sign(c) > 0;
    std::string text =
        str(". It is speed against quality: choose ", label(quality_of_run ? c.run : c.against),
            " for the loss after equally many tokens, ", label(quality_of_run ? c.against : c.run),
            " for the pace.");
    if (c.after_seconds)
      text += str(" After the same ", duration_text(*c.after_seconds), " of training, ",
                  label(c.run), " was at ", loss_text(*c.value_then), " and ", label(c.against),
                  " at ", loss_text(*c.against_value_then), ".");
    return text;
  }

  std::string value_of(size_t run, const std::string& key) const {
    const auto value = runs_[run].setting(key);
    return value.empty() ? str("not set") : clip_text(value, 260, 12);
  }

  // What the better of two is better in.
  std::string gain(const RunComparison& c) const {
    if (diverged(c.run) != diverged(c.against)) return "it does not diverge";
    std::vector<std::string> gains;
    const auto less = [](double a, double b) {
      return percent_text(1 - std::min(a, b) / std::max(a, b));
    };
    if (loss_sign(c) != 0)
      gains.push_back(
          str("by a ", c.measure, " that is ", less(*c.value, *c.against_value), " lower"));
    if (speed_sign(c) != 0)
      gains.push_back(str("by being ", ratio_text(std::max(*c.speed, 1 / *c.speed)), " as fast"));
    if (gains.empty()) gains.push_back(str("by ", less(*c.memory, 1), " less memory"));
    return list_text(gains);
  }

  std::string cause(const RunComparison& c) const {
    const std::string &a = label(c.run), &b = label(c.against);
    std::string text;
    if (!c.settings_known) {
      text = str("The settings of ", a, " or ", b,
                 " are not known, so the cause of a difference is not either.");
    } else if (c.settings.empty()) {
      text = str(a, " and ", b,
                 " have the same settings: what differs is chance, in the machine more "
                 "than in the model.");
    } else if (c.settings.size() == 1 && c.settings[0] == "train.seed") {
      text = str(
          a, " and ", b, " differ in train.seed only (", value_of(c.run, "train.seed"), " and ",
          value_of(c.against, "train.seed"),
          "): what differs is chance, and differences of other runs that are no larger are too.");
    } else if (c.settings.size() == 1) {
      const std::string& key = c.settings[0];
      text = str(a, " and ", b, " differ in one setting, ", key, " (", value_of(c.run, key),
                 " and ", value_of(c.against, key), "), so the differences are its effect");
      if (const int chosen = choice(c); chosen != 0)
        text +=
            str(": here ", value_of(chosen > 0 ? c.run : c.against, key), " pays, ", gain(c), ".");
      else if (c.value && !c.loss_shows && !c.speed_shows && !c.memory_shows)
        text += ", which these runs do not show.";
      else
        text += ".";
    } else {
      constexpr size_t most = 6;
      std::vector<std::string> keys = c.settings;
      if (keys.size() > most) {
        const size_t more = keys.size() - most + 1;
        keys.resize(most - 1);
        keys.push_back(str(more, " more"));
      }
      text = str(a, " and ", b, " differ in ", c.settings.size(), " settings (", list_text(keys),
                 "), whose effects these runs cannot tell apart.");
    }
    if (!c.machine.empty())
      text += str(" They ran on unlike machines (", list_text(c.machine),
                  "), which may be what makes their speed differ.");
    return text;
  }

  void choose_among_all() {
    std::vector<size_t> in_order;
    for (size_t i = 0; i < runs_.size(); ++i)
      if (!diverged(i)) in_order.push_back(i);
    if (in_order.empty()) {
      findings_.push_back(
          {Kind::conclusion, "", "choice", str("All ", runs_.size(), " runs diverged.")});
      return;
    }
    if (in_order.size() == 1) {
      findings_.push_back({Kind::conclusion, label(in_order[0]), "choice",
                           str("Of ", runs_.size(), " runs, only ", label(in_order[0]),
                               " did not diverge: choose it.")});
      return;
    }
    size_t best = in_order[0];
    std::vector<std::string> left_out;
    std::string measure;
    for (size_t i : in_order) {
      if (i == in_order[0]) continue;
      const RunComparison c = compare_runs(runs_, summaries_, i, best);
      measure = c.measure;
      if (!c.value)
        left_out.push_back(label(i));
      else if (*c.value < *c.against_value)
        best = i;
    }
    if (!left_out.empty() && left_out.size() + 1 == in_order.size()) {
      findings_.push_back({Kind::conclusion, "", "choice",
                           str("The losses of these ", runs_.size(),
                               " runs cannot be compared with one another.")});
      return;
    }
    size_t pick = best;
    std::vector<std::string> equal;
    for (size_t i : in_order) {
      if (i == best) continue;
      const RunComparison c = compare_runs(runs_, summaries_, i, best);
      if (!c.value || c.loss_shows) continue;
      equal.push_back(label(i));
      const RunComparison pace = compare_runs(runs_, summaries_, i, pick);
      if (speed_sign(pace) > 0) pick = i;
    }
    std::string text =
        str("Of ", runs_.size(), " runs, ", label(best), " has the lowest ", measure);
    if (const auto& eval = summaries_[best].final_eval; eval && measure == "validation loss")
      text += str(" (", loss_text(eval->loss), " at its end)");
    if (!equal.empty()) text += str("; ", list_text(equal), " cannot be told from it by that");
    if (pick != best) {
      const RunComparison c = compare_runs(runs_, summaries_, pick, best);
      text += str(", and ", label(pick), " is ", ratio_text(*c.speed), " as fast");
    }
    text += str(": choose ", label(pick), ".");
    if (!left_out.empty())
      text += str(" The losses of ", list_text(left_out), " cannot be compared with the others'.");
    if (in_order.size() < runs_.size())
      text += str(" ", runs_.size() - in_order.size(), " of the runs diverged.");
    findings_.push_back({Kind::conclusion, label(pick), "choice", std::move(text)});
  }

  const std::vector<RunRecord>& runs_;
  const std::vector<RunSummary>& summaries_;
  std::vector<Finding> findings_;
};

// Of one run, the conclusion is what it reached and whether it still improves.
void conclude_alone(std::vector<Finding>& findings, const std::string& label) {
  findings.front().kind = Kind::conclusion;
  const auto improvement =
      std::find_if(findings.begin(), findings.end(),
                   [](const Finding& finding) { return finding.topic == "improvement"; });
  if (improvement == findings.end()) return;
  findings.front().text += str(" It", improvement->text.substr(label.size()));
  findings.erase(improvement);
}

}  // namespace

std::vector<Finding> conclude(const std::vector<RunRecord>& runs,
                              const std::vector<RunSummary>& summaries) {
  std::vector<Finding> findings = Judge(runs, summaries).judge();
  for (size_t i = 0; i < runs.size(); ++i)
    for (Finding& finding : find_in_run(runs[i], summaries[i]))
      findings.push_back(std::move(finding));
  if (runs.size() == 1) conclude_alone(findings, runs[0].label);
  return findings;
}

}  // namespace anneal
