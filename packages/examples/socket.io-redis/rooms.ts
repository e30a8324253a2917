// socket.io's own adapter over Redis: a message to a room goes to every worker of every balancer.

import { createAdapter } from '@socket.io/redis-adapter'
import { worker } from '@switchyard/worker-runtime'

/** For `new Server(server, { adapter })`. */
export function roomsOverRedis(): ReturnType<typeof createAdapter> {
  const { redis } = worker
  if (redis === undefined || 'nodes' in redis) throw new Error('this example needs one Redis: set sessions.url')
  // A connection that subscribes can do nothing else. It waits for messages without a time limit.
  const subscriber = redis.duplicate({ enableOfflineQueue: true, maxRetriesPerRequest: null, socketTimeout: undefined })
  const publisher = redis.duplicate()
  for (const connection of [subscriber, publisher]) connection.on('error', () => {})
  // The adapter does not await what it publishes. While Redis is away those messages are lost; that must not end the process.
  const { publish } = publisher
  publisher.publish = ((channel: string, message: Buffer | string) =>
    publish.call(publisher, channel, message).catch(() => 0)) as typeof publish
  return createAdapter(publisher, subscriber)
}
