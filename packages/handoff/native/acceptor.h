// The primary's acceptor: its listeners, and the connections that it watches.

#pragma once

#include <unistd.h>

#include <memory>
#include <vector>

#include "napi.h"

namespace handoff {

enum Watch : uint32_t { kWatchHead = 0, kWatchLinger = 1, kWatchHangUp = 2 };

struct Listener {
  int fd;
  int id;
  bool peek;
  Poll* poll;
  bool isOurs;  // no other process has the socket, or this one has accepted from it
  bool isAdmitted = false;
  void release() {
    poll->close();
    close(fd);
    delete this;
  }
};

struct Acceptor {
  uv_loop_t* loop;
  int epoll;
  Poll* poll;
  int32_t* records;
  int capacity;
  char* bytes;
  int byteCapacity;
  int headBytes;
  int lastDescriptor;
  int filled = 0;
  int used = 0;
  std::unique_ptr<Callback> onBatch;
  std::vector<Listener*> listeners;
  bool accepting = false;
  bool holdingOff = false;  // new connections stay in the kernel for a moment
  Timer* holdOff = nullptr;

  // A full batch is delivered before the next record.
  bool full() const { return filled == capacity || byteCapacity - used < headBytes; }
  // Writes one record, after a peek if asked: a peek leaves the bytes in the kernel for the worker.
  void record(int fd, int tag, bool peek);
  void deliver(int failure = 0);
};

inline Acceptor* theAcceptor = nullptr;  // one per process, on the primary's main thread

// Accepts one batch. False: the kernel's queue is empty, or accept failed.
bool acceptBatch(Listener* listener);
// Polls the listeners that may accept now, and no others.
void pollArrivals(Acceptor* acceptor);
// Watches a connection for one kind of event. False: the kernel refuses.
bool watchWith(int fd, Watch kind);
// Accepts from each listener what the kernel has accepted, then closes it.
void releaseListeners(Acceptor* acceptor);

}  // namespace handoff
