#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/data/jinja/value.hpp"

namespace anneal::jinja {

// A piece of a template's text.
struct Token {
  enum class Kind {
    text,            // outside of tags
    variable_begin,  // {{
    variable_end,
    block_begin,  // {%
    block_end,
    name,
    constant,  // a string or a number
    sign,      // an operator or a bracket
    end,
  };
  Kind kind = Kind::end;
  std::string text;
  Value value;
  int64_t line = 1;
};

// Cuts a template into tokens, with the white space around tags dropped as trim_blocks and
// lstrip_blocks say. Throws FormatError "[where:line] …".
std::vector<Token> tokenize(std::string_view source, const std::string& where);

// A statement or an expression. What the children are is said beside each kind; a child may be null
// where something is left out.
struct Node;
using NodePointer = std::unique_ptr<Node>;
using Body = std::vector<NodePointer>;

struct Node {
  enum class Kind {
    constant,     // value
    name,         // name
    list,         // its items
    tuple,        // its items
    dict,         // keys and values by turns
    attribute,    // name of its child
    item,         // of the first child, at the second
    slice,        // start, stop, step
    call,         // what is called, arguments; the last of them have `keywords`
    filter,       // name; the value (null: of a block), arguments
    test,         // name; the value, arguments
    logical_not,  // its child
    negative,     // its child
    positive,     // its child
    binary,       // name is the operator
    concatenate,  // its children, as text
    compare,      // operands; `keywords` are the operators between them
    logical_and,  // two children
    logical_or,   // two children
    conditional,  // the value, the condition, the value otherwise
    text,         // value is written
    output,       // its child is written
    set,          // target, value
    set_block,    // target, filter; body
    loop,         // target, what is walked through, condition; body, otherwise
    branch,       // conditions; bodies of them; otherwise
    macro,        // name; `keywords` are its parameters, children the defaults of the last of them
    leave,        // break
    next,         // continue
    generation,   // body
    member,       // name, of the namespace that its child names: a target
  };
  Kind kind;
  int64_t line;
  int depth = 1;
  std::string name;
  Value value;
  std::vector<NodePointer> children;
  std::vector<std::string> keywords;
  std::vector<Body> bodies;
  Body otherwise;
};

// Parses a template. Throws FormatError "[where:line] …" for what is malformed or not supported.
Body parse_template(std::string_view source, const std::string& where);

// Whether a template has {% generation %}, in which case spans are marked by it.
bool has_generation(const Body& body);

}  // namespace anneal::jinja
