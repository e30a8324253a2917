// The trace of the last request of each bucket, where the request names exactly one that is recorded.

import type { ServerResponse } from 'node:http'
import { assert, suite } from '../../../../test/suite.ts'
import { RouteExemplars } from '../../src/reports/route-exemplars.ts'
import { RouteRequests } from '../../src/server/requests/route-requests.ts'

const test = suite('route exemplars')
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const FIELD = `00-${TRACE}-00f067aa0ba902b7-01`

function open() {
  const routes = new RouteRequests()
  const exemplars = new RouteExemplars(routes)
  const end = (rawHeaders: readonly string[], ms = 3) =>
    routes.end(0, { statusCode: 200, writableEnded: true, req: { rawHeaders } } as unknown as ServerResponse, ms)
  const labels = () => exemplars.take().map((one) => one.labels)
  return { exemplars, end, labels }
}

test('the last one of a bucket, until it is taken, and only while it is wanted', () => {
  const { exemplars, end, labels } = open()
  end(['traceparent', FIELD])
  assert.equal(labels(), [])
  exemplars.start()
  end(['Host', 'a', 'Traceparent', `00-${TRACE}-1111111111111111-01`, 'Accept', '*/*'])
  end(['host', 'a', 'traceparent', FIELD])
  end(['TRACEPARENT', FIELD], 40)
  assert.equal(labels(), Array(2).fill(`span_id="00f067aa0ba902b7",trace_id="${TRACE}"`))
  assert.equal(labels(), [])
  exemplars.stop()
  end(['traceparent', FIELD])
  assert.equal(labels(), [])
})

test('no trace, one that is not recorded, and more than one', () => {
  const { exemplars, end, labels } = open()
  exemplars.start()
  for (const field of ['', 'x', FIELD.replace('-01', '-00'), FIELD.replace('00-', 'ff-'), FIELD.toUpperCase()]) end(['traceparent', field])
  end(['Host', 'a', 'transparent', FIELD])
  end(['traceparent', FIELD, 'traceparent', FIELD])
  end([])
  assert.equal(labels(), [])
})

test.run()
