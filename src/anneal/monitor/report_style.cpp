#include "anneal/monitor/report_style.hpp"

namespace anneal {

std::string_view report_style() {
  return R"(
:root { color-scheme: light; }
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 40px 28px 60px; max-width: 1216px; background: #ffffff; color: #20242a;
  font: 15px/1.55 Helvetica, Arial, "DejaVu Sans", sans-serif;
}
h1 { margin: 0 0 6px; font-size: 28px; line-height: 1.2; letter-spacing: -0.01em; }
h2 {
  margin: 44px 0 12px; padding-bottom: 6px; border-bottom: 1px solid #d5dade; font-size: 19px;
  line-height: 1.3;
}
h3 { margin: 22px 0 6px; font-size: 15px; }
p { margin: 0 0 10px; max-width: 88ch; overflow-wrap: anywhere; }
.subtitle, .explanation { color: #565d66; }
.explanation { font-size: 14px; }
.conclusion {
  margin: 22px 0 14px; padding: 14px 18px; border-left: 4px solid #0072b2; background: #f1f6fa;
  font-size: 18px; line-height: 1.5;
}
.conclusion p { margin: 0; max-width: none; }
.findings { margin: 0; padding: 0; list-style: none; }
.findings li { display: flex; gap: 12px; margin: 0 0 7px; max-width: 104ch; overflow-wrap: anywhere; }
.tag {
  flex: none; align-self: flex-start; width: 76px; margin-top: 3px; border-radius: 3px;
  font-size: 12px; line-height: 18px; text-align: center; background: #eef0f2; color: #444b54;
}
.tag.good { background: #ddf1e9; color: #00543d; }
.tag.caution { background: #fdeccb; color: #6a4700; }
.tag.problem { background: #f9dccb; color: #7f2f00; font-weight: bold; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; line-height: 1.4; }
th, td { padding: 4px 14px 4px 6px; text-align: left; vertical-align: top; }
thead th { border-bottom: 1px solid #8b939c; font-weight: bold; vertical-align: bottom; }
tbody th { font-weight: normal; color: #444b54; }
tbody tr + tr > * { border-top: 1px solid #eceef0; }
td { overflow-wrap: anywhere; min-width: 90px; max-width: 420px; }
.numbers td, .numbers thead th + th {
  padding: 4px 8px 4px 22px; text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; max-width: 260px;
}
.numbers td.text { white-space: normal; }
.settings td, .settings tbody th {
  font-family: "SFMono-Regular", Consolas, "DejaVu Sans Mono", monospace; font-size: 13px;
}
td.differs { background: #fff4d6; font-weight: bold; }
.swatch {
  display: inline-block; width: 10px; height: 10px; margin-right: 6px; border-radius: 2px;
}
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 18px 24px; }
.charts svg, .drawing svg { display: block; width: 100%; height: auto; }
details { margin-top: 12px; }
summary { cursor: pointer; color: #00508a; }
footer { margin-top: 48px; color: #565d66; font-size: 13px; }
@media print {
  @page { margin: 14mm; }
  body { padding: 0; font-size: 11pt; }
  .conclusion { font-size: 13pt; }
  .charts { grid-template-columns: 1fr 1fr; }
  .charts svg, .findings li, p, tr { break-inside: avoid; }
  h2, h3, .explanation { break-after: avoid; }
  table { font-size: 8.5pt; }
  td { min-width: 0; }
  .numbers td, .numbers thead th + th { padding-left: 10px; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
)";
}

}  // namespace anneal
