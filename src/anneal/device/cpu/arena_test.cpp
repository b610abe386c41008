#include "anneal/device/arena.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <algorithm>
#include <vector>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

constexpr int64_t bytes = (int64_t{24} << 20) + 5000;

// Whether the system has given every page.
bool all_there(const Arena& arena) {
  std::vector<unsigned char> pages(static_cast<size_t>((arena.bytes() + 4095) / 4096));
  if (::mincore(arena.at(0), static_cast<size_t>(arena.bytes()), pages.data()) != 0) return false;
  return std::all_of(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; });
}

bool all_zero(const Arena& arena) {
  return std::all_of(arena.at(0), arena.at(arena.bytes()),
                     [](std::byte b) { return b == std::byte{0}; });
}

TEST(Arena, IsZeroedAndThere) {
  Arena arena(bytes);
  EXPECT_EQ(arena.bytes(), bytes);
  EXPECT_TRUE(all_there(arena));
  EXPECT_TRUE(all_zero(arena));
}

TEST(Arena, EveryPageIsThereAfterWaiting) {
  Arena arena(bytes, Arena::Pages::in_background);
  arena.wait();
  EXPECT_TRUE(all_there(arena));
  EXPECT_TRUE(all_zero(arena));
  arena.wait();  // again is nothing to do
}

TEST(Arena, KeepsWhatIsWrittenBesideTheBackground) {
  for (int repeat = 0; repeat < 20; ++repeat) {
    Arena arena(bytes, Arena::Pages::in_background);
    for (int64_t i = 0; i < bytes; i += 1000) *arena.at(i) = static_cast<std::byte>(i % 251);
    arena.wait();
    for (int64_t i = 0; i < bytes; i += 1000)
      ASSERT_EQ(*arena.at(i), static_cast<std::byte>(i % 251)) << i;
  }
}

TEST(Arena, MayMoveAndGoBeforeEverythingIsThere) {
  for (int repeat = 0; repeat < 20; ++repeat) {
    Arena arena(bytes, Arena::Pages::in_background);
    std::byte* base = arena.at(0);
    Arena other = std::move(arena);
    EXPECT_EQ(other.at(0), base);
    EXPECT_EQ(arena.bytes(), 0);
  }
}

TEST(Arena, MoreThanTheMachineHasIsRefused) {
  EXPECT_THROW(Arena(int64_t{1} << 50), UsageError);
  EXPECT_THROW(Arena(int64_t{1} << 50, Arena::Pages::in_background), UsageError);
}

}  // namespace
}  // namespace anneal
