#include "anneal/ops/elementwise/table.hpp"

#include <cmath>

namespace anneal {
namespace {

double gelu_inner(double x) { return std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x); }
double gelu_value(double x) { return 0.5 * x * (1 + std::tanh(gelu_inner(x))); }
double gelu_slope(double x) {
  double t = std::tanh(gelu_inner(x));
  double inner_slope = std::sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner_slope;
}
double normal_distribution(double x) { return 0.5 * std::erfc(-x * M_SQRT1_2); }
double gelu_exact_slope(double x) {
  return normal_distribution(x) + x * std::exp(-0.5 * x * x) / std::sqrt(2 * M_PI);
}
double sigmoid_value(double x) { return 1 / (1 + std::exp(-x)); }
double silu_slope(double x) {
  double s = sigmoid_value(x);
  return s * (1 + x * (1 - s));
}

// The formatter takes the braces behind a macro for blocks of their own.
// clang-format off
#define ANNEAL_VALUE [](double a, [[maybe_unused]] double b, [[maybe_unused]] double c) -> double
#define ANNEAL_GRADIENT                                                                      \
  []([[maybe_unused]] Builder& g, [[maybe_unused]] int i, [[maybe_unused]] const Value* in,  \
     [[maybe_unused]] Value y, Value dy, [[maybe_unused]] float c) -> Value

// A derivative that is piecewise constant or itself a derivative: no gradient of it is needed.
Value no_gradient(Builder&, int, const Value*, Value, Value, float) { return {}; }

const EwFunction table[] = {
    {Ew::copy, "copy", 1, ANNEAL_VALUE { return a; }, ANNEAL_GRADIENT { return dy; }},
    {Ew::neg, "neg", 1, ANNEAL_VALUE { return -a; },
     ANNEAL_GRADIENT { return apply(g, Ew::neg, dy); }},
    {Ew::square, "square", 1, ANNEAL_VALUE { return a * a; },
     ANNEAL_GRADIENT { return scale(g, mul(g, dy, in[0]), 2); }},
    {Ew::sqrt, "sqrt", 1, ANNEAL_VALUE { return std::sqrt(a); },
     ANNEAL_GRADIENT { return scale(g, div(g, dy, y), 0.5); }},
    {Ew::reciprocal, "reciprocal", 1, ANNEAL_VALUE { return 1 / a; },
     ANNEAL_GRADIENT { return apply(g, Ew::neg, mul(g, dy, square(g, y))); }},
    {Ew::exp, "exp", 1, ANNEAL_VALUE { return std::exp(a); },
     ANNEAL_GRADIENT { return mul(g, dy, y); }},
    {Ew::log, "log", 1, ANNEAL_VALUE { return std::log(a); },
     ANNEAL_GRADIENT { return div(g, dy, in[0]); }},
    {Ew::tanh, "tanh", 1, ANNEAL_VALUE { return std::tanh(a); },
     ANNEAL_GRADIENT { return sub(g, dy, mul(g, dy, square(g, y))); }},
    {Ew::sigmoid, "sigmoid", 1, ANNEAL_VALUE { return sigmoid_value(a); },
     ANNEAL_GRADIENT { return mul(g, dy, sub(g, y, square(g, y))); }},
    {Ew::relu, "relu", 1, ANNEAL_VALUE { return a > 0 || std::isnan(a) ? a : 0; },
     ANNEAL_GRADIENT { return mul(g, dy, apply(g, Ew::step, in[0])); }},
    {Ew::step, "step", 1, ANNEAL_VALUE { return a > 0 ? 1 : 0; }, no_gradient},
    {Ew::gelu, "gelu", 1, ANNEAL_VALUE { return gelu_value(a); },
     ANNEAL_GRADIENT { return mul(g, dy, apply(g, Ew::gelu_derivative, in[0])); }},
    {Ew::gelu_derivative, "gelu_derivative", 1, ANNEAL_VALUE { return gelu_slope(a); },
     no_gradient},
    {Ew::gelu_exact, "gelu_exact", 1, ANNEAL_VALUE { return a * normal_distribution(a); },
     ANNEAL_GRADIENT { return mul(g, dy, apply(g, Ew::gelu_exact_derivative, in[0])); }},
    {Ew::gelu_exact_derivative, "gelu_exact_derivative", 1,
     ANNEAL_VALUE { return gelu_exact_slope(a); }, no_gradient},
    {Ew::silu, "silu", 1, ANNEAL_VALUE { return a * sigmoid_value(a); },
     ANNEAL_GRADIENT { return mul(g, dy, apply(g, Ew::silu_derivative, in[0])); }},
    {Ew::silu_derivative, "silu_derivative", 1, ANNEAL_VALUE { return silu_slope(a); },
     no_gradient},
    {Ew::scale, "scale", 1, ANNEAL_VALUE { return a * c; },
     ANNEAL_GRADIENT { return scale(g, dy, c); }},
    {Ew::shift, "shift", 1, ANNEAL_VALUE { return a + c; }, ANNEAL_GRADIENT { return dy; }},
    {Ew::add, "add", 2, ANNEAL_VALUE { return a + b; }, ANNEAL_GRADIENT { return dy; }},
    {Ew::sub, "sub", 2, ANNEAL_VALUE { return a - b; },
     ANNEAL_GRADIENT { return i == 0 ? dy : apply(g, Ew::neg, dy); }},
    {Ew::mul, "mul", 2, ANNEAL_VALUE { return a * b; },
     ANNEAL_GRADIENT { return mul(g, dy, in[1 - i]); }},
    {Ew::div, "div", 2, ANNEAL_VALUE { return a / b; },
     ANNEAL_GRADIENT {
       return i == 0 ? div(g, dy, in[1]) : apply(g, Ew::neg, div(g, mul(g, dy, y), in[1]));
     }},
    // A tie gives the whole gradient to the first operand.
    {Ew::maximum, "maximum", 2, ANNEAL_VALUE { return a >= b || a != a ? a : b; },
     ANNEAL_GRADIENT {
       Value second_wins = apply(g, Ew::step, sub(g, in[1], in[0]));
       return i == 1 ? mul(g, dy, second_wins) : sub(g, dy, mul(g, dy, second_wins));
     }},
    {Ew::minimum, "minimum", 2, ANNEAL_VALUE { return a <= b || a != a ? a : b; },
     ANNEAL_GRADIENT {
       Value second_wins = apply(g, Ew::step, sub(g, in[0], in[1]));
       return i == 1 ? mul(g, dy, second_wins) : sub(g, dy, mul(g, dy, second_wins));
     }},
};
static_assert(std::size(table) == static_cast<size_t>(Ew::count));

#undef ANNEAL_VALUE
#undef ANNEAL_GRADIENT
// clang-format on

}  // namespace

const EwFunction& function_of(Ew function) {
  const auto& entry = table[static_cast<size_t>(function)];
  ANNEAL_ASSERT(entry.function == function, "the table is out of order at ", entry.name);
  return entry;
}

std::string_view name_of(Ew function) { return function_of(function).name; }
int arity(Ew function) { return function_of(function).arity; }

}  // namespace anneal
