// The module's exports: its functions, and the layout that src/native-module.ts compares with its own when it loads the module.

#include "functions.h"
#include "shared-page.h"

namespace handoff {
namespace {

// By the names of `nativeLayout` in src/load/shared-page.ts.
constexpr struct {
  const char* name;
  int32_t value;
} kLayout[] = {
    {"version", kLayoutVersion}, {"rowBytes", kRowBytes}, {"claimsOffset", kClaimsOffset}, {"noticeBits", kNoticeBits}, {"aheadTurns", kAheadTurns},
    {"received", kReceived}, {"busySince", kBusySince}, {"turns", kTurns}, {"turnWaitUs", kTurnWait}, {"noticeSent", kNoticeSent}, {"begun", kBegun},
    {"turnUs", kTurn}, {"requestTurnUs", kRequestTurn}, {"noticeWanted", kNoticeWanted},
    {"recordInts", kRecordInts}, {"woken", kWoken}, {"ended", kEnded}, {"lingered", kLingered}, {"hungUp", kHungUp},
    {"peekEnded", kPeekEnded}, {"peekBroken", kPeekBroken},
    {"noDescriptor", kNoDescriptor}, {"batchEnd", kBatchEnd}, {"turned", kTurned}, {"returnInts", kReturnInts},
};

napi_value start(napi_env env, napi_value exports) {
  const struct {
    const char* name;
    napi_callback function;
  } functions[] = {
#define ENTRY(name) {#name, name},
      HANDOFF_FUNCTIONS(ENTRY)
#undef ENTRY
  };
  for (auto& entry : functions) {
    napi_value function;
    napi_create_function(env, entry.name, NAPI_AUTO_LENGTH, entry.function, nullptr, &function);
    setNamed(env, exports, entry.name, function);
  }
  napi_value layout;
  napi_create_object(env, &layout);
  for (auto& entry : kLayout) setNamed(env, layout, entry.name, fromInt(env, entry.value));
  setNamed(env, exports, "layout", layout);
  return exports;
}

}  // namespace

NAPI_MODULE(handoff, start)

}  // namespace handoff
