#include "anneal/data/chat_template.hpp"

#include "anneal/data/jinja/renderer.hpp"
#include "anneal/data/jinja/syntax.hpp"
#include "anneal/data/jinja/text.hpp"

namespace anneal {
namespace {

// Twenty times the longest template in use.
constexpr size_t kLongestTemplate = size_t{1} << 20;

std::tm local_time() {
  std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  return local;
}

std::string_view without_end_space(std::string_view text) {
  return jinja::strip(text, false, true);
}

const jinja::Value* member(const jinja::Value& message, const char* name) {
  return message.is_dict() ? message.as_dict().find(name) : nullptr;
}

bool is_assistant(const jinja::Value& message) {
  const jinja::Value* role = member(message, "role");
  return role && role->is_text() && role->as_text() == "assistant";
}

// What the assistant writes of `added`, which a message has added to the text: white space in the
// end is the template's, unless nothing but the message's own text stands before it.
std::string_view written(std::string_view added, const jinja::Value& message) {
  std::string_view text = without_end_space(added);
  const jinja::Value* content = member(message, "content");
  if (!content || !content->is_text()) return text;
  std::string_view own = without_end_space(content->as_text());
  return !own.empty() && text.ends_with(own) ? added : text;
}

}  // namespace

struct ChatTemplate::Parsed {
  std::string where;
  jinja::Body body;
  bool marked = false;  // by {% generation %}
};

ChatTemplate ChatTemplate::parse(std::string_view source, const std::string& where) {
  if (source.size() > kLongestTemplate)
    throw FormatError(str("[", where, "] expected a chat template of at most ", kLongestTemplate,
                          " bytes, got ", source.size()));
  ChatTemplate made;
  auto parsed = std::make_shared<Parsed>();
  parsed->where = where;
  parsed->body = jinja::parse_template(source, where);
  parsed->marked = jinja::has_generation(parsed->body);
  made.parsed_ = std::move(parsed);
  return made;
}

void ChatTemplate::set_token(const std::string& name, const std::string& text) {
  tokens_.set(name, jinja::Value::text(text));
}

std::string ChatTemplate::eos_token() const {
  const jinja::Value* token = tokens_.find("eos_token");
  return token ? token->as_text() : "";
}

std::string ChatTemplate::run(const ChatRequest& request, std::vector<ByteSpan>* generated) const {
  jinja::Dict variables = tokens_;
  variables.set("messages", request.messages);
  variables.set("tools", request.tools);
  variables.set("documents", jinja::Value::none());
  variables.set("add_generation_prompt", jinja::Value::boolean(request.add_generation_prompt));
  for (const auto& variable : request.variables.members())
    variables.set(variable.first, variable.second);
  jinja::Renderer renderer(parsed_->body, parsed_->where, variables, now_.value_or(local_time()));
  std::string text = renderer.run();
  if (generated)
    for (const auto& span : renderer.generated()) generated->push_back({span.begin, span.end});
  return text;
}

std::string ChatTemplate::render(const ChatRequest& request) const { return run(request, nullptr); }

RenderedChat ChatTemplate::render_with_spans(const ChatRequest& request) const {
  RenderedChat chat;
  if (parsed_->marked) {
    chat.text = run(request, &chat.assistant);
    return chat;
  }
  chat.text = run(request, nullptr);
  if (!request.messages.is_list()) return chat;
  const auto& messages = request.messages.as_list().items;
  auto beginning = [&](size_t count, bool prompt) {
    ChatRequest part = request;
    part.messages = jinja::Value::list(
        {messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(count)});
    part.add_generation_prompt = prompt;
    return run(part, nullptr);
  };
  const std::string eos = eos_token();
  for (size_t i = 0; i < messages.size(); ++i) {
    if (!is_assistant(messages[i])) continue;
    std::string before = beginning(i, true), with = beginning(i + 1, false);
    std::string_view added = with;
    bool fits = added.starts_with(before) && chat.text.starts_with(before);
    if (fits) {
      added = written(added.substr(before.size()), messages[i]);
      auto is_next = [&] { return chat.text.compare(before.size(), added.size(), added) == 0; };
      // Some templates end every text in the end token, a beginning too.
      if (!is_next() && !eos.empty() && added.ends_with(eos))
        added = without_end_space(added.substr(0, added.size() - eos.size()));
      fits = is_next();
    }
    if (!fits)
      throw UsageError(
          str("[", parsed_->where, "] cannot tell what the assistant writes in message ", i + 1,
              ": the chat template writes the beginning of this conversation otherwise than the "
              "whole (mark it in the template by {% generation %} … {% endgeneration %}, or end "
              "each conversation with the answer that is to be learned)"));
    chat.assistant.push_back({before.size(), before.size() + added.size()});
  }
  return chat;
}

}  // namespace anneal
