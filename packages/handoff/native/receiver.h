// The worker's end of the channel, and the state of its event loop as the shared row shows it.

#pragma once

#include <memory>

#include "napi.h"
#include "shared-page.h"

namespace handoff {

struct Receiver {
  int socket;
  int window;
  Word* row;
  Word* claims;
  char* bytes;  // the buffer that messages are read to
  char* peeked;
  int byteCapacity;
  Poll* poll;
  std::unique_ptr<Callback> onReceived;
  uv_prepare_t beforePoll;
  uv_check_t afterPoll;
  bool holding;  // a connection was received whose first request starts in the next turn
  bool freed;    // the row already says that the loop waits, although this turn is not over
  uint32_t remaining;  // hand-offs of the current message that JavaScript has not seen
  double turnUs, pieceUs, pieceSquareUs, requestUs;  // moving averages
  uint32_t begun;  // requests started before this turn
  uint32_t requests;  // requests started in the turn before
};

inline Receiver* theReceiver = nullptr;  // one per process, on the worker's main thread

// Never 0, which means waiting.
inline uint32_t microseconds() {
  uint32_t now = static_cast<uint32_t>(uv_hrtime() / 1000);
  return now == 0 ? 1 : now;
}

// libuv does not announce callbacks of the poll itself. So received connections and starting requests call this.
inline void recordBusy() {
  Word& since = theReceiver->row[kBusySince];
  if (since.load(std::memory_order_relaxed) == 0) since.store(microseconds(), std::memory_order_release);
}

// Observes every turn of the loop from now on.
void watchLoop(uv_loop_t* loop);

}  // namespace handoff
