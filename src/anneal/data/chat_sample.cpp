#include "anneal/data/chat_sample.hpp"

#include <algorithm>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

using jinja::Value;

class Reader {
 public:
  Reader(const ChatTemplate* chat, const std::string& path, int64_t line)
      : chat_(chat), path_(path), line_(line) {}

  TextSample read(std::string_view json) {
    Value value = parse(json);
    if (!value.is_dict()) fail(str("expected a JSON object, got a ", value.type_name()));
    const jinja::Dict& object = value.as_dict();
    TextSample sample;
    if (object.find("messages")) {
      sample = conversation(object, *object.find("messages"), 0);
    } else if (object.find("prompt") && object.find("completion")) {
      sample = completion(object, *object.find("prompt"), *object.find("completion"));
    } else if (const Value* text = object.find("text")) {
      if (!text->is_text()) fail(str("expected a string \"text\", got a ", text->type_name()));
      sample.text = text->as_text();
      sample.supervised = {{0, sample.text.size()}};
    } else {
      fail(str("expected \"messages\", \"prompt\" and \"completion\", or \"text\", got ",
               keys(object)));
    }
    bool any = std::any_of(sample.supervised.begin(), sample.supervised.end(),
                           [](ByteSpan span) { return span.begin < span.end; });
    // Behind an empty completion or text its end is still to be learned.
    if (!any && sample.rendered)
      fail("nothing in this conversation counts in the loss: no message of the role \"assistant\"");
    return sample;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw UsageError(str("[", path_, ":", line_, "] ", what));
  }

  Value parse(std::string_view json) const {
    try {
      return jinja::parse_json(json);
    } catch (const jinja::Failure& failure) {
      fail(failure.what());
    }
  }

  static std::string keys(const jinja::Dict& object) {
    std::string all;
    for (const auto& member : object.members()) {
      if (all.size() > 200) return all + ", …";
      all += str(all.empty() ? "\"" : ", \"", member.first.substr(0, 40), "\"");
    }
    return all.empty() ? "no keys" : all;
  }

  void check_messages(const Value& messages, const char* key) const {
    if (!messages.is_list())
      fail(str("expected a list \"", key, "\", got a ", messages.type_name()));
    const auto& items = messages.as_list().items;
    for (size_t i = 0; i < items.size(); ++i) {
      const Value* role = items[i].is_dict() ? items[i].as_dict().find("role") : nullptr;
      if (!role || !role->is_text())
        fail(str("expected an object with a string \"role\" as message ", i + 1, " of \"", key,
                 "\""));
    }
  }

  // What the template makes of the messages, of which the first `given` are given, not learned.
  TextSample conversation(const jinja::Dict& object, const Value& messages, size_t given) const {
    check_messages(messages, "messages");
    if (messages.as_list().items.empty()) fail("the conversation has no messages");
    if (!chat_)
      fail(
          "there is a conversation here, but no chat template (expected a tokenizer_config.json "
          "with chat_template, or a chat_template.jinja, beside the model's tokenizer)");
    ChatRequest request;
    request.messages = messages;
    if (const Value* tools = object.find("tools")) request.tools = *tools;
    if (const Value* more = object.find("chat_template_kwargs"); more && more->is_dict())
      request.variables = more->as_dict();
    try {
      RenderedChat chat = chat_->render_with_spans(request);
      TextSample sample{std::move(chat.text), std::move(chat.assistant), true};
      if (given == 0) return sample;
      const auto& items = messages.as_list().items;
      request.messages =
          Value::list({items.begin(), items.begin() + static_cast<std::ptrdiff_t>(given)});
      request.add_generation_prompt = true;
      std::string prompt = chat_->render(request);
      if (!sample.text.starts_with(prompt))
        fail("the chat template writes the prompt otherwise when the completion follows");
      for (ByteSpan& span : sample.supervised) span.begin = std::max(span.begin, prompt.size());
      std::erase_if(sample.supervised, [](ByteSpan span) { return span.begin >= span.end; });
      return sample;
    } catch (const Error& error) {
      fail(error.what());
    }
  }

  TextSample completion(const jinja::Dict& object, const Value& prompt, const Value& answer) const {
    if (prompt.is_text() && answer.is_text()) {
      TextSample sample{prompt.as_text() + answer.as_text(), {}, false};
      sample.supervised = {{prompt.as_text().size(), sample.text.size()}};
      return sample;
    }
    if (!prompt.is_list() || !answer.is_list())
      fail(str(
          "expected two strings or two lists of messages as \"prompt\" and \"completion\", got a ",
          prompt.type_name(), " and a ", answer.type_name()));
    std::vector<Value> messages = prompt.as_list().items;
    messages.insert(messages.end(), answer.as_list().items.begin(), answer.as_list().items.end());
    return conversation(object, Value::list(std::move(messages)), prompt.as_list().items.size());
  }

  const ChatTemplate* chat_;
  const std::string& path_;
  int64_t line_;
};

}  // namespace

TextSample read_text_sample(std::string_view json, const ChatTemplate* chat,
                            const std::string& path, int64_t line) {
  return Reader(chat, path, line).read(json);
}

TokenSample tokenise_sample(const TextSample& sample, const Tokenizer& tokenizer,
                            std::span<const int32_t> end_ids, const std::string& path,
                            int64_t line) {
  auto placed =
      tokenizer.encode_placed(sample.text, {.read_special = true, .add_special = !sample.rendered});
  TokenSample tokens;
  tokens.tokens = std::move(placed.ids);
  auto span = sample.supervised.begin();
  for (ByteSpan place : placed.places) {
    while (span != sample.supervised.end() && span->end <= place.begin) ++span;
    bool inside = span != sample.supervised.end() && span->begin < place.end;
    tokens.supervised.push_back(inside && place.begin < place.end ? 1 : 0);
  }
  auto ends = [&](int32_t id) {
    return std::find(end_ids.begin(), end_ids.end(), id) != end_ids.end();
  };
  if (!sample.rendered && !end_ids.empty()) {
    if (tokens.tokens.empty() || !ends(tokens.tokens.back())) {
      tokens.tokens.push_back(end_ids[0]);
      tokens.supervised.push_back(1);
    }
    tokens.supervised.back() = 1;
  }
  size_t last = tokens.supervised.size();
  while (last > 0 && !tokens.supervised[last - 1]) --last;
  if (last == 0 || !ends(tokens.tokens[last - 1]))
    throw UsageError(
        str("[", path, ":", line,
            "] expected what the model learns to write to end in a token that ends a text, as the "
            "model would never stop otherwise (is the token with which the chat template ends a "
            "turn among eos_token_id of generation_config.json or config.json?)"));
  return tokens;
}

}  // namespace anneal
