// Every function that the module exports, by the name that JavaScript calls it. src/native-module.ts has the types.

#pragma once

#include "napi.h"

#define HANDOFF_FUNCTIONS(F) \
  F(openAcceptor) F(resizeAcceptor) F(closeAcceptor) F(holdOffArrivals) \
  F(addListener) F(admitOn) F(resumeListeners) F(pauseListeners) F(closeListener) F(closeListeners) F(setPeek) \
  F(listenTcp) F(listenUnix) F(boundPort) F(describeListener) F(adoptListener) \
  F(nextDescriptor) F(watch) F(watchHangUp) F(unwatch) F(peek) F(discard) F(refuse) F(closeDescriptor) F(copyDescriptor) F(peerAddress) F(descriptorLimit) \
  F(openChannel) F(channelStarted) F(offer) F(flush) F(settle) F(takeBack) F(recall) F(answer) F(closeChannel) \
  F(readReturns) F(openPassage) F(joinPassage) F(messageBytes) \
  F(openReceiver) F(peekReceived) F(claim) F(sendReturns) \
  F(markBusy) F(markFree) F(holdBusy) \
  F(shareMemory) F(mapMemory) \
  F(sendDatagram) F(hasZombie) F(reap)

namespace handoff {

#define DECLARE(name) napi_value name(napi_env env, napi_callback_info info);
HANDOFF_FUNCTIONS(DECLARE)
#undef DECLARE

}  // namespace handoff
