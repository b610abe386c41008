#pragma once

#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/base/error.hpp"
#include "anneal/data/byte_span.hpp"
#include "anneal/data/jinja/value.hpp"

namespace anneal {

// That a chat template refuses a conversation itself, by raise_exception.
class TemplateRefusal : public UsageError {
 public:
  using UsageError::UsageError;
};

// What a chat template is rendered with.
struct ChatRequest {
  jinja::Value messages;  // a list of dicts; see jinja::parse_json
  jinja::Value tools = jinja::Value::none();
  bool add_generation_prompt = false;  // end in what an answer begins with
  jinja::Dict variables;               // others, such as enable_thinking
};

struct RenderedChat {
  std::string text;
  std::vector<ByteSpan> assistant;  // what the assistant writes, in order
};

// A model's chat template, in the part of Jinja that docs/chat.md lists: the text is, byte for
// byte, what transformers' apply_chat_template gives.
//
// A value: immutable, cheap to copy, safe to use from any number of threads.
class ChatTemplate {
 public:
  // Parses a template; `where` names it in errors. Throws FormatError "[where:line] …" for what is
  // malformed or not supported.
  static ChatTemplate parse(std::string_view source, const std::string& where);

  // Sets what the template knows as bos_token, eos_token and so on. A token that is not set is
  // undefined in the template, which writes nothing.
  void set_token(const std::string& name, const std::string& text);
  // The eos_token, "" if there is none.
  std::string eos_token() const;
  // The time that strftime_now writes; by default that of the call.
  void set_now(const std::tm& now) { now_ = now; }

  // The text alone. Throws FormatError for what goes wrong in the template, or takes too long or
  // too much memory; TemplateRefusal for what the template refuses.
  std::string render(const ChatRequest& request) const;

  // The text, and what of it the assistant writes: what a model is trained to write after a prompt.
  //
  // A template that marks it by {% generation %} is taken at its word. Otherwise it is found by
  // rendering beginnings of the conversation: of the text up to and including an assistant's
  // message, the assistant writes what comes after the text before that message with
  // add_generation_prompt. White space behind the last special token of that, such as the line end
  // behind <|im_end|>, is the template's. Throws UsageError naming the template where its text of
  // a beginning is no beginning of the whole text, as when it drops what was thought in earlier
  // turns.
  RenderedChat render_with_spans(const ChatRequest& request) const;

 private:
  struct Parsed;
  ChatTemplate() = default;
  std::string run(const ChatRequest& request, std::vector<ByteSpan>* generated) const;

  std::shared_ptr<const Parsed> parsed_;
  jinja::Dict tokens_;
  std::optional<std::tm> now_;
};

}  // namespace anneal
