#include "anneal/device/cpu/isa.hpp"

#include <gtest/gtest.h>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

TEST(Isa, EmptyRequestIsTheBest) {
  EXPECT_EQ(parse_isa("", Isa::avx2), Isa::avx2);
  EXPECT_EQ(parse_isa("", Isa::portable), Isa::portable);
}

TEST(Isa, CanBeLowered) {
  EXPECT_EQ(parse_isa("portable", Isa::avx512), Isa::portable);
  EXPECT_EQ(parse_isa("avx2", Isa::avx512), Isa::avx2);
  EXPECT_EQ(parse_isa("avx512", Isa::avx512), Isa::avx512);
}

TEST(Isa, MoreThanTheCpuHasIsAUsageError) {
  try {
    parse_isa("avx512", Isa::avx2);
    FAIL() << "accepted";
  } catch (const UsageError& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_NE(std::string(e.what()).find("avx512"), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("its best is avx2"), std::string::npos);
  }
}

TEST(Isa, UnknownNameIsAUsageError) { EXPECT_THROW(parse_isa("AVX2", Isa::avx512), UsageError); }

TEST(Isa, NamesParseBack) {
  for (Isa isa : {Isa::portable, Isa::avx2, Isa::avx512})
    EXPECT_EQ(parse_isa(name_of(isa), Isa::avx512), isa);
}

int zero() { return 0; }
int one() { return 1; }
int two() { return 2; }

TEST(Isa, PickFollowsTheIsaInUse) {
  EXPECT_LE(cpu_isa(), best_isa());
  EXPECT_EQ(pick(zero, one, two)(), static_cast<int>(cpu_isa()));
}

}  // namespace
}  // namespace anneal
