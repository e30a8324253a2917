// The page of memory that the primary shares with one worker: a row of load words, counters of each route, then one claim word for each hand-off
// under way.
// src/load/shared-page.ts documents every word. Loading the module compares both files; see module.cc.

#pragma once

#include <stddef.h>
#include <stdint.h>

#include <atomic>

#include "napi.h"

namespace handoff {

constexpr int kLayoutVersion = 5;

using Word = std::atomic<uint32_t>;
static_assert(sizeof(Word) == 4 && Word::is_always_lock_free, "claims need lock-free words");

// Two cache lines, one that the worker writes and one that the primary writes; then the counters, which only JavaScript reads and writes.
constexpr size_t kRowBytes = 128 + 64 * 24 * 8;
constexpr size_t kClaimsOffset = kRowBytes;

// The words of the row that native code reads or writes.
enum RowWord {
  kReceived = 1,
  kBusySince = 4,
  kTurns = 5,
  kTurnWait = 6,
  kNoticeSent = 7,
  kBegun = 8,
  kTurn = 9,
  kRequestTurn = 13,
  kNoticeWanted = 30,
};

// A notice is a number of its own in the low bits; above them stand the low bits of a count of hand-offs.
constexpr uint32_t kNoticeBits = 8, kNoticeMask = (1u << kNoticeBits) - 1;

// A claim is sequence << 2 | state. The sequence tells the word of a new hand-off from that of an old one at the same index.
enum Claim : uint32_t { kFree = 0, kOffered = 1, kClaimed = 2, kTakenBack = 3 };
constexpr uint32_t kStateBits = 2, kStateMask = (1u << kStateBits) - 1;

// Turns of the loop whose requests may be offered ahead.
constexpr uint32_t kAheadTurns = 4;

// Codes in the records of the acceptor, and in the calls of a channel and a receiver.
constexpr int kRecordInts = 4;  // fd, tag, offset, length (-1: a new connection that has already ended)
constexpr int kWoken = -1;      // a watched connection has received bytes
constexpr int kEnded = -2;      // its client has ended its side, or it is broken; bytes may have come before
constexpr int kLingered = -3;   // a refused connection is closed by its client
constexpr int kHungUp = -4;     // the client of a queued connection has hung up
// Results of peek() below 0.
constexpr int kPeekEnded = -1;
constexpr int kPeekBroken = -2;
constexpr int kNoDescriptor = -1;
constexpr int kBatchEnd = 0;
constexpr int kTurned = -1;
constexpr int kReturnInts = 4;  // fd, id, tag, reason

inline size_t pageBytes(int window) { return kClaimsOffset + static_cast<size_t>(window) * sizeof(Word); }

// The row as an ArrayBuffer with a mapping of its own, which may outlive the channel. nullptr: an error is thrown.
napi_value mapRow(napi_env env, int memory);

}  // namespace handoff
