#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace anneal {

// Numbers and texts of drawings, the same whatever the locale.

// `value` with exactly `decimals` digits after the point; "0" if it is not finite.
std::string fixed(double value, int decimals);

// The same without trailing zeros: 2.50 is "2.5", -0.001 with two decimals is "0".
std::string shortest_fixed(double value, int decimals);

// Four digits and the unit that suits: "12.35 ms", "850.0 µs", "1.50 s"; 0 is "0 s".
std::string format_seconds(double seconds);

// Four digits and a binary unit: "96 bytes", "1.50 KiB", "123.4 MiB".
std::string format_bytes(double bytes);

// "12.3 %"; a whole of 0 makes it "0 %".
std::string format_percent(double part, double whole);

// Safe as XML text and in attributes with double quotes. What XML cannot hold (control
// characters, bytes that are not UTF-8) becomes U+FFFD.
std::string escape_xml(std::string_view text);

// Width in pixels that `text` needs in a sans-serif font of `size` pixels. An estimate that errs on
// the wide side: by the widths of DejaVu Sans, the widest of the fonts that a viewer may pick.
double text_width(std::string_view text, double size);

// `text` if it fits into `width` pixels, otherwise its beginning and "…"; "" where not even two
// characters would be left of it.
std::string clip_text(std::string_view text, double width, double size);

// The unit in which an axis counts.
struct AxisUnit {
  const char* name;  // "ms"
  double size;       // 0.001
};
AxisUnit seconds_unit(double largest);
AxisUnit bytes_unit(double largest);

// Round positions on an axis.
struct Ticks {
  std::vector<double> at;
  int decimals = 0;  // that tell them apart
};

// At most `most` (at least 2) multiples of 1, 2 or 5 times a power of ten from `begin` to `end`;
// none if the interval is empty or not finite.
Ticks round_ticks(double begin, double end, int most);

}  // namespace anneal
