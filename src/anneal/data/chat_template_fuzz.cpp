#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "anneal/base/error.hpp"
#include "anneal/data/chat_template.hpp"

namespace {

// A good template, so that damage to it reaches what renders.
constexpr std::string_view kTemplate = R"({%- set ns = namespace(n=0, list=[]) -%}
{% macro show(v, depth=0) %}{% if v is mapping %}{% for k, x in v.items() %}{{ k ~ show(x, depth + 1)
}}{% endfor %}{% elif v is iterable and v is not string %}{{ v | map('string') | join(',') }}
{% else %}{{ v | tojson(indent=2) }}{% endif %}{% endmacro %}
{%- for m in messages if m.role != 'x' %}{% set ns.n = ns.n + 1 %}{% set ns.list = ns.list + [m] %}
{{- bos_token + m['role'] + '\n' }}{% if m.role == 'assistant' %}{% generation %}{{ m.content | trim
}}{{ eos_token }}{% endgeneration %}{% else %}{{ show(m.content) }}{% endif %}
{%- if loop.last or ns.n // 2 > 1 %}{{ m.content[::-1][1:-2].split('a')[0].upper() }}{% endif %}
{% endfor %}{# note #}{% raw %}{{ }}{% endraw %}{{ range(3) | list | sort | last }}{{ tools }})";

constexpr const char* kMessages =
    R"([{"role": "system", "content": "Be éé"}, {"role": "user", "content": [1, {"a": null}]},
        {"role": "assistant", "content": " fine\n"}, {"role": "user", "content": "banana"}])";

}  // namespace

// The first byte chooses: the rest is a template, or it replaces a part of a good one.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  std::string source(reinterpret_cast<const char*>(data) + 4, size - 4);
  if (data[0] % 2 == 1) {
    std::string whole(kTemplate);
    whole.replace((data[1] | data[2] << 8) % whole.size(), data[3] % 64, source);
    source = whole;
  }
  try {
    auto chat = anneal::ChatTemplate::parse(source, "fuzz");
    chat.set_token("bos_token", "<s>");
    chat.set_token("eos_token", "</s>");
    anneal::ChatRequest request;
    request.messages = anneal::jinja::parse_json(kMessages);
    request.add_generation_prompt = data[0] % 4 > 1;
    auto rendered = chat.render_with_spans(request);
    for (const auto& span : rendered.assistant)
      if (span.begin > span.end || span.end > rendered.text.size()) __builtin_trap();
  } catch (const anneal::Error&) {
    // Refused.
  }
  return 0;
}
