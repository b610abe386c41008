#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace anneal {

// Numbers as reports print them, in sentences and in tables.

std::string loss_text(double loss);         // "2.1134"
std::string percent_text(double share);     // 0.1234: "12.3 %"; below 1 % with two decimals
std::string change_text(double share);      // the same with its sign: "+0.12 %", "−4.7 %"
std::string ratio_text(double ratio);       // "1.83×"
std::string count_text(int64_t count);      // exact, in groups of three: "1 024 000"
std::string compact_count(double count);    // three digits: "1.02M", "873"
std::string number_text(double value);      // four digits: "0.0003", "12.35", "1.205e+14"
std::string duration_text(double seconds);  // "12.3 ms", "48.2 s", "3 min 20 s", "2 h 05 min"

// "a", "a and b", "a, b and c".
std::string list_text(const std::vector<std::string>& items);

}  // namespace anneal
