#pragma once

#include <string_view>

namespace anneal {

// The style sheet of report pages.
std::string_view report_style();

}  // namespace anneal
