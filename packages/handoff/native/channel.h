// The primary's end of a channel to one worker. It keeps a copy of each descriptor until the worker has claimed it.

#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "messages.h"
#include "napi.h"
#include "shared-page.h"

namespace handoff {

constexpr uint64_t kBound = UINT64_MAX;

struct Unsent {
  Item item;
  std::string carried;
};

// Shared: a callback may close the channel that calls it.
struct Channel : std::enable_shared_from_this<Channel> {
  int socket = -1;
  int remote = -1;
  int memory = -1;
  int window = 0;
  Word* claims = nullptr;  // in the page; after closing in `lastClaims`
  void* page = nullptr;
  std::unique_ptr<Word[]> lastClaims;
  std::vector<int> descriptors;      // by claim index
  std::vector<uint32_t> words;       // as offered, by claim index: the worker may overwrite the shared copy
  std::vector<uint64_t> offeredAt;   // in ns, by claim index; kBound: cannot be recalled
  std::vector<uint32_t> free;
  std::vector<uint32_t> outstanding;  // claim indices that are offered and not settled
  std::vector<Unsent> unsent;
  char* bytes = nullptr;  // the buffer that returns are read to
  Poll* poll = nullptr;
  Timer* again = nullptr;
  std::shared_ptr<Callback> onReturn;

  ~Channel() { end(); }
  // Releases every descriptor, mapping and reference. The claims stay as they are now, in memory that the worker cannot see.
  void end();
  void stopReading();
  // Leaves what has come to the kernel for a moment.
  void readLater();
  void release(size_t position);
  // For a worker that has exited. False: it had claimed this one.
  bool takeBack(uint32_t index);
};

Channel* toChannel(napi_env env, napi_value value);

// Reads the channel's socket from now on. nullptr: it cannot be polled, and an error is thrown.
napi_value startReading(napi_env env, std::shared_ptr<Channel> channel, napi_value receiver, napi_value onReturn);

}  // namespace handoff
