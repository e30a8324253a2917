// Publishes in the shared row whether the worker's event loop waits in the kernel's poll or has been busy, and since when.

#include "functions.h"
#include "messages.h"
#include "receiver.h"

namespace handoff {

namespace {

constexpr double kTurnSmoothing = 1.0 / 128;
// Start values. They are high, so that turns count as short only after some hundreds of short ones.
constexpr double kFirstPieceUs = 1000, kFirstPieceSquareUs = 20e6;

uint32_t wordOf(double us) { return us < INT32_MAX ? static_cast<uint32_t>(us) : INT32_MAX; }

// Updates the averages with a turn of `us` µs. A random moment falls into a long piece of work more often than into a short one: the mean
// wait for its end is the mean square of the lengths over twice their mean (the inspection paradox of renewal theory). A turn that starts n
// requests counts as n pieces, so that a burst of short requests does not look like one long computation.
void countTurn(uint32_t us) {
  Receiver* receiver = theReceiver;
  uint32_t begun = receiver->row[kBegun].load(std::memory_order_relaxed);
  uint32_t requests = begun - receiver->begun;
  double pieces = requests < 1 ? 1 : requests;
  receiver->begun = begun;
  receiver->requests = requests;
  double length = us / pieces;
  double share = pieces * kTurnSmoothing < 1 ? pieces * kTurnSmoothing : 1;
  receiver->turnUs += (us - receiver->turnUs) * share;
  receiver->pieceUs += (length - receiver->pieceUs) * share;
  receiver->pieceSquareUs += (length * length - receiver->pieceSquareUs) * share;
  if (requests > 0) receiver->requestUs += (length - receiver->requestUs) * share;
  receiver->row[kTurn].store(wordOf(receiver->turnUs), std::memory_order_relaxed);
  receiver->row[kRequestTurn].store(wordOf(receiver->requestUs), std::memory_order_relaxed);
  receiver->row[kTurnWait].store(receiver->pieceUs < 1 ? 0 : wordOf(receiver->pieceSquareUs / (2 * receiver->pieceUs)), std::memory_order_relaxed);
}

void publishWaiting() {
  Word* row = theReceiver->row;
  // Both processes store, then load, in sequential order. So either the primary sees that the loop waits, or this process sees the request
  // for a notice.
  row[kBusySince].store(0);
  uint32_t wanted = row[kNoticeWanted].load(), sent = row[kNoticeSent].load(std::memory_order_relaxed);
  if (wanted == sent) return;
  // Its upper 24 bits are those of a count of hand-offs. The notice is due when that many have been received.
  uint32_t received = row[kReceived].load(std::memory_order_relaxed);
  if (static_cast<int32_t>((wanted & ~kNoticeMask) - (received << kNoticeBits)) > 0) return;
  // Before the message is sent: the primary may request the next notice at once.
  row[kNoticeSent].store(wanted);
  Outgoing<Return> turned;
  if (!turned.send(theReceiver->socket)) row[kNoticeSent].store(sent);
}

void beforePoll(uv_prepare_t*) {
  Receiver* receiver = theReceiver;
  Word* row = receiver->row;
  receiver->freed = false;
  uint32_t since = row[kBusySince].load(std::memory_order_relaxed);
  if (since != 0) countTurn(microseconds() - since);
  row[kTurns].store(row[kTurns].load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (receiver->holding) {  // the bytes of its request are in the kernel: the poll returns at once
    receiver->holding = false;
    row[kBusySince].store(microseconds(), std::memory_order_release);
    return;
  }
  publishWaiting();
}

// Immediates and timers run between this poll and the next.
void afterPoll(uv_check_t*) {
  if (!theReceiver->freed) recordBusy();
}

}  // namespace

void watchLoop(uv_loop_t* loop) {
  uv_prepare_init(loop, &theReceiver->beforePoll);
  uv_prepare_start(&theReceiver->beforePoll, beforePoll);
  uv_unref(reinterpret_cast<uv_handle_t*>(&theReceiver->beforePoll));
  uv_check_init(loop, &theReceiver->afterPoll);
  uv_check_start(&theReceiver->afterPoll, afterPoll);
  uv_unref(reinterpret_cast<uv_handle_t*>(&theReceiver->afterPoll));
  theReceiver->pieceUs = kFirstPieceUs;
  theReceiver->pieceSquareUs = kFirstPieceSquareUs;
  countTurn(0);
  recordBusy();
}

// markFree(): the last request of the turn is answered. Publishing it before the cleanup lets the next hand-off arrive by the next poll.
napi_value markFree(napi_env, napi_callback_info) {
  Receiver* receiver = theReceiver;
  uint32_t since = receiver->row[kBusySince].load(std::memory_order_relaxed);
  if (since == 0 || receiver->holding || receiver->remaining > 0) return nullptr;
  countTurn(microseconds() - since);
  receiver->freed = true;
  publishWaiting();
  return nullptr;
}

// markBusy(): a request starts.
napi_value markBusy(napi_env, napi_callback_info) {
  recordBusy();
  return nullptr;
}

// holdBusy(): the loop stays busy for one more turn.
napi_value holdBusy(napi_env, napi_callback_info) {
  theReceiver->holding = true;
  return nullptr;
}

}  // namespace handoff
