#include "anneal/train/loss_scale.hpp"

#include <gtest/gtest.h>

namespace anneal {
namespace {

TEST(LossScale, HalvesOnOverflowAndDoublesAfterGoodSteps) {
  LossScale scale(1024, 3);
  EXPECT_TRUE(scale.overflowed());
  EXPECT_EQ(scale.value(), 512);
  for (int i = 0; i < 2; ++i) scale.succeeded();
  EXPECT_EQ(scale.value(), 512);
  scale.succeeded();
  EXPECT_EQ(scale.value(), 1024);
  for (int i = 0; i < 2; ++i) scale.succeeded();
  EXPECT_TRUE(scale.overflowed());
  // An overflow ends the row of good steps.
  for (int i = 0; i < 2; ++i) scale.succeeded();
  EXPECT_EQ(scale.value(), 512);
}

TEST(LossScale, GivesUpAfterTwentySkipsInARow) {
  LossScale scale(0x1p40, 100);
  for (int i = 0; i < 19; ++i) EXPECT_TRUE(scale.overflowed()) << i;
  EXPECT_EQ(scale.value(), 0x1p21);
  EXPECT_FALSE(scale.overflowed());
  EXPECT_EQ(scale.value(), 0x1p21);
  LossScale other(0x1p40, 100);
  for (int i = 0; i < 19; ++i) EXPECT_TRUE(other.overflowed());
  other.succeeded();
  EXPECT_TRUE(other.overflowed());
}

TEST(LossScale, GivesUpBelowOne) {
  LossScale scale(4, 100);
  EXPECT_TRUE(scale.overflowed());
  EXPECT_TRUE(scale.overflowed());
  EXPECT_EQ(scale.value(), 1);
  EXPECT_FALSE(scale.overflowed());
}

TEST(LossScale, GoesOnFromASavedState) {
  LossScale scale(1024, 3);
  scale.succeeded();
  scale.succeeded();
  LossScale resumed(65536, 3);
  resumed.restore(scale.state());
  resumed.succeeded();
  EXPECT_EQ(resumed.value(), 2048);
  EXPECT_EQ(resumed.state().good_steps, 0);
}

TEST(LossScale, HasAnUpperEnd) {
  LossScale scale(LossScale::largest, 1);
  scale.succeeded();
  EXPECT_EQ(scale.value(), LossScale::largest);
}

}  // namespace
}  // namespace anneal
